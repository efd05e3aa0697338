"""What a tweet may say, and what it weighs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twitter_text import extract_urls_with_indices, parse_tweet

from storage.errors import Refused
from tests.unit.tweets.characters import FAMILY, FLAG, LINK
from tweets.writing.text import MAX_CODE_POINTS, checked_text, find_entities

SCOTLAND = "🏴󠁧󠁢󠁳󠁣󠁴󠁿"
SECONDS = 2.0
"""What the worst text may take on a slow machine, seen once; `test_text_time.py` looks closer."""


def refusal(text: str) -> str:
    with pytest.raises(Refused) as refused:
        checked_text(text)
    assert refused.value.field == "text"
    return refused.value.code


@pytest.mark.parametrize(
    "unit",
    ["a", " a", "é", "א", "ب", "क", "กั", "а", "\n", "\u2019", "¶", "©", "®"],
    ids=[
        *("ascii", "space", "latin", "hebrew", "arabic", "hindi", "thai", "cyrillic", "newline", "quote", "pilcrow"),
        *("copyright", "registered"),
    ],
)
def test_280_light_characters_fit(unit: str) -> None:
    fits = (unit * 280)[:279] + "."
    assert checked_text(fits) == fits
    assert refusal(fits + ".") == "too_long"


@pytest.mark.parametrize(
    "unit",
    [
        *("你", "あ", "한", "😀", FAMILY, FLAG, SCOTLAND, "👍🏽", "1️⃣", "❤️", "©️", "™", "☝️🏽", "⛹️\u200d♀️"),
        *("🧑\u200d🤝\u200d🧑", "👩🏽\u200d❤️\u200d💋\u200d👨🏿", "❤️\u200d🔥", "🐦\u200d🔥"),
    ],
)
def test_140_heavy_characters_fit(unit: str) -> None:
    fits = unit * 140
    assert checked_text(fits) == fits
    assert refusal(fits + ".") == "too_long"
    assert refusal(unit * 141) == "too_long"


@pytest.mark.parametrize(
    "link",
    ["a.co", "example.org", LINK, LINK + "a" * 500, "http://example.org?q=" + "b" * 300, "https://例え.jp/"],
)
def test_a_link_weighs_23_however_long_it_is(link: str) -> None:
    fits = f"{link} {'x' * 256}"
    assert checked_text(fits) == fits
    assert refusal(fits + "x") == "too_long"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("אבexample.com", 2),
        ("。。example.com", 4),
        ("https://example.com............", 12),
        ("http://" + "例." * 1_000 + "com", 0),
        ("http://a.co/" + "(a)" * 1_300, 0),
        (LINK + "a" * (4_096 - len("https://") - len(LINK)), 0),
        ("a.com例.jp/path", 0),
        ("#タグexample.com", 5),
    ],
    ids=ascii,
)
def test_so_it_does_wherever_it_stands(text: str, rest: int) -> None:
    fits = f"{text} {'x' * (256 - rest)}"
    assert checked_text(fits) == fits
    assert refusal(fits + "x") == "too_long"


def test_what_is_too_long_for_a_link_is_none() -> None:
    assert refusal(LINK + "a" * (4_097 - len("https://") - len(LINK))) == "too_long"


def test_a_line_end_of_two_characters_weighs_1() -> None:
    assert checked_text("x\r\n" * 140)
    assert refusal("x\r\n" * 140 + "x") == "too_long"


def test_twelve_long_links_do_not_fit_and_eleven_do() -> None:
    links = [f"{LINK}{number}/{'a' * 200}" for number in range(12)]
    assert checked_text(" ".join(links[:11]))
    assert refusal(" ".join(links)) == "too_long"


def test_an_accent_of_its_own_weighs_like_one_within_its_letter() -> None:
    assert checked_text("e\u0301" * 280) == "e\u0301" * 280, "kept as typed, weighed as é"
    assert checked_text("x\u0301" * 140)
    assert refusal("x\u0301" * 141) == "too_long"


def test_the_refusal_says_how_much_it_is() -> None:
    with pytest.raises(Refused, match="at most 280 characters; this one weighs 282"):
        checked_text("你" * 141)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t\r\n",
        "\u00a0\u3000",
        "\u200b",
        "\u200d\u200c\ufeff",
        "\u202e\u202c",
        "\u2066\u2069",
        "\u00ad",
        "\u115f\u1160",
        "\u3164",
        "\uffa0",
        "\u2800",
        "\ufe0f",
        "\u034f",
        "\u180e",
        "\U000e0100",
        "\U000e0041",
        "\u2028\u2029",
    ],
    ids=ascii,
)
def test_what_shows_nothing_is_refused(text: str) -> None:
    assert refusal(text) == "blank"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x0b", "\ud800"], ids=ascii)
def test_controls_and_halves_of_characters_are_refused(character: str) -> None:
    assert refusal(f"a{character}b") == "control_characters"


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\ufeff"], ids=ascii)
def test_what_is_no_character_is_refused(character: str) -> None:
    assert refusal(f"a{character}b") == "invalid_characters"


@pytest.mark.parametrize(
    "text",
    [
        "  two spaces around  ",
        "a\tb\r\nc\n\nd",
        "שלום \u200fעולם",
        "\u202eright to left\u202c and back",
        "\u2067isolated\u2069",
        "<b>&amp;</b> ' OR 1=1; --",
        "e\u0301\u0323\u0308",
        "\u0301",
        f"{FAMILY}{FLAG}",
    ],
    ids=ascii,
)
def test_everything_else_is_kept_as_typed(text: str) -> None:
    assert checked_text(text) == text


HEAVY = {
    "labels": "a." * 2_000,
    "wide labels": "例." * 2_000,
    "labels and slashes": ("a.a.a.a.a.a.a.a.a.a./" * 200)[:4_000],
    "schemes": "http://" * 571,
    "scheme and labels": "http://" + "a." * 1_990,
    "wide words": ("例" * 290 + "./") * 13,
    "hyphens": "a-" * 1_990 + ".com",
    "marks": "e" + "\u0301" * 3_999,
    "families": FAMILY * 360,
    "brackets": "http://a.co/" + "(" * 1_900 + ")" * 1_900,
    "open brackets": "http://a.co/" + "(a" * 1_990,
    "hashes": "#" * 4_000,
    "numbers": "#" + "1" * 3_999,
    "mentions": "@a" * 2_000,
    "one more than is looked at": "a" * (MAX_CODE_POINTS + 1),
    "ten million": "a." * 5_000_000,
    "ten million blanks": " " * 10_000_000,
}


@pytest.mark.parametrize("name", HEAVY)
def test_the_worst_texts_are_refused_in_no_time(name: str) -> None:
    begun = time.process_time()
    assert refusal(HEAVY[name]) == "too_long"
    if len(HEAVY[name]) <= MAX_CODE_POINTS:
        find_entities(HEAVY[name])
    assert time.process_time() - begun < SECONDS


def test_a_text_that_fits_takes_no_time_either() -> None:
    begun = time.process_time()
    for text in ("a." * 140, "例." * 90, "-a." * 90, "www.a" * 50):
        checked_text(text)
        find_entities(text)
    assert time.process_time() - begun < SECONDS


ASCII_TEXTS = (
    st.lists(
        st.sampled_from(
            ["https://", "http://", "example", "a_b", ".org", ".COM", ".de.com", "\r\n", "/x?y=1#z", "t.co/", "@", " "]
        )
        | st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x20) | st.just("\n") | st.just("\r"), max_size=4),
        max_size=14,
    )
    .map("".join)
    .filter(lambda text: text.count(".") <= 10)
)
"""With more dots, twitter-text's port for Python takes minutes."""


@given(ASCII_TEXTS)
def test_ascii_weighs_and_links_as_twitter_text_says(text: str) -> None:
    """In its port for Python, which stands in where there is no npm."""
    parsed, links = parse_tweet(text), extract_urls_with_indices(text)
    if not text.strip():
        assert refusal(text) == "blank"
    elif parsed.weightedLength > 280:
        assert refusal(text) == "too_long"
    else:
        assert parsed.valid
        assert checked_text(text) == text
    assert [url.indices for url in find_entities(text).urls] == [tuple(link["indices"]) for link in links]


@given(st.integers(230, 290), ASCII_TEXTS)
def test_ascii_near_the_limit_is_told_its_weight(padding: int, text: str) -> None:
    long = f"{text} {'x' * padding}"
    weight = parse_tweet(long).weightedLength
    if weight > 280:
        with pytest.raises(Refused, match=f"weighs {weight}"):
            checked_text(long)
    else:
        assert checked_text(long) == long
