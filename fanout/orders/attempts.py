"""Attempts at orders: what counts as a failure, how long to wait after it, and when to give up.

An order is tried again until it is done. Two things stop that from going on for ever:

- **A fault of the order's own** (an unknown kind, malformed arguments, a bug that it meets, or
  something that kills the process working on it) counts. After MAX_ATTEMPTS the order becomes a
  dead letter (storage/ports/dead_letters.py), and nothing waits for it any more.
- **A backend that does not answer** (`Unavailable`) does not count, and never delays the next
  attempt: a healthy order outlives any outage.

A first attempt is not recorded unless it fails, so that what goes well costs nothing. At an order
that is *sent again* the attempt is recorded before the work begins; if the process dies, the record stays,
and after ATTEMPT_SECONDS it counts as a failure. The record is taken back when the attempt ends well or
with `Unavailable`. If the store cannot take it back either, this process remembers to, and begins
no further attempt before it has: otherwise a store that fails half of its calls would make the
records of healthy orders look like killed attempts.

Attempts are counted for each part of a large order by itself: its parts fail side by side.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

import structlog
from cachetools import LRUCache
from django.conf import settings

from fanout.orders import figures
from fanout.orders.handlers import known_kind
from fanout.orders.kinds import OrderClosed
from storage import stores
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.masking import masked
from storage.ports.dead_letters import ERROR_CHARS, WHOLE, Attempt, DeadLetter
from storage.ports.outbox import Order

MAX_ATTEMPTS = 5
"""With the pauses between them, failures of some two and a half minutes: a deployment's length."""
BACKOFF_SECONDS = 5.0
"""After n failures the next attempt waits this times 2^n: 10, 20, 40, 80 s."""
ATTEMPT_SECONDS = 120.0
"""An attempt that has not ended by then was killed: a part is done in seconds, and the broker itself hands a
task out again after 60 s."""
KILLED = "The process ended during the attempt."

_to_take_back: deque[tuple[int, Attempt]] = deque(maxlen=1_000)
"""Records of attempts that ended without a fault while the store did not answer."""

_seen_whole: LRUCache[int, bool] = LRUCache(10_000)
"""Orders of which this process has seen to it that all stands that was written with them."""
_lock = threading.Lock()

log = structlog.get_logger(__name__)


def attempt(
    order_id: int,
    work: Callable[[Order], None],
    *,
    part: int = WHOLE,
    is_resent: bool,
    is_found: bool = False,
    announced: Order | None = None,
) -> str:
    """Runs `work` on the order as the store has it, if it is open still: not done, and not closed by a deletion.

    `is_resent`: whether the order was sent again, by the sweeper or by the broker; then the attempt counts
    from its beginning. `is_found`: whether the sweeper came to it first, and not who wrote it. `announced`: the order
    as who wrote it has it, for `work` that looks by itself whether it is open; of what was sent again it says nothing.
    Raises `Unavailable`; any other error is recorded, and ends here. Costs a store read, unless it was announced; of an
    order that was found or sent again the writing of what it owes, once a process; of one sent again, another read and
    two writes.

    Returns how it ended, as figures.py counts it: DONE, FAILED or CLOSED.
    """
    is_sure = not (is_resent or is_found)
    order = announced if is_sure and announced is not None else _order(order_id, part, is_sure=is_sure)
    record = _begin(order, part) if is_resent and order is not None else None
    if order is None or (is_resent and record is None):
        return figures.CLOSED
    try:
        work(order)
    except Unavailable:
        _take_back(order_id, record)
        raise
    except OrderClosed:
        _take_back(order_id, record)
        return figures.CLOSED
    except Exception as error:
        log.exception("order_failed", order_id=order_id, kind=order.kind, part=part)
        _fail(order, part, record, error)
        return figures.FAILED
    _take_back(order_id, record)
    return figures.DONE


def _order(order_id: int, part: int, *, is_sure: bool) -> Order | None:
    """Returns the order while it is open. What was written with it stands: whoever sent a part, or sent what they had
    written themselves (`is_sure`), came after that; of any other it is seen to, once a process."""
    with _lock:
        stands = is_sure or part != WHOLE or order_id in _seen_whole
    if stands:
        return stores.outbox().open_order(order_id)
    order = stores.outbox().finished_order(order_id)
    if order is not None:
        with _lock:
            _seen_whole[order_id] = True
    return order


