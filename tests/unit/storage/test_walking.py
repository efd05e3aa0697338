"""Pages of a collection in which ids become visible out of order, and much may be hidden."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import StillSearching
from storage.web import paging, walking
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest, Unsettled, counted, decode_cursor, decode_settled, decode_since
from storage.web.walking import Stored, full_page


class Collection:
    """Places in memory, a `Source`: those `under_way` are there for nobody yet, those `hidden` are not shown.

    Those `unreadable` are listed, before they can be shown.
    """

    def __init__(self, *visible: int, hidden: Sequence[int] = ()) -> None:
        self.visible = set(visible)
        self.under_way: set[int] = set()
        self.hidden = set(hidden)
        self.unreadable: set[int] = set()
        self.reads = 0

    def fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        self.reads += 1
        standing = sorted(self.visible | self.hidden)
        if after is not None:
            return [each for each in standing if each > after][:limit][::-1]
        return [each for each in standing if before is None or each < before][-limit:][::-1]

    def settled(self) -> int:
        return max(0, min(self.under_way | self.unreadable, default=10**6) - 1)

    def between(self, low: int, high: int, *, limit: int) -> list[int]:
        return [each for each in self.fetch(before=high, after=None, limit=limit) if each > low]

    def show(self, places: Sequence[int]) -> Shown[int]:
        shown = [(place, place) for place in places if place not in self.hidden | self.unreadable]
        return Shown(shown, self.unreadable.intersection(places))

    def page(self, request: PageRequest) -> Page[int]:
        return full_page(request, self, self.show)

    def first(self, limit: int = 20) -> Page[int]:
        return self.page(PageRequest(limit=limit))

    def since(self, page: Page[int], limit: int = 20) -> Page[int]:
        """The poll with the page's own cursor."""
        assert page.newer_cursor is not None
        after, unsettled = decode_since(page.newer_cursor)
        return self.page(PageRequest(limit=limit, after=after, unsettled=unsettled))

    def appear(self, place: int) -> None:
        self.under_way.discard(place)
        self.visible.add(place)


def test_what_has_not_settled_in_the_store_is_read_upwards() -> None:
    """What is below may be nothing for years, through which a read downwards would walk."""
    asked: list[tuple[int | None, int | None, int]] = []
    tweets = Collection(1, 2, 11, 12, 13, 20)

    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        asked.append((before, after, limit))
        return tweets.fetch(before=before, after=after, limit=limit)

    assert Stored(fetch).between(10, 13, limit=9) == [12, 11]
    assert asked == [(None, 10, 9)]
    assert len(Stored(fetch).between(10, 20, limit=2)) == 2


class TestPolling:
    def test_what_was_under_way_is_shown_by_the_next_poll(self) -> None:
        tweets = Collection(10, 12)
        tweets.under_way = {11}
        first = tweets.first()
        assert (first.items, first.newer) == ([12, 10], 12)
        tweets.appear(11)
        assert 11 in tweets.since(first).items

    def test_nothing_comes_twice_unless_something_has_changed(self) -> None:
        tweets = Collection(10, 12)
        tweets.under_way = {11}
        first = tweets.first()
        page = tweets.since(first)
        assert (page.items, page.newer_cursor) == ([], first.newer_cursor)
        tweets.appear(13)
        page = tweets.since(page)
        assert page.items == [13]
        assert tweets.since(page).items == []

    def test_what_has_settled_is_left_behind(self) -> None:
        tweets = Collection(10, 12)
        tweets.under_way = {11}
        page = tweets.since(tweets.first())
        tweets.appear(11)
        page = tweets.since(page)
        assert (page.items, page.newer, page.unsettled) == ([12, 11], 12, None)

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_what_comes_below_a_small_page_is_shown(self, limit: int) -> None:
        tweets = Collection(*range(10, 20))
        tweets.under_way = {5, 14}
        tweets.visible.discard(14)
        page = tweets.first(limit)
        tweets.appear(14)
        seen: set[int] = set()
        for _ in range(20):
            page = tweets.since(page, limit)
            seen |= set(page.items)
        assert 14 in seen
        assert tweets.since(page, limit).items == []

    @pytest.mark.parametrize("limit", [1, 3, 7])
    def test_walking_up_makes_progress_while_nothing_settles(self, limit: int) -> None:
        tweets = Collection(1, 2)
        tweets.under_way = {0}
        page = tweets.first()
        tweets.visible |= set(range(3, 40))
        seen: list[int] = []
        for _ in range(39):
            page = tweets.since(page, limit)
            seen += page.items[::-1]
        assert seen == list(range(3, 40))
        assert page.items == []

    def test_more_than_can_be_counted_is_gone_through_to_the_end_and_then_anew(self) -> None:
        tweets = Collection(*range(1, paging.MOST_COUNTED + 50))
        tweets.under_way = {0, 200}
        tweets.visible.discard(200)
        page = tweets.first()
        assert page.unsettled == Unsettled(0, None)
        tweets.appear(200)
        seen: set[int] = set()
        for _ in range(20):
            page = tweets.since(page, 100)
            seen |= set(page.items)
        assert 200 in seen

    def test_a_place_above_what_has_settled_may_be_given_by_itself(self) -> None:
        """As of an entry: the answer begins there, and its cursor misses nothing."""
        tweets = Collection(10, 12, 13)
        tweets.under_way = {11}
        page = tweets.page(PageRequest(after=12))
        assert (page.items, page.newer) == ([13], 13)
        tweets.appear(11)
        assert 11 in tweets.since(page).items

    @pytest.mark.parametrize("limit", [1, 2, 20])
    def test_what_was_listed_before_it_could_be_read_is_shown(self, limit: int) -> None:
        tweets = Collection(10, 11, 12)
        tweets.unreadable = {11}
        first = tweets.first(limit)
        tweets.visible |= {13, 14}
        tweets.unreadable |= {13}
        page = tweets.since(first, limit)
        tweets.unreadable = set()
        seen = set(page.items)
        while (page := tweets.since(page, limit)).items:
            seen |= set(page.items)
        assert {11, 13, 14} <= seen

    @pytest.mark.parametrize("since", [10, None])
    def test_as_is_what_a_poll_could_not_read_above_its_place(self, since: int | None) -> None:
        tweets = Collection(10)
        first = tweets.page(PageRequest(after=since)) if since is not None else tweets.first()
        tweets.visible |= {11, 12}
        tweets.unreadable = {11}
        page = tweets.since(first)
        assert page.items == [12]
        tweets.unreadable = set()
        assert 11 in tweets.since(page).items

    def test_until_no_more_can_be_read_is_an_end_though_more_stands_than_is_counted(self) -> None:
        tweets = Collection(*range(1, paging.MOST_COUNTED + 50))
        tweets.under_way = {0}
        page = tweets.first()
        for _ in range(2):
            pages = 0
            while (page := tweets.since(page, 20)).items:
                pages += 1
                assert pages < 30

    def test_a_poll_is_one_read(self) -> None:
        tweets = Collection(*range(10, 40))
        tweets.under_way = {15}
        page = tweets.first()
        tweets.reads = 0
        assert tweets.since(page).items == []
        assert tweets.reads == 1


Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "begin", "appear", "poll", "hide", "delete"]), st.integers(0, 9), st.integers(1, 5)
    ),
    max_size=60,
)


