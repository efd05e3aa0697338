"""Sign-in tokens: opaque, stored only as a digest, revocable at once.

django-rest-knox owns the rows, the digest and the expiry. A token is "<user id>.<64 hex>":
the id says before any look-up where that person's keys live in Redis, so one round trip
reads the cached token and the cached account, and carries the caller's own reads as well.

Sign-out, password change and suspension are in force from the next request on: the row
changes first, then a guard is left in the cache (storage/redis/guarded_cache.py), then the request answers. If Redis
does not hear of it then, it is told within a second or two, and for no more than VOUCHED_SECONDS are tokens taken out
of the cache meanwhile (account_cache/vouching.py). While SQL is away they are taken for as long as they are cached.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Generic, TypeVar

import msgspec
from django.db import transaction
from knox.crypto import hash_token
from knox.models import AuthToken

from accounts.account_cache.accounts import ACCOUNTS
from accounts.account_cache.changes import note_change
from accounts.account_cache.known_tokens import TOKENS, Claim
from accounts.account_cache.vouching import vouching
from accounts.entities import Account, Viewer
from accounts.models import User
from accounts.session_rows import TokenUse
from accounts.sessions.bad_tokens import count_bad_token, shut_to, was_bad, was_good
from accounts.sessions.uses import note_made, note_used
from accounts.sql import ACCOUNT_COLUMNS, AccountRow, CompiledQuery, account_of_row, sql_or_unavailable
from storage.errors import Forbidden, NotSignedIn, TooMany, Unavailable
from storage.figures import looked_up_in
from storage.ids.snowflakes import MAX_ID
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Hit
from storage.redis.reads import NOTHING, Read
from storage.redis.shards import Generations
from storage.telling import teller

X = TypeVar("X")

HITS, MISSES = looked_up_in("tokens")
TOKEN = re.compile(r"([1-9][0-9]{0,18})\.[0-9a-f]{64}")
TOKEN_COLUMNS = ("expiry", "use__last_used_at", *(f"user__{name}" for name in ACCOUNT_COLUMNS))
"""When it ends, when it was used last as far as that was noted, and whose it is."""
NEVER = MAX_ID
"""The end of a token that has none."""


class Proof(msgspec.Struct, Generic[X], frozen=True):
    """The answer of a check: whom the token proves its bearer to be, and what travelled along."""

    viewer: Viewer
    extra: X | None
    """None when Redis did not answer; the caller then goes its way without it."""
    hit: Hit | None
    """The request as it was counted; None when it was not."""
    redis_answered: bool


def read_claim(raw: str) -> Claim:
    """Returns whose token this claims to be. Costs nothing. Raises `NotSignedIn` unless it looks like one of ours."""
    match = TOKEN.fullmatch(raw)
    if match is None or int(match[1]) > MAX_ID:
        raise _bad_token()
    return Claim(user_id=int(match[1]), digest=hash_token(raw))


def _let_ask(_claim: Claim) -> None:
    """Spares SQL nothing."""


def authenticate(raw: str, address: str | None = None) -> Viewer:
    """Returns the viewer whom `raw` proves; a bad token is counted against `address`, if one is given.

    One Redis round trip. One SQL query and a second round trip when the cache does not know; then, every few hours, a
    statement that notes the use (sessions/uses.py).
    Raises `NotSignedIn` (unknown, ended, revoked or malformed token), `Forbidden` with the
    code "suspended", `Unavailable` when neither Redis nor SQL can tell, and `TooMany` for an address with too many.
    """
    try:
        return check(read_claim(raw), before_sql=partial(_spare_sql, address)).viewer
    except NotSignedIn:
        _refuse_exceeded(None if address is None else count_bad_token(address))
        raise


def _spare_sql(address: str | None, claim: Claim) -> None:
    _refuse_exceeded(None if address is None else shut_to(address, claim.digest))


def _refuse_exceeded(hit: Hit | None) -> None:
    if hit is not None and hit.exceeded:
        raise TooMany(hit.resets_seconds)


def check(
    claim: Claim,
    *,
    extra: Read[X | None] = NOTHING,
    counted: Read[Hit | None] = NOTHING,
    before_sql: Callable[[Claim], None] = _let_ask,
) -> Proof[X]:
    """Does as `authenticate`, of a token that was read already, together with reads of the caller's.

    What `extra` says is handed out only to a viewer who is who the token claims, so it may name the keys of
    `claim.user_id`; it must only read. `counted` does nothing unless the token is in the cache: when it was not, it is
    sent again with what is kept. `before_sql` is called when the cache does not know the token, and may raise to spare
    SQL the question. A cached token that is doubtful (storage/redis/lasting_cache.py) is looked up in SQL, and counts
    if that does not answer.
    """
    vouching.go_on()
    known = _from_redis(claim, extra, counted)
    end_us, account, hit = known.end_us, known.account, known.hit
    teller.tell((MISSES if end_us is None else HITS).inc, 1)
    if end_us is None:
        before_sql(claim)
    if end_us is None or account is None or known.is_doubtful:
        try:
            end_us, account = _proven(claim)
        except Unavailable:
            if end_us is None or account is None:
                raise
        else:
            hit = _fill(claim, end_us, account, known, counted) or hit
    if end_us <= time.time_ns() // 1_000:
        raise _bad_token()
    if account.suspended:
        raise Forbidden("This account is suspended.", code="suspended")
    return Proof(Viewer(id=account.id, account=account, token_digest=claim.digest), known.extra, hit, known.answered)


@sql_or_unavailable()
@transaction.atomic
def issue(user: User, client: str = "") -> str:
    """Issues a new token, which only the answer to this request will ever show. Five SQL statements.

    `client` is what signs in, by its name (sessions/clients.py).

    Raises `NotSignedIn` if the password has changed since `user` was read: whoever changes it
    ends every token there is, and none may be made afterwards for who knew the old one. The
    row's lock keeps the two in order. Tokens of the same person that have ended are deleted.
    """
    current = User.objects.select_for_update().get(pk=user.pk)
    if current.password != user.password:
        raise NotSignedIn("The password has just been changed.", code="bad_credentials")
    AuthToken.objects.filter(user=user, expiry__lt=datetime.now(UTC)).delete()
    row, token = AuthToken.objects.create(user=user, prefix=f"{user.pk}.")
    note_made(user.pk, row.digest, client)
    was_good(row.digest)
    return str(token)


def revoke(viewer: Viewer) -> None:
    """Ends the token that the viewer came with. Idempotent."""
    end_tokens(viewer.id, [viewer.token_digest])


@sql_or_unavailable()
def revoke_all(user_id: int, *, but: str | None = None) -> None:
    """Ends every token of the person, except the one with the digest `but`. Idempotent.

    For sessions/ending.py, which ends whatever else there is as well.
    """
    digests = AuthToken.objects.filter(user_id=user_id).exclude(digest=but).values_list("digest", flat=True)
    end_tokens(user_id, list(digests))


@sql_or_unavailable()
@transaction.atomic
def end_tokens(user_id: int, digests: list[str]) -> None:
    """Ends these tokens of the person. Idempotent. Three SQL statements, and a round trip.

    The note of it makes open sockets of the person look at their token anew, too.
    """
    AuthToken.objects.filter(digest__in=digests).delete()
    TokenUse.objects.filter(token_id__in=digests).delete()
    if digests:
        note_change(user_id, ended=digests)


class _Known(msgspec.Struct, Generic[X], frozen=True):
    """The answers of one round trip, as far as Redis knows."""

    end_us: int | None = None
    account: Account | None = None
    is_doubtful: bool = False
    generation: Generations | None = None
    redis_ms: int | None = None
    extra: X | None = None
    hit: Hit | None = None
    answered: bool = False


def _from_redis(claim: Claim, extra: Read[X | None], counted: Read[Hit | None]) -> _Known[X]:
    node = timeline_node()
    both = TOKENS.read_beside(claim, ACCOUNTS, claim.user_id)
    try:
        (token, account), found, hit = node.ask(both, extra, counted)
    except Unavailable:
        return _Known()
    return _Known(
        token.good.get(claim, token.doubtful.get(claim)),
        account.good.get(claim.user_id, account.doubtful.get(claim.user_id)),
        bool(token.doubtful or account.doubtful),
        node.generation_of(token.generation),
        token.redis_ms,
        found,
        hit,
        answered=True,
    )


def _proven(claim: Claim) -> tuple[int, Account]:
    """What SQL says of the token, remembered (sessions/bad_tokens.py)."""
    try:
        end_us, last_used, account = _from_sql(claim)
    except NotSignedIn:
        was_bad(claim.digest)
        raise
    was_good(claim.digest)
    note_used({claim: last_used})
    return end_us, account


@sql_or_unavailable()
def _from_sql(claim: Claim) -> tuple[int, datetime | None, Account]:
    rows = _tokens_with_accounts.rows([claim.digest])
    if not rows:
        raise _bad_token()
    expiry, last_used, *_ = rows[0]
    return end_of(expiry), last_used, account_of_row(rows[0][2:])


def end_of(expiry: datetime | None) -> int:
    """Returns the microsecond at which a token with this expiry ends."""
    return NEVER if expiry is None else int(expiry.timestamp() * 1_000_000)


_tokens_with_accounts: CompiledQuery[tuple[datetime | None, datetime | None, *AccountRow]] = CompiledQuery(
    lambda: AuthToken.objects.filter(digest="").values_list(*TOKEN_COLUMNS)
)


def _fill(claim: Claim, end_us: int, account: Account, known: _Known[X], counted: Read[Hit | None]) -> Hit | None:
    """The request as it was counted, unless it was already; None when nothing was kept."""
    if known.generation is None:
        return None
    was_counted = known.end_us is not None
    tokens, people = [claim] if was_counted else [], [account.id] if known.account else []
    at, ms = known.generation, known.redis_ms
    fills = [
        *TOKENS.refill({claim: end_us}, tokens, generation=at, redis_ms=ms),
        *ACCOUNTS.refill({account.id: account}, people, generation=at, redis_ms=ms),
    ]
    try:
        _, hit = timeline_node().ask(Read(tuple(fills), _ignored), NOTHING if was_counted else counted)
    except Unavailable:
        return None
    return hit


def _ignored(*_answers: int) -> None:
    """Drops what a fill answers."""


def _bad_token() -> NotSignedIn:
    return NotSignedIn("This token is not, or no longer, good.", code="bad_token")
