"""Full pages: what a viewer may not see is made up for, never left as a short page."""

from collections.abc import Callable, Sequence
from typing import Protocol

from storage.paging import Page, PageRequest
from tweets.hydration import TweetView

MAX_ROUNDS = 12
"""Bounds the walk past hidden entries; a page cut short by it still continues where it stopped."""
MAX_FETCH = 200
"""Ids asked for in one round of a long walk."""

Hydrate = Callable[[Sequence[int]], list[TweetView]]


class FetchIds(Protocol):
    """Ids newest first below `before`, or the nearest above `after`; fewer than `limit` only at the end."""

    def __call__(self, *, before: int | None, after: int | None, limit: int) -> list[int]: ...


def full_page(request: PageRequest, fetch: FetchIds, hydrate: Hydrate) -> Page[TweetView]:
    """The page that was asked for; one round of fetch and hydrate unless much of it is hidden."""
    if request.after is not None:
        return _page_above(request.after, request.limit, fetch, hydrate)
    return _page_below(request.before, request.limit, fetch, hydrate)


def _page_below(before: int | None, limit: int, fetch: FetchIds, hydrate: Hydrate) -> Page[TweetView]:
    """One item too many is looked for, so that `older` is None exactly at the end."""
    shown: list[TweetView] = []
    examined = before
    for asked in _growing(limit + 1):
        ids = fetch(before=examined, after=None, limit=asked)
        shown += hydrate(ids)
        if len(shown) > limit or len(ids) < asked:
            older = int(shown[limit - 1].id) if len(shown) > limit else None
            return _page(shown[:limit], older=older, newer=before)
        examined = ids[-1]
    return _page(shown, older=examined, newer=before)


def _page_above(after: int, limit: int, fetch: FetchIds, hydrate: Hydrate) -> Page[TweetView]:
    shown: list[TweetView] = []
    examined = after
    for asked in _growing(limit):
        ids = fetch(before=None, after=examined, limit=asked)
        shown = hydrate(ids) + shown
        examined = ids[0] if ids else examined
        if len(shown) >= limit or len(ids) < asked:
            nearest = shown[-limit:]
            newer = int(nearest[0].id) if len(shown) > limit else examined
            return Page(nearest, older=int(nearest[-1].id) if nearest else None, newer=newer)
    return Page(shown, older=int(shown[-1].id) if shown else None, newer=examined)


def _page(shown: list[TweetView], *, older: int | None, newer: int | None) -> Page[TweetView]:
    return Page(shown, older=older, newer=int(shown[0].id) if shown else newer)


def _growing(first: int) -> list[int]:
    """How many ids to ask for in each round."""
    return [first, *(min(first * 2**doubling, MAX_FETCH) for doubling in range(1, MAX_ROUNDS))]
