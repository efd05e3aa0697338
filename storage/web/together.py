"""Pages of many owners at once, such as the replies to each tweet of a page.

The walks go side by side: what they ask is answered for all of them by one read, so reading costs as many rounds as
the longest walk, however many owners there are. Each page is the one that `full_page` would make.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar, cast

from storage.errors import StillSearching
from storage.ids.settling import settled_place
from storage.ports.ranges import Range
from storage.web.asking import Answer, Between, Look, Question, Shown, Walk
from storage.web.paging import Page, PageRequest, Same
from storage.web.walking import walk

T = TypeVar("T")

FetchMany = Callable[[Mapping[int, Range]], Mapping[int, list[int]]]
"""Answers each owner's range of places as `Source.fetch` does; every owner that was asked for is in the answer."""
ShowMany = Callable[[Mapping[int, Sequence[int]]], Mapping[int, Shown[T]]]
"""Answers what may be shown of each owner's places."""
Pages = Mapping[int, Page[T] | StillSearching]
"""By owner; of a page of which nothing was found in time, that."""


def full_pages(
    owners: Collection[int], request: PageRequest, fetch: FetchMany, show: ShowMany[T], *, same: Same[T] | None = None
) -> Pages[T]:
    """Returns the page of each owner's listing, which stands in the store: visible as soon as it is written.

    One `fetch` and one `show` for all together unless much is hidden of one, and one more `fetch` where pages are so
    new that they have not settled. Raises what these raise.
    """
    settled = settled_place()
    return _Together(owners, lambda: walk(request, lambda: settled, same=same)).pages(fetch, show)


class _Together(Generic[T]):
    def __init__(self, owners: Collection[int], begin: Callable[[], Walk[T]]) -> None:
        self._walks = {owner: begin() for owner in owners}
        self._asked: dict[int, Question] = {owner: next(each) for owner, each in self._walks.items()}
        self._pages: dict[int, Page[T] | StillSearching] = {}

    def pages(self, fetch: FetchMany, show: ShowMany[T]) -> Pages[T]:
        while self._asked:
            asked, self._asked = self._asked, {}
            ranges = {owner: _range(each) for owner, each in asked.items() if not isinstance(each, Look)}
            looks = {owner: each.places for owner, each in asked.items() if isinstance(each, Look)}
            found = fetch(ranges) if ranges else {}
            for owner in ranges:
                self._answer(owner, _within(asked[owner], found[owner]))
            shown = show(looks) if looks else {}
            for owner in looks:
                self._answer(owner, shown[owner])
        return self._pages

    def _answer(self, owner: int, answer: Answer[T]) -> None:
        try:
            self._asked[owner] = self._walks[owner].send(answer)
        except StopIteration as end:
            self._pages[owner] = cast(Page[T], end.value)
        except StillSearching as error:
            self._pages[owner] = error


def _range(asked: Range | Between) -> Range:
    """Of a `Between` upwards, as `Stored.between`."""
    return asked if isinstance(asked, Range) else Range(before=None, after=asked.low, limit=asked.limit)


def _within(asked: Question, places: list[int]) -> list[int]:
    return [each for each in places if each < asked.high] if isinstance(asked, Between) else places
