"""The address of the server that letters are handed to, and why one is refused at start.

    smtps://user:password@host:465            TLS from the beginning
    smtp+starttls://user:password@host:587    TLS before anything is said
    smtp://host:25                            in the clear, as to a relay on the same machine: then without a password

Sentences name the variable alone, never the address, which may hold a password.
"""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from config.addresses import WRITE_AS_XX, is_readable

PORTS = {"smtps": 465, "smtp+starttls": 587, "smtp": 25}


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    user: str
    password: str
    tls: bool
    starttls: bool


def fault_of(url: str) -> str | None:
    """Returns what is wrong with an address, None for nothing: what follows the variable's name in a sentence."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in PORTS:
        return f"must begin with one of {', '.join(f'{each}://' for each in PORTS)}"
    if not is_readable(url):
        return WRITE_AS_XX
    parts = urlsplit(url)
    if not parts.hostname:
        return "names no host"
    return _fault_of_login(scheme, parts.username or "", parts.password or "")


def _fault_of_login(scheme: str, user: str, password: str) -> str | None:
    if bool(user) != bool(password):
        return "has a user without a password, or a password without a user"
    if not unquote(user + password).isascii():
        return "has a user or a password with letters that a mail server cannot be told"
    if password and scheme == "smtp":
        return "would send a password in the clear: use smtp+starttls:// or smtps://"
    return None


def mail_server(url: str) -> MailServer:
    """Returns what an address says that has no fault."""
    parts = urlsplit(url)
    return MailServer(
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp+starttls",
    )
