"""Somebody's profile: the person, their counts, and how the viewer stands to them."""

import msgspec

from accounts.entities import Relationship, Viewer
from accounts.graph import follows
from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.graph.listings import visible_account
from accounts.people.profiles import UserOut, user_out
from storage.redis.count_cache import counts_of
from tweets.caches.author_counts import TWEETS_BY_AUTHOR


class ProfileOut(UserOut, frozen=True):
    """A person as one viewer sees them; `relationship` is None for nobody signed in."""

    followers_count: int
    following_count: int
    tweets_count: int
    relationship: Relationship | None


def profile(username: str, viewer: Viewer | None) -> ProfileOut:
    """Returns the profile of the person of that name, in any case.

    Two Redis round trips, one more for a name that this process does not remember, and, for somebody signed in, two
    store reads; counts
    that are not cached are counted in the store. They are what the lists show to a stranger,
    up to 10,000 exactly and at most a minute old above (storage/redis/count_cache.py,
    accounts/graph/withheld.py). Raises `NotFound`
    as `visible_account` does, and `Unavailable`.
    """
    person = visible_account(username, viewer)
    followers, following, tweets = counts_of(person.id, [FOLLOWERS, FOLLOWING, TWEETS_BY_AUTHOR])
    return ProfileOut(
        **msgspec.structs.asdict(user_out(person)),
        followers_count=followers,
        following_count=following,
        tweets_count=tweets,
        relationship=follows.relationship(viewer.id, person.id) if viewer is not None else None,
    )
