"""Where one is signed in at the API: the sessions of one's tokens, to be listed and ended.

A session's id is made of its token's birth and digest: it needs no place, tells of the token no more than when it was
made, and orders sessions by age; a token from before there were sessions has one as well. Sessions of the desk, which
are staff's, are not among them: they end with everything else (sessions/ending.py).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from django.db.models import Q, QuerySet
from knox.models import AuthToken

from accounts.entities import Viewer
from accounts.sessions.tokens import end_tokens
from accounts.sql import sql_or_unavailable
from storage.errors import NotFound
from storage.ids.snowflakes import WORKER_BITS, WORKERS, created_at, id_time, make_id, rfc3339
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored, full_page

DIGITS = WORKER_BITS // 4
"""Of a digest, in hex, that stand where an id has its worker: tokens of one microsecond are told apart by them."""


class SessionOut(msgspec.Struct, frozen=True):
    """A session as its person sees it."""

    id: str
    created_at: str
    last_used_at: str
    client: str | None
    current: bool


class _Row(msgspec.Struct, frozen=True):
    """Of a token, what a session shows."""

    digest: str
    created: datetime
    client: str | None
    last_used_at: datetime | None

    @property
    def session_id(self) -> int:
        return make_id(round(self.created.timestamp() * 1_000_000), int(self.digest[:DIGITS], 16))


def sessions_page(viewer: Viewer, request: PageRequest) -> Page[SessionOut]:
    """Returns a page of the viewer's sessions, newest first. One SQL query. Raises `Unavailable`.

    `last_used_at` of the one that asks is now; of others it may be seven hours old (sessions/uses.py).
    """
    rows: dict[int, _Row] = {}

    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        found = {row.session_id: row for row in _rows(viewer.id, before=before, after=after, limit=limit)}
        rows.update(found)
        return list(found)

    def show(ids: Sequence[int]) -> Shown[SessionOut]:
        return Shown([(each, _session_out(rows[each], viewer)) for each in ids])

    return full_page(request, Stored(fetch), show)


@sql_or_unavailable()
def end_session(viewer: Viewer, session_id: int) -> None:
    """Ends one of the viewer's sessions, from the next request on, and its sockets within a second.

    Three SQL statements and a round trip. Raises `NotFound` and `Unavailable`.
    """
    named = _tokens(viewer.id).filter(created=id_time(session_id), digest__startswith=_digits(session_id))
    digests = list(named.values_list("digest", flat=True))
    if not digests:
        raise NotFound("You have no such session.")
    end_tokens(viewer.id, digests)


def _session_out(row: _Row, viewer: Viewer) -> SessionOut:
    is_current = row.digest == viewer.token_digest
    used = datetime.now(UTC) if is_current else max(row.created, row.last_used_at or row.created)
    return SessionOut(
        id=str(row.session_id),
        created_at=created_at(row.session_id),
        last_used_at=rfc3339(used),
        client=row.client or None,
        current=is_current,
    )


@sql_or_unavailable()
def _rows(user_id: int, *, before: int | None, after: int | None, limit: int) -> list[_Row]:
    """Newest first below `before`, or the nearest above `after`. One SQL query."""
    found = _tokens(user_id)
    if before is not None:
        found = found.filter(_older_than(before))
    if after is None:
        found = found.order_by("-created", "-digest")
    else:
        found = found.exclude(_older_than(after + 1)).order_by("created", "digest")
    rows = [_Row(*row) for row in found.values_list("digest", "created", "use__client", "use__last_used_at")[:limit]]
    return rows if after is None else rows[::-1]


def _tokens(user_id: int) -> QuerySet[AuthToken]:
    still_good = Q(expiry=None) | Q(expiry__gt=datetime.now(UTC))
    tokens: QuerySet[AuthToken] = AuthToken.objects.filter(still_good, user_id=user_id)
    return tokens


def _older_than(session_id: int) -> Q:
    """Those whose ids are below: by birth, then by the first digits of the digest."""
    moment = id_time(session_id)
    return Q(created__lt=moment) | Q(created=moment, digest__lt=_digits(session_id))


def _digits(session_id: int) -> str:
    return f"{session_id % WORKERS:0{DIGITS}x}"
