"""Who follows whom: edges in the association store, and each reader's graph version.

A change writes its edges together with an order in the outbox (`Order("graph", (reader,))`),
and then raises the reader's **graph version** in Redis. A timeline remembers the version
under which it was built; one of another version is not served before it was made anew.

A version is a fresh snowflake each time it is raised, never the operation's own id, and is
compared for equality only. Were it the operation's id, an order worked off twice could
bring an old version back, and with it a timeline that was built before a later change.

If Redis did not take the version, the order stays open and the sweeper raises it again.
"""

from contextlib import suppress

from django.conf import settings

from accounts.entities import Account, Relationship
from accounts.models import User
from accounts.sql import sql_or_unavailable
from storage import stores
from storage.associations import Change
from storage.errors import NotFound, Refused, Unavailable
from storage.outbox import Order
from storage.redis import timeline_node, user_tag

FOLLOW = "follow"
"""The kind of edge from a reader to the author they follow."""

GRAPH_ORDER = "graph"
"""The kind of order that raises a reader's graph version; its args are (reader id,)."""

FOLLOWEES_A_READ = 5_000
"""A few milliseconds of one partition; most people need one read."""

DAY_SECONDS = 86_400


def follow(reader_id: int, author_id: int) -> None:
    """Makes the reader follow the author, in force when this returns. Idempotent.

    Raises `Refused` (oneself; `MAX_FOLLOWING` reached, which requests racing each other may
    overshoot by their number), `NotFound` (no such author, or suspended), `Unavailable`.
    One SQL read, two store reads, two store writes and one Redis round trip; if the edge is
    there already, one store read and nothing else.
    """
    if reader_id == author_id:
        raise Refused("username", "You cannot follow yourself.", code="following_oneself")
    if _follows(reader_id, author_id):
        return
    _require_present(author_id)
    if stores.associations().count_targets(reader_id, FOLLOW) >= settings.MAX_FOLLOWING:
        raise Refused("username", f"You already follow {settings.MAX_FOLLOWING} people.", code="following_too_many")
    _change(reader_id, author_id, present=True)


def unfollow(reader_id: int, author_id: int) -> None:
    """The reverse, of anyone, suspended or gone. One store read; two writes and a round trip if there was an edge."""
    if _follows(reader_id, author_id):
        _change(reader_id, author_id, present=False)


def raise_version(user_id: int, op: int) -> None:
    """Carries out the graph order `op`: every timeline of the person built before now is outdated.

    Idempotent. Raises `Unavailable`, and then the order is still open.

    The key outlives every timeline it could outdate: those not read for ACTIVE_DAYS are gone.
    """
    version = stores.ids.next().to_bytes(8, "big")
    seconds = (settings.ACTIVE_DAYS + 1) * DAY_SECONDS
    timeline_node().round_trip(("SET", graph_version_key(user_id), version, "EX", seconds))
    stores.outbox().mark_done(op)


def graph_version_key(user_id: int) -> str:
    """Where a person's graph version stands: 8 bytes; nothing there is a version like any other."""
    return f"{user_tag(user_id)}:graph:{user_id}"


def followee_ids(user_id: int) -> list[int]:
    """Everyone the person follows, ascending by id, from the truth. A store read each 5,000."""
    found: list[int] = []
    while True:
        after = found[-1] if found else 0
        page = stores.associations().targets(user_id, FOLLOW, after=after, limit=FOLLOWEES_A_READ)
        found += page
        if len(page) < FOLLOWEES_A_READ:
            return found


def follower_buckets(author_id: int) -> range:
    """The buckets that hold the author's followers now. One store read; never keep the answer."""
    return range(1 << stores.associations().level(author_id, FOLLOW))


def follower_page(author_id: int, bucket: int, after: int, limit: int) -> list[int]:
    """Followers above `after` in one bucket, ascending; shorter than `limit` only at its end."""
    return stores.associations().bucket_sources(author_id, FOLLOW, bucket, after=after, limit=limit)


def relationship(viewer_id: int, other_id: int) -> Relationship:
    """How the viewer stands to the other. Two store reads; none for oneself."""
    if viewer_id == other_id:
        return Relationship(following=False, followed_by=False)
    return Relationship(following=_follows(viewer_id, other_id), followed_by=_follows(other_id, viewer_id))


def _follows(reader_id: int, author_id: int) -> bool:
    return author_id in stores.associations().find(reader_id, FOLLOW, [author_id])


@sql_or_unavailable()
def _require_present(user_id: int) -> Account:
    person = User.objects.filter(pk=user_id, suspended_at=None).first()
    if person is None:
        raise NotFound("There is no such person.")
    return person.account


def _change(reader_id: int, author_id: int, *, present: bool) -> None:
    op = stores.ids.next()
    stores.associations().apply(
        [Change(source=reader_id, kind=FOLLOW, target=author_id, op=op, present=present)],
        order=Order(id=op, kind=GRAPH_ORDER, args=(reader_id,)),
    )
    with suppress(Unavailable):
        raise_version(reader_id, op)
