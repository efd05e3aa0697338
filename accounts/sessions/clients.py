"""What signs in, in a few words: "Firefox on Windows", from the User-Agent that it sends.

It is for people to know their own sessions by, and proves nothing: a client may call itself anything. Nothing of the
field is kept but names that stand here, or the one word with which a program that is no browser begins.
"""

import re
from collections.abc import Sequence

from django.http import HttpRequest

from accounts.session_rows import CLIENT_MAX

LOOKED_AT = 500
"""Characters of the field; browsers send some 120."""

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
"""In the order in which they are looked for: nearly all of them say that they are those further down, too."""
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*", re.ASCII)
"""Such as curl, okhttp, python-requests: what stands before the first slash or space."""
BROWSERS_WORD = "Mozilla"
"""With which every browser begins, and much that is none."""


def client_name(request: HttpRequest) -> str:
    """Returns what the request was sent by, in CLIENT_MAX characters; empty when it does not say. Costs nothing."""
    said = request.META.get("HTTP_USER_AGENT", "")[:LOOKED_AT]
    browser, system = _first(BROWSERS, said), _first(SYSTEMS, said)
    if browser:
        return f"{browser} on {system}" if system else browser
    program = PROGRAM.match(said)
    if program is None or program[0] == BROWSERS_WORD:
        return system
    return program[0][:CLIENT_MAX]


def _first(known: Sequence[tuple[str, str]], said: str) -> str:
    return next((name for sign, name in known if sign in said), "")
