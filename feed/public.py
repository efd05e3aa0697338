"""The public feed: everybody's tweets, straight from the store."""

from collections.abc import Sequence

from accounts.entities import Viewer
from storage.paging import Page, PageRequest
from tweets.hydration import TweetView, hydrate
from tweets.pages import full_page
from tweets.store import tweet_store


def public_page(viewer: Viewer | None, request: PageRequest) -> Page[TweetView]:
    """A page of the newest public tweets, as `viewer` sees them; back to the first tweet.

    The listing and hydration: no cache between, so that authors find their new tweet at
    once. Raises `Unavailable`.
    """

    def show(ids: Sequence[int]) -> list[TweetView]:
        return hydrate(ids, viewer=viewer)

    return full_page(request, tweet_store().public, show)
