"""What a muted word matches: whole words in any case and width, phrases, hashtags, and scripts without spaces."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feed.models import MUTED_WORD_MAX
from feed.notifications.muted_words import MutedWords, _checked, _muted
from storage.errors import Refused
from tests.ids import new_id
from tweets.entities import Entities
from tweets.reading.outputs import AuthorOut, CountsOut, TweetOut
from tweets.writing.text import find_entities


def tweet(text: str) -> TweetOut:
    author, counts = AuthorOut("1", "ada", "Ada", None, False), CountsOut(0, 0, 0, 0)
    made: Entities = find_entities(text)
    return TweetOut(str(new_id()), text, "", author, None, "1", None, None, made, counts, None)


def muted(*typed: str) -> MutedWords:
    return _muted([_checked(each)[1] for each in typed])


MATCHES = [
    ("spoiler", "No spoiler, please"),
    ("SPOILER", "no Spoiler."),
    ("ｓｐｏｉｌｅｒ", "a spoiler"),
    ("spoiler", "a ＳＰＯＩＬＥＲ"),
    ("straße", "in der STRASSE"),
    ("cafe", "the Café"),
    ("café", "the CAFE"),
    ("café", "the cafe\u0301"),
    ("season finale", "The season: finale!"),
    ("  season   finale ", "the season finale"),
    ("e-mail", "by e mail"),
    ("don't", "I don’t"),
    ("spoiler", "#Spoiler"),
    ("spoiler", "see https://example.org/spoiler"),
    ("spoiler", "hello @spoiler"),
    ("#spoiler", "a #SPOILER there"),
    ("＃spoiler", "a #spoiler there"),
    ("#spoiler", "a ＃spoiler there"),
    ("東京", "東京都に行く"),
    ("東京", "昨日東京で"),
    ("ラーメン", "おいしいﾗｰﾒﾝ"),
    ("축구", "오늘축구경기"),
    ("ไทย", "ประเทศไทย"),
    ("#東京", "いま #東京 で"),
    ("हिन्दी", "हिन्दी में"),
    ("🦆", "quack🦆quack"),
    ("❤️", "with ❤"),
    ("#️⃣", "key #️⃣ here"),
    ("c++", "C and c"),
    ("50%", "off 50 today"),
]
MISSES = [
    ("art", "a party"),
    ("art", "arts"),
    ("art", "start_art"),
    ("season finale", "finale of the season"),
    ("season finale", "season of the finale"),
    ("season finale", "preseason finale"),
    ("#spoiler", "a spoiler"),
    ("#spoiler", "#spoilers"),
    ("#cafe", "#café"),
    ("東京", "東の京"),
    ("東京", "京東"),
    ("👍", "👍🏽"),
    ("हिन्दी", "हन्द"),
]


@pytest.mark.parametrize(("typed", "text"), MATCHES)
def test_it_is_in(typed: str, text: str) -> None:
    assert muted(typed).are_in(tweet(text))
    assert muted("nothing", "#else", typed).are_in(tweet(text)), "beside others"


@pytest.mark.parametrize(("typed", "text"), MISSES)
def test_it_is_not_in(typed: str, text: str) -> None:
    assert not muted(typed).are_in(tweet(text))


def test_a_link_of_very_many_words_hides_nothing_behind_it() -> None:
    link = f"https://example.org/{'-'.join(['a'] * 1_500)}"
    text = f"{link} spoiler {link}"
    assert find_entities(text).urls[1].indices[0] == len(link) + 9
    assert muted("spoiler").are_in(tweet(text))
    assert muted("#spoiler").are_in(tweet(f"{link} #spoiler"))
    assert not muted("one two").are_in(tweet(f"one {link} two"))


def test_nothing_is_in_anything() -> None:
    assert not muted().are_in(tweet("hello #there"))


@pytest.mark.parametrize("text", [text for _, text in MATCHES if " " not in text])
def test_a_text_without_spaces_is_in_itself(text: str) -> None:
    assert muted(text).are_in(tweet(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Spoiler", "spoiler"),
        ("café", "CAFE"),
        ("season-finale", "Season finale"),
        ("#Berlin", "＃ＢＥＲＬＩＮ"),
        ("❤", "❤️"),
        ("東京", "東 京"),
        ("spoi\u00adler", "spoiler"),
    ],
)
def test_what_matches_the_same_is_one(one: str, other: str) -> None:
    assert _checked(one)[1] == _checked(other)[1]


INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u061c\u00ad\ufeff\u2066\u2069\ufe0f\u3164\u034f"
LETTERS = "fooBAR東京ماสมकّéßŞİıﬁ#＃﹟ _-·ªº²½ﷺℌ¨´ͅΐ👍🏽⃣1"


@given(st.text(st.sampled_from(INVISIBLE + LETTERS) | st.characters(exclude_categories=["Cs"]), max_size=12))
@example("#foo\u200b")
@example("\u200f#foo")
@example("#a\u00adb")
@example("#ﷺ")
@example("\u200f#مرحبا")
@example("﹟foo")
@example("#ª\u200dº")
def test_what_is_shown_may_be_typed_to_mean_the_same(typed: str) -> None:
    try:
        shown, key = _checked(typed)
    except Refused:
        return
    assert _checked(shown) == (shown, key)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("#foo\u200b", "#foo"),
        ("\u200f#foo", "#foo"),
        ("#a\u00adb", "#ab"),
        ("﹟Foo", "#foo"),
        ("\u200f#مرحبا", "#مرحبا"),
        ("#ﷺ", "#صلى الله عليه وسلم"),
    ],
)
def test_what_looks_like_a_hashtag_is_one(typed: str, key: str) -> None:
    assert _checked(typed)[1] == key


def test_a_word_and_its_hashtag_are_two() -> None:
    assert _checked("berlin")[1] != _checked("#berlin")[1]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("  Two\t Words\n", "two words"), ("Ｗｉｄｅ", "wide"), ("＃Tag", "#tag"), ("a\0b", "ab"), ("e-Mail", "e-mail")],
)
def test_it_is_shown_folded_and_on_one_line(typed: str, shown: str) -> None:
    assert _checked(typed)[0] == shown


@pytest.mark.parametrize("typed", ["", " ", "!?", "#", "…", "\0", "\u200b", "/", "--", "·"])
def test_what_has_no_word_is_refused(typed: str) -> None:
    with pytest.raises(Refused) as refused:
        _checked(typed)
    assert (refused.value.field, refused.value.code) == ("word", "no_word")


@pytest.mark.parametrize("typed", ["x" * MUTED_WORD_MAX, "京" * MUTED_WORD_MAX, "#" + "x" * (MUTED_WORD_MAX - 1)])
def test_the_longest_is_taken_and_its_key_fits(typed: str) -> None:
    word, key = _checked(typed)
    assert (len(word), len(key) <= 4 * MUTED_WORD_MAX) == (MUTED_WORD_MAX, True)
    for longer in (f"{typed}x", typed * 10, "\ufdfa" * MUTED_WORD_MAX):
        with pytest.raises(Refused) as refused:
            _checked(longer)
        assert refused.value.code == "too_long"
