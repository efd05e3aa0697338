"""How far the fan-out of one entry has come, and how far it reached: for operators, from what stands in the store.

An entry is followed by the id of its order, which is its own id unless it was deleted or restored: log lines of
workers, dead letters and attempts all name it (`order_id`). Of an order that is done, the store keeps that it is; when,
and how many timelines it reached, is noted for some minutes only (fanout/orders/figures.py). What timelines hold now is
looked up, of the first LOOKED_AT followers, however many there are.
"""

from contextlib import suppress

import msgspec
from msgspec import structs

from accounts.graph import following
from fanout.delivery import celebrities
from fanout.delivery.celebrities import AuthorDelivery
from fanout.orders import figures
from fanout.timelines import standing
from feed.timelines.standing import everyday
from storage.errors import Unavailable
from storage.ids.snowflakes import id_us
from storage.ports.dead_letters import Attempt, DeadLetter
from storage.redis.node import broker_node, timeline_node
from storage.stores import dead_letters, outbox
from tweets.entities import Tweet

LOOKED_AT = 1_000
"""Followers whose timelines are looked at: five script calls a thousand, some milliseconds of Redis."""


class Reach(msgspec.Struct, frozen=True):
    """Of the first followers, in whose timelines the entry stands; `more` if there are others."""

    followers: int
    more: bool
    hold: int
    merge: int
    """Have it at read from a recent list, if that holds it."""
    lack: int
    """Have a timeline that should show it, and do not hold it."""
    cannot_tell: int
    """Inactive, being made anew, or the entry is below their floor: they read it from the store."""


class FanOut(msgspec.Struct, frozen=True):
    """One entry's fan-out. `delivered` is False of a reply to somebody else, which goes to no home: its order
    tells of it live, if it has a hashtag, or else notifies."""

    trace_id: int
    delivered: bool
    kind: str = ""
    """Of the order, while it is open: deliver, tell, notify, retract or restore."""
    attempts: list[Attempt] = []
    letter: DeadLetter | None = None
    buckets: int = 0
    finished: int = 0
    """Parts that are done: of an order that was handed out, one a bucket."""
    author: AuthorDelivery = AuthorDelivery()
    reached: int | None = None
    """Active timelines that took it, as workers noted; None if nothing was noted, or no longer."""
    lag_ms: float | None = None
    reach: Reach | None = None

    @property
    def state(self) -> str:
        if self.letter is not None:
            return "given up"
        if self.kind:
            return "open"
        return "done" if self.delivered else "not for home timelines"


def fan_out_of(tweet: Tweet) -> FanOut:
    """Returns how far the entry has come. Some eight store reads and two Redis round trips, whatever its author's size.

    What Redis does not answer is left out. Raises `Unavailable` for the store.
    """
    trace_id = tweet.changed_op or tweet.id
    order = outbox().open_order(trace_id)
    found = FanOut(
        trace_id,
        delivered=tweet.in_home or bool(tweet.changed_op),
        kind=order.kind if order is not None else "",
        attempts=dead_letters().attempts([trace_id]).get(trace_id, []),
        letter=dead_letters().read(trace_id),
    )
    if not found.delivered:
        return found
    buckets = following.follower_buckets(tweet.author_id)
    reached, lag_ms = _noted(tweet.id)
    return structs.replace(
        found,
        buckets=len(buckets),
        finished=len(outbox().finished_parts(trace_id).intersection(range(len(buckets)))),
        author=celebrities.delivery_of(tweet.author_id),
        reached=reached,
        lag_ms=lag_ms,
        reach=None if tweet.deleted or not tweet.in_home else _reach(tweet),
    )


def _noted(entry_id: int) -> tuple[int | None, float | None]:
    with suppress(Unavailable):
        [note] = broker_node().ask(figures.note_of(entry_id))
        if note is not None:
            late = None if note.done_us is None else (note.done_us - id_us(entry_id)) / 1_000
            return note.reached, late
    return None, None


def _reach(tweet: Tweet) -> Reach | None:
    """Looks at the first bucket, from its beginning: followers lie in it by id, and by chance in this one."""
    page = following.follower_page(tweet.author_id, 0, after=0, limit=LOOKED_AT + 1)
    readers = page[:LOOKED_AT]
    try:
        [found] = timeline_node().ask(standing.read(readers, tweet.id, tweet.author_id, everyday([tweet.id])))
    except Unavailable:
        return None
    merging = sum(map(len, found.merging.values()))
    lacking = len(readers) - len(found.there) - len(found.unknown) - merging
    return Reach(len(readers), len(page) > LOOKED_AT, len(found.there), merging, lacking, len(found.unknown))
