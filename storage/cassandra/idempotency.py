"""Idempotency keys in Cassandra, by conditional writes only.

Each step writes every column with the same time to live, so that a row goes as a whole.
After a conditional write whose answer was lost, the row is read at SERIAL: its holder, an id
that nobody else has, then says whether it happened.
"""

import msgspec

from storage.cassandra import session
from storage.cassandra.session import Row, Undecided
from storage.errors import Unavailable
from storage.idempotency import KEPT_SECONDS, Answer, Turn

_BEGIN = (
    "INSERT INTO idempotency_keys (user, key, fingerprint, op, holder, answer)"
    " VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS USING TTL ?"
)
_REPLACE = (
    "UPDATE idempotency_keys USING TTL ? SET fingerprint = ?, op = ?, holder = ?, answer = ?"
    " WHERE user = ? AND key = ? IF holder = ?"
)
_READ = "SELECT fingerprint, op, holder, answer FROM idempotency_keys WHERE user = ? AND key = ?"

ATTEMPTS = 2
"""The key that stood in the way may end just before it is read; then it is free."""
UNANSWERED = b""
"""In place of a null, which would be a tombstone."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class CassandraIdempotency:
    """See `storage.idempotency.IdempotencyStore`. A step is one conditional write; one read if it did not apply."""

    def begin(self, user_id: int, key: str, turn: Turn) -> Turn:
        for _ in range(ATTEMPTS):
            if _applied(_BEGIN, (user_id, key, *_columns(turn), KEPT_SECONDS)):
                return turn
            standing = _read(user_id, key)
            if standing is not None:
                return standing
        raise Unavailable("cassandra")

    def replace(self, user_id: int, key: str, *, holder: int, turn: Turn) -> bool:
        if _applied(_REPLACE, (KEPT_SECONDS, *_columns(turn), user_id, key, holder)):
            return True
        return _read(user_id, key) == turn


def _applied(cql: str, params: Row) -> bool:
    """False also when it is unknown: what stands there then tells."""
    try:
        return session.execute_if(cql, params)
    except Undecided:
        return False


def _read(user_id: int, key: str) -> Turn | None:
    rows = session.read_serial(_READ, (user_id, key))
    if not rows:
        return None
    fingerprint, op, holder, answer = rows[0]
    return Turn(bytes(fingerprint), op, holder, _decode(answer) if answer else None)


def _columns(turn: Turn) -> Row:
    return (turn.fingerprint, turn.op, turn.holder, _encode(turn.answer) if turn.answer is not None else UNANSWERED)
