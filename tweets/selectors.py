"""Reading tweets by id and by author."""

from collections.abc import Sequence

from accounts.cards import account_cards
from accounts.entities import Viewer
from accounts.people import visible_user
from storage.errors import NotFound
from storage.paging import Page, PageRequest
from tweets.entities import Tweet
from tweets.hydration import TweetView, hydrate
from tweets.pages import full_page
from tweets.store import tweet_store
from tweets.visibility import Visibility


def visible_tweet(tweet_id: int, viewer: Viewer | None) -> Tweet:
    """The tweet, read from the store. Raises `NotFound` when it is gone, or its author suspended or hidden."""
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is None or tweet.deleted:
        raise no_such_tweet()
    author = account_cards([tweet.author_id]).get(tweet.author_id)
    if author is None or author.suspended or _hidden(tweet.author_id, viewer):
        raise no_such_tweet()
    return tweet


def tweet_view(tweet_id: int, viewer: Viewer | None) -> TweetView:
    """The tweet as the viewer sees it; costs what `hydrate` costs. Raises `NotFound`."""
    views = hydrate([tweet_id], viewer=viewer)
    if not views:
        raise no_such_tweet()
    return views[0]


def author_page(username: str, viewer: Viewer | None, request: PageRequest, *, replies: bool) -> Page[TweetView]:
    """A page of somebody's tweets, newest first; without `replies`, those that home timelines show.

    Empty when the viewer blocks the author. One SQL query, one Redis round trip, the listing, and
    hydration. Raises `NotFound` for an author who is unknown or suspended, or blocks the viewer.
    """
    author = visible_user(username, viewer)
    visibility = Visibility(viewer.id if viewer is not None else None)
    if visibility.hidden_among({author.id}):
        return Page([], older=None, newer=request.after)

    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        return tweet_store().by_author(author.id, replies=replies, before=before, after=after, limit=limit)

    def show(ids: Sequence[int]) -> list[TweetView]:
        return hydrate(ids, viewer=viewer, visibility=visibility)

    return full_page(request, fetch, show)


def _hidden(author_id: int, viewer: Viewer | None) -> bool:
    return viewer is not None and bool(Visibility(viewer.id).hidden_among({author_id}))


def no_such_tweet() -> NotFound:
    return NotFound("There is no tweet with this id.")
