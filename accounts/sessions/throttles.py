"""Who may ask how often. Every REST and GraphQL view is throttled; signing in and up more strictly.

Someone signed in is counted by their id, whatever token and address they come with, in the
round trip that checks the token (sessions/authentication.py). Everyone else is counted by address,
which costs a round trip.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from storage.redis.rate_limits import Hit, Policy, hit_all
from storage.redis.shards import user_tag

SIGNED_IN = Policy("default", 300, 60)
"""Five a second: a person and a few open windows never get there, a scraper does at once."""
BY_ADDRESS = Policy("default", 300, 60)
"""A household or a small office behind one address reads public pages."""
SIGN_INS_BY_ADDRESS = Policy("sign-in-address", 30, 60)
SIGN_INS_BY_LOGIN = Policy("sign-in-login", 10, 300)
"""Guesses at one account, from wherever. Its owner is not signed out, and in again after 5 minutes."""
SIGN_UPS = Policy("sign-up", 20, 3600)
"""A classroom can sign up; a farm of accounts takes its time."""

IPV6_PREFIX = 64
"""What one customer is given, at least: single addresses below it are theirs to choose."""


class RequestLimit(BaseThrottle):
    """The default: one quota for everything, by person or by address."""

    def __init__(self) -> None:
        self._wait: int | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
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
        return hit_all((BY_ADDRESS, f"rate:address:{client_address(request._request)}"))


class SignInLimit(RequestLimit):
    def hits(self, request: Request) -> list[Hit]:
        login = cast(dict[str, Any], request.data).get("username")
        counted = [(SIGN_INS_BY_ADDRESS, f"rate:sign-in:address:{client_address(request._request)}")]
        if isinstance(login, str):
            digest = hashlib.sha256(login.strip().lower().encode()).hexdigest()
            counted.append((SIGN_INS_BY_LOGIN, f"rate:sign-in:login:{digest}"))
        return hit_all(*counted)


class SignUpLimit(RequestLimit):
    def hits(self, request: Request) -> list[Hit]:
        return hit_all((SIGN_UPS, f"rate:sign-up:{client_address(request._request)}"))


def user_rate_key(user_id: int) -> str:
    """The counter of someone signed in, in the slot of their tokens."""
    return f"{user_tag(user_id)}:rate:{user_id}"


def rate_hits(request: HttpRequest) -> Sequence[Hit]:
    """What was counted of this request so far."""
    hits: Sequence[Hit] = getattr(request, "rate_hits", ())
    return hits


def client_address(request: HttpRequest) -> str:
    """The client's address; of an IPv6 one, its network.

    Behind TRUSTED_PROXIES proxies it is the entry of X-Forwarded-For that the outermost of
    them wrote: what stands left of it came from the client, who may write anything.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    named = forwarded[-settings.TRUSTED_PROXIES :][:1] if settings.TRUSTED_PROXIES else []
    peer = request.META.get("REMOTE_ADDR") or ""
    return next((network for each in (*named, peer) if (network := _network(each.strip()))), "unknown")


def _network(address: str) -> str | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
