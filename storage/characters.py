"""What characters show to a person: one notion for names, bios, tweets and passwords.

Unicode's properties come from `regex`, whose tables are a library's business to keep new.

- A **gap** shows as empty space: every separator, tabs, line and paragraph ends, and the letters that are
  drawn as blanks (the Hangul filler, the empty Braille cell).
- What is **invisible** shows nothing at all: controls, format marks, fillers without a width, variation selectors.
  Some of it is still needed where it changes how its neighbours are drawn, and only there: joiners within an emoji,
  joiners and breaks behind a letter of a script that joins or stacks its letters (Persian, Hindi, Khmer), selectors
  behind what they select, direction marks (never overrides, which turn the page around a name) in a text that has
  letters of right-to-left scripts.
- Everything else **shows**.
"""

import unicodedata
from itertools import islice

import regex

GAP = regex.compile(r"[\p{White_Space}\p{Z}\x1c-\x1f\u2800\u3164\uffa0]")
INVISIBLE = (
    r"[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}"
    r"\ufff9-\ufffc\U00013430-\U0001343f\U0001d159]"
)
"""Beside Unicode's own classes: annotation marks, the object's placeholder, hieroglyphs' joiners, the empty note."""
SHOWS = regex.compile(rf"(?!{GAP.pattern}|{INVISIBLE}).", regex.DOTALL)
"""Found in whatever can be seen."""

PICTURE = r"[\p{Extended_Pictographic}\p{Emoji_Modifier}]"
STANDING_ALONE = "Latin Greek Cyrillic Armenian Georgian Hebrew Han Hiragana Katakana Bopomofo Hangul Common Inherited"
"""Scripts whose letters stand each by itself: a joiner changes nothing there."""
_ALONE = "".join(rf"\p{{scx={script}}}" for script in STANDING_ALONE.split())
JOINING = rf"[[\p{{L}}\p{{M}}]--[{_ALONE}\p{{Default_Ignorable_Code_Point}}]]"
NEEDED = "|".join(
    (
        rf"(?<={PICTURE}[\ufe0e\ufe0f]?)\u200d(?=\p{{Extended_Pictographic}})",
        rf"(?<={PICTURE})[\ufe0e\ufe0f]",
        r"(?<=[0-9#*])\ufe0f(?=\u20e3)",
        r"(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f",
        rf"(?<={JOINING})[\u200b-\u200d]",
        r"(?<=[\p{Han}\p{Myanmar}\p{Phags_Pa}])[\ufe00-\ufe02]",
        r"(?<=\p{Han})[\U000e0100-\U000e01ef]",
        r"(?<=[\p{L}&&\p{Mongolian}])[\u180b-\u180f]",
    )
)
"""Emoji joined and drawn in colour, keycaps, flags of regions; then letters: joined, parted, and drawn in variants."""
RIGHT_TO_LEFT = regex.compile(r"(?V1)[\p{L}&&[\p{Bidi_Class=R}\p{Bidi_Class=AL}]]")
DIRECTION_MARK = r"[\u061c\u200e\u200f]"
UNNEEDED = regex.compile(rf"(?V1)({NEEDED})|{INVISIBLE}")
UNNEEDED_AMONG_RIGHT_TO_LEFT = regex.compile(rf"(?V1)({NEEDED})|({DIRECTION_MARK}){INVISIBLE}*|{INVISIBLE}")

LOOSE_MARKS = regex.compile(rf"^( *+)(?:(?: |{DIRECTION_MARK})*+\p{{M}}[\u200b-\u200d]*+)+ *")
SPACE = regex.compile(r"\p{Zs}")
SEEN = regex.compile(r"\X")
MOST_CODE_POINTS = 12
"""In what a person sees as one character: the longest emoji have ten, Indian and Tibetan letters rarely more."""
OVERLOADED = regex.compile(r"(?V1)[[\p{Mn}\p{Me}]--\p{Tibetan}]{5,}")
"""More marks on one letter than a language puts there (UTS 39, 5.4), but for Tibetan's stacked letters."""


def as_shown(text: str, *, lines: bool = False) -> str:
    """Returns the text without what shows nothing where it stands, and with spaces for its gaps.

    With `lines`, line feeds stay. What shows stays as typed, except marks at the beginning of a line: they would
    be drawn on what stands before the text.
    """
    kept = text.replace("\r\n", "\n").split("\n") if lines else [text]
    return "\n".join(map(_line_as_shown, kept)).strip()


def _line_as_shown(text: str) -> str:
    spaced = GAP.sub(" ", text)
    if RIGHT_TO_LEFT.search(spaced):
        needed = UNNEEDED_AMONG_RIGHT_TO_LEFT.sub(r"\1\2", spaced)
    else:
        needed = UNNEEDED.sub(r"\1", spaced)
    return LOOSE_MARKS.sub(r"\1", needed)


def shows_more_than(most: int, text: str) -> bool:
    """Returns whether a person sees more characters: grapheme clusters (UAX 29), of which a family of emoji is one."""
    return next(islice(SEEN.finditer(text), most, None), None) is not None


def is_overloaded(text: str) -> bool:
    """Returns whether a character of the text is built up from more than any language or emoji needs."""
    return OVERLOADED.search(text) is not None or any(len(each[0]) > MOST_CODE_POINTS for each in SEEN.finditer(text))


LONGEST_OPAQUE = 1_000
"""Characters; no password is longer (accounts/people/rules.py). Sorting marks takes the square of their number."""


def opaque(password: str) -> str:
    """Returns the password in one form for all keyboards; accounts/people/passwords.py argues for it.

    One that is longer than any password stays as it is.
    """
    if password.isascii() or len(password) > LONGEST_OPAQUE:
        return password
    return unicodedata.normalize("NFKC", SPACE.sub(" ", password))
