"""Addresses of SQL databases: what stands in one, and which are refused at start, as they would mean something else.

What is not understood is never left out in silence: an `sslmode` that nobody reads is a password in the clear.
Sentences name the variable alone, never the address, which holds a password.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from config.addresses import WRITE_AS_XX, is_readable

POSTGRESQL = ("postgresql", "postgres")
PARAMETERS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "channel_binding",
    "application_name",
)
"""What may follow `?`: libpq's own parameters, by its names."""
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Place(NamedTuple):
    """Where a PostgreSQL is, and how it is spoken to; every part as it is meant, nothing escaped."""

    name: str
    host: str | None
    port: int
    user: str
    password: str
    parameters: Mapping[str, str]


def fault_of(url: str, *, schemes: tuple[str, ...]) -> str | None:
    """Returns what is wrong with an address, None for nothing: what follows the variable's name in a sentence."""
    if not is_readable(url):
        return WRITE_AS_XX
    scheme = urlsplit(url).scheme
    if scheme not in schemes:
        return f"begins with {scheme}://: must be one of {', '.join(f'{each}://' for each in schemes)}"
    return _fault_of_postgresql(url) if scheme in POSTGRESQL else None


def postgresql(url: str) -> Place:
    """Returns what a PostgreSQL address without a fault says."""
    parts = urlsplit(url)
    return Place(
        name=unquote(parts.path.removeprefix("/")),
        host=_host(parts),
        port=parts.port or 5432,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        parameters=dict(_parameters(parts)),
    )


def _host(parts: SplitResult) -> str | None:
    """A name, an address, or the directory of a socket (`%2Fvar%2Frun%2Fpostgresql`), in the case it was written."""
    place = parts.netloc.rpartition("@")[2]
    return parts.hostname if place.startswith("[") else unquote(place.partition(":")[0]) or None


def _parameters(parts: SplitResult) -> list[tuple[str, str]]:
    """As libpq reads them, and not as a form is read: `+` is itself."""
    pairs = [each.partition("=") for each in parts.query.split("&") if each]
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def _fault_of_postgresql(url: str) -> str | None:
    """A bare `/`, `#` or `?` ends the password before its time, and what follows would be taken for something else."""
    parts = urlsplit(url)
    if "#" in url or "/" in parts.path.removeprefix("/") or "@" in parts.path or NO_ESCAPE.search(url):
        return WRITE_AS_XX
    given = [name for name, _ in _parameters(parts)]
    if any(name not in PARAMETERS for name in given):
        return f"has a parameter that is not understood: after ? may stand {', '.join(PARAMETERS)}"
    if len(set(given)) < len(given):
        return "has a parameter twice"
    if not parts.path.removeprefix("/"):
        return "names no database: its name stands behind the last /"
    mode = postgresql(url).parameters.get("sslmode", "prefer")
    return None if mode in SSL_MODES else f"has an sslmode that is none of {', '.join(SSL_MODES)}"
