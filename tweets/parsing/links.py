"""Links in a text, where twitter-text 3.1 finds them, in time that grows with the text's length alone.

A link is a host name whose last part is a known top-level domain, with http:// before it or not,
and the port, path and query behind it. Without http:// its host is written in Latin letters.

twitter-text goes from left to right. At each place it takes the longest host name, and behind it
as much of a path as ends well; whether all this is a link it asks afterwards, and goes on behind
it either way. What differs on purpose:

- A link without http:// stands where it was found. twitter-text names the first place in the
  host where its text stands: that of t.co in t.commerce例t.co.
- One whose host goes on in other letters before its path (a.com例.jp/path) is one link up to the
  path's end, and weighs 23. twitter-text says so as well, but counts some of its characters, too.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tweets.parsing import hosts
from tweets.parsing.characters import (
    ASTRAL,
    NOT_AT_PART_END,
    NOT_BEFORE_LINK,
    NOT_IN_HOST,
    PATH,
    PATH_END,
    QUERY,
    QUERY_END,
)
from tweets.parsing.hosts import Part
from tweets.parsing.top_level_domains import BY_FIRST_CHARACTER

MAX_LINK = 4096
"""UTF-16 code units, the protocol counted once more."""
MAX_SHORT_NAME = 40
"""Of a link of t.co, which is its short name and query, and no more."""

_HOST_END = re.compile(rf"\.[0-9A-Za-z{''.join(BY_FIRST_CHARACTER)}]", re.IGNORECASE)
"""Without one there is no link; most texts have none."""
_RUN = re.compile(rf"[^{NOT_IN_HOST}]+")
_START = re.compile(rf"(?<=[^{NOT_BEFORE_LINK}])[^{NOT_AT_PART_END}]|[{ASTRAL}]")
"""Where a host name may begin. Of a character with two halves one may stand before it, the other begin it."""
_IN_TWO_HALVES = re.compile(f"[{ASTRAL}]")
_BEFORE_LINK = re.compile(rf"[^{NOT_BEFORE_LINK}]")
_PROTOCOL = re.compile(r"[hH][tT][tT][pP][sS]?://")
_PORT = re.compile(r":[0-9]+")
_PATH_RUN = re.compile(rf"[{PATH}]*")
_PATH_THAT_ENDS = re.compile(rf"[{PATH}]*[{PATH_END}]")
_IN_BRACKETS = re.compile(rf"\([{PATH}]+\)|\([{PATH}]*\([{PATH}]+\)[{PATH}]*\)")
_QUERY = re.compile(rf"\?[{QUERY}]*[{QUERY_END}]")
_SHORT = re.compile(rf"[hH][tT][tT][pP][sS]?://[tT]\.[cC][oO]/([A-Za-z0-9]+)(?:\?[{QUERY}]*[{QUERY_END}])?")


class _Candidate(NamedTuple):
    """What may be a link: text[start:end], what stands before it, and what it is made of."""

    before: str
    start: int
    host_start: int
    host_end: int
    has_path: bool
    end: int


def find_links(text: str, *, most_beside: int = sys.maxsize, most: int = sys.maxsize) -> list[tuple[int, int]] | None:
    """Returns where links stand in a text without surrogates, in their order; none overlaps another.

    Stops with None once there are more than `most`, or once more than `most_beside` code points
    stand in none, as far as it has looked when it comes upon another.
    """
    found: list[tuple[int, int]] = []
    if not _HOST_END.search(text):
        return found
    beside = place = 0
    for candidate in _candidates(text):
        links = _links_of(text, candidate)
        beside += candidate.end - place - sum(end - start for start, end in links)
        place = candidate.end
        found += links
        if beside > most_beside or len(found) > most:
            return None
    return found


def _candidates(text: str) -> Iterator[_Candidate]:
    place = 0
    for run in _RUN.finditer(text):
        start, end = run.span()
        if end <= place or text.find(".", start, end) < 0:
            continue
        parts = hosts.parts_of_run(text, start, end)
        protocol = _protocol_before(text, start, place)
        if protocol is not None and parts[0].last is not None:
            candidate = _with_tail(text, "", protocol, start, parts[parts[0].last])
            place = candidate.end
            yield candidate
        for index, part in enumerate(parts):
            begun = _begin_in(text, parts, index, place) if place < part.end else None
            if begun is not None:
                first, last = begun
                candidate = _with_tail(text, text[max(place, first - 1) : first], first, first, last)
                place = candidate.end
                yield candidate


def _protocol_before(text: str, host: int, place: int) -> int | None:
    """Returns where the http:// begins that stands before the host, and may stand there, not before the place."""
    for start in (host - 7, host - 8):
        if start >= place and (found := _PROTOCOL.match(text, start)) and found.end() == host:
            before = start - 1
            return start if start == 0 or (before >= place and _BEFORE_LINK.match(text, before)) else None
    return None


def _begin_in(text: str, parts: Sequence[Part], index: int, place: int) -> tuple[int, Part] | None:
    """Returns where in a part a host name begins, the character before it not before the place, and its last part."""
    part = parts[index]
    first, last = max(part.start, place + 1), None
    if part.start < part.end and text[part.end - 1] not in "_-":
        last = parts[index + 1].last if index + 1 < len(parts) else None
        if last is None and part.suffix_end:
            last = index
            first = max(first, text.rfind("_", part.start, part.end) + 1)
    if last is None:
        return None
    if first == place + 1 > part.start and text[place] > "\uffff":
        return place, parts[last]
    found = _START.search(text, first, part.end)
    if place == part.start == 0 and part.last is not None and not (found and found.start() == 1):
        return 0, parts[last]
    return (found.start(), parts[last]) if found else None


def _with_tail(text: str, before: str, start: int, host_start: int, last: Part) -> _Candidate:
    """The candidate with as much as there is of port, path and query."""
    port = _PORT.match(text, last.suffix_end)
    end = port.end() if port else last.suffix_end
    has_path = text.startswith("/", end)
    if has_path:
        end = _path_end(text, end + 1)
    query = _QUERY.match(text, end)
    return _Candidate(before, start, host_start, last.suffix_end, has_path, query.end() if query else end)


def _path_end(text: str, place: int) -> int:
    """Returns where a path ends that goes on at the place: behind its last letter or slash, and closed brackets there.

    Brackets may stand within it, one pair in another.
    """
    end = place
    while True:
        if ends := _PATH_THAT_ENDS.match(text, place):
            end = ends.end()
        run = _PATH_RUN.match(text, place)
        place = run.end() if run else place
        brackets = _IN_BRACKETS.match(text, place)
        if not brackets:
            return end
        if end == place:
            end = brackets.end()
        place = brackets.end()


def _links_of(text: str, candidate: _Candidate) -> list[tuple[int, int]]:
    """The links that a candidate is: none, one, or without http:// one for each of its parts in Latin letters."""
    before, start, host_start, host_end, has_path, end = candidate
    host = text[host_start:host_end]
    protocol = host_start - start
    units = end - start + len(_IN_TWO_HALVES.findall(host))
    if units + (protocol or len("https://")) > MAX_LINK or not hosts.is_host(host):
        return []
    if protocol:
        short = _SHORT.match(text, start, end)
        if short and len(short[1]) > MAX_SHORT_NAME:
            return []
        return [(start, short.end() if short else end)]
    if before and before in "-_./":
        return []
    found = [(start + first, start + behind) for first, behind in hosts.plain_hosts(host)]
    if found and has_path:
        found[-1] = (found[-1][0], end)
    return found
