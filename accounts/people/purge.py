"""Purging what the reading of someone who is shut out left in the timeline Redis.

Kept for a person's own reading are their home timeline, their graph version, and what was
made under that version: exclusions and marks. **They go together, in one command**: were the
version to go alone, something that was made before an earlier version would count again. So
a rebuild or a fill under way is refused when it ends, as after a flush. What others read of the
person (account, counts) is left alone: it ends by itself within a minute, and the guard beside
a change of the account must stay.

**In force at once, and again later.** A suspension is committed in SQL; then an order is written
to the outbox; then the keys are removed. A request that was let in before the suspension may
read its timeline after that, and so make it anew, for ACTIVE_DAYS. Therefore the order is not
sent to the workers: it waits for the sweeper, which works it off after SWEEP_AFTER_SECONDS,
when such a request has ended.

**What may be left.** SQL and outbox are two databases. A process that dies between them, an
outbox that does not answer, or a request that takes longer than the sweeper waits, leaves a
*stray*: the daily search, or `manage.py stray_keys --remove`, finds it (feed/operations/strays.py).
Nobody reads a stray: whoever is suspended is refused at every door.

A purge of somebody who may read again costs them a rebuild and nothing else, so it is
repeated, late, and after a restoration without harm.
"""

from collections.abc import Iterable
from contextlib import suppress

import structlog

from storage import stores
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import user_tag

PURGE_ORDER = "forget"
"""The kind of order that purges what people's reading left; its args are the ids of one or more.

Orders that wait in an outbox carry this very word, so it must not change."""
READING = ("home", "graph", "exclusions", "marks", "marked")
"""The families of keys that someone's own reading leaves, each of them `<user tag>:<family>:<id>`."""

log = structlog.get_logger(__name__)


def purge_command(user_id: int) -> Command:
    """Returns the command that removes what this person's reading left, all of it in one step. Idempotent."""
    return ("DEL", *(f"{user_tag(user_id)}:{family}:{user_id}" for family in READING))


def purge_reading(user_id: int) -> None:
    """Orders a person's purge and does it at once. To be called after the suspension was committed.

    One store write and one Redis round trip. Raises nothing: the suspension is in force already. See above for
    what may be left.
    """
    try:
        stores.outbox().add(Order(id=stores.ids.next(), kind=PURGE_ORDER, args=(user_id,)))
    except Unavailable as error:
        log.warning("purge_not_ordered", user_id=user_id, backend=error.backend)
    with suppress(Unavailable):
        _remove([user_id])


def handle(order: Order) -> None:
    """Does the purge of a PURGE_ORDER and marks it done. Raises `Unavailable`, and then it is still open."""
    _remove(order.args)
    stores.outbox().mark_done(order.id)


def _remove(user_ids: Iterable[int]) -> None:
    timeline_node().round_trip(*(purge_command(each) for each in user_ids))
