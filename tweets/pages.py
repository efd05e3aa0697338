"""Full pages of tweets; the walk past hidden ones is `storage.paging.full_page`."""

from collections.abc import Callable, Sequence

from storage import paging
from storage.paging import FetchPlaces, Page, PageRequest
from tweets.hydration import TweetView

Hydrate = Callable[[Sequence[int]], list[TweetView]]

FetchIds = FetchPlaces
"""A tweet's place in every listing is its id."""


def full_page(request: PageRequest, fetch: FetchIds, hydrate: Hydrate) -> Page[TweetView]:
    """The page that was asked for; one round of fetch and hydrate unless much of it is hidden."""
    return paging.full_page(request, fetch, lambda ids: [(int(tweet.id), tweet) for tweet in hydrate(ids)])
