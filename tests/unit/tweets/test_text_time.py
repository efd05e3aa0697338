"""How long reading a text takes: at most 10 ms of CPU, whatever it is, and twice as long for twice as much."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import Refused
from tweets.parsing.entities import find_spans
from tweets.parsing.weights import weigh
from tweets.writing.text import MAX_CODE_POINTS, checked_text, find_entities

BODY_LIMIT = 65_536
"""Bytes of a request, so no text has more characters."""
SECONDS = 0.010
RUNS = 30
PAUSE_SECONDS = 0.02
"""One of them has to be quick enough: what a busy machine slows down is tried again a moment later."""
SHORT, FACTOR = 3_000, 4
MOST_GROWTH = 2 * FACTOR
"""What takes the square of the length takes 16 times as long for four times as much."""
FAR_BEYOND = 10**9


def _parted(units: str) -> list[str]:
    return units.split(" ")


DIFFERENT = "".join(chr(0x4E00 + number) for number in range(BODY_LIMIT // 4))
DIFFERENT_PARTS = [DIFFERENT[each : each + 50] for each in range(0, 12_000, 50)]
UNITS = [
    *_parted('a 1 漢 カ ｱ v x h 😀 🇩 👨 @ # . / - _ , : ? ( ) [ & $ " 。 ． \u00ad \u200b \u200d \u200f \u202e \ufe0f'),
    *(" ", "\n", "\r\n", "\u3000"),
    *_parted("@a @a, @_ @@ @a/ @a/b RT@a RT: #a #a, ##"),
    *_parted("#1 #_ #漢 &# #\ufe0f 1\ufe0f\u20e3 #a:// @a:// ＠a ＃a a@ a#"),
    *_parted("a. 漢. 例漢. é. 😀. 。. .. ./ .a -a. _a. a_. a-."),
    *_parted("aa.- a.b-. 。a. xn--. xn--a. xn-- .xn--a .xn--é v. .v .verm .嘉 .嘉里"),
    *_parted("a.co a.co, a.co漢 a.co漢b a漢.co é.co éa.co a.é.co"),
    *_parted(".嘉里大酒店 漢.嘉里 a.vermögensberate a.com@ @a.com $a.co a.co. _a.co"),
    *_parted("a.co/ a.co/漢 a.co/a漢 a.co/.漢 a.co/( a.co/(a a.co/(a)"),
    *_parted("a.co/((a)b) a.co/(a(b) a.co/)) a.co/é\u0301 a.co? a.co?! a.co?a"),
    *_parted("a.co: a.co:8 a.co:8/ t.co/a http://t.co/a"),
    *_parted("http://t.co/a? http://a.co http://a.co/( http://例.jp http://例.jp/漢 a😀.co/"),
    *_parted("http http: http:/ http:// :// http://a http://_a.co http://a_.co"),
    *_parted("http://xn--a.co www. (a) ((a) (a(b) (a(b)) (é) ()"),
    *_parted("\u0301 \u0323 e\u0301 e\u0301\u0323 \u0301\u0323"),
    *_parted("\u0323\u0301 \u0f73\u0f75 \u1100\u1161\u11a8 \U0001d165\U0001d16d \u0345\u0338\u0315"),
    *_parted("👨\u200d 👨🏽\u200d❤\ufe0f\u200d 👩\u200d👩\u200d 🏴\U000e0067\U000e0062 🇩🇪 ☝\ufe0f🏽 ❤\ufe0e"),
]
FAMILIES = {
    **{unit: unit * (SHORT * FACTOR // len(unit) + 1) for unit in UNITS},
    "a path that is none": "a.com/" + "漢" * SHORT * FACTOR,
    "brackets in one path": "http://a.com/" + "(a)" * SHORT * FACTOR,
    "brackets that stay open": "http://a.com/" + "(a" * SHORT * FACTOR,
    "a bracket that stays open": "http://a.com/(" + "a" * SHORT * FACTOR,
    "a long part": "http://" + "a" * SHORT * FACTOR + ".com",
    "a long host": "http://" + "a." * SHORT * FACTOR + "com",
    "a long host in other letters": "http://" + "例." * SHORT * FACTOR + "com",
    "a host of different letters": f"http://{'.'.join(DIFFERENT_PARTS)}.com",
    "hosts of different letters": " ".join(f"http://{part}.jp" for part in DIFFERENT_PARTS),
    "different letters": DIFFERENT,
    "parts of different letters": ".".join(DIFFERENT),
    "marks in a path": "http://a.co/" + "\u0301\u0323" * SHORT * FACTOR,
    "marks behind a letter": "e" + "\u0323\u0301" * SHORT * FACTOR,
    "blank up to its end": " " * (MAX_CODE_POINTS - 1) + "a",
    "blank": "\u3164" * SHORT * FACTOR,
    "a query that does not end": "http://a.co?" + "!" * SHORT * FACTOR,
}


def cpu_seconds(read: Callable[[str], object], text: str) -> float:
    begun = time.thread_time()
    read(text)
    return time.thread_time() - begun


def post(text: str) -> None:
    """Reads a text as posting does."""
    try:
        checked_text(text)
    except Refused:
        return
    find_entities(text)


def read_all(text: str) -> None:
    """Reads a text to its end, however long it is."""
    find_spans(text)
    weigh(text, FAR_BEYOND)


def assert_quick(text: str) -> None:
    took = 0.0
    for _ in range(RUNS):
        took = cpu_seconds(post, text)
        if took <= SECONDS:
            return
        time.sleep(PAUSE_SECONDS)
    pytest.fail(f"{took * 1000:.1f} ms for {text[:80]!a}…")


@pytest.mark.parametrize("family", FAMILIES, ids=ascii)
def test_a_text_of_any_kind_is_read_in_10_ms(family: str) -> None:
    text = FAMILIES[family]
    assert_quick(text[:MAX_CODE_POINTS])
    assert_quick(text[: MAX_CODE_POINTS // 3])
    assert_quick((text * 20)[:BODY_LIMIT])


@given(st.lists(st.sampled_from(UNITS), min_size=1, max_size=6), st.lists(st.sampled_from(UNITS), max_size=3))
@settings(max_examples=150)
def test_so_is_any_mixture(repeated: list[str], begin: list[str]) -> None:
    unit = "".join(repeated)
    assert_quick(("".join(begin) + unit * MAX_CODE_POINTS)[:MAX_CODE_POINTS])


@pytest.mark.parametrize("family", FAMILIES, ids=ascii)
def test_twice_the_text_takes_twice_the_time(family: str) -> None:
    """Nothing here stops at what is allowed, or it could not be seen."""
    text = FAMILIES[family][: SHORT * FACTOR]
    growth, whole, part = 0.0, float("inf"), float("inf")
    for _ in range(RUNS):
        whole = min(whole, cpu_seconds(read_all, text))
        part = min(part, cpu_seconds(read_all, text[:SHORT]))
        growth = whole / max(part, 0.0005)
        if growth <= MOST_GROWTH:
            return
        time.sleep(PAUSE_SECONDS)
    pytest.fail(f"{growth:.1f} times as long for {FACTOR} times as much of {family!a}")
