"""Where a request comes from, as far as that can be believed."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest

IPV6_PREFIX = 64
"""What one customer is given, at least: single addresses below it are theirs to choose."""
LONGEST = 64
"""Characters of an address with a zone, brackets and a port; nothing longer is looked at."""
WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?", re.ASCII)
"""As some proxies write it: `203.0.113.9:4711`, `[2001:db8::1]:4711`, and without the port."""


def client_address(request: HttpRequest) -> str:
    """Returns the client's address, see `believed_address`."""
    return believed_address(request.META.get("HTTP_X_FORWARDED_FOR", ""), request.META.get("REMOTE_ADDR") or "")


def believed_address(forwarded: str, peer: str) -> str:
    """Returns the client's address; of an IPv6 one, its network. "unknown" where there is none.

    `peer` is who holds the connection, `forwarded` what X-Forwarded-For says. Behind TRUSTED_PROXIES proxies it is the
    entry that the outermost of them wrote: what stands left of it came from the client, who may write anything. An
    entry that is no address counts as the peer. An IPv4 address is one and the same in IPv6 clothes, a port and a
    zone do not matter: nobody has two counters for one address.
    """
    named = forwarded.split(",")[-settings.TRUSTED_PROXIES :][:1] if settings.TRUSTED_PROXIES else []
    return next((network for each in (*named, peer) if (network := _network(each.strip()))), "unknown")


def scope_address(scope: Mapping[str, Any]) -> str:
    """Returns the same of an ASGI scope, which a socket has in place of a request."""
    fields = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    peer = scope.get("client") or ("",)
    return believed_address(b",".join(fields).decode("latin-1"), peer[0])


def _network(address: str) -> str | None:
    if len(address) > LONGEST:
        return None
    if match := WITH_PORT.fullmatch(address):
        address = match[1] or match[2] or ""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
