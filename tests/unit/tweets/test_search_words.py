"""Which words a text has, in whatever script, and however it was typed."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweets.search.port import WORD_MAX, WORDS_MAX
from tweets.search.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada's café, ☕️!", "ada s cafe ☕"),
        ("CAFÉ cafe\u0301 ｃａｆｅ", "cafe cafe cafe"),
        ("Über Straße STRASSE ﬁn", "uber strasse strasse fin"),
        ("Ελληνικά ΆΣ ς", "ελληνικα ασ σ"),
        ("Ёлка мой", "елка мои"),
        ("İstanbul ı", "istanbul ı"),
        ("øre ł", "øre ł"),
        ("e-mail don't C++ a_b __x__", "e mail don t c a_b __x__"),
        ("3.14 ½ Ⅷ ٣", "3 14 1 2 viii ٣"),
        ("#Zürich @ada_l $AAPL", "zurich ada_l aapl"),
        ("https://Example.com/a-b?c=d", "https example com a b c d"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("!!! … — \0 \u200d \ud800", ""),
        ("\u0301x ﾞ", "x"),
    ],
)
def test_letters_lose_case_accents_and_width(text: str, expected: str) -> None:
    assert words(text) == tuple(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京タワー", "東 京 タ ワ ー"),
        ("ﾊﾟﾝ パン は\u3099", "パ ン パ ン ば"),
        ("𠮷野家", "𠮷 野 家"),
        ("한국어 한", "한 국 어 한"),
        ("iPhoneを買う", "iphone を 買 う"),
        ("ไม่ยาก", "ไ ม่ ย า ก"),
        ("ខ្មែរ", "ខ្មែ រ"),
        ("မြန်", "မြ န်"),
        ("ㄅㄆ", "ㄅ ㄆ"),
    ],
)
def test_scripts_without_spaces_are_single_characters(text: str, expected: str) -> None:
    assert words(text) == tuple(unicodedata.normalize("NFC", expected).split())


@pytest.mark.parametrize("word", ["हिन्दी", "தமிழ்", "বাংলা", "עִבְרִית", "العَرَبِيَّة", "አማርኛ", "ქართული"])
def test_marks_of_other_scripts_are_part_of_the_word(word: str) -> None:
    assert words(word) == (unicodedata.normalize("NFC", word),)


def test_right_to_left_words_stand_in_the_order_in_which_they_are_typed() -> None:
    assert words("\u200fשלום, \u202bעולם\u202c (مرحبا)") == ("שלום", "עולם", "مرحبا")
    assert words("می‌خواهم") == words("میخواهم")
    assert words("ﷺ") == ("صلى", "الله", "عليه", "وسلم")


@pytest.mark.parametrize(
    "emoji",
    [
        "😀",
        "👍🏽",
        "👩🏽\u200d🚀",
        "👨\u200d👩\u200d👧\u200d👦",
        "🇩🇪",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "1⃣",
        "#⃣",
        "*⃣",
        "❤",
        "🏿",
    ],
)
def test_an_emoji_is_a_word_as_it_is_seen(emoji: str) -> None:
    assert words(emoji) == (emoji,)
    assert words(f"a{emoji} {emoji}b") == ("a", emoji, emoji, "b")


def test_emoji_beside_one_another_are_each_a_word() -> None:
    assert words("😀😀🇩🇪🇫🇷👍👍🏽") == ("😀", "😀", "🇩🇪", "🇫🇷", "👍", "👍🏽")
    assert words("❤️❤👩‍❤️‍👩") == ("❤", "❤", "👩\u200d❤\u200d👩")


def test_what_is_huge_is_cut_and_takes_no_longer() -> None:
    began = time.perf_counter()
    assert words("x" * 1_000_000) == ("x" * WORD_MAX,)
    assert words("a\u0301" * 100_000) == ("a" * WORD_MAX,)
    assert words("क्" * 100_000) == (("क्" * WORD_MAX)[:WORD_MAX],)
    assert len(words("ﷺ" * 1_000)) == WORDS_MAX
    assert len(words("👩\u200d" * 100_000)[0]) <= WORD_MAX
    assert len(words("東" * 100_000)) == WORDS_MAX
    assert time.perf_counter() - began < 5


TEXTS = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("aÉß東京한ไ่हि\u200d\ufe0f\u20e3#*1👩🏽🚀🇩🇪\u0301 \u3099゛\u00ad_-"),
    ),
    max_size=80,
)


@given(TEXTS)
def test_what_every_index_relies_on_holds_for_any_text(text: str) -> None:
    found = words(text)
    assert len(found) <= WORDS_MAX
    for word in found:
        assert 0 < len(word) <= WORD_MAX
        assert not any(each.isspace() or unicodedata.category(each) in ("Cc", "Cs") for each in word), word
        assert all(each.isalnum() or each == "_" for each in word if each.isascii()) or word in ("#⃣", "*⃣")


@given(TEXTS)
def test_the_words_of_words_are_the_same(text: str) -> None:
    """A query made of what was indexed finds it."""
    found = words(text)
    assert words(" ".join(found)) == found


@given(TEXTS)
def test_case_and_composition_make_no_difference(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))
