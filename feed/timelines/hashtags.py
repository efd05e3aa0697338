"""The tweets with a hashtag, straight from the store."""

from collections.abc import Sequence
from functools import partial

from accounts.entities import Viewer
from storage.errors import BadRequest
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored
from tweets.hashtags import hashtag_name
from tweets.reading.hydration import Hydrated, TweetOut, full_page, hydrated
from tweets.stores.port import tweet_store


def hashtag_page(name: str, viewer: Viewer | None, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the newest tweets with the hashtag of that name, as `viewer` sees them; replies and quotes as
    well.

    The listing and hydration, as the public feed; empty where nobody has used the tag. Raises `Unavailable`.
    """
    listed = partial(tweet_store().tagged, name)

    def show(ids: Sequence[int]) -> Hydrated:
        return hydrated(ids, viewer=viewer)

    return full_page(request, Stored(listed), show)


def named_hashtag(typed: str) -> str:
    """Returns the name of the hashtag that somebody asks for. Raises `BadRequest` for what is none."""
    name = hashtag_name(typed)
    if name is None:
        raise BadRequest("That is no hashtag.", code="bad_hashtag")
    return name
