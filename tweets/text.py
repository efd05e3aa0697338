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
MAX_HOST_DOTS = 10
MAX_HOST_CODE_POINTS = 300
"""No host name is longer than 253. What has more of either is no link, and is kept from
twitter-text, whose search for host names takes the square of both: 47 s for 4,000 characters."""

MARKS = "".join(chr(each) for each in range(0x300, 0x1E95B) if unicodedata.category(chr(each)) in ("Mn", "Mc"))
"""Vowel signs and accents; `\\w` leaves them out, and no Hindi or Thai word is whole without."""
HASHTAG_JOINERS = "\u200c\u200d\u05be\u05f3\u05f4\u00b7\u30a0\u30fb\u0f0b\u0f0c"
"""What twitter-text allows inside a hashtag beside letters, digits and marks."""
ACCENTED = "À-ÖØ-öø-ÿ"
MENTION = re.compile(rf"(?<![A-Za-z0-9_{ACCENTED}@＠/!#$%&*])[@＠]([A-Za-z0-9_]{{1,30}})(?![A-Za-z0-9_{ACCENTED}@＠])")
HASHTAG = re.compile(rf"(?<![\w{MARKS}&/#＃])[#＃](\w(?:[\w{MARKS}]|[{HASHTAG_JOINERS}](?=\w))*)")
HOST_LIKE = re.compile(r"[^\s/?]+")
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
"""Categories of characters that show nothing: controls, format marks, separators."""
BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")
"""Letters and marks that show nothing either: fillers, joiners, variation selectors, empty Braille."""


def checked_text(text: str) -> str:
    """The text as typed. Raises `Refused` for one that is empty, too long or has controls."""
    if len(text) > MAX_CODE_POINTS:
        raise Refused("text", f"A tweet may weigh at most {MAX_WEIGHT} characters.", code="too_long")
    if not any(_shows(character) for character in text):
        raise Refused("text", "A tweet needs at least one visible character.", code="blank")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t\r" for character in text):
        raise Refused("text", "Control characters are not allowed in a tweet.", code="control_characters")
    parsed = parse_tweet(_without_hopeless_hosts(text))
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
    spans = [tuple(link["indices"]) for link in extract_urls_with_indices(_without_hopeless_hosts(text))]
    urls = tuple(Url(text[start:end], (start, end)) for start, end in spans)
    tags = (match for match in HASHTAG.finditer(text) if any(map(str.isalpha, match[1])))
    return Entities(
        mentions=tuple(Mention(match[1], match.span()) for match in MENTION.finditer(text) if _outside(match, urls)),
        hashtags=tuple(Hashtag(match[1], match.span()) for match in tags if _outside(match, urls)),
        urls=urls,
    )


def _without_hopeless_hosts(text: str) -> str:
    """The text with commas, which weigh the same, for the dots of what is too long for a host name."""
    return HOST_LIKE.sub(_hosts_only, text)


def _hosts_only(run: re.Match[str]) -> str:
    hopeless = run[0].count(".") > MAX_HOST_DOTS or len(run[0]) > MAX_HOST_CODE_POINTS
    return run[0].replace(".", ",") if hopeless else run[0]


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE and not BLANK.match(character)


def _outside(match: re.Match[str], urls: Sequence[Url]) -> bool:
    return not any(start <= match.start() < end for start, end in (url.indices for url in urls))