def give_up_if_spent(order: Order, attempts: Sequence[Attempt]) -> bool:
    """Makes the order a dead letter if its attempts are used up and it is still open; returns whether they are.

    Costs a store read and a write then. What was closed meanwhile is none: a deletion has closed
    it, and whoever replays it would bring the deleted entry back.
    """
    failures = _failures(attempts)
    if len(failures) < MAX_ATTEMPTS:
        return False
    if stores.outbox().open_order(order.id) is None:
        return True
    letter = DeadLetter(order, failures[-1].error or KILLED, len(failures), now_us())
    stores.dead_letters().bury(letter)
    figures.count_attempt(known_kind(order.kind), figures.GIVEN_UP)
    log.error("order_given_up", order_id=order.id, kind=order.kind, attempts=letter.attempts, error=letter.error)
    return True


def may_be_tried(attempts: Sequence[Attempt]) -> bool:
    """Returns whether the pause after the last of these attempts is over. One under way pauses, too."""
    if not attempts:
        return True
    most = max(len(of_part) for of_part in _by_part(attempts).values())
    last_us = max(each.begun_us for each in attempts)
    return now_us() >= last_us + BACKOFF_SECONDS * (1 << most) * 1_000_000


def described(error: Exception) -> str:
    """Returns the error's type and message on one line, without what nobody should read, ERROR_CHARS at most."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    for secret in (settings.SECRET_KEY, settings.CASSANDRA_PASSWORD, settings.METRICS_TOKEN):
        text = text.replace(secret, "…") if secret else text
    return masked(text)[:ERROR_CHARS]


def _begin(order: Order, part: int) -> Attempt | None:
    """Records an attempt; None when there may be no more: the order is given up, or others are still at it."""
    _catch_up()
    attempts = _attempts_at(order.id)
    slot = _free_slot(attempts, part)
    if give_up_if_spent(order, attempts) or slot is None:
        return None
    record = Attempt(part, slot, now_us())
    stores.dead_letters().record_attempt(order.id, record)
    return record


def _fail(order: Order, part: int, record: Attempt | None, error: Exception) -> None:
    attempts = _attempts_at(order.id)
    slot = record.slot if record is not None else _free_slot(attempts, part)
    if slot is None:
        return
    failed = Attempt(part, slot, now_us(), described(error))
    stores.dead_letters().record_attempt(order.id, failed)
    others = [each for each in attempts if (each.part, each.slot) != (part, slot)]
    give_up_if_spent(order, [*others, failed])


def _take_back(order_id: int, record: Attempt | None) -> None:
    if record is None:
        return
    ended = Attempt(record.part, record.slot, 0)
    try:
        stores.dead_letters().record_attempt(order_id, ended)
    except Unavailable:
        _to_take_back.append((order_id, ended))


def _catch_up() -> None:
    """Takes back what could not be taken back before. Raises `Unavailable`."""
    while _to_take_back:
        stores.dead_letters().record_attempt(*_to_take_back[0])
        _to_take_back.popleft()


def _attempts_at(order_id: int) -> list[Attempt]:
    return stores.dead_letters().attempts([order_id]).get(order_id, [])


def _by_part(attempts: Sequence[Attempt]) -> dict[int, list[Attempt]]:
    parts: dict[int, list[Attempt]] = defaultdict(list)
    for each in attempts:
        parts[each.part].append(each)
    return parts


def _free_slot(attempts: Sequence[Attempt], part: int) -> int | None:
    taken = {each.slot for each in attempts if each.part == part}
    return next((slot for slot in range(MAX_ATTEMPTS) if slot not in taken), None)


def _failures(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Returns the failures of the part that has failed most, the last one last."""
    killed_us = now_us() - ATTEMPT_SECONDS * 1_000_000
    failed = _by_part([each for each in attempts if each.error or each.begun_us <= killed_us])
    worst = max(failed.values(), key=len, default=[])
    return sorted(worst, key=lambda each: each.begun_us)
