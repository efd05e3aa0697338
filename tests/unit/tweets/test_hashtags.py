"""By which names hashtags are listed, and what is none."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tweets.test_entities import found
from tweets.entities import Entities, Hashtag, Tweet
from tweets.hashtags import (
    MOST_LISTED,
    NAME_MAX,
    TYPED_MAX,
    folded,
    hashtag_name,
    hashtag_names,
    hashtag_numbers,
)
from tweets.writing.text import find_entities

FAMILY = "👩\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Berlin", "berlin"),
        ("BERLIN", "berlin"),
        ("#berlin", "berlin"),
        ("＃Berlin", "berlin"),
        ("Ｂｅｒｌｉｎ", "berlin"),
        ("ﾃｽﾄ", "テスト"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("STRAẞE", "strasse"),
        ("ISTANBUL", "istanbul"),
        ("İstanbul", "i\u0307stanbul"),
        ("ıstanbul", "ıstanbul"),
        ("CAFÉ", "café"),
        ("cafe\u0301", "café"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("σίσυφος", "σίσυφοσ"),
        ("ﬁx", "fix"),
        ("한국", "한국"),
        ("\u1112\u1161\u11ab", "한"),
        ("हिन्दी", "हिन्दी"),
        ("مرحبا", "مرحبا"),
        ("שלום", "שלום"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("ﷺ", "صلى الله عليه وسلم"),
        ("𝕊tyle", "style"),
        ("a1_b", "a1_b"),
        ("٢٠٢٦م", "٢٠٢٦م"),
    ],
)
def test_one_name_for_all_ways_to_write_it(typed: str, name: str) -> None:
    assert hashtag_name(typed) == folded(name) == name


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "#",
        "＃",
        "##a",
        "#＃a",
        "1",
        "2026",
        "a b",
        " a",
        "a ",
        "a-b",
        "a#b",
        "a/b",
        "a\n",
        "a\0",
        "@ann",
        "a://b",
        FAMILY,
        f"x{FAMILY}",
        "\ufe0fa",
        "\u202ea",
        "\ud800",
        "a\ufffd",
        "_",
        "a" * (NAME_MAX + 1),
        "ﷺ" * 20,
        "e" + "\u0301" * TYPED_MAX,
        "%23a",
    ],
    ids=repr,
)
def test_what_is_no_hashtag_has_no_name(typed: str) -> None:
    assert hashtag_name(typed) is None


def test_the_longest_has_one() -> None:
    assert hashtag_name("#" + "a" * NAME_MAX) == "a" * NAME_MAX


@given(st.text(alphabet=st.characters(categories=["L", "M", "Nd"]), min_size=1, max_size=12))
def test_folding_again_changes_nothing_nor_does_case_or_composition(tag: str) -> None:
    name = folded(tag)
    assert folded(name) == name
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert folded(unicodedata.normalize(form, tag)) == name


def test_folding_any_one_character_again_changes_nothing() -> None:
    characters = map(chr, range(sys.maxunicode + 1))
    assert [each for each in characters if folded(folded(each)) != folded(each)] == []


@given(st.text(alphabet="aBß١1_#＃ @\u0301\u200c語👩&", min_size=1, max_size=8))
def test_what_a_text_has_for_a_hashtag_can_be_asked_for_and_nothing_else(tag: str) -> None:
    stands = found(f"#{tag}").get("hashtags") == [f"#{tag}"]
    assert (hashtag_name(f"#{tag}") is not None) == stands


def a_tweet(text: str) -> Tweet:
    return Tweet(1, 2, text, 1, True, find_entities(text))


def test_a_tweet_has_each_name_once_in_its_order() -> None:
    assert hashtag_names(a_tweet("#b #A ＃B #a #ｂ #straße #STRASSE")) == ("b", "a", "strasse")
    assert hashtag_names(a_tweet("nothing")) == ()


def test_a_tweet_has_so_many_at_most_and_none_that_is_too_long() -> None:
    tags = tuple(Hashtag(f"t{number}", (0, 1)) for number in range(MOST_LISTED + 5))
    tweet = Tweet(1, 2, "", 1, True, Entities(hashtags=(Hashtag("ﷺ" * 20, (0, 1)), *tags)))
    assert hashtag_names(tweet) == tuple(each.tag for each in tags[:MOST_LISTED])


def test_numbers_are_ids_and_stay_what_they_are() -> None:
    assert hashtag_numbers(["berlin", "paris"]) == (hashtag_numbers(["berlin"])[0], hashtag_numbers(["paris"])[0])
    assert hashtag_numbers(["berlin"]) == (2304797809858572651,), "processes of several versions speak by them"
    numbers = hashtag_numbers(map(str, range(1_000)))
    assert len(set(numbers)) == 1_000
    assert all(0 < each < 1 << 63 for each in numbers)
