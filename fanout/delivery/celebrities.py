"""Large authors: how each author's new entries reach their followers, and how an author changes over.

Most authors are *pushed*: a worker puts each entry into every follower's timeline. An author with too many followers is
*pulled*: the entry is put, once a shard, into a recent list (timelines/recents.py), which readers merge. `DeliveryMode`
has the states, and what the store says in each. The store's edges lie in the author's directory, and carry the
operation since when they stand:

- **pulled**: new entries go into the recent lists of this `since`, and whoever makes a timeline from now on leaves the
  author out of it and into its merge set.
- **push stopped**: workers do not push any more. It counts only beside a *pulled* of the same operation: one that is
  left over, or late, says nothing.
- **pulling ended** stays for ever: when they were pulled last. Whose timeline was opened before, and merges nobody of
  this author, may lack what was not pushed meanwhile: it is not revalidated but made anew.

A timeline remembers the *epoch* that it was opened or revalidated under, and is not served as it is under another one:
its reader then compares its merge set with the store.

    to begin pulling:   pulled +  ──►  raise the epoch  ──►  push stopped +
    to end it:          pulled -, pulling ended +  ──►  raise the epoch

Each step is acknowledged before the next one begins, and the last operation on an edge wins
(storage/ports/associations.py). The order in the outbox that is written with the first step has the rest done if the
worker dies; steps may be repeated, or be late, as a later operation overtakes them. That each reader sees each entry
once, whatever step the crossing is at:

*An entry that is not pushed is merged.* Its worker saw *pulled* and *push stopped* after the entry was written. So
before, *pulled* was there for all, and then the epoch was raised: a timeline that is served later was opened, or
revalidated, after that, and its reader looked for pulled authors after the opening. They found this one, and merge; or
found it gone again, and *pulling ended* instead. Workers and readers look at the same row, and reads at a quorum do not
go back: so they found it gone after the worker had still seen it, hence after the entry was written, and pulled the
entry from the store afterwards: all of them, as a timeline that was opened before the pulling ended is not revalidated
after.

*An entry that is merged from a recent list is in it.* Its worker saw *pulled* with the list's `since`, and fed it. If
it saw another `since` or none, nobody had seen this one yet, so the list was opened later than the entry was written,
and was pulled from the store after that.

*An entry of somebody who is pushed again reaches timelines that still merge.* It is pushed, to timelines opened before
the worker's snapshot, whatever they merge. One that was opened after the snapshot looked for pulled authors after the
worker did, and the two arguments above hold for what it found.

*Nothing is seen twice*: the sources are merged by id, and may overlap. An entry can be in timelines only if it is not
newer than PUSHED_SECONDS after `since`: so long, at most, *push stopped* takes, as an order that comes later begins
anew.

Worked example: Ada crosses the line with operation 70. Entry 69 was written before; its worker reads the mode after 70
is written: `BEGINNING` since 70. So 69 is pushed, and is in the recent lists of 70 that stand. Entry 90 is written when
`PULLED` stands, and goes into the recent lists alone. Bob's timeline was opened under the epoch of before 70: at his
next read he looks who is pulled, finds Ada, and makes it anew with her in its merge set. So he sees 69, pulled from the
store or pushed, and 90, merged.

Raising the epoch costs every active reader a read of whom they follow, and their followers among them a rebuild. An
author crosses rarely: there is a fifth between the two thresholds, and large authors are counted once an hour at most.
"""

from collections.abc import Collection
from enum import Enum

import msgspec
import structlog
from django.conf import settings

from accounts.graph import following
from fanout.orders.kinds import BEGIN_PULLING, END_PULLING
from fanout.timelines import materialised, recents
from fanout.timelines.layout import pack
from storage import stores
from storage.ids.snowflakes import id_us, now_us, spread
from storage.ports.associations import Association, Change
from storage.ports.outbox import Order
from storage.redis.node import timeline_node

PULLED_EDGE = "pulled"
PUSH_STOPPED_EDGE = "unpushed"
PULLING_ENDED_EDGE = "ceased"
"""What these edges are called in stores that hold them."""
KINDS = (PULLED_EDGE, PUSH_STOPPED_EDGE, PULLING_ENDED_EDGE)
DIRECTORIES = 16
"""Sources of these edges, ids that no person has: every order reads one, and a partition should not take all."""
PUSH_AGAIN_SHARE = 0.8
"""Of PUSH_MAX_FOLLOWERS, below which an author is pushed again."""
COUNTED_EVERY_SECONDS = 3_600
COUNTING_SECONDS = 60
"""How long a worker that dies while counting keeps others from it."""
LATE_SECONDS = 30
"""A beginning that took longer is begun anew."""
PUSHED_SECONDS = 120
"""LATE_SECONDS, the writes' timeouts and replays (60 s, storage/ports/outbox.py), and clock skew, with room."""

