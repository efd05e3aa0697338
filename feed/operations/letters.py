"""Dead letters on the desk: looked at, replayed and dropped by staff, whose log tells of it before it is done."""

from collections.abc import Sequence
from typing import Protocol

from accounts.models import User
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from accounts.staff.log import Subject
from accounts.staff.roles import Right, may
from storage.errors import Forbidden, NotFound, Refused, Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.ports.dead_letters import DeadLetter
from storage.stores import dead_letters

PAGE = 50
"""As many are dealt with at once: each is some reads and writes of the store and an entry of the log."""


class Act(Protocol):
    """`replay` or `drop`."""

    def __call__(self, order_id: int, *, by: User, reason: str) -> None: ...


def letters_page(*, before: int = MAX_ID) -> tuple[list[DeadLetter], int | None]:
    """Returns those of the newest orders below a place, and the place to go on from, if there are more.

    One page of the store. Raises `Unavailable`.
    """
    found = dead_letters().page(before=before, newest_first=True, limit=PAGE + 1)
    return found[:PAGE], found[PAGE - 1].order.id if len(found) > PAGE else None


def read(order_ids: Sequence[int]) -> list[DeadLetter]:
    """Returns those that are there still, in the same order. A read of the store for each. Raises `Unavailable`."""
    return [letter for each in order_ids if (letter := dead_letters().read(each)) is not None]


def each(order_ids: Sequence[int], act: Act, *, by: User, reason: str) -> tuple[list[int], str]:
    """Does so with one after the other, up to the first with which it fails; returns which it did, and what failed.

    Each is logged and done by itself, so what was done stands. Raises `Forbidden`.
    """
    for number, order_id in enumerate(order_ids):
        try:
            act(order_id, by=by, reason=reason)
        except (Refused, NotFound, Unavailable) as error:
            return list(order_ids[:number]), error.message
    return list(order_ids), ""


def replay(order_id: int, *, by: User, reason: str) -> None:
    """Opens the order again, as if it had never failed; the sweeper sends it within seconds.

    Raises `Forbidden`, `Refused` for no reason, `NotFound` and `Unavailable`.
    """
    _act(order_id, "replay", Right.REPLAY_DEAD_LETTERS, by, reason)
    if not dead_letters().replay(order_id):
        raise _gone()


def drop(order_id: int, *, by: User, reason: str) -> None:
    """Forgets the dead letter: its order stays undone. Errors are those of `replay`."""
    _act(order_id, "drop", Right.DROP_DEAD_LETTERS, by, reason)
    if not dead_letters().drop(order_id):
        raise _gone()


@sql_or_unavailable()
def _act(order_id: int, action: str, right: Right, by: User, reason: str) -> None:
    if not may(by, right):
        raise Forbidden(f"You may not {action} dead letters.")
    reason = staff_log.checked_reason(reason)
    letter = dead_letters().read(order_id)
    if letter is None:
        raise _gone()
    staff_log.record(
        by=by,
        action=f"{action} dead letter",
        subject=Subject("order", order_id),
        before={
            "kind": letter.order.kind,
            "args": [str(each) for each in letter.order.args],
            "error": letter.error,
            "attempts": letter.attempts,
        },
        reason=reason,
    )


def _gone() -> NotFound:
    return NotFound("There is no dead letter of this order any more.")
