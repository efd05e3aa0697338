"""Documents that clients have registered, for whoever names them by their hash.

Nothing is promised of them: whoever names one that is gone is told so, and sends the text again, which works without
Redis as well. So what they may take is bounded, and nobody can use it up for the others:
- a document has its place by its hash, one of `PLACES`: there are never more;
- it has `MAX_BYTES` at most, and was valid, or it is not kept;
- what stands in a place stays until it ends, so nobody drives it out; one that finds its place taken is not kept;
- one address brings `NEW_DOCUMENTS` at most; what is known already does not count.
What is read is looked at: only a text of that hash is one.
"""

import hashlib
import re
from threading import Lock

from cachetools import LRUCache
from django.conf import settings

from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy, hit_all
from storage.redis.reads import Read

PLACES = 2_048
"""An application has some dozens. All of them full are 32 MB."""
MAX_BYTES = 16 * 1024
"""The whole of a page of tweets and what they quote is 1 KB."""
LIFE_SECONDS = 86_400
NEW_DOCUMENTS = Policy("document", 60, 3_600)
"""Of one address: an application's, when it comes out anew. More are executed, and not kept."""
IN_MEMORY = 256
"""Of these, in each process: 4 MB. A document is the same for ever, so none of them is outdated."""

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)

_memory: LRUCache[str, str] = LRUCache(IN_MEMORY)
_remembering = Lock()


def find(sha256: str) -> str | None:
    """Returns the document of this hash, None if it is not known. One Redis round trip, none for one known here."""
    if SHA256.fullmatch(sha256) is None:
        return None
    if (text := _remembered(sha256)) is not None:
        return text
    try:
        [held] = timeline_node().ask(_place(sha256))
    except Unavailable:
        return None
    return _taken(sha256, held)


def keep(sha256: str, text: str, address: str) -> None:
    """Keeps a document if there is room for it, without a word if there is none.

    `sha256` is its hash. One Redis round trip, and two more for a new one.
    """
    raw = text.encode()
    if len(raw) > MAX_BYTES:
        return
    try:
        [held] = timeline_node().ask(_place(sha256))
        if held is None and _may_bring(address):
            [done] = timeline_node().round_trip(("SET", _key(sha256), raw, "NX", "EX", LIFE_SECONDS))
            held = raw if done else None
    except Unavailable:
        return
    _taken(sha256, held)


def _may_bring(address: str) -> bool:
    return not settings.RATE_LIMITS or not hit_all((NEW_DOCUMENTS, f"rate:document:{address}"))[0].exceeded


def _place(sha256: str) -> Read[bytes | None]:
    return Read((("GET", _key(sha256)),), lambda held: held)


def _key(sha256: str) -> str:
    return f"document:{int(sha256[:8], 16) % PLACES}"


def _taken(sha256: str, held: bytes | None) -> str | None:
    """Returns what stands in a place, if it is the document of that hash, and remembers it."""
    if held is None or hashlib.sha256(held).hexdigest() != sha256:
        return None
    text = held.decode()
    with _remembering:
        _memory[sha256] = text
    return text


def _remembered(sha256: str) -> str | None:
    with _remembering:
        return _memory.get(sha256)
