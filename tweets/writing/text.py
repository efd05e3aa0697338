"""What a tweet's text may be, how long it counts, and what stands in it.

Weight, links, mentions and hashtags are those of twitter-text 3.1, found by `tweets/parsing` in
time that grows with the text's length alone. `tests/integration/tweets/differences.py` lists what
differs on purpose, and why; the tests there ask twitter-text itself. What twitter-text would let
pass and is refused here: controls, halves of characters, what shows nothing, and a text of more
than MAX_CODE_POINTS, whatever it weighs, which bounds the time.
"""

import re

from storage.characters import SHOWS
from storage.errors import Refused
from tweets.entities import Entities, Hashtag, Mention, Url
from tweets.parsing.entities import find_spans
from tweets.parsing.weights import weigh

MAX_WEIGHT = 280
MAX_CODE_POINTS = 4_400
"""The longest link fits, with as much text beside it as may be, and so do 140 emoji of 10 code points."""

CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Categories Cc and Cs, but for tabs and line ends."""
NO_CHARACTERS = re.compile("[\ufeff\ufffe\uffff]")


def checked_text(text: str) -> str:
    """Returns the text as typed. Raises `Refused` for one that is empty, too long or has controls."""
    if len(text) > MAX_CODE_POINTS:
        raise Refused("text", f"A tweet may weigh at most {MAX_WEIGHT} characters.", code="too_long")
    if not SHOWS.search(text):
        raise Refused("text", "A tweet needs at least one visible character.", code="blank")
    if CONTROLS.search(text):
        raise Refused("text", "Control characters are not allowed in a tweet.", code="control_characters")
    weight = weigh(text, MAX_WEIGHT)
    if weight is None or weight > MAX_WEIGHT:
        known = f"; this one weighs {weight}" if weight else ""
        raise Refused("text", f"A tweet may weigh at most {MAX_WEIGHT} characters{known}.", code="too_long")
    if NO_CHARACTERS.search(text):
        raise Refused("text", "The text has characters that are not allowed in a tweet.", code="invalid_characters")
    return text


def find_entities(text: str) -> Entities:
    """Mentions, hashtags and links in order of appearance; none overlaps another. For a text that was checked."""
    found = find_spans(text)
    return Entities(
        mentions=tuple(Mention(text[start + 1 : end], (start, end)) for start, end in found.mentions),
        hashtags=tuple(Hashtag(text[start + 1 : end], (start, end)) for start, end in found.hashtags),
        urls=tuple(Url(text[start:end], (start, end)) for start, end in found.urls),
    )