log = structlog.get_logger(__name__)


class DeliveryMode(Enum):
    """The ways in which an author's new entries reach their followers.

                    pulled +                     epoch, then push stopped +
        PUSHED ─────────────────► BEGINNING ──────────────────────────────────► PULLED
          ▲                        │  ▲  │                                        │
          │                        │  └──┘ later than LATE_SECONDS: begun anew,    │
          │                        │       pulled + of another operation          │
          └────────────────────────┴──────────────────────────────────────────────┘
                     pulled -, pulling ended +; then the epoch

    What the store says of it: nothing else does, and a timeline's merge set only follows.
    """

    PUSHED = "pushed"
    """Into followers' timelines. No *pulled*; nearly everybody. *Pulling ended* may stand, of an earlier time."""
    BEGINNING = "beginning"
    """Both ways. *Pulled*, and no *push stopped* of the same operation."""
    PULLED = "pulled"
    """Into the recent lists alone. *Pulled*, and *push stopped* of the same operation."""


class AuthorDelivery(msgspec.Struct, frozen=True):
    """An author's mode, and the operation since when they are pulled: None for who is not."""

    mode: DeliveryMode = DeliveryMode.PUSHED
    since: int | None = None

    def may_have_been_pushed(self, entry_id: int) -> bool:
        """Returns whether the entry may stand in followers' timelines."""
        if self.since is None or self.mode is not DeliveryMode.PULLED:
            return True
        return id_us(entry_id) < id_us(self.since) + PUSHED_SECONDS * 1_000_000


def delivery_of(author_id: int) -> AuthorDelivery:
    """Returns how the author is delivered now. One store read; another one for who is pulled.

    To be read after the entry was written, and before any snapshot is taken or anything pushed. *Pulled* first: what
    is read of *push stopped* then says that it stood for this very operation, or says nothing.
    """
    since = _op(author_id, PULLED_EDGE)
    if since is None:
        return AuthorDelivery()
    has_stopped = _op(author_id, PUSH_STOPPED_EDGE) == since
    return AuthorDelivery(DeliveryMode.PULLED if has_stopped else DeliveryMode.BEGINNING, since)


def pulled_among(author_ids: Collection[int]) -> dict[int, int]:
    """Returns those who are pulled, with the operation since when. To be read after the opening. One store read."""
    return _ops(author_ids, PULLED_EDGE)


def pulling_ended_among(author_ids: Collection[int]) -> dict[int, int]:
    """Returns those who were ever pulled and ceased to be, with the operation that ended it last. One store read."""
    return _ops(author_ids, PULLING_ENDED_EDGE)


def reconsider(author_id: int, known: AuthorDelivery, *, followers: int | None = None) -> None:
    """Has the author cross the line if they are beyond it.

    `followers`: how many there are, if the caller has just read them all. Otherwise they are
    counted, at most once in COUNTED_EVERY_SECONDS: a Redis round trip, then up to
    PUSH_MAX_FOLLOWERS followers read. Raises `Unavailable`; a crossing that has begun is then
    finished by its order.
    """
    if followers is None or known.mode is not DeliveryMode.PUSHED:
        _count_now_and_then(author_id, known)
    elif 0 < settings.PUSH_MAX_FOLLOWERS < followers:
        begin_pulling(author_id)


def begin_pulling(author_id: int) -> None:
    """Has followers pull the author. Three store writes and a Redis round trip. Raises `Unavailable`."""
    since = stores.ids.next()
    order = Order(since, BEGIN_PULLING, (author_id,))
    stores.associations().apply([_edge(author_id, PULLED_EDGE, since, present=True)], order)
    log.info("author_pulled", author_id=author_id, op_id=since)
    handle_beginning(order)


def end_pulling(author_id: int) -> None:
    """Has the author pushed again. Two store writes and a Redis round trip. Raises `Unavailable`."""
    op = stores.ids.next()
    order = Order(op, END_PULLING, (author_id,))
    stores.associations().apply(_ending(author_id, op), order)
    log.info("author_pushed", author_id=author_id, op_id=op)
    handle_end(order)


