"""What is found in a tweet: mentions, hashtags and links, and where they stand."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tweets.characters import FAMILY, FLAG, LINK
from tests.unit.tweets.random_texts import random_text
from tweets.writing.text import checked_text, find_entities


@pytest.mark.parametrize("link", ["EXAMPLE.ORG", "example.中国", "Http://Example.COM", "a.co"])
def test_a_link_is_found_in_any_script_and_case(link: str) -> None:
    assert [url.url for url in find_entities(f"see {link}").urls] == [link]


def found(text: str) -> dict[str, list[str]]:
    """What stands at the indices of each entity, having compared it with what the entity says."""
    entities = find_entities(text)
    named = {
        "mentions": [(f"@{each.username}", each.indices) for each in entities.mentions],
        "hashtags": [(f"#{each.tag}", each.indices) for each in entities.hashtags],
        "urls": [(each.url, each.indices) for each in entities.urls],
    }
    for items in named.values():
        for said, (start, end) in items:
            assert text[start:end].replace("＠", "@").replace("＃", "#") == said
    return {kind: [said for said, _ in items] for kind, items in named.items() if items}


def test_indices_count_code_points_whatever_stands_before() -> None:
    text = f"{FAMILY}{FLAG} e\u0301 @bob 你 #tag {LINK}"
    entities = find_entities(text)
    assert entities.mentions[0].indices == (13, 17)
    assert entities.hashtags[0].indices == (20, 24)
    assert entities.urls[0].indices == (25, 45)
    assert found(text) == {"mentions": ["@bob"], "hashtags": ["#tag"], "urls": [LINK]}


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("@bob", ["@bob"]),
        (".@bob, (@ann) \"@eve\" RT @dan: hi", ["@bob", "@ann", "@eve", "@dan"]),
        ("こんにちは@bobさん", ["@bob"]),
        ("＠bob", ["@bob"]),
        ("@Bob_42", ["@Bob_42"]),
        ("@" + "a" * 30, ["@" + "a" * 30]),
        ("@" + "a" * 31, []),
        ("@bobé", []),
        ("a@bob", []),
        ("bob@example.org", []),
        ("first.last+tag@example.org", []),
        ("josé@example.org", []),
        ("@bob@example.org", []),
        ("@@bob", []),
        ("/@bob", ["@bob"]),
        ("@alice/@bob", ["@alice", "@bob"]),
        ("@alice/friends", ["@alice"]),
        ("RT@bob and rt:@ann, xRT@eve", ["@bob", "@ann"]),
        ("@dvořák @bo\u0301b @naïve @łukasz @bobʻ", []),
        ("dvořák@bob jose\u0301@example.org", []),
        ("@dvořák@ann", []),
        ("@bobЖ @annさん @eve한글", ["@bob", "@ann", "@eve"]),
        ("@http://x.com @bob://", []),
        ("@", []),
        ("@ bob", []),
        ("@é", []),
    ],
)  # fmt: skip
def test_mentions(text: str, mentions: list[str]) -> None:
    assert found(text).get("mentions", []) == mentions


@pytest.mark.parametrize(
    ("text", "hashtags"),
    [
        ("#tag", ["#tag"]),
        ("#Tag_1, #café (#naïve).", ["#Tag_1", "#café", "#naïve"]),
        ("#cafe\u0301", ["#cafe\u0301"]),
        ("#日本語 ＃タグ", ["#日本語", "#タグ"]),
        ("#हिन्दी #สวัสดี #עברית #العربية", ["#हिन्दी", "#สวัสดี", "#עברית", "#العربية"]),
        ("#می‌خواهم", ["#می‌خواهم"]),
        ("#1a", ["#1a"]),
        ("#a-b #a.b", ["#a", "#a"]),
        ("#1 #2026 #_ #", []),
        ("&#39; &#x27;", []),
        ("a#b", []),
        ("##a", ["#a"]),
        ("#a#b", []),
        ("/#a #iOS/#Android", ["#a", "#iOS", "#Android"]),
        ("✌️#tag ❤️#love ☺︎#smile 🙂#face", ["#tag", "#love", "#smile", "#face"]),
        ("#メ〜テレ #メ～テレ #各〃 #ラーメン・ #ה׳ #〜", ["#メ〜テレ", "#メ～テレ", "#各〃", "#ラーメン・", "#ה׳"]),
        ("#tag\ufe0f", ["#tag\ufe0f"]),
        ("#½ #Ⅷ #²a #a½", ["#a"]),
        ("#http://x.com #a://b", []),
        ("#️⃣ #🙂", []),
    ],
)
def test_hashtags(text: str, hashtags: list[str]) -> None:
    assert found(text).get("hashtags", []) == hashtags


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("see https://example.org/a?b=c#d.", ["https://example.org/a?b=c#d"]),
        ("example.com, (www.example.org)", ["example.com", "www.example.org"]),
        ("https://例え.jp/", ["https://例え.jp/"]),
        ("https://en.example.org/wiki/A_(b)", ["https://en.example.org/wiki/A_(b)"]),
        ("a.b.c 1.2 file.nothing http://localhost", []),
        ("a." * 12 + "com", ["a." * 12 + "com"]),
        ("אבexample.com", ["example.com"]),
        ("。。example.com", ["example.com"]),
        ("例えexample.comです", ["example.com"]),
        ("https://example.com............ ok", ["https://example.com"]),
        ("example.com.... example.org...", ["example.com", "example.org"]),
        ("#タグhttps://youtu.be/x", ["https://youtu.be/x"]),
        ("#http://x.com @http://x.com $http://x.com a@x.com -x.com _x.com /x.com .x.com", []),
        ("http://t.co/abc/def http://t.co/" + "a" * 41, ["http://t.co/abc"]),
        ("http://例え.テスト.jp/ http://" + "a" * 64 + ".com http://xn--例.com", ["http://例え.テスト.jp/"]),
        ("x.com?q=1 x.com/?q=1 http://x.com?q=1", ["x.com", "x.com/?q=1", "http://x.com?q=1"]),
        ("http://x.com/(a)b(c(d)) http://x.com/a(b(c(d)))", ["http://x.com/(a)b(c(d))", "http://x.com/a"]),
        ("http://x.com/;(a) http://x.com/(a)(b). x.com:80/(a", ["http://x.com/", "http://x.com/(a)(b)", "x.com:80/"]),
        ("a.comです例b.com/path", ["a.com", "b.com/path"]),
        ("t.commerce例t.co", ["t.co"]),
    ],
)
def test_links(text: str, urls: list[str]) -> None:
    assert found(text).get("urls", []) == urls


def test_nothing_inside_a_link_counts() -> None:
    for link in ("https://example.org/@bob#frag", "https://example.org/?a=@bob&b=#tag", "example.org/@bob"):
        assert found(f"{link} @ann #real") == {"mentions": ["@ann"], "hashtags": ["#real"], "urls": [link]}


def test_dots_in_a_long_path_stay_as_they_are() -> None:
    link = LINK + "a.b." * 100 + "c"
    assert found(f"{link} end") == {"urls": [link]}
    assert checked_text(f"{link} {'x' * 256}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#タグhttps://youtu.be/x", {"urls": ["https://youtu.be/x"]}),
        ("#タグexample.com", {"hashtags": ["#タグexample"]}),
        ("@ann例a.com ＃例a.com/＃b", {"mentions": ["@ann"], "hashtags": ["#例a", "#b"], "urls": ["a.com"]}),
        ("日本＠t.co", {"mentions": ["@t"]}),
        ("http://t.co/abc/@ann/#tag", {"urls": ["http://t.co/abc"], "mentions": ["@ann"], "hashtags": ["#tag"]}),
    ],
)
def test_of_two_that_would_overlap_the_first_one_is_it(text: str, expected: dict[str, list[str]]) -> None:
    assert found(text) == expected


@given(
    st.integers(min_value=0).map(random.Random).map(random_text) | st.text(st.sampled_from("@＠##＃a1_é例タ.:/ -(http"))
)
def test_no_two_entities_overlap(text: str) -> None:
    entities = find_entities(text)
    found(text)
    spans = sorted(each.indices for kind in (entities.mentions, entities.hashtags, entities.urls) for each in kind)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for kind in (entities.mentions, entities.hashtags, entities.urls):
        assert [each.indices for each in kind] == sorted(each.indices for each in kind)
