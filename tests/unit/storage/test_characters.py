"""What characters show, and what of them is kept."""

import time
import unicodedata
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.people.rules import clean_bio
from storage.characters import SHOWS, as_shown, opaque, shows_more_than
from tests.unit.tweets.characters import BLANKS, FAMILY, FLAG

KEPT = {
    "a family": FAMILY,
    "a flag": FLAG,
    "a region's flag": "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "a flag of two emoji": "🏳️‍🌈",
    "a coloured heart": "❤\ufe0f",
    "a heart as text": "❤\ufe0e",
    "skins": "👨🏽‍💻",
    "two selectors": "👁️‍🗨️",
    "a keycap": "1️⃣",
    "Persian": "می\u200cخواهم",
    "Persian, behind a vowel": "مُ\u200cخ",
    "Arabic, the letter's first form": "ه\u200d",
    "Sinhala": "ශ්\u200dරී",
    "Hindi": "क्\u200cष",
    "Malayalam": "അവന്\u200d",
    "Khmer": "ភាសា\u200bខ្មែរ",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ\u180eᠠ",
    "a name's own glyph": "葛\U000e0100飾",
    "an accent apart": "e\u0301",
    "Hebrew with a direction mark": "עדה (C++)\u200f",
    "someone's own character": "\ue000",
    "a character of tomorrow": "\u0378",
}
LOST = {
    "a\u200bd\u200ca\u200d": "ada",
    "a\u202eb\u2066c\u2069\u202d": "abc",
    "\u200fAda\u200e": "Ada",
    "Ada\ufe0f\U000e0100": "Ada",
    "1\ufe0f2": "12",
    "漢\u200d字": "漢字",
    "é\u200d": "é",
    "👩\u200d\u200d👧": "👩👧",
    "👩\u200da": "👩a",
    "👩\ufe0f\ufe0f": "👩\ufe0f",
    "می\u200c\u200cخ": "می\u200cخ",
    "\U0001f3f4\U000e0067x": "\U0001f3f4x",
    "a\U000e0067\U000e0062\U000e007f": "a",
    "so\u00adft": "soft",
    "\u0301a": "a",
    " \u0301\u0302a": "a",
    "a\x00b\x07\x1b": "ab",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_what_changes_how_its_neighbours_are_drawn_stays(text: str) -> None:
    assert as_shown(text) == as_shown(text, lines=True) == text
    assert as_shown(f"a {text} b") == f"a {text} b"


@pytest.mark.parametrize(("text", "shown"), LOST.items(), ids=map(ascii, LOST))
def test_what_changes_nothing_goes(text: str, shown: str) -> None:
    assert as_shown(text) == as_shown(text, lines=True) == shown


@pytest.mark.parametrize(
    "gap",
    "\t\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2003\u2009\u2028\u2029\u202f\u205f\u3000\u2800\u3164",
    ids=ascii,
)
def test_gaps_are_spaces(gap: str) -> None:
    assert as_shown(f"{gap}a{gap}b{gap}") == as_shown(f"{gap}a{gap}b{gap}", lines=True) == "a b"
    assert as_shown(f"a\n{gap}b", lines=True) == "a\n b"


def test_only_asked_for_lines_stay() -> None:
    assert as_shown("a\nb\r\n c\n\u0301d\n", lines=True) == "a\nb\n c\nd"
    assert as_shown("a\nb\r\nc") == "a b  c"


@pytest.mark.parametrize("text", BLANKS, ids=ascii)
def test_what_shows_nothing(text: str) -> None:
    assert not SHOWS.search(text)
    assert not as_shown(text)
    assert SHOWS.search(f"{text}.")


@pytest.mark.parametrize("text", ["a", ".", "\u0301", "\u0600", "\ue000", "\ufffd", "🏻", "漢"], ids=ascii)
def test_what_shows_something(text: str) -> None:
    assert SHOWS.search(text)


TRICKY = st.sampled_from(
    [*"".join(KEPT.values()), *"".join(LOST), *BLANKS, *" \n\r", "\u093e", "\u17b4", "\u180b", "\u0f71", "\U000e0101"]
)


@given(st.text(TRICKY | st.characters(), max_size=40))
def test_what_is_shown_stays_so(text: str) -> None:
    shown = as_shown(text, lines=True)
    assert as_shown(shown, lines=True) == shown
    assert bool(shown) is bool(SHOWS.search(shown))
    assert not shows_more_than(len(shown), shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\r\t\u2028\u2029\xa0\x00")


@given(st.text(max_size=40))
def test_a_password_has_one_form(password: str) -> None:
    form = opaque(password)
    assert opaque(form) == form
    assert opaque(unicodedata.normalize("NFD", password)) == opaque(unicodedata.normalize("NFC", password)) == form


@pytest.mark.parametrize(
    ("typed", "form"),
    [
        ("cafe\u0301 au\u00a0lait\u3000", "café au lait "),
        ("\u1680x\u2003y", " x y"),
        ("ｐａｓｓ１２", "pass12"),
        ("ﬁﬂ", "fifl"),
        ("ﾊﾟｽ", "パス"),
        ("Straße", "Straße"),
        ("Σίσυφος", "Σίσυφος"),
        (" a\tb\x07", " a\tb\x07"),
    ],
)
def test_what_keyboards_type_differently_is_one(typed: str, form: str) -> None:
    assert opaque(typed) == form


HEAVY = [*" \u3164🇩\u0600\u1100", "\u200d", "👩\u200d", "a\u0301", "א\u200f", "א\u0301", "क्", "1\ufe0f", "\U000e0067"]


@pytest.mark.parametrize("unit", HEAVY, ids=ascii)
def test_the_worst_that_a_bio_may_bring_takes_milliseconds(unit: str) -> None:
    text = (unit * 1_920)[:1_920]
    started = time.process_time()
    with suppress(ValidationError):
        clean_bio(text)
    assert time.process_time() - started < 0.1


def test_what_is_longer_than_any_password_costs_nothing() -> None:
    marks = "a" + "\u0301" * 30_000 + "\u0316" * 30_000
    assert opaque(marks) is marks