@given(steps)
@settings(deadline=None)
def test_whoever_polls_is_shown_everything_that_appears(taken: list[Step]) -> None:
    """Whatever begins, appears and goes in whatever order; and at the end a poll is empty."""
    tweets = Collection(1, 2, 3)
    page = tweets.first(2)
    born, due, seen = 3, set[int](), set[int]()
    for what, which, limit in taken:
        if what == "begin":
            born += 1
            tweets.under_way.add(born)
        elif what == "appear" and tweets.under_way:
            place = sorted(tweets.under_way)[which % len(tweets.under_way)]
            tweets.appear(place)
            due.add(place)
        elif what == "poll":
            page = tweets.since(page, limit)
            seen |= set(page.items)
        elif what in ("hide", "delete") and tweets.visible - seen:
            gone = sorted(tweets.visible - seen)[which % len(tweets.visible - seen)]
            tweets.visible.discard(gone)
            due.discard(gone)
            if what == "hide":
                tweets.hidden.add(gone)
    for _ in range(60):
        page = tweets.since(page, 2)
        seen |= set(page.items)
        if not page.items:
            break
    assert due <= seen
    assert page.items == []


class TestLongHiddenRuns:
    def test_a_page_is_full_behind_them_both_ways(self) -> None:
        people = Collection(1, 2, 5_003, hidden=range(3, 5_003))
        first = people.first(1)
        assert (first.items, first.older) == ([5_003], 5_003)
        second = people.page(PageRequest(limit=1, before=first.older))
        assert (second.items, second.older) == ([2], 2)
        assert people.page(PageRequest(limit=1, after=2)).items == [5_003]

    def test_what_was_found_when_the_time_is_over_is_shown_and_leads_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walking, "WALK_SECONDS", 0.0)
        people = Collection(1, 2, 60, hidden=range(3, 60))
        page = people.first(10)
        assert (page.items, page.cut_short) == ([60], True)
        monkeypatch.undo()
        assert people.page(PageRequest(limit=10, before=page.older)).items == [2, 1]

    def test_with_nothing_found_in_time_there_is_no_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walking, "WALK_SECONDS", 0.0)
        people = Collection(1, 60, hidden=range(2, 60))
        with pytest.raises(StillSearching):
            people.page(PageRequest(limit=1, before=60))
        with pytest.raises(StillSearching) as upwards:
            people.page(PageRequest(limit=1, after=1))
        assert upwards.value.examined == 2, "from where it may go on"

    def test_only_at_the_end_a_page_is_empty(self) -> None:
        people = Collection(hidden=range(1, 3_000))
        page = people.first(1)
        assert (page.items, page.older, page.newer) == ([], None, None)


class TestCursors:
    @given(st.integers(1, 2**63 - 1), st.data())
    def test_a_cursor_says_what_has_not_settled(self, place: int, data: st.DataObject) -> None:
        settled = data.draw(st.integers(0, place))
        unsettled = counted(settled, [place])
        cursor = paging.encode_cursor(place, unsettled)
        assert decode_since(cursor) == (place, unsettled)
        assert (decode_cursor(cursor), decode_settled(cursor)) == (place, settled)
        assert len(cursor) <= paging.CURSOR_MAX_CHARS

    def test_a_cursor_without_is_settled(self) -> None:
        assert decode_settled(paging.encode_cursor(7)) == 7

    def test_uncounted_stays_uncounted(self) -> None:
        unsettled = counted(1, range(2, paging.MOST_COUNTED + 4))
        assert unsettled.count is None
        assert decode_since(paging.encode_cursor(9_999, unsettled)) == (9_999, unsettled)
