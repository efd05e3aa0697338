"""What a tweet's text may be, how long it counts, and what stands in it.

Length is counted as Twitter counts it (twitter-text configuration v3): a link weighs 23,
emoji, CJK and everything outside the Latin ranges weigh 2, the rest 1; the limit is 280.

twitter-text's own counting looks at each character several times: 0.5 ms for a usual tweet, a
quarter of what a post costs besides. Text in ASCII, most of it, needs none of that: it has no
emoji, nothing to normalize and nothing invalid, and all of it but its links weighs 1. Its
links are searched for once, for its weight and its entities.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from twitter_text import extract_urls_with_indices, parse_tweet

from storage.characters import SHOWS
from storage.errors import Refused
from tweets.entities import Entities, Hashtag, Mention, Url

MAX_WEIGHT = 280
LINK_WEIGHT = 23
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
DOT_WITHIN = re.compile(r"\.\S")
"""Every link has one: a host name's last part follows its dot at once."""
HOST_LIKE = re.compile(r"[^\s/?]+")
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Categories Cc and Cs, but for tabs and line ends."""


def checked_text(text: str) -> str:
    """Returns the text as typed. Raises `Refused` for one that is empty, too long or has controls."""
    if len(text) > MAX_CODE_POINTS:
        raise Refused("text", f"A tweet may weigh at most {MAX_WEIGHT} characters.", code="too_long")
    if not SHOWS.search(text):
        raise Refused("text", "A tweet needs at least one visible character.", code="blank")
    if CONTROLS.search(text):
        raise Refused("text", "Control characters are not allowed in a tweet.", code="control_characters")
    weight, allowed = _weighed(text)
    if weight > MAX_WEIGHT:
        raise Refused(
            "text",
            f"A tweet may weigh at most {MAX_WEIGHT} characters; this one weighs {weight}.",
            code="too_long",
        )
    if not allowed:
        raise Refused("text", "The text has characters that are not allowed in a tweet.", code="invalid_characters")
    return text


def find_entities(text: str) -> Entities:
    """Mentions, hashtags and links in order of appearance; nothing inside a link counts."""
    spans = [(start, end) for start, end, _ in _links(_without_hopeless_hosts(text))]
    urls = tuple(Url(text[start:end], (start, end)) for start, end in spans)
    tags = (match for match in _matches(HASHTAG, "#＃", text) if any(map(str.isalpha, match[1])))
    return Entities(
        mentions=tuple(
            Mention(match[1], match.span()) for match in _matches(MENTION, "@＠", text) if _outside(match, urls)
        ),
        hashtags=tuple(Hashtag(match[1], match.span()) for match in tags if _outside(match, urls)),
        urls=urls,
    )


def _matches(pattern: re.Pattern[str], signs: str, text: str) -> Iterable[re.Match[str]]:
    """Patterns that begin with looking behind are tried at each character: not without need."""
    return pattern.finditer(text) if any(sign in text for sign in signs) else ()


def _weighed(text: str) -> tuple[int, bool]:
    """Returns what the text weighs, and whether all of its characters are allowed in a tweet of that weight."""
    searched = _without_hopeless_hosts(text)
    if searched.isascii() and "\r" not in searched:
        weight = _ascii_weight(searched)
        return weight, weight <= MAX_WEIGHT
    parsed = parse_tweet(searched)
    return parsed.weightedLength, parsed.valid


def _ascii_weight(text: str) -> int:
    """Counts as twitter-text does: at the start of a link 23, and on behind as much as is shown of it."""
    weight = place = 0
    for start, shown in sorted({start: shown for start, _, shown in _links(text)}.items()):
        if start >= place:
            weight += start - place + LINK_WEIGHT
            place = start + shown
    return weight + max(0, len(text) - place)


@lru_cache(maxsize=64)
def _links(text: str) -> tuple[tuple[int, int, int], ...]:
    """(start, end, length of what twitter-text shows of it) of each link; kept for who asks about one text twice."""
    if not DOT_WITHIN.search(text):
        return ()
    return tuple((*link["indices"], len(link["url"])) for link in extract_urls_with_indices(text))


def _without_hopeless_hosts(text: str) -> str:
    """The text with commas, which weigh the same, for the dots of what is too long for a host name."""
    if "." not in text:
        return text
    return HOST_LIKE.sub(_hosts_only, text)


def _hosts_only(run: re.Match[str]) -> str:
    hopeless = run[0].count(".") > MAX_HOST_DOTS or len(run[0]) > MAX_HOST_CODE_POINTS
    return run[0].replace(".", ",") if hopeless else run[0]


def _outside(match: re.Match[str], urls: Sequence[Url]) -> bool:
    return not any(start <= match.start() < end for start, end in (url.indices for url in urls))
