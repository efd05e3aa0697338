"""Host names within a text: their parts, and the last of them, which has to be a known one.

twitter-text finds them by trying all ways to cut a text, which takes the square of its length.
Here each run of characters is cut at its dots once; what a part makes possible for those before
it is carried from right to left.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from tweets.parsing.characters import ACCENTED
from tweets.parsing.top_level_domains import BY_FIRST_CHARACTER, IN_ASCII

LABEL_MAX = 63
"""Characters of a part in its ASCII form, as DNS limits it."""
SURELY_FITS = 9
"""Characters: each takes 6 at most in the ASCII form, and xn-- and a hyphen come on top."""
_WORD = re.compile(r"[0-9A-Za-z]{1,25}(?![0-9A-Za-z@+\-])")
_PUNYCODE = re.compile(r"[xX][nN]--[\-0-9A-Za-z]+")
_ENDED = re.compile(r"(?![0-9A-Za-z@+\-])")
_PLAIN = re.compile(rf"[\-A-Za-z0-9{ACCENTED}]+")
_PLAIN_HOST = re.compile(rf"[.\-A-Za-z0-9{ACCENTED}]+")
_UP_TO_OTHERS = re.compile(rf"(?s:.*)[^\-A-Za-z0-9{ACCENTED}]")


@dataclass(slots=True)
class Part:
    """What stands before one dot of a run: text[start:end]."""

    start: int
    end: int
    suffix_end: int
    """The end of the top-level domain that begins behind the dot; 0 if none does."""
    last: int | None = None
    """The part that a host name has last before its top-level domain, if it begins with the whole of this one."""


def top_level_end(text: str, place: int) -> int:
    """Returns where the top-level domain ends that begins at the place; 0 if none does."""
    word = _WORD.match(text, place)
    if word and word[0].lower() in IN_ASCII:
        return word.end()
    first = text[place : place + 1].lower()
    for name in BY_FIRST_CHARACTER.get(first, ()):
        end = place + len(name)
        if text[place:end].lower() == name and _ENDED.match(text, end):
            return end
    punycode = _PUNYCODE.match(text, place) if first == "x" else None
    return punycode.end() if punycode else 0


def parts_of_run(text: str, start: int, end: int) -> list[Part]:
    """Cuts a run at its dots; what stands behind the last dot is in no part."""
    parts = []
    while (dot := text.find(".", start, end)) >= 0:
        parts.append(Part(start, dot, top_level_end(text, dot + 1)))
        start = dot + 1
    last = None
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if part.start == part.end or text[part.start] in "_-" or text[part.end - 1] in "_-":
            last = None
        elif last is None and part.suffix_end and text.find("_", part.start, part.end) < 0:
            last = index
        part.last = last
    return parts


def plain_hosts(host: str) -> list[tuple[int, int]]:
    """Returns where host names of Latin letters stand in one of any letters: a link without http:// needs them."""
    if _PLAIN_HOST.fullmatch(host):
        return [(0, len(host))]
    cut = host.split(".")
    starts = [0, *accumulate(len(part) + 1 for part in cut)]
    suffixes = [top_level_end(host, start) for start in starts[1 : len(cut)]]
    reach, reaches = 0, [0] * len(suffixes)
    for index in range(len(suffixes) - 1, -1, -1):
        if not (reach and _PLAIN.fullmatch(cut[index + 1])):
            reach = suffixes[index]
        reaches[index] = reach
    found, place = [], 0
    for index, end in enumerate(reaches):
        if end:
            others = _UP_TO_OTHERS.match(cut[index])
            start = max(place, starts[index] + (others.end() if others else 0))
            if start < starts[index + 1] - 1:
                found.append((start, end))
                place = end
    return found


def is_host(host: str) -> bool:
    """Returns whether DNS may have it: no part of more than 63 characters, nothing but ASCII behind xn--."""
    if host.startswith("xn--") and not plain_hosts(host):
        return False
    parts = host.split(".")
    return max(map(len, parts)) <= LABEL_MAX and (
        host.isascii() or all(_ascii_length(part) <= LABEL_MAX for part in parts)
    )


def _ascii_length(part: str) -> int:
    """Returns how long the part is in Punycode, or less if it fits for certain. Other full stops part it as well."""
    if part.isascii() or len(part) <= SURELY_FITS:
        return len(part)
    cut = re.split("[.。．｡]", part)
    return len(cut) - 1 + sum(len(each) if each.isascii() else len("xn--") + punycode_length(each) for each in cut)


def punycode_length(label: str) -> int:
    """Returns the length of what RFC 3492 makes of the label, in time n log n: the standard library's takes n²."""
    known = [place for place, character in enumerate(label) if character < "\x80"]
    length = len(known) + bool(known)
    bias, point, index, damping = 72, 0x80, 0, 700
    for code, place in sorted((ord(character), place) for place, character in enumerate(label) if character >= "\x80"):
        handled = len(known) + 1
        rank = bisect_left(known, place)
        delta = (code - point) * handled + rank - index
        length += _count_digits(delta, bias)
        known.insert(rank, place)
        bias = _adapt(delta // damping, handled)
        point, index, damping = code, rank + 1, 2
    return length


def _count_digits(number: int, bias: int) -> int:
    """Returns how many digits the number takes (RFC 3492, 6.3)."""
    digits, step = 1, 36
    while number >= (threshold := 1 if step <= bias else min(26, step - bias)):
        number = (number - threshold) // (36 - threshold)
        digits += 1
        step += 36
    return digits


def _adapt(delta: int, handled: int) -> int:
    """Returns the bias for the next number (RFC 3492, 6.1)."""
    delta += delta // handled
    divisions = 0
    while delta > 455:
        delta //= 35
        divisions += 36
    return divisions + 36 * delta // (delta + 38)
