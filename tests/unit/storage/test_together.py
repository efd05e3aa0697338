"""Pages of many owners at once are the pages that each would have by itself."""

from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import StillSearching
from storage.ports.ranges import Range
from storage.web import together, walking
from storage.web.asking import Shown
from storage.web.paging import PageRequest, counted, decode_since
from storage.web.together import full_pages
from tests.unit.storage.test_walking import Collection


class Collections:
    """Several collections in memory; counts how often all of them are asked."""

    def __init__(self, *each: Collection) -> None:
        self.each = dict(enumerate(each))
        self.fetches = self.shows = 0
        self.asked: list[Mapping[int, Range]] = []

    def fetch(self, ranges: Mapping[int, Range]) -> dict[int, list[int]]:
        self.fetches += 1
        self.asked.append(ranges)
        return {
            owner: self.each[owner].fetch(before=asked.before, after=asked.after, limit=asked.limit)
            for owner, asked in ranges.items()
        }

    def show(self, asked: Mapping[int, Sequence[int]]) -> dict[int, Shown[int]]:
        self.shows += 1
        return {owner: self.each[owner].show(places) for owner, places in asked.items()}

    def pages(self, request: PageRequest, settled: int = 10**6 - 1) -> Any:
        with patch.object(together, "settled_place", return_value=settled):
            return full_pages(self.each, request, self.fetch, self.show)


places = st.sets(st.integers(1, 60), max_size=40)
place = st.integers(0, 60)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(places, places), min_size=1, max_size=4), st.integers(1, 9), st.integers(0, 60), st.booleans()
)
def test_each_page_is_that_of_its_collection(
    kinds: list[tuple[set[int], set[int]]], limit: int, place: int, up: bool
) -> None:
    each = [Collection(*visible, hidden=sorted(hidden)) for visible, hidden in kinds]
    request = PageRequest(limit=limit, after=place) if up else PageRequest(limit=limit, before=place or None)
    found = Collections(*each).pages(request)
    assert [found[owner] for owner in range(len(each))] == [collection.page(request) for collection in each]


def test_a_poll_from_what_has_not_settled() -> None:
    each = [Collection(10, 12), Collection(3, 5, 12)]
    for collection in each:
        collection.under_way = {11}
    first = each[0].first()
    assert first.newer_cursor is not None
    after, unsettled = decode_since(first.newer_cursor)
    each[0].appear(11)
    request = PageRequest(after=after, unsettled=unsettled)
    found = Collections(*each).pages(request, settled=10)
    assert found[0].items == [12, 11]


def test_what_has_not_settled_is_read_upwards() -> None:
    """As of one owner: what is below may be nothing for years."""
    both = Collections(Collection(1, 2, *range(11, 20)), Collection(1, 2, 3))
    page = both.pages(PageRequest(limit=2), settled=10)[0]
    assert page.unsettled == counted(10, range(11, 20))
    [(owner, asked)] = both.asked[-1].items()
    assert (owner, asked.before, asked.after) == (0, None, 10)


@pytest.mark.parametrize("owners", [1, 50])
def test_the_rounds_are_those_of_the_longest_walk(owners: int) -> None:
    short = [Collection(*range(1, 50)) for _ in range(owners - 1)]
    long = Collection(1, 2, 3, hidden=range(10, 1_000))
    all_of_them = Collections(*short, long)
    found = all_of_them.pages(PageRequest(limit=3))
    assert found[owners - 1].items == [3, 2, 1]
    assert all_of_them.fetches == all_of_them.shows == 6


def test_one_of_which_nothing_is_found_in_time_leaves_the_others_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "WALK_SECONDS", 0.0)
    found = Collections(Collection(7), Collection(1, hidden=range(10, 99))).pages(PageRequest(limit=3))
    assert found[0].items == [7]
    assert isinstance(found[1], StillSearching)


def test_nobody_is_asked_about_nobody() -> None:
    nobody = Collections()
    assert nobody.pages(PageRequest()) == {}
    assert (nobody.fetches, nobody.shows) == (0, 0)
