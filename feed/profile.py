"""Somebody's profile: the person, their counts, and how the viewer stands to them."""

import msgspec

from accounts import graph
from accounts.counts import FOLLOWERS, FOLLOWING
from accounts.entities import Relationship, Viewer
from accounts.people import visible_user
from accounts.profiles import UserView, user_view
from storage.counts import counts_of
from tweets.author_counts import TWEETS


class ProfileView(UserView, frozen=True):
    """A person as one viewer sees them; `relationship` is None for nobody signed in."""

    followers_count: int
    following_count: int
    tweets_count: int
    relationship: Relationship | None


def profile(username: str, viewer: Viewer | None) -> ProfileView:
    """The profile of the person of that name, in any case.

    One SQL query, one Redis round trip and, for somebody signed in, five store reads; counts
    that are not cached are counted in the store. They are of all edges and tweets that stand,
    up to 10,000 exactly and at most a minute old above (storage/counts.py). Raises `NotFound`
    as `visible_user` does, and `Unavailable`.
    """
    person = visible_user(username, viewer)
    followers, following, tweets = counts_of(person.id, [FOLLOWERS, FOLLOWING, TWEETS])
    return ProfileView(
        **msgspec.structs.asdict(user_view(person.account)),
        followers_count=followers,
        following_count=following,
        tweets_count=tweets,
        relationship=graph.relationship(viewer.id, person.id) if viewer is not None else None,
    )
