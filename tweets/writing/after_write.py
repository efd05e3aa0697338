"""Telling caches and fan-out of what was written; the store had it first.

Telling may fail: this process then tells the guards again when Redis is back, and an order, that was
written together with what it announces, makes good the timelines if the process is gone by then.
"""

from collections.abc import Sequence
from functools import partial

import structlog

from fanout.orders.dispatch import dispatcher
from fanout.orders.kinds import DELIVER, RETRACT, TELL
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.deferred_writes import timeline_writes
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from tweets.caches import counts, marks
from tweets.entities import Tweet
from tweets.hashtags import hashtag_names, hashtag_numbers
from tweets.kinds import BOOKMARK

log = structlog.get_logger(__name__)


def deliver_order(entry_id: int, author_id: int) -> Order:
    """Returns the order of a new entry without hashtags; it has the entry's own id, so a repeated post repeats no
    order."""
    return Order(id=entry_id, kind=DELIVER, args=(entry_id, author_id))


def posted_order(tweet: Tweet) -> Order | None:
    """Returns the order of a new tweet, as `deliver_order`; None for one that nobody is told of (`is_announced`)."""
    if not tweet.is_announced:
        return None
    return Order(id=tweet.id, kind=DELIVER if tweet.in_home else TELL, args=announced(tweet))


def announced(tweet: Tweet) -> tuple[int, ...]:
    """Returns the arguments of an order after which the tweet is there."""
    return (tweet.id, tweet.author_id, *hashtag_numbers(hashtag_names(tweet)))


def retract_order(op: int, entry_id: int, author_id: int) -> Order:
    """Returns the order of the deletion `op` of an entry."""
    return Order(id=op, kind=RETRACT, args=(entry_id, author_id))


def tell(commands: Sequence[Command], *orders: Order | None, guards: Sequence[Command] = ()) -> bool:
    """Sends the commands in one round trip, and the orders to the workers; returns whether Redis took the commands.

    `guards` are commands that may be sent at any later time, and any number of times: they are,
    if Redis does not answer now.
    """
    told = True
    try:
        _send([*commands, *guards])
    except Unavailable as error:
        told = False
        log.warning("caches_not_told", backend=error.backend)
        if guards:
            timeline_writes.keep(partial(_send, guards))
    for order in orders:
        if order is not None:
            dispatcher.send(order)
    return told


def tell_marked(
    viewer_id: int,
    kind: str,
    tweet_id: int,
    *,
    made: bool,
    marks_version: bytes | None,
    fills: Sequence[Command] = (),
    guards: Sequence[Command] = (),
    order: Order | None = None,
) -> None:
    """Tells the viewer's marks and the tweet's counts, and what else is given (see `tell`).

    One round trip; a store write if Redis does not answer.
    """
    counted = counts.invalidate([tweet_id]) if kind != BOOKMARK else []
    command = marks.changed(viewer_id, kind, tweet_id, made=made, marks_version=marks_version)
    if not tell([command, *fills], order, guards=[*counted, *guards]):
        marks.untold(viewer_id)


def _send(commands: Sequence[Command]) -> None:
    timeline_node().round_trip(*commands)
