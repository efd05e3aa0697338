"""Bearer tokens at every door: who sent this `Authorization` header?"""

from collections.abc import Sequence
from typing import Any, cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import tokens
from accounts.entities import Viewer
from storage.errors import NotSignedIn
from storage.redis import Command


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

    One Redis round trip with a warm cache (tokens.authenticate). Its errors are service
    errors, which the exception handler translates.
    """

    def authenticate(self, request: Request) -> tuple[Viewer, str] | None:
        raw = bearer_token(request.META.get("HTTP_AUTHORIZATION"))
        if raw is None:
            return None
        view = (request.parser_context or {}).get("view")
        if isinstance(view, ReadsAlong):
            commands = view.along(tokens.read_claim(raw).user_id)
            viewer, view.along_answers = tokens.authenticate(raw, along=commands)
        else:
            viewer, _ = tokens.authenticate(raw)
        return viewer, viewer.token_digest

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def viewer_from_header(header: str | None) -> Viewer | None:
    """The viewer, or None without a header. Raises as `tokens.authenticate` does."""
    raw = bearer_token(header)
    return None if raw is None else tokens.authenticate(raw)[0]


def viewer_of(request: Request) -> Viewer | None:
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
