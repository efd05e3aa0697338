"""Somebody's profile: the person, their counts, and how the viewer stands to them."""

from collections.abc import Iterable, Sequence

import msgspec

from accounts.entities import Account, Relationship, Viewer
from accounts.graph import follows
from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.graph.listings import visible_account, visible_accounts, visible_accounts_by_id
from accounts.people.profiles import UserOut, user_out
from storage.redis.count_cache import counts_of, counts_of_many
from tweets.caches.author_counts import TWEETS_BY_AUTHOR

COUNTS = (FOLLOWERS, FOLLOWING, TWEETS_BY_AUTHOR)


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
    counts = counts_of(person.id, COUNTS)
    return _profile_out(person, counts, follows.relationship(viewer.id, person.id) if viewer is not None else None)


def profiles_by_name(usernames: Sequence[str], viewer: Viewer | None) -> list[ProfileOut]:
    """Returns the profiles of the people of these names, in their order, without whom `profile` does not find.

    Costs as `profile`, however many they are. Raises `Unavailable`.
    """
    return _profiles(visible_accounts(usernames, viewer), viewer)


def profiles_by_id(ids: Sequence[int], viewer: Viewer | None) -> list[ProfileOut]:
    """Does as `profiles_by_name`, of people by their ids."""
    return _profiles(visible_accounts_by_id(ids, viewer), viewer)


def _profiles(found: Iterable[Account | None], viewer: Viewer | None) -> list[ProfileOut]:
    people = [each for each in found if each is not None]
    ids = [each.id for each in people]
    counts = counts_of_many([(kind, each) for each in ids for kind in COUNTS])
    relationships = follows.relationships(viewer.id, ids) if viewer is not None else {}
    return [
        _profile_out(each, [counts[kind, each.id] for kind in COUNTS], relationships.get(each.id)) for each in people
    ]


def _profile_out(person: Account, counts: Sequence[int], relationship: Relationship | None) -> ProfileOut:
    followers, following, tweets = counts
    return ProfileOut(
        **msgspec.structs.asdict(user_out(person)),
        followers_count=followers,
        following_count=following,
        tweets_count=tweets,
        relationship=relationship,
    )
