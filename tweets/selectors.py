"""Reading tweets by id and by author."""

from collections.abc import Sequence

from accounts.cards import account_cards
from accounts.entities import Viewer
from accounts.selectors import find_user
from storage.errors import NotFound
from storage.paging import Page, PageRequest
from tweets.entities import Tweet
from tweets.hydration import TweetView, hydrate
from tweets.pages import full_page
from tweets.store import tweet_store


def visible_tweet(tweet_id: int) -> Tweet:
    """The tweet, read from the store. Raises `NotFound` when it is gone or its author is suspended."""
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is None or tweet.deleted:
        raise no_such_tweet()
    author = account_cards([tweet.author_id]).get(tweet.author_id)
    if author is None or author.suspended:
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

    One SQL query, the listing, and hydration. Raises `NotFound` for an unknown or suspended author.
    """
    author = find_user(username)
    if author.suspended_at is not None:
        raise NotFound("There is no such person.")

    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        return tweet_store().by_author(author.id, replies=replies, before=before, after=after, limit=limit)

    def show(ids: Sequence[int]) -> list[TweetView]:
        return hydrate(ids, viewer=viewer)

    return full_page(request, fetch, show)


def no_such_tweet() -> NotFound:
    return NotFound("There is no tweet with this id.")
