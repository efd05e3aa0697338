"""Idempotency keys in Cassandra, by conditional writes only.

Each step writes every column with the same time to live, so that a row goes as a whole.
After a conditional write whose answer was lost, the row is read at SERIAL: its holder, an id
that nobody else has, then says whether it happened.
"""

import msgspec

from storage.cassandra import session
from storage.cassandra.failures import Undecided
from storage.cassandra.session import Row
from storage.errors import Unavailable
from storage.ports.idempotency import KEPT_SECONDS, Answer, IdempotencyClaim

_BEGIN = (
    "INSERT INTO idempotency_keys (user, key, fingerprint, op, holder, answer)"
    " VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS USING TTL ?"
)
_REPLACE = (
    "UPDATE idempotency_keys USING TTL ? SET fingerprint = ?, op = ?, holder = ?, answer = ?"
    " WHERE user = ? AND key = ? IF holder = ?"
)
_REMOVE = "DELETE FROM idempotency_keys WHERE user = ? AND key = ? IF holder = ?"
_READ = "SELECT fingerprint, op, holder, answer FROM idempotency_keys WHERE user = ? AND key = ?"

ATTEMPTS = 2
"""The key that stood in the way may end just before it is read; then it is free."""
UNANSWERED = b""
"""In place of a null, which would be a tombstone."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class CassandraIdempotency:
    """See `IdempotencyStore`. A step is one conditional write, and one read if it did not apply."""

    def begin(self, user_id: int, key: str, claim: IdempotencyClaim) -> IdempotencyClaim:
        for _ in range(ATTEMPTS):
            if _applied(_BEGIN, (user_id, key, *_columns(claim), KEPT_SECONDS)):
                return claim
            standing = _read(user_id, key)
            if standing is not None:
                return standing
        raise Unavailable("cassandra")

    def replace(self, user_id: int, key: str, *, holder: int, claim: IdempotencyClaim) -> bool:
        if _applied(_REPLACE, (KEPT_SECONDS, *_columns(claim), user_id, key, holder)):
            return True
        return _read(user_id, key) == claim

    def remove(self, user_id: int, key: str, *, holder: int) -> None:
        _applied(_REMOVE, (user_id, key, holder))


def _applied(cql: str, params: Row) -> bool:
    """False also when it is unknown: what stands there then tells."""
    try:
        return session.execute_if(cql, params)
    except Undecided:
        return False


def _read(user_id: int, key: str) -> IdempotencyClaim | None:
    rows = session.read_serial(_READ, (user_id, key))
    if not rows:
        return None
    fingerprint, op, holder, answer = rows[0]
    return IdempotencyClaim(bytes(fingerprint), op, holder, _decode(answer) if answer else None)


def _columns(claim: IdempotencyClaim) -> Row:
    return (
        claim.fingerprint,
        claim.op,
        claim.holder,
        _encode(claim.answer) if claim.answer is not None else UNANSWERED,
    )
