"""Documents that clients have registered, for whoever names them by their hash.

Nothing is promised of them: whoever names one that is gone is told so, and sends the text again, which works without
Redis as well. So what they may take is bounded, and nobody can use it up for the others:
- there are `PLACES` and never more; of these each document has `CHOICES` by its hash;
- it has `MAX_BYTES` at most, and was valid, or it is not kept;
- what stands in a place stays until it ends, so nobody drives it out; one that finds its places taken is not kept;
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
CHOICES = 4
"""With one, two of an application's sixty documents would meet as often as not, and one would be sent each time."""
MAX_BYTES = 16 * 1024
"""The whole of a page of tweets and what they quote is 1 KB."""
LIFE_SECONDS = 86_400
NEW_DOCUMENTS = Policy("document", 60, 3_600)
"""Of one address: an application's, when it comes out anew. More are executed, and not kept."""
IN_MEMORY = 256
"""Of these, in each process: 4 MB. A document is the same for ever, so none of them is outdated."""

Held = tuple[bytes | None, ...]
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
        [held] = timeline_node().ask(_places(sha256))
    except Unavailable:
        return None
    return _found(sha256, held)


def keep(sha256: str, text: str, address: str) -> None:
    """Keeps a document if there is room for it, without a word if there is none.

    `sha256` is its hash. One Redis round trip, and two more for a new one.
    """
    raw = text.encode()
    if len(raw) > MAX_BYTES:
        return
    try:
        [held] = timeline_node().ask(_places(sha256))
        free = next((key for key, it in zip(_keys(sha256), held, strict=True) if it is None), None)
        if _found(sha256, held) is None and free is not None and _may_bring(address):
            timeline_node().round_trip(("SET", free, raw, "NX", "EX", LIFE_SECONDS))
    except Unavailable:
        return


def _may_bring(address: str) -> bool:
    return not settings.RATE_LIMITS or not hit_all((NEW_DOCUMENTS, f"rate:document:{address}"))[0].exceeded


def _keys(sha256: str) -> list[str]:
    return [f"document:{int(sha256[8 * each : 8 * each + 8], 16) % PLACES}" for each in range(CHOICES)]


def _places(sha256: str) -> Read[Held]:
    return Read(tuple(("GET", key) for key in _keys(sha256)), lambda *held: held)


def _found(sha256: str, held: Held) -> str | None:
    """Returns the document of that hash, if it is among what stands in its places, and remembers it."""
    raw = next((it for it in held if it is not None and hashlib.sha256(it).hexdigest() == sha256), None)
    if raw is None:
        return None
    text = raw.decode()
    with _remembering:
        _memory[sha256] = text
    return text


def _remembered(sha256: str) -> str | None:
    with _remembering:
        return _memory.get(sha256)
