"""Sign-in tokens: opaque, stored only as a digest, revocable at once.

django-rest-knox owns the rows, the digest and the expiry. A token is "<user id>.<64 hex>":
the id says before any look-up where that person's keys live in Redis, so one round trip
reads the cached token and the cached account, and carries the caller's own commands as well.

Sign-out, password change and suspension are in force from the next request on: the row
changes first, then a guard is left in the cache (storage/redis/guarded_cache.py), then the request answers.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from knox.crypto import hash_token
from knox.models import AuthToken

from accounts.account_cache.caches import (
    ACCOUNTS,
    TOKENS,
    Claim,
    decode_account,
    decode_end,
    encode_account,
    encode_end,
)
from accounts.account_cache.changes import note_commands
from accounts.account_cache.compiled import CompiledQuery
from accounts.account_cache.sql import sql_or_unavailable
from accounts.entities import Account, Viewer
from accounts.models import ACCOUNT_COLUMNS, User, account_of_row
from storage.errors import Forbidden, NotSignedIn, Unavailable
from storage.ids.snowflakes import MAX_ID, now_us
from storage.redis.node import timeline_node
from storage.redis.reads import Command

TOKEN = re.compile(r"([1-9][0-9]{0,18})\.[0-9a-f]{64}")
NEVER = MAX_ID
"""The end of a token that has none."""


def read_claim(raw: str) -> Claim:
    """Whose token this claims to be. Costs nothing. Raises `NotSignedIn` unless it looks like one of ours."""
    match = TOKEN.fullmatch(raw)
    if match is None or int(match[1]) > MAX_ID:
        raise _bad_token()
    return Claim(user_id=int(match[1]), digest=hash_token(raw))


def authenticate(raw: str, *, along: Sequence[Command] = ()) -> tuple[Viewer, list[Any] | None]:
    """The viewer whom `raw` proves, and the answers to `along`, which travelled with the check.

    The answers are None when Redis did not answer; the caller then goes its way without
    them. They are handed out only to a viewer who is who the token claims, so commands may
    name the keys of `read_claim(raw).user_id`; they must only read, or do nothing unless the
    token is in the cache.

    One Redis round trip. One SQL query and a second round trip when the cache does not know.
    Raises `NotSignedIn` (unknown, ended, revoked or malformed token), `Forbidden` with the
    code "suspended", and `Unavailable` when neither Redis nor SQL can tell.
    """
    return check(read_claim(raw), along=along)


def check(claim: Claim, *, along: Sequence[Command] = (), gated: int = 0) -> tuple[Viewer, list[Any] | None]:
    """As `authenticate`, of a token that was read already.

    The last of `along`, as many as `gated`, do nothing unless the token is in the cache: when it was not,
    they are sent again with what is kept, and answer then.
    """
    end_us, account, noted, answers = _from_redis(claim, along)
    if end_us is None or account is None:
        again = along[len(along) - gated :] if end_us is None else ()
        end_us, account = _from_sql(claim)
        late = _fill(claim, end_us, account, noted, again)
        if answers is not None and late:
            answers[-len(late) :] = late
    if end_us <= now_us():
        raise _bad_token()
    if account.suspended:
        raise Forbidden("This account is suspended.", code="suspended")
    return Viewer(account=account, token_digest=claim.digest), answers


@sql_or_unavailable()
@transaction.atomic
def issue(user: User) -> str:
    """A new token, which only the answer to this request will ever show. Three SQL statements.

    Raises `NotSignedIn` if the password has changed since `user` was read: whoever changes it
    ends every token there is, and none may be made afterwards for who knew the old one. The
    row's lock keeps the two in order. Tokens of the same person that have ended are deleted.
    """
    current = User.objects.select_for_update().get(pk=user.pk)
    if current.password != user.password:
        raise NotSignedIn("The password has just been changed.", code="bad_credentials")
    AuthToken.objects.filter(user=user, expiry__lt=datetime.now(UTC)).delete()
    _, token = AuthToken.objects.create(user=user, prefix=f"{user.pk}.")
    return str(token)


def revoke(viewer: Viewer) -> None:
    """Ends the token that the viewer came with. Idempotent."""
    _revoke(viewer.id, [viewer.token_digest])


@sql_or_unavailable()
def revoke_all(user_id: int, *, but: str | None = None) -> None:
    """Ends every token of the person, except the one with the digest `but`. Idempotent."""
    digests = AuthToken.objects.filter(user_id=user_id).exclude(digest=but).values_list("digest", flat=True)
    _revoke(user_id, list(digests))


@sql_or_unavailable()
def _revoke(user_id: int, digests: list[str]) -> None:
    AuthToken.objects.filter(digest__in=digests).delete()
    transaction.on_commit(lambda: _guard([Claim(user_id=user_id, digest=digest) for digest in digests]))


def _guard(claims: list[Claim]) -> None:
    """Best effort: without Redis a cached token ends by its time to live.

    The note in the log of changes makes open sockets of the person look at their token anew.
    """
    with suppress(Unavailable):
        notes = [command for user_id in {claim.user_id for claim in claims} for command in note_commands(user_id)]
        timeline_node().round_trip(*TOKENS.invalidate(claims), *notes)


def _from_redis(
    claim: Claim, along: Sequence[Command]
) -> tuple[int | None, Account | None, bytes | None, list[Any] | None]:
    """When the token ends, whose it is, the generation, and the answers to `along`: each as far as Redis knows."""
    try:
        token, account, *answers = timeline_node().round_trip(
            TOKENS.read([claim]), ACCOUNTS.read([claim.user_id]), *along
        )
    except Unavailable:
        return None, None, None, None
    return (
        decode_end(token[0]) if token[0] else None,
        decode_account(account[0]) if account[0] else None,
        TOKENS.noted(([claim], token), ([claim], account)),
        answers,
    )


@sql_or_unavailable()
def _from_sql(claim: Claim) -> tuple[int, Account]:
    rows = _tokens_with_cards.rows([claim.digest])
    if not rows:
        raise _bad_token()
    expiry, *values = rows[0]
    return NEVER if expiry is None else int(expiry.timestamp() * 1_000_000), account_of_row(values)


_tokens_with_cards = CompiledQuery(
    lambda: AuthToken.objects.filter(digest="").values_list("expiry", *(f"user__{name}" for name in ACCOUNT_COLUMNS))
)


def _fill(claim: Claim, end_us: int, account: Account, noted: bytes | None, again: Sequence[Command]) -> Sequence[Any]:
    """The answers to `again`; none when nothing was kept."""
    if noted is None:
        return ()
    fills = [
        *TOKENS.fill({claim: encode_end(end_us)}, noted=noted),
        *ACCOUNTS.fill({account.id: encode_account(account)}, noted=noted),
    ]
    try:
        return timeline_node().round_trip(*fills, *again)[len(fills) :]
    except Unavailable:
        return ()


def _bad_token() -> NotSignedIn:
    return NotSignedIn("This token is not, or no longer, good.", code="bad_token")
