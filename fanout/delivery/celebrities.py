"""Authors too big to push: who they are, and how an author becomes one and ceases to be one.

A *pulled* author's entries are not put into each follower's timeline but, once a shard, into a
recent list (timelines/recents.py), which readers merge. Who is pulled stands in the store, as two edges
in the author's directory, both with the operation *since* when it is so:

- **pulled**: new entries go into the recent lists of this `since`, and whoever makes a timeline
  from now on leaves the author out of it and into its merge set.
- **unpushed**: workers do not push any more. It counts only beside a `pulled` of the same
  operation, so one that is left over, or late, says nothing.

A third edge stays for ever:

- **ceased**: when they were pulled last. Whose timeline was opened before, and merges nobody
  of this author, may lack what was not pushed meanwhile: it is not revalidated but made anew.

A timeline remembers the *epoch* that it was opened or revalidated under, and is not served as it is
under another one: its reader then compares its merge set with the store.

    to become pulled:   pulled +  ──►  raise the epoch  ──►  unpushed +
    to cease:           pulled -, ceased +  ──►  raise the epoch

Each step is acknowledged before the next one begins, and the last operation on an edge wins
(storage/ports/associations.py). The order in the outbox that is written with the first step carries
the rest out if the worker dies; steps may be repeated, or be late, as a later operation
overtakes them. That each reader sees each entry once, whatever step the crossing is at:

*An entry that is not pushed is merged.* Its worker saw `pulled` and `unpushed` after the entry was
written. So before, `pulled` was there for all, and then the epoch was raised: a timeline that is
served later was opened, or revalidated, after that, and its reader looked for pulled authors after
the opening. They found this one, and merge; or found it gone again, and `ceased` instead. Workers and readers look at
the same row, and reads at a quorum do not go back: so they found it gone after the worker had
still seen it, hence after the entry was written, and pulled the entry from the store afterwards:
all of them, as a timeline that was opened before an author ceased is not revalidated after.

*An entry that is merged from a recent list is in it.* Its worker saw `pulled` with the list's
`since`, and fed it. If it saw another `since` or none, nobody had seen this one yet, so the
list was opened later than the entry was written, and was pulled from the store after that.

*An entry of somebody who ceases reaches timelines that still merge.* It is pushed, to timelines
opened before the worker's snapshot, whatever they merge. One that was opened after the snapshot looked
for pulled authors after the worker did, and the two arguments above hold for what it found.

*Nothing is seen twice*: the sources are merged by id, and may overlap. An entry can be in
timelines only if it is not newer than PUSHED_SECONDS after `since`: so long, at most, `unpushed` takes,
as an order that comes later begins anew under another `since`.

Raising the epoch costs every active reader a read of whom they follow, and their followers
among them a rebuild. An author crosses rarely: there is a fifth between the two thresholds,
and large authors are counted once an hour at most.
"""

from collections.abc import Collection

import msgspec
import structlog
from django.conf import settings

from accounts.graph import follows
from fanout.orders.kinds import BEGIN_PULLING, END_PULLING
from fanout.timelines import materialised
from fanout.timelines.layout import pack
from storage import stores
from storage.ids.snowflakes import id_us, now_us
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.redis.node import timeline_node

PULLED = "pulled"
UNPUSHED = "unpushed"
CEASED = "ceased"
DIRECTORIES = 16
"""Sources of these edges, ids that no person has: every order reads one, and a partition should not take all."""
CEASE_SHARE = 0.8
"""Of PUSH_MAX_FOLLOWERS, below which an author is pushed again."""
COUNTED_EVERY_SECONDS = 3_600
COUNTING_SECONDS = 60
"""How long a worker that dies while counting keeps others from it."""
LATE_SECONDS = 30
"""A beginning that took longer is begun anew."""
PUSHED_SECONDS = 120
"""LATE_SECONDS, the writes' timeouts and replays (60 s, storage/ports/outbox.py), and clock skew, with room."""

log = structlog.get_logger(__name__)


class Mode(msgspec.Struct, frozen=True):
    """How an author's entries reach their readers: `since` is None for nearly everybody."""

    since: int | None = None
    unpushed: bool = False

    def may_be_pushed(self, entry_id: int) -> bool:
        """Whether the entry may stand in followers' timelines."""
        if self.since is None or not self.unpushed:
            return True
        return id_us(entry_id) < id_us(self.since) + PUSHED_SECONDS * 1_000_000


def mode(author_id: int) -> Mode:
    """To be read after the entry was written and before a snapshot is taken or anything pushed. One store read."""
    directory = _directory(author_id)
    found = stores.associations().find_pairs([(directory, kind, author_id) for kind in (PULLED, UNPUSHED)])
    since = {edge.kind: edge.op for edge in found}
    return Mode(since.get(PULLED), PULLED in since and since.get(UNPUSHED) == since[PULLED])


