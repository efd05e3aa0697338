"""Bearer tokens at every door: who sent this `Authorization` header?"""

from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.account_cache.caches import TOKENS, Claim
from accounts.entities import Viewer
from accounts.sessions import tokens
from accounts.sessions.throttles import SIGNED_IN, user_rate_key
from storage.errors import NotSignedIn
from storage.redis.rate_limits import Hit, count_command, hit_all, hit_in_memory, read_hit
from storage.redis.reads import Command


class ReadsAlong:
    """A view whose first Redis read travels in the round trip that checks the token.

    `along` names the commands for the person whom the token claims, before the claim is
    checked: they only read. It may raise `BadRequest`. Once the view's method runs, the
    claim was true, and `along_answers` holds the answers; None if nobody was signed in or
    Redis did not answer.
    """

    along_answers: list[Any] | None = None

    def along(self, viewer_id: int) -> Sequence[Command]:
        raise NotImplementedError


class BearerAuthentication(BaseAuthentication):
    """`request.user` becomes the `Viewer`, or None without a header; `request.auth` the token's digest.

    One Redis round trip with a warm cache (tokens.authenticate), in which the request is counted
    as well. Its errors are service errors, which the exception handler translates.
    """

    def authenticate(self, request: Request) -> tuple[Viewer, str] | None:
        view = (request.parser_context or {}).get("view")
        viewer = signed_in_viewer(request._request, view if isinstance(view, ReadsAlong) else None)
        return None if viewer is None else (viewer, viewer.token_digest)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def signed_in_viewer(request: HttpRequest, view: ReadsAlong | None = None) -> Viewer | None:
    """The viewer, None without a header; counts the request against their quota.

    Asked twice of one request, it answers the same without looking again. Raises as
    `tokens.authenticate` does, and costs the same: when the token was not cached, the count waits
    for the proof, since nobody else's may be used up, and goes along with what is then kept.
    """
    known: Viewer | None = getattr(request, "proven_viewer", None)
    if known is not None:
        return known
    raw = bearer_token(request.META.get("HTTP_AUTHORIZATION"))
    if raw is None:
        return None
    claim = tokens.read_claim(raw)
    reads = list(view.along(claim.user_id)) if view is not None else []
    counts = _count(claim)
    viewer, answers = tokens.check(claim, along=[*reads, *counts], gated=len(counts))
    if view is not None and answers is not None:
        view.along_answers = answers[: len(reads)]
    if settings.RATE_LIMITS:
        request.rate_hits = [_counted(viewer.id, answers)]  # type: ignore[attr-defined]
    request.proven_viewer = viewer  # type: ignore[attr-defined]
    return viewer


def _count(claim: Claim) -> list[Command]:
    if not settings.RATE_LIMITS:
        return []
    return [count_command(SIGNED_IN, user_rate_key(claim.user_id), gate=TOKENS.key(claim))]


def _counted(user_id: int, answers: Sequence[Any] | None) -> Hit:
    if answers is None:
        return hit_in_memory(SIGNED_IN, user_rate_key(user_id))
    return read_hit(SIGNED_IN, answers[-1]) or hit_all((SIGNED_IN, user_rate_key(user_id)))[0]


def viewer_from_header(header: str | None) -> Viewer | None:
    """The viewer, or None without a header. Raises as `tokens.authenticate` does."""
    raw = bearer_token(header)
    return None if raw is None else tokens.authenticate(raw)[0]


def viewer_or_none(request: Request) -> Viewer | None:
    """Who sent the request, None for nobody; for views that answer both."""
    return cast(Viewer | None, request.user)


def bearer_token(header: str | None) -> str | None:
    """The token in `Authorization: Bearer <token>`, None without a header. Raises `NotSignedIn` on any other."""
    if header is None:
        return None
    scheme, _, raw = header.partition(" ")
    if scheme.lower() != "bearer" or not raw.strip():
        raise NotSignedIn("Send the header as Authorization: Bearer <token>.", code="bad_token")
    return raw.strip()
