"""What a tweet's text may be, how long it counts, and what stands in it.

Length is counted as Twitter counts it (twitter-text configuration v3): a link weighs 23,
emoji, CJK and everything outside the Latin ranges weigh 2, the rest 1; the limit is 280.
"""

import re
import unicodedata
from collections.abc import Sequence

from twitter_text import extract_urls_with_indices, parse_tweet

from storage.errors import Refused
from tweets.entities import Entities, Hashtag, Mention, Url

MAX_WEIGHT = 280
MAX_CODE_POINTS = 4_000
"""140 emoji of 11 code points, or a dozen long links, fit. Bounds the parser's time."""

MENTION = re.compile(r"(?<![\w@/])@([A-Za-z0-9_]{1,30})(?![\w@])", re.ASCII)
HASHTAG = re.compile(r"(?<![\w&/#])#(\w*[^\W\d_]\w*)")
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
"""Categories of characters that show nothing: controls, format marks, separators."""
BLANK_LETTERS = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"}
"""Letters that render as blanks: Hangul fillers and the empty Braille pattern."""


def checked_text(text: str) -> str:
    """The text as typed. Raises `Refused` for one that is empty, too long or has controls."""
    if not any(_shows(character) for character in text):
        raise Refused("text", "A tweet needs at least one visible character.", code="blank")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t\r" for character in text):
        raise Refused("text", "Control characters are not allowed in a tweet.", code="control_characters")
    if len(text) > MAX_CODE_POINTS:
        raise Refused("text", f"A tweet may weigh at most {MAX_WEIGHT} characters.", code="too_long")
    parsed = parse_tweet(text)
    if parsed.weightedLength > MAX_WEIGHT:
        raise Refused(
            "text",
            f"A tweet may weigh at most {MAX_WEIGHT} characters; this one weighs {parsed.weightedLength}.",
            code="too_long",
        )
    if not parsed.valid:
        raise Refused("text", "The text has characters that are not allowed in a tweet.", code="invalid_characters")
    return text


def find_entities(text: str) -> Entities:
    """Mentions, hashtags and links in order of appearance; nothing inside a link counts."""
    links = extract_urls_with_indices(text)
    urls = tuple(Url(link["url"], (link["indices"][0], link["indices"][1])) for link in links)
    return Entities(
        mentions=tuple(Mention(match[1], match.span()) for match in MENTION.finditer(text) if _outside(match, urls)),
        hashtags=tuple(Hashtag(match[1], match.span()) for match in HASHTAG.finditer(text) if _outside(match, urls)),
        urls=urls,
    )


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE and character not in BLANK_LETTERS


def _outside(match: re.Match[str], urls: Sequence[Url]) -> bool:
    return not any(start <= match.start() < end for start, end in (url.indices for url in urls))