def forget(author_id: int) -> int:
    """Removes what says how an author is delivered, of one who has written nothing and whom nobody follows; returns how
    much that was. Idempotent. A store read, and a write and a Redis round trip if there was any. Raises `Unavailable`.

    All kinds go if one stands: an order that was begun before may write another one still.
    """
    standing = _standing(author_id)
    if not standing:
        return 0
    op = stores.ids.next(above=max(edge.op for edge in standing))
    since = next((edge.op for edge in standing if edge.kind == PULLED_EDGE), None)
    _write(*(_edge(author_id, kind, op, present=False) for kind in KINDS))
    if since is not None:
        timeline_node().round_trip(*recents.discard_everywhere((author_id, since)))
    return len(standing)


def is_known(author_id: int) -> bool:
    """Returns whether anything says how the author is delivered. One store read."""
    return bool(_standing(author_id))


def handle_beginning(order: Order) -> None:
    """Takes all steps of a BEGIN_PULLING order, from the first one on, and marks it done.

    Idempotent. One that comes too late begins anew, if nothing has overtaken it. Raises `Unavailable`.
    """
    [author_id] = order.args
    if not _is_late(order.id):
        _write(_edge(author_id, PULLED_EDGE, order.id, present=True))
        raise_epoch()
        _write(_edge(author_id, PUSH_STOPPED_EDGE, order.id, present=True))
    elif delivery_of(author_id) == AuthorDelivery(DeliveryMode.BEGINNING, order.id):
        begin_pulling(author_id)
    stores.outbox().mark_done(order.id)


def handle_end(order: Order) -> None:
    """Takes all steps of an END_PULLING order, and marks it done. Idempotent. Raises `Unavailable`."""
    [author_id] = order.args
    _write(*_ending(author_id, order.id))
    raise_epoch()
    stores.outbox().mark_done(order.id)


def raise_epoch() -> None:
    """Has no timeline served any more before its reader has looked who is pulled. One Redis round trip.

    Raises `Unavailable`, and then some shards may have it and others not.
    """
    epoch = pack(stores.ids.next())
    timeline_node().round_trip(
        *(("SET", materialised.epoch_key(shard), epoch) for shard in range(settings.TIMELINE_SHARDS))
    )


def counted_key(author_id: int) -> str:
    """The key that says, for COUNTED_EVERY_SECONDS, that the author's followers were counted."""
    return f"followers-counted:{author_id}"


def _count_now_and_then(author_id: int, known: AuthorDelivery) -> None:
    """Losing the key in Redis costs a count, no more."""
    [is_first] = timeline_node().round_trip(("SET", counted_key(author_id), b"1", "NX", "EX", COUNTING_SECONDS))
    if is_first:
        _cross_if_beyond(author_id, known)
        timeline_node().round_trip(("EXPIRE", counted_key(author_id), COUNTED_EVERY_SECONDS))


def _cross_if_beyond(author_id: int, known: AuthorDelivery) -> None:
    """A beginning whose order was lost on its way is begun anew: until then, both ways cost."""
    limit = settings.PUSH_MAX_FOLLOWERS
    threshold = limit if known.since is None else int(limit * PUSH_AGAIN_SHARE)
    is_beyond = limit > 0 and following.has_more_followers_than(author_id, threshold)
    if not is_beyond:
        if known.since is not None:
            end_pulling(author_id)
    elif known.since is None or (known.mode is DeliveryMode.BEGINNING and _is_late(known.since)):
        begin_pulling(author_id)


def _is_late(since: int) -> bool:
    return now_us() - id_us(since) > LATE_SECONDS * 1_000_000


def _standing(author_id: int) -> list[Association]:
    return stores.associations().find_pairs([(_directory(author_id), kind, author_id) for kind in KINDS])


def _op(author_id: int, kind: str) -> int | None:
    """The operation of such an edge of the author's, if it stands."""
    found = stores.associations().find(_directory(author_id), kind, [author_id])
    return found[author_id].op if found else None


def _ops(author_ids: Collection[int], kind: str) -> dict[int, int]:
    found = stores.associations().find_pairs([(_directory(each), kind, each) for each in author_ids])
    return {edge.target: edge.op for edge in found}


def _ending(author_id: int, op: int) -> list[Change]:
    return [
        _edge(author_id, PULLED_EDGE, op, present=False),
        _edge(author_id, PULLING_ENDED_EDGE, op, present=True),
    ]


def _write(*changes: Change) -> None:
    """Writes the changes, also those that were written with the order: the order may be there before them."""
    stores.associations().apply(changes)


def _edge(author_id: int, kind: str, op: int, *, present: bool) -> Change:
    return Change(_directory(author_id), kind, author_id, op, present)


def _directory(author_id: int) -> int:
    """Spread as buckets are: ids differ in their low bits by worker only."""
    return spread(author_id, DIRECTORIES) + 1
