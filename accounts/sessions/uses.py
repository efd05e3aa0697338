"""Where tokens were made and when they were used last, which their people are told (sessions/listing.py).

**A request writes nothing of it while its token is cached.** SQL is asked for a token that is used once an hour
(storage/redis/lasting_cache.py); only then is the use noted, and only if what stands there is NOTED_SECONDS old. So a
token costs SQL one row at sign-in and at most one write in NOTED_SECONDS, and what is told lags behind its last use by
up to those and the hour: seven hours. An open socket uses its token all the time.

It is no proof of anything, so nothing fails if it cannot be noted, and a note that is lost is made an hour later. So is
one above NOTED_A_SECOND of a process: after an upgrade, which knows of no token's use, and after Redis was emptied,
everybody's token is looked up at once. Of tokens from before there were notes there is none until they are used.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError
from knox.models import AuthToken

from accounts.account_cache.known_tokens import Claim
from accounts.session_rows import TokenUse
from accounts.sql import sql_or_unavailable
from storage.errors import Unavailable
from storage.redis.rate_limits import Policy, hit_in_memory

NOTED_SECONDS = 6 * 3600
"""At the design point some hundred rows a second, which who asks about their sessions does not miss to be finer."""
NOTED_A_SECOND = Policy("token-uses", 20, 1)
"""By one process, in its own memory."""


def note_made(user_id: int, digest: str, client: str) -> None:
    """Notes a token that is being made, and forgets those of the person that have gone; in its transaction.

    Two SQL statements, which look at what is the person's alone.
    """
    tokens = AuthToken.objects.filter(user_id=user_id)
    TokenUse.objects.filter(user_id=user_id).exclude(token_id__in=tokens.values("digest")).delete()
    TokenUse.objects.create(token_id=digest, user_id=user_id, client=client, last_used_at=datetime.now(UTC))


def note_used(last_used: Mapping[Claim, datetime | None]) -> None:
    """Notes that good tokens are used now, each of which SQL has just said when it was used before.

    One SQL statement, and none for those that were used lately. In the order of their digests, so that two processes
    which note the same ones do not wait for each other. Raises nothing.
    """
    now = datetime.now(UTC)
    since = now - timedelta(seconds=NOTED_SECONDS)
    uses = [
        TokenUse(token_id=claim.digest, user_id=claim.user_id, last_used_at=now)
        for claim, at in sorted(last_used.items(), key=_by_digest)
        if (at is None or at < since) and not hit_in_memory(NOTED_A_SECOND, "noted").exceeded
    ]
    if uses:
        with suppress(Unavailable, DatabaseError), sql_or_unavailable():
            TokenUse.objects.bulk_create(
                uses, update_conflicts=True, unique_fields=["token"], update_fields=["last_used_at"]
            )


def _by_digest(used: tuple[Claim, datetime | None]) -> str:
    return used[0].digest
