"""Idempotency keys in SQLite, each step in one transaction that holds the write lock."""

from collections.abc import Callable

import msgspec

from storage.embedded.base import writing
from storage.ids.snowflakes import now_us
from storage.models import IdempotencyKey
from storage.ports.idempotency import KEPT_SECONDS, Answer, IdempotencyClaim

DISCARDED_AT_ONCE = 100
"""Expired keys deleted on the way by each new one: more than one, so that they never pile up."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class EmbeddedIdempotency:
    """See `storage.ports.idempotency.IdempotencyStore`."""

    def __init__(self, *, clock: Callable[[], int] = now_us) -> None:
        self._clock = clock

    def begin(self, user_id: int, key: str, claim: IdempotencyClaim) -> IdempotencyClaim:
        now = self._clock()
        with writing():
            expired = IdempotencyKey.objects.filter(expires_us__lte=now).values_list("pk", flat=True)
            IdempotencyKey.objects.filter(pk__in=list(expired[:DISCARDED_AT_ONCE])).delete()
            IdempotencyKey.objects.filter(user=user_id, key=key, expires_us__lte=now).delete()
            row = IdempotencyKey.objects.filter(user=user_id, key=key).first()
            if row is not None:
                return _claim(row)
            IdempotencyKey.objects.create(user=user_id, key=key, **self._columns(claim))
        return claim

    def replace(self, user_id: int, key: str, *, holder: int, claim: IdempotencyClaim) -> bool:
        with writing():
            standing = IdempotencyKey.objects.filter(user=user_id, key=key, holder=holder)
            return bool(standing.update(**self._columns(claim)))

    def remove(self, user_id: int, key: str, *, holder: int) -> None:
        with writing():
            IdempotencyKey.objects.filter(user=user_id, key=key, holder=holder).delete()

    def _columns(self, claim: IdempotencyClaim) -> dict[str, int | bytes | None]:
        return {
            "fingerprint": claim.fingerprint,
            "op": claim.op,
            "holder": claim.holder,
            "answer": _encode(claim.answer) if claim.answer is not None else None,
            "expires_us": self._clock() + KEPT_SECONDS * 1_000_000,
        }


def _claim(row: IdempotencyKey) -> IdempotencyClaim:
    answer = _decode(bytes(row.answer)) if row.answer is not None else None
    return IdempotencyClaim(bytes(row.fingerprint), row.op, row.holder, answer)
