"""What a query asks for: whatever was typed, something or nothing, and never an error."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.ids.snowflakes import MAX_ID, id_time, make_id
from tweets.search.query import QUERY_MAX, Query, parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat dog", Query(phrases=(("cat",), ("dog",)))),
        ("cat CAT Cät", Query(phrases=(("cat",),))),
        ('"black cat" dog', Query(phrases=(("black", "cat"), ("dog",)))),
        ('black"cat dog"bird', Query(phrases=(("black",), ("cat", "dog"), ("bird",)))),
        ("„black cat“ “white dog”", Query(phrases=(("black", "cat"), ("white", "dog")))),
        ('say "black cat', Query(phrases=(("say",), ("black", "cat")))),
        ('"', Query()),
        ('""""', Query()),
        ("e-mail don't", Query(phrases=(("e", "mail"), ("don", "t")))),
        ("東京 カフェ", Query(phrases=(("東", "京"), ("カ", "フ", "ェ")))),
        ("cat -dog", Query(phrases=(("cat",),), without=(("dog",),))),
        ('cat -"black dog"', Query(phrases=(("cat",),), without=(("black", "dog"),))),
        ("- -- !!! -!", Query()),
        ("#Berlin ＃ＢＥＲＬＩＮ", Query(hashtags=("berlin",))),
        ("# #1 #!", Query(phrases=(("1",),))),
        ("-#berlin", Query(without=(("berlin",),))),
        ("from:Ada from:@bob FROM:ada", Query(authors=("ada", "bob"))),
        ("from: from:a-b from:@", Query(phrases=(("from",), ("from", "a", "b")))),
        ("-from:ada", Query(without=(("from", "ada"),))),
        ('"from:ada"', Query(phrases=(("from", "ada"),))),
        ("since:2026-11-01", Query(since=date(2026, 11, 1))),
        ("until:2026-11-01 UNTIL:2026-10-01", Query(until=date(2026, 10, 1))),
        ("since:2026-10-01 since:2026-11-01", Query(since=date(2026, 11, 1))),
        ("since:2026-02-30", Query(phrases=(("since", "2026", "02", "30"),))),
        ("since:2026-1-1 until:now", Query(phrases=(("since", "2026", "1", "1"), ("until", "now")))),
        ("since:٢٠٢٦-01-01", Query(phrases=(("since", "٢٠٢٦", "01", "01"),))),
        ("AND OR -NOT", Query(phrases=(("and",), ("or",)), without=(("not",),))),
        ("NEAR(a b) col:x a*", Query(phrases=(("near", "a"), ("b",), ("col", "x"), ("a",)))),
    ],
)
def test_is_read_from_what_was_typed(text: str, expected: Query) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize("text", ["", " ", "!!!", "-cat", '-"a b" -#x', "\0", "\ud800"])
def test_to_leave_something_out_of_everything_asks_for_nothing(text: str) -> None:
    assert not parsed(text).asks_for_something


@pytest.mark.parametrize("text", ["cat", "#cat", "from:ada", "since:2026-01-01", "until:2026-01-01"])
def test_each_part_asks_for_something(text: str) -> None:
    assert parsed(text).asks_for_something


def test_the_first_terms_count_and_days_besides() -> None:
    """A term that is repeated is one."""
    words = " ".join(f"w{number}" for number in range(12))
    text = "cat " * 5 + words + " #tag from:ada -dog more -less since:2026-11-01"
    query = parsed(text)
    assert query.phrases == (("cat",), *((f"w{number}",) for number in range(12)))
    assert (query.hashtags, query.authors, query.without) == (("tag",), ("ada",), (("dog",),))
    assert query.since == date(2026, 11, 1)


def test_days_begin_at_midnight_utc() -> None:
    query = parsed("since:2026-11-01 until:2026-11-02")
    assert id_time(query.above + 1) == datetime(2026, 11, 1, tzinfo=UTC)
    assert id_time(query.below) == datetime(2026, 11, 2, tzinfo=UTC)
    last = make_id(int(datetime(2026, 11, 1, 23, 59, 59, 999_999, tzinfo=UTC).timestamp() * 1_000_000), 4095)
    assert query.above < last < query.below


@pytest.mark.parametrize("day", ["0001-01-01", "1970-01-01", "2010-11-04", "2082-12-31", "9999-12-31"])
def test_days_beyond_all_ids_are_days_as_well(day: str) -> None:
    query = parsed(f"since:{day} until:{day}")
    assert 0 <= query.above < query.below <= MAX_ID


def test_without_days_all_ids_are_asked_for() -> None:
    assert (parsed("cat").above, parsed("cat").below) == (0, MAX_ID)


PIECES = st.sampled_from(
    [
        '"',
        "“",
        "-",
        "#",
        "from:",
        "since:",
        "until:",
        "2026-11-01",
        "ada",
        "東京",
        "É",
        " ",
        ":",
        "@",
        "👩🏽\u200d🚀",
        "\0",
        "*",
        "(",
    ]
)
TYPED = st.one_of(st.text(max_size=QUERY_MAX), st.lists(PIECES, max_size=40).map("".join))


def written(query: Query) -> str:
    """A text that asks for the same."""
    parts = ['"' + " ".join(phrase) + '"' for phrase in query.phrases]
    parts += ['-"' + " ".join(phrase) + '"' for phrase in query.without]
    parts += [f"#{name}" for name in query.hashtags] + [f"from:{name}" for name in query.authors]
    parts += [f"since:{query.since}"] if query.since else []
    return " ".join(parts + ([f"until:{query.until}"] if query.until else []))


@given(TYPED)
def test_nothing_fails_and_what_is_asked_for_may_be_written_again(text: str) -> None:
    query = parsed(text)
    assert all((*query.phrases, *query.without))
    assert query.above >= 0
    assert query.below <= MAX_ID
    if not any(" " in name for name in query.hashtags):
        assert parsed(written(query)) == query