def pulled_among(author_ids: Collection[int]) -> dict[int, int]:
    """Those who are pulled, with the operation since when. To be read after the opening. One store read."""
    found = stores.associations().find_pairs([(_directory(each), PULLED, each) for each in author_ids])
    return {edge.target: edge.op for edge in found}


def ceased_among(author_ids: Collection[int]) -> dict[int, int]:
    """Those who were pulled at any time, with the operation that ended it last. One store read."""
    found = stores.associations().find_pairs([(_directory(each), CEASED, each) for each in author_ids])
    return {edge.target: edge.op for edge in found}


def reconsider(author_id: int, known: Mode, *, followers: int | None = None) -> None:
    """Has the author cross the line if they are beyond it.

    `followers`: how many there are, if the caller has just read them all. Otherwise they are
    counted, at most once in COUNTED_EVERY_SECONDS: a Redis round trip, then up to
    PUSH_MAX_FOLLOWERS followers read. Raises `Unavailable`; a crossing that has begun is then
    carried on by its order.
    """
    if followers is None or known.since is not None:
        _count_now_and_then(author_id, known)
    elif 0 < settings.PUSH_MAX_FOLLOWERS < followers:
        begin(author_id)


def _count_now_and_then(author_id: int, known: Mode) -> None:
    """Losing the mark in Redis costs a count, no more."""
    [ours] = timeline_node().round_trip(("SET", counted_key(author_id), b"1", "NX", "EX", COUNTING_SECONDS))
    if ours:
        _cross_if_beyond(author_id, known)
        timeline_node().round_trip(("EXPIRE", counted_key(author_id), COUNTED_EVERY_SECONDS))


def _cross_if_beyond(author_id: int, known: Mode) -> None:
    """A beginning whose order was lost on its way is begun anew: until then, both ways cost."""
    limit = settings.PUSH_MAX_FOLLOWERS
    threshold = limit if known.since is None else int(limit * CEASE_SHARE)
    beyond = limit > 0 and follows.has_more_followers_than(author_id, threshold)
    if beyond and not known.unpushed and (known.since is None or _is_late(known.since)):
        begin(author_id)
    elif not beyond and known.since is not None:
        end(author_id)


def begin(author_id: int) -> None:
    """Makes the author pulled. Three store writes and a Redis round trip. Raises `Unavailable`."""
    since = stores.ids.next()
    order = Order(since, BEGIN_PULLING, (author_id,))
    stores.associations().apply([_edge(author_id, PULLED, since, present=True)], order)
    log.info("author_pulled", author=author_id, since=since)
    handle(order)


def end(author_id: int) -> None:
    """Has the author pushed again. Two store writes and a Redis round trip. Raises `Unavailable`."""
    op = stores.ids.next()
    order = Order(op, END_PULLING, (author_id,))
    stores.associations().apply(_ending(author_id, op), order)
    log.info("author_pushed", author=author_id, op=op)
    handle(order)


def handle(order: Order) -> None:
    """The steps of a crossing, from its first one on, and marks the order done. Idempotent. Raises `Unavailable`."""
    [author_id] = order.args
    if order.kind == END_PULLING:
        _end(author_id, order.id)
    elif not _is_late(order.id):
        _begin(author_id, order.id)
    elif mode(author_id) == Mode(since=order.id):
        begin(author_id)
    stores.outbox().mark_done(order.id)


def _begin(author_id: int, since: int) -> None:
    _write(_edge(author_id, PULLED, since, present=True))
    raise_epoch()
    _write(_edge(author_id, UNPUSHED, since, present=True))


def _end(author_id: int, op: int) -> None:
    _write(*_ending(author_id, op))
    raise_epoch()


def _is_late(since: int) -> bool:
    return now_us() - id_us(since) > LATE_SECONDS * 1_000_000


def raise_epoch() -> None:
    """No timeline is served any more before its reader has looked who is pulled. One Redis round trip.

    Raises `Unavailable`, and then some shards may have it and others not.
    """
    epoch = pack(stores.ids.next())
    timeline_node().round_trip(
        *(("SET", materialised.epoch_key(shard), epoch) for shard in range(settings.TIMELINE_SHARDS))
    )


def _ending(author_id: int, op: int) -> list[Change]:
    return [_edge(author_id, PULLED, op, present=False), _edge(author_id, CEASED, op, present=True)]


def _write(*changes: Change) -> None:
    """Also what was written before: a batch whose order is visible may not be so as a whole yet."""
    stores.associations().apply(changes)


def _edge(author_id: int, kind: str, op: int, *, present: bool) -> Change:
    return Change(_directory(author_id), kind, author_id, op, present)


def _directory(author_id: int) -> int:
    """Spread as buckets are: ids differ in their low bits by worker only."""
    return ((author_id * 0x9E3779B97F4A7C15) >> 40) % DIRECTORIES + 1


def counted_key(author_id: int) -> str:
    return f"followers-counted:{author_id}"
