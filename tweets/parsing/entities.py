"""Which links, mentions and hashtags of a text are its entities: of two that overlap, the one that begins first."""

from typing import NamedTuple

from tweets.parsing.links import find_links
from tweets.parsing.names import find_hashtags, find_mentions

Span = tuple[int, int]


class Spans(NamedTuple):
    """Where they stand, in code points, the end exclusive, a sign included."""

    mentions: list[Span]
    hashtags: list[Span]
    urls: list[Span]


def find_spans(text: str) -> Spans:
    """Finds them in a text without surrogates, in time that grows with its length alone."""
    spans = Spans([], [], [])
    found = [(start, end, spans.urls) for start, end in find_links(text) or ()]
    found += [(start, end, spans.mentions) for start, end in find_mentions(text)]
    found += [(start, end, spans.hashtags) for start, end in find_hashtags(text)]
    place = 0
    for start, end, kind in sorted(found, key=lambda each: each[0]):
        if start >= place:
            kind.append((start, end))
            place = end
    return spans
