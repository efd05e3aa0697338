"""Who sent a request, and whether they may send so many: bearer tokens and the limit of every door.

Both in one round trip: someone signed in is counted by their id, whatever token and address they come
with, as their token is checked. Everyone else is counted by address, which costs a round trip.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar, cast

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.account_cache.known_tokens import TOKENS, Claim
from accounts.entities import Viewer
from accounts.sessions.bad_tokens import count_bad_token, shut_to
from accounts.sessions.tokens import Proof, check, read_claim
from storage.errors import NotSignedIn, ServiceError, TooMany
from storage.redis.rate_limits import Hit, Policy, counting, hit_all, hit_and_read, hit_in_memory
from storage.redis.reads import NOTHING, Read
from storage.redis.shards import key_of_person
from storage.web.client_address import client_address

X = TypeVar("X")

SIGNED_IN = Policy("default", 300, 60)
"""Five a second: a person and a few open windows never get there, a scraper does at once."""
BY_ADDRESS = Policy("default", 300, 60)
"""A household or a small office behind one address reads public pages."""
user_rate_key = key_of_person("rate")
"""The counter of someone signed in, in the slot of their tokens."""


class BearerAuthentication(BaseAuthentication):
    """`request.user` becomes the `Viewer`, or None without a header; `request.auth` the token's digest.

    One Redis round trip with a warm cache (tokens.check), in which the request is counted
    as well. Its errors are service errors, which the exception handler translates.
    """

    def authenticate(self, request: Request) -> tuple[Viewer, str] | None:
        viewer = signed_in_viewer(request._request)
        return None if viewer is None else (viewer, viewer.token_digest)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class RequestLimit(BaseThrottle):
    """The default: one quota for everything, by person or by address."""

    def __init__(self) -> None:
        self._wait: int | None = None

    def allow_request(self, request: Request, view: object) -> bool:
        if not settings.RATE_LIMITS:
            return True
        hits = self.hits(request)
        request._request.rate_hits = hits  # type: ignore[attr-defined]
        exceeded = [hit.resets_seconds for hit in hits if hit.exceeded]
        self._wait = max(exceeded, default=None)
        return not exceeded

    def wait(self) -> float | None:
        return self._wait

    def hits(self, request: Request) -> list[Hit]:
        """This request, counted; as it was when the token was checked, if one was."""
        if request.auth is not None:
            return list(rate_hits(request._request))
        return hit_all(_of_nobody(request._request))


def signed_in_viewer(request: HttpRequest) -> Viewer | None:
    """Returns the viewer, None without a header; counts the request against their quota.

    Asked twice of one request, it answers the same without looking again. Raises as
    `tokens.authenticate` does, and costs the same: when the token was not cached, the count waits
    for the proof, since nobody else's may be used up, and goes along with what is then kept. A bad token is
    counted by its address, in a round trip more; for an address with too many it raises `TooMany`.
    """
    return viewer_and_read(request, _nothing)[0]


def viewer_and_read(request: HttpRequest, extra: Callable[[int], Read[X | None]]) -> tuple[Viewer | None, X | None]:
    """Does as `signed_in_viewer`, with a read of the caller's that travels in the round trip that checks the token.

    `extra` names the read for the person whom the token claims, before the claim is checked; it may raise
    `BadRequest`. What it said is None when nobody was signed in, or Redis did not answer.
    """
    known: Viewer | None = getattr(request, "proven_viewer", None)
    if known is not None:
        return known, None
    try:
        raw = bearer_token(request.META.get("HTTP_AUTHORIZATION"))
        if raw is None:
            return None, None
        claim = read_claim(raw)
        before_sql = partial(_refuse_guesser, request)
        proof = check(claim, extra=extra(claim.user_id), counted=_count(claim), before_sql=before_sql)
    except NotSignedIn as error:
        raise _counted_as_bad(request, error) from None
    if settings.RATE_LIMITS:
        request.rate_hits = [_counted(proof)]  # type: ignore[attr-defined]
    request.proven_viewer = proof.viewer  # type: ignore[attr-defined]
    return proof.viewer, proof.extra


def count_nobody(request: HttpRequest, extra: Read[X | None]) -> X | None:
    """Counts a request without a token by its address, as `RequestLimit` does, and returns what `extra` says.

    One round trip for both, none without limits; then, and when Redis does not answer, nothing was read: None.
    """
    if not settings.RATE_LIMITS:
        return None
    hit, found = hit_and_read(*_of_nobody(request), extra)
    request.rate_hits = [hit]  # type: ignore[attr-defined]
    return found


def _of_nobody(request: HttpRequest) -> tuple[Policy, str]:
    return BY_ADDRESS, f"rate:address:{client_address(request)}"


def _refuse_guesser(request: HttpRequest, claim: Claim) -> None:
    hit = shut_to(client_address(request), claim.digest)
    if hit is not None:
        request.rate_hits = [hit]  # type: ignore[attr-defined]
        raise TooMany(hit.resets_seconds)


def _counted_as_bad(request: HttpRequest, error: NotSignedIn) -> ServiceError:
    """What to answer to a bad token, counted once for a request that is asked about twice."""
    refused: ServiceError | None = getattr(request, "refused_token", None)
    if refused is None:
        hit = count_bad_token(client_address(request))
        request.rate_hits = [] if hit is None else [hit]  # type: ignore[attr-defined]
        refused = error if hit is None or not hit.exceeded else TooMany(hit.resets_seconds)
        request.refused_token = refused  # type: ignore[attr-defined]
    return refused


def rate_hits(request: HttpRequest) -> Sequence[Hit]:
    """Returns what was counted of this request so far."""
    hits: Sequence[Hit] = getattr(request, "rate_hits", ())
    return hits


def count_further(request: HttpRequest, amount: int) -> None:
    """Counts so many requests more than the one that was counted already, for one that costs as much as several.

    One Redis round trip, none for 0. Raises REST framework's `Throttled` beyond the quota.
    """
    if amount <= 0 or not settings.RATE_LIMITS:
        return
    viewer: Viewer | None = getattr(request, "proven_viewer", None)
    counted = _of_nobody(request) if viewer is None else (SIGNED_IN, user_rate_key(viewer.id))
    [hit] = hit_all(counted, amount=amount)
    request.rate_hits = [hit]  # type: ignore[attr-defined]
    if hit.exceeded:
        raise Throttled(hit.resets_seconds)


def _nothing(_viewer_id: int) -> Read[None]:
    return NOTHING


def _count(claim: Claim) -> Read[Hit | None]:
    if not settings.RATE_LIMITS:
        return NOTHING
    return counting(SIGNED_IN, user_rate_key(claim.user_id), gate=TOKENS.key(claim))


def _counted(proof: Proof[X]) -> Hit:
    key = user_rate_key(proof.viewer.id)
    if not proof.redis_answered:
        return hit_in_memory(SIGNED_IN, key)
    return proof.hit or hit_all((SIGNED_IN, key))[0]


def viewer_or_none(request: Request) -> Viewer | None:
    """Returns who sent the request, None for nobody; for views that answer both."""
    return cast(Viewer | None, request.user)


def required_viewer(request: Request) -> Viewer:
    """Returns who sent the request; for views that let only signed-in people in."""
    return cast(Viewer, request.user)


def bearer_token(header: str | None) -> str | None:
    """Returns the token in `Authorization: Bearer <token>`, None without one. Raises `NotSignedIn` on any other."""
    if header is None:
        return None
    scheme, _, raw = header.partition(" ")
    if scheme.lower() != "bearer" or not raw.strip():
        raise NotSignedIn("Send the header as Authorization: Bearer <token>.", code="bad_token")
    return raw.strip()
