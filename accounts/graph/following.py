"""Reading who follows whom, page by page, from the store: for whoever rebuilds, delivers or counts."""

from collections.abc import Callable, Sequence

from accounts.graph.kinds import FOLLOW
from storage import stores

FOLLOWEES_A_READ = 5_000
"""A few milliseconds of one partition; most people need one read."""

FOLLOWERS_A_READ = 20_000
"""Followers counted at a time: a bucket's 50,000 in three reads."""


def followee_ids(user_id: int) -> list[int]:
    """Returns everyone whom the person follows, ascending by id, from the truth. A store read each 5,000."""
    found: list[int] = []
    while True:
        after = found[-1] if found else 0
        page = stores.associations().targets(user_id, FOLLOW, after=after, limit=FOLLOWEES_A_READ)
        found += page
        if len(page) < FOLLOWEES_A_READ:
            return found


def followees_among(user_id: int, people: Sequence[int]) -> set[int]:
    """Returns whom of these the person follows, from the truth. One store read, none for nobody."""
    return {*stores.associations().find(user_id, FOLLOW, people)} if people else set()


def follower_buckets(author_id: int) -> range:
    """Returns the buckets that hold the author's followers now. One store read; never keep the answer."""
    return follower_buckets_soon(author_id)()


def follower_buckets_soon(author_id: int) -> Callable[[], range]:
    """Does as `follower_buckets`: returns what waits for the answer, so that something else may be read meanwhile."""
    level = stores.associations().level_soon(author_id, FOLLOW)
    return lambda: range(1 << level())


def follower_page(author_id: int, bucket: int, after: int, limit: int) -> list[int]:
    """Returns followers above `after` in one bucket, ascending; fewer than `limit` only at its end."""
    return stores.associations().bucket_sources(author_id, FOLLOW, bucket, after=after, limit=limit)


def has_more_followers_than(author_id: int, limit: int) -> bool:
    """Returns whether more than `limit` follow the author; stops reading as soon as that is certain.

    Costs a read for each FOLLOWERS_A_READ followers up to `limit`, and one for each bucket. Someone
    who stands in two buckets (storage/ports/associations.py) counts twice: for a threshold that is near enough.
    """
    found = 0
    for bucket in follower_buckets(author_id):
        after = 0
        while page := follower_page(author_id, bucket, after=after, limit=FOLLOWERS_A_READ):
            found += len(page)
            if found > limit:
                return True
            if len(page) < FOLLOWERS_A_READ:
                break
            after = page[-1]
    return False
