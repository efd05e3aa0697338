"""Full pages of tweets; the walk past hidden ones is `storage.web.paging.full_page`."""

from collections.abc import Callable, Sequence

from msgspec import Raw

from storage.stores import associations
from storage.web import paging
from storage.web.paging import FetchPlaces, Page, PageRequest
from tweets.reading.hydration import TweetOut

Hydrate = Callable[[Sequence[int]], list[TweetOut]]

FetchIds = FetchPlaces
"""A tweet's place in every listing is its id."""


def full_page(request: PageRequest, fetch: FetchIds, hydrate: Hydrate) -> Page[TweetOut]:
    """Returns the page that was asked for; one round of fetch and hydrate unless much of it is hidden.

    The same tweet is there once: the newest of the original and its retweets.
    """

    def show(ids: Sequence[int]) -> list[tuple[int, TweetOut]]:
        return [(int(tweet.id), tweet) for tweet in hydrate(ids)]

    return paging.full_page(request, fetch, show, same=_original_id)


def rendered(page: Page[TweetOut]) -> Page[Raw]:
    """Returns the page with its tweets as the JSON that each has been made into already."""
    return Page([Raw(tweet.json) for tweet in page.items], page.older, page.newer)


class Marked:
    """A listing of the tweets that somebody marked, newest mark first: a place is the mark's operation."""

    def __init__(self, person_id: int, kind: str) -> None:
        self._person_id = person_id
        self._kind = kind
        self._tweets: dict[int, int] = {}

    def page(self, request: PageRequest, hydrate: Hydrate) -> Page[TweetOut]:
        """Returns a full page of it. One store read and one round of hydration unless much of it is hidden."""

        def show(places: Sequence[int]) -> list[tuple[int, TweetOut]]:
            ids = [self._tweets[place] for place in places]
            shown = {int(tweet.id): tweet for tweet in hydrate(ids)}
            return [(place, shown[each]) for place, each in zip(places, ids, strict=True) if each in shown]

        return paging.full_page(request, self._fetch, show)

    def _fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        edges = associations().newest_targets(self._person_id, self._kind, before=before, after=after, limit=limit)
        self._tweets |= {edge.op: edge.target for edge in edges}
        return [edge.op for edge in edges]


def _original_id(tweet: TweetOut) -> str:
    return tweet.retweet_of.id if tweet.retweet_of is not None else tweet.id
