"""Reading tweets by id, by author and by who has marked them, and the people who have."""

from collections.abc import Sequence

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Viewer
from accounts.graph.exclusions import Visibility, sees_suspended
from accounts.graph.listings import Listing, people_page, visible_account
from accounts.people.profiles import UserOut
from storage.errors import NotFound
from storage.stores import associations
from storage.web.paging import Page, PageRequest
from tweets.entities import Tweet
from tweets.kinds import BOOKMARK, LIKE, RETWEET
from tweets.reading.hydration import TweetOut, full_page, hydrate
from tweets.reading.marked import Marked
from tweets.stores.port import tweet_store


def visible_tweet(tweet_id: int, viewer: Viewer | None) -> Tweet:
    """Returns the tweet, read from the store. Raises `NotFound` when it is gone, or its author suspended or hidden."""
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is None or tweet.deleted:
        raise no_such_tweet()
    author = accounts_by_id([tweet.author_id]).get(tweet.author_id)
    if author is None or author.suspended or _hidden(tweet.author_id, viewer):
        raise no_such_tweet()
    return tweet


def original_tweet(tweet_id: int, viewer: Viewer | None) -> Tweet:
    """Returns the tweet that people act on: what a retweet retweets. Raises `NotFound` as `visible_tweet` does."""
    tweet = visible_tweet(tweet_id, viewer)
    return visible_tweet(tweet.retweet_of_id, viewer) if tweet.retweet_of_id is not None else tweet


def tweet_out(tweet_id: int, viewer: Viewer | None) -> TweetOut:
    """Returns the tweet as the viewer sees it, suspended people's for staff; costs what `hydrate` costs.

    Raises `NotFound`.
    """
    shown = hydrate([tweet_id], viewer=viewer, suspended=sees_suspended(viewer))
    if not shown:
        raise no_such_tweet()
    return shown[0]


def author_page(username: str, viewer: Viewer | None, request: PageRequest, *, replies: bool) -> Page[TweetOut]:
    """Returns a page of somebody's tweets, newest first; without `replies`, those that home timelines show.

    Empty when the viewer blocks the author. One SQL query, one Redis round trip, the listing, and
    hydration. Raises `NotFound` as `visible_account` does; a suspended author's are there for staff.
    """
    author = visible_account(username, viewer)
    visibility = Visibility(viewer.id if viewer is not None else None)
    if visibility.hidden_among({author.id}):
        return Page([], older=None, newer=request.after)

    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        return tweet_store().by_author(author.id, replies=replies, before=before, after=after, limit=limit)

    def show(ids: Sequence[int]) -> list[TweetOut]:
        return hydrate(ids, viewer=viewer, visibility=visibility, suspended=sees_suspended(viewer))

    return full_page(request, fetch, show)


def likes_page(username: str, viewer: Viewer | None, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the tweets that somebody likes, newest like first; cost and errors as `author_page`."""
    person = visible_account(username, viewer)
    visibility = Visibility(viewer.id if viewer is not None else None)
    if visibility.hidden_among({person.id}):
        return Page([], older=None, newer=request.after)
    return Marked(person.id, LIKE).page(request, lambda ids: hydrate(ids, viewer=viewer, visibility=visibility))


def bookmarks_page(viewer: Viewer, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the viewer's own bookmarks, newest first: the listing and hydration."""
    return Marked(viewer.id, BOOKMARK).page(request, lambda ids: hydrate(ids, viewer=viewer))


def likers_page(tweet_id: int, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    """Returns a page of the people who like a tweet, the newest like first.

    Suspended people and those hidden from the viewer are left out and made up for. Up to two reads
    of the tweet besides what `people_page` costs. Raises `NotFound`.
    """
    return _marking_page(tweet_id, LIKE, viewer, request)


def retweeters_page(tweet_id: int, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    """Returns a page of the people who retweeted a tweet, as `likers_page`."""
    return _marking_page(tweet_id, RETWEET, viewer, request)


def _marking_page(tweet_id: int, kind: str, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    tweet = original_tweet(tweet_id, viewer)
    return people_page(
        viewer, request, Listing(tweet.id, kind, associations().newest_sources, lambda edge: edge.source)
    )


def _hidden(author_id: int, viewer: Viewer | None) -> bool:
    return viewer is not None and bool(Visibility(viewer.id).hidden_among({author_id}))


def no_such_tweet() -> NotFound:
    return NotFound("There is no tweet with this id.")
