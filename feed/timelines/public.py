"""The public feed: everybody's tweets but those of protected people, straight from the store."""

from collections.abc import Sequence

from accounts.entities import Viewer
from accounts.graph.exclusions import Visibility
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored
from tweets.reading.hydration import Hydrated, TweetOut, full_page, hydrated
from tweets.stores.port import tweet_store


def public_page(viewer: Viewer | None, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the newest public tweets, as `viewer` sees them; back to the first tweet.

    The listing and hydration: no cache between, so that authors find their new tweet at
    once. Nobody protected is in it, for their followers and themselves neither: what is quoted within is as anywhere.
    Raises `Unavailable`.
    """
    visibility = Visibility(viewer.id if viewer is not None else None, public=True)

    def show(ids: Sequence[int]) -> Hydrated:
        return hydrated(ids, viewer=viewer, visibility=visibility)

    return full_page(request, Stored(tweet_store().public), show)
