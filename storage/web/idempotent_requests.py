"""Taking one's claim at a repeatable write (storage/ports/idempotency.py says what a claim is)."""

from collections.abc import Sequence

from storage.errors import Busy, Refused
from storage.ids.snowflakes import now_us
from storage.ports.idempotency import Answer, IdempotencyClaim
from storage.stores import idempotency_keys, ids


def claim_request(user_id: int, key: str, fingerprints: Sequence[bytes]) -> IdempotencyClaim:
    """Returns the caller's own running claim, or the answered one.

    `fingerprints` are all those that this request may have been given (by older secrets), the
    present one first. One conditional write, two if a crashed or failed claim is taken over.
    Raises `Refused` when the key stands for another request, `Busy` while a twin is at it, and
    `Unavailable`.
    """
    holder = ids.next()
    claim = idempotency_keys().begin(user_id, key, IdempotencyClaim(fingerprints[0], holder, holder))
    if claim.fingerprint not in fingerprints:
        raise Refused("Idempotency-Key", "This key was used for another request.", code="idempotency_key_reused")
    if claim.holder == holder or claim.answer is not None:
        return claim
    if claim.is_running(now_us()):
        raise _twin_is_running()
    taken = IdempotencyClaim(claim.fingerprint, claim.op, holder)
    if not idempotency_keys().replace(user_id, key, holder=claim.holder, claim=taken):
        raise _twin_is_running()
    return taken


def finish(user_id: int, key: str, claim: IdempotencyClaim, answer: Answer) -> None:
    """Keeps the answer for those who repeat the request. One conditional write. Raises `Unavailable`."""
    answered = IdempotencyClaim(claim.fingerprint, claim.op, claim.holder, answer)
    idempotency_keys().replace(user_id, key, holder=claim.holder, claim=answered)


def give_up(user_id: int, key: str, claim: IdempotencyClaim) -> None:
    """Lets the next one try at once, under the same operation's id: the write may have happened.

    One conditional write. Raises `Unavailable`.
    """
    idempotency_keys().replace(
        user_id, key, holder=claim.holder, claim=IdempotencyClaim(claim.fingerprint, claim.op, 0)
    )


def forget(user_id: int, key: str, claim: IdempotencyClaim) -> None:
    """Frees the key of a request that was refused before it was read, so that the mended one may carry it.

    A claim that was taken over stays, as `give_up` leaves it: the first one's write may have happened.
    One conditional write. Raises `Unavailable`.
    """
    if claim.op != claim.holder:
        give_up(user_id, key, claim)
        return
    idempotency_keys().remove(user_id, key, holder=claim.holder)


def further_operation(user_id: int, key: str, claim: IdempotencyClaim, number: int) -> int:
    """Returns the operation's id of the `number`-th write of one request, 1 being the one after the first.

    The first is the claim's own. The others are kept in claims beside it, whose key no client can
    send and which end with it or soon after. One conditional write. Raises `Unavailable`.
    """
    made = IdempotencyClaim(claim.fingerprint, ids.next(), 0)
    return idempotency_keys().begin(user_id, f"{key}\n{claim.op}\n{number}", made).op


def _twin_is_running() -> Busy:
    return Busy("The same request is being worked on; repeat it shortly.", code="idempotent_twin_running")
