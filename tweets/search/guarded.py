"""The index of this deployment, and the breaker before it: a hung or dead index costs its timeout a few times, no more.

One that answers, though it says that a query took too long, or that it has too much to do, is not away: three slow
queries of somebody close the search to nobody. Only many such answers in a row, without one that went well, do so for
a second.

An index is of nobody's concern but the search's: whatever is wrong with it, posting, deleting and reading go on.
"""

from collections.abc import Collection, Sequence
from functools import cache

from django.conf import settings

from storage.breakers import Breaker
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.ports.places import SEARCH_OFF
from tweets.search.port import BACKEND, Answered, Document, Hurried, IndexQuery, Late, SearchIndex, engine

FAILURES = 3
"""So many calls in a row that were not answered open the breaker."""
LATE_FAILURES = 20
"""So many in a row that were answered with "not in time", without one call that went well, do so as well."""


class GuardedIndex:
    """An index behind its breaker. See `tweets.search.port.SearchIndex`; raises `Unavailable` at once while it is
    open."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self.breaker = Breaker(
            BACKEND,
            probe=index.ping,
            silent=lambda error: isinstance(error, Unavailable) and not isinstance(error, Answered),
            failures=FAILURES,
            late=lambda error: isinstance(error, Late),
            late_failures=LATE_FAILURES,
            answers=lambda error: isinstance(error, Answered) and not isinstance(error, Hurried),
        )

    def put(self, documents: Sequence[Document]) -> None:
        with self.breaker.guard():
            self._index.put(documents)

    def remove(self, ids: Collection[int]) -> None:
        with self.breaker.guard():
            self._index.remove(ids)

    def find(
        self, query: IndexQuery, *, above: int = 0, below: int = MAX_ID, limit: int, within: float | None = None
    ) -> list[int]:
        with self.breaker.guard():
            return self._index.find(query, above=above, below=below, limit=limit, within=within)

    def count(self) -> int:
        with self.breaker.guard():
            return self._index.count()

    def newest(self) -> int | None:
        with self.breaker.guard():
            return self._index.newest()

    def identity(self) -> str:
        with self.breaker.guard():
            return self._index.identity()

    def refresh(self) -> None:
        with self.breaker.guard():
            self._index.refresh()

    def ping(self) -> None:
        with self.breaker.guard():
            self._index.ping()


class SearchIsOff(Unavailable):
    """This deployment has no index."""

    retry_after_seconds = 3600

    def __init__(self) -> None:
        super().__init__(BACKEND)
        self.message = "Tweets cannot be searched here."


def search_is_on() -> bool:
    """Returns whether this deployment has an index."""
    return bool(settings.SEARCH_URL != SEARCH_OFF)


def search_index() -> GuardedIndex:
    """Returns the index that SEARCH_URL names. Raises `SearchIsOff` where there is none."""
    if not search_is_on():
        raise SearchIsOff
    return _index()


@cache
def _index() -> GuardedIndex:
    return GuardedIndex(engine())


def forget_index() -> None:
    """For tests that change SEARCH_URL."""
    _index.cache_clear()
