"""Where a request comes from, as far as that can be believed."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest

IPV6_PREFIX = 64
"""What one customer is given, at least: single addresses below it are theirs to choose."""


def client_address(request: HttpRequest) -> str:
    """Returns the client's address; of an IPv6 one, its network.

    Behind TRUSTED_PROXIES proxies it is the entry of X-Forwarded-For that the outermost of
    them wrote: what stands left of it came from the client, who may write anything.
    """
    return _believed(request.META.get("HTTP_X_FORWARDED_FOR", ""), request.META.get("REMOTE_ADDR") or "")


def scope_address(scope: Mapping[str, Any]) -> str:
    """Returns the same of an ASGI scope, which a socket has in place of a request."""
    fields = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    peer = scope.get("client") or ("",)
    return _believed(b",".join(fields).decode("latin-1"), peer[0])


def _believed(forwarded: str, peer: str) -> str:
    entries = forwarded.split(",")
    named = entries[-settings.TRUSTED_PROXIES :][:1] if settings.TRUSTED_PROXIES else []
    return next((network for each in (*named, peer) if (network := _network(each.strip()))), "unknown")


def _network(address: str) -> str | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
