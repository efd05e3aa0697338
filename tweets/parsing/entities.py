"""Which links, mentions and hashtags of a text are its entities: of two that overlap, the one that begins first.

Mentions and hashtags are found as twitter-text 3.1 finds them. Both need a certain character before their sign, which
belongs to what stands before: `@a@b` and `#a#b` are neither. What differs on purpose:

- A username has up to 30 characters here (20 there), and a longer one mentions nobody, rather
  than whoever has its beginning for a name.
- Nobody is mentioned behind a Latin letter with an accent, as behind one without: josé@example.org
  is an address.
- There are no lists here: `@ann/friends` mentions ann, and is no list of hers.
- Letters and digits that Unicode has got since version 7 are such; and the 68 characters for
  private use, and two without a meaning, that twitter-text takes for letters are none.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tweets.parsing.characters import ACCENTED_BESIDE_MENTION, in_hashtag, is_letter
from tweets.parsing.links import find_links

Span = tuple[int, int]
MAX_USERNAME = 30
_MENTION = re.compile(
    rf"(?:^|[^a-zA-Z0-9_!#$%&*@＠{ACCENTED_BESIDE_MENTION}]|(?:^|[^a-zA-Z0-9_+~.\-])[rR][tT]:?)"
    rf"(?P<name>[@＠][a-zA-Z0-9_]+)(?P<no_mention>(?=[@＠{ACCENTED_BESIDE_MENTION}]|://))?"
)
_NO_HASHTAG = ("\ufe0f", "\u20e3")
"""What makes an emoji of the # before it."""


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


def find_mentions(text: str) -> Iterator[tuple[int, int]]:
    """Where mentions stand, the sign included."""
    if "@" in text or "＠" in text:
        for match in _MENTION.finditer(text):
            start, end = match.span("name")
            if match["no_mention"] is None and end - start <= 1 + MAX_USERNAME:
                yield start, end


def find_hashtags(text: str) -> Iterator[tuple[int, int]]:
    """Where hashtags stand, the sign included."""
    behind = 0
    for sign in re.finditer("[#＃]", text):
        start = sign.start()
        if text.startswith(_NO_HASHTAG, start + 1) or not _may_begin_hashtag(text, start, behind):
            continue
        end, with_letter = _hashtag_end(text, start + 1)
        if with_letter:
            behind = end
            if not text.startswith(("#", "＃", "://"), end):
                yield start, end


def _may_begin_hashtag(text: str, start: int, behind: int) -> bool:
    """Returns whether the character before the place lets one begin there, and is not the one before it's own."""
    if start == 0:
        return True
    before = text[start - 1]
    return start > behind and (before in "\ufe0e\ufe0f" or not (before == "&" or in_hashtag(before)))


def _hashtag_end(text: str, place: int) -> tuple[int, bool]:
    with_letter = False
    while place < len(text) and in_hashtag(text[place]):
        with_letter = with_letter or is_letter(text[place])
        place += 1
    return place, with_letter
