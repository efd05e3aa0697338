"""What a text weighs, as twitter-text 3.1 counts (its configuration v3).

A link weighs 23, an emoji 2, most letters of alphabets and their punctuation 1, all else 2; what
Unicode writes in two ways weighs as its composed form (NFC). What differs on purpose:

- A line end of two characters weighs 1 as any line end: browsers' forms send it for what people
  typed as one.
- The sequences that Unicode has made emoji since 2018 weigh 2 as well.
"""

import re

from tweets.parsing.composing import composed
from tweets.parsing.emoji import EMOJI, MAX_EMOJI
from tweets.parsing.links import find_links

LINK_WEIGHT = 23
EMOJI_WEIGHT = 2
_HEAVY = re.compile(r"[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]+")


def weigh(text: str, limit: int) -> int | None:
    """Returns what a text without surrogates weighs; None if it was found far too heavy for the limit on the way."""
    text = text.replace("\r\n", "\n")
    text = text if text.isascii() else composed(text)
    links = find_links(text, most_beside=limit // EMOJI_WEIGHT * MAX_EMOJI, most=4 * limit // LINK_WEIGHT)
    if links is None:
        return None
    marked = [(start, end, LINK_WEIGHT) for start, end in links]
    if not text.isascii():
        marked += [(*emoji.span(), EMOJI_WEIGHT) for emoji in EMOJI.finditer(text)]
        marked.sort()
    weight = place = 0
    for start, end, marked_weight in marked:
        if start >= place:
            weight += _weigh_characters(text[place:start]) + marked_weight
            place = end
    return weight + _weigh_characters(text[place:])


def _weigh_characters(text: str) -> int:
    return len(text) if text.isascii() else len(text) + sum(map(len, _HEAVY.findall(text)))
