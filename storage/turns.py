"""Taking one's turn at a repeatable write (storage/idempotency.py says what a turn is)."""

from collections.abc import Sequence

from storage.errors import Busy, Refused
from storage.idempotency import Answer, Turn
from storage.ids import now_us
from storage.stores import idempotency_keys, ids


def take_turn(user_id: int, key: str, fingerprints: Sequence[bytes]) -> Turn:
    """The caller's own running turn, or the answered one.

    `fingerprints` are all those that this request may have been given (by older secrets), the
    present one first. One conditional write, two if a crashed or failed turn is taken over.
    Raises `Refused` when the key stands for another request, `Busy` while a twin is at it, and
    `Unavailable`.
    """
    holder = ids.next()
    turn = idempotency_keys().begin(user_id, key, Turn(fingerprints[0], holder, holder))
    if turn.fingerprint not in fingerprints:
        raise Refused("Idempotency-Key", "This key was used for another request.", code="idempotency_key_reused")
    if turn.holder == holder or turn.answer is not None:
        return turn
    if turn.is_running(now_us()):
        raise _twin_is_running()
    taken = Turn(turn.fingerprint, turn.op, holder)
    if not idempotency_keys().replace(user_id, key, holder=turn.holder, turn=taken):
        raise _twin_is_running()
    return taken


def finish(user_id: int, key: str, turn: Turn, answer: Answer) -> None:
    """Keeps the answer for those who repeat the request. One conditional write. Raises `Unavailable`."""
    answered = Turn(turn.fingerprint, turn.op, turn.holder, answer)
    idempotency_keys().replace(user_id, key, holder=turn.holder, turn=answered)


def give_up(user_id: int, key: str, turn: Turn) -> None:
    """Lets the next one try at once, under the same operation's id: the write may have happened.

    One conditional write. Raises `Unavailable`.
    """
    idempotency_keys().replace(user_id, key, holder=turn.holder, turn=Turn(turn.fingerprint, turn.op, 0))


def _twin_is_running() -> Busy:
    return Busy("The same request is being worked on; repeat it shortly.", code="idempotent_twin_running")
