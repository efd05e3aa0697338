"""Reading tweets by id, by author and by who has marked them, and the people who have."""

from collections.abc import Sequence

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Account, Viewer
from accounts.graph.exclusions import Visibility, sees_suspended
from accounts.graph.listings import Ahead, Listing, listed_account, people_page, visible_account
from accounts.graph.protection import closed_among
from accounts.people.profiles import UserOut
from storage.errors import Forbidden, NotFound
from storage.stores import associations
from storage.web.paging import Page, PageRequest, empty_page
from storage.web.walking import Stored
from tweets.entities import Tweet
from tweets.kinds import BOOKMARK, LIKE, RETWEET
from tweets.reading.hydration import Hydrated, TweetOut, full_page, hydrate, hydrated
from tweets.reading.marked import Marked
from tweets.stores.port import tweet_store


def visible_tweet(tweet_id: int, viewer: Viewer | None) -> Tweet:
    """Returns the tweet, read from the store.

    Raises `NotFound` when it is gone, or its author suspended, hidden, or protected and not followed.
    """
    return _visible(tweet_id, viewer)[0]


def original_tweet(tweet_id: int, viewer: Viewer | None) -> Tweet:
    """Returns the tweet that people act on: what a retweet retweets. Raises `NotFound` as `visible_tweet` does."""
    return _original(tweet_id, viewer)[0]


def shareable_tweet(tweet_id: int, viewer: Viewer) -> Tweet:
    """Returns `original_tweet`, to be retweeted or quoted; costs the same.

    Raises `Forbidden`, code "protected", of somebody else who is protected: what they write is for their followers
    alone, and not for those of who shares it.
    """
    tweet, author = _original(tweet_id, viewer)
    if author.protected and author.id != viewer.id:
        raise Forbidden("Only they themselves may retweet or quote the tweets of a protected person.", code="protected")
    return tweet


def _original(tweet_id: int, viewer: Viewer | None) -> tuple[Tweet, Account]:
    tweet, author = _visible(tweet_id, viewer)
    return (tweet, author) if tweet.retweet_of_id is None else _visible(tweet.retweet_of_id, viewer)


def _visible(tweet_id: int, viewer: Viewer | None) -> tuple[Tweet, Account]:
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is None or tweet.deleted:
        raise no_such_tweet()
    author = accounts_by_id([tweet.author_id]).get(tweet.author_id)
    visibility = Visibility(viewer.id if viewer is not None else None)
    if author is None or author.suspended or visibility.unseen_among({author.id: author}):
        raise no_such_tweet()
    return tweet, author


def reported_author(tweet_id: int, by: Viewer) -> int:
    """Returns whose tweet it is that somebody reports: as `visible_tweet`, but that blocks hide nothing.

    Of a protected person it has to be one who follows them, as others must not learn that there is such a tweet.
    Raises `NotFound`.
    """
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    author = accounts_by_id([tweet.author_id]).get(tweet.author_id) if tweet is not None and not tweet.deleted else None
    if author is None or author.suspended or closed_among(by.id, [author]):
        raise no_such_tweet()
    return author.id


def marked_id(tweet_id: int) -> int:
    """Returns the id under which a tweet is marked: what a retweet retweets, else its own. One store read.

    Of a tweet that is gone as well, or hidden from everybody: who has marked it may still take that back.
    """
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    return tweet.retweet_of_id if tweet is not None and tweet.retweet_of_id is not None else tweet_id


def undone_out(tweet_id: int, viewer: Viewer) -> TweetOut | None:
    """Returns what the viewer is answered who took back a mark of the tweet; of a retweet the original.

    None where it must not be shown, as for an id that nobody has given: so this tells nobody what is there.
    A retweet of the viewer's own may be gone by now, as undoing it deletes it; others' have to be
    visible themselves, or they would tell what they retweet. Costs what `hydrate` costs, and if there is
    nothing to show a store read and that once more.
    """
    shown = hydrate([tweet_id], viewer=viewer)
    if not shown:
        named = tweet_store().get_many([tweet_id]).get(tweet_id)
        if named is None or named.author_id != viewer.id or named.retweet_of_id is None:
            return None
        shown = hydrate([named.retweet_of_id], viewer=viewer)
    return (shown[0].retweet_of or shown[0]) if shown else None


def tweet_out(tweet_id: int, viewer: Viewer | None) -> TweetOut:
    """Returns the tweet as the viewer sees it, suspended people's for staff; costs what `hydrate` costs.

    Raises `NotFound`.
    """
    shown = hydrate([tweet_id], viewer=viewer, suspended=sees_suspended(viewer))
    if not shown:
        raise no_such_tweet()
    return shown[0]


def author_page(
    username: str, viewer: Viewer | None, request: PageRequest, *, replies: bool, first: Ahead | None = None
) -> Page[TweetOut]:
    """Returns a page of somebody's tweets, newest first; without `replies`, those that home timelines show.

    Empty when the viewer blocks the author, or does not follow one who is protected. The listing and hydration with
    `first`, which is what `ahead` said, and else up to two Redis round trips more (`listed_account`). Raises `NotFound`
    as `visible_account` does; a suspended or protected author's are there for staff.
    """
    visibility = Visibility(viewer.id if viewer is not None else None)
    author = listed_account(username, viewer, visibility, first)
    if author is None:
        return empty_page(request)

    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        return tweet_store().by_author(author.id, replies=replies, before=before, after=after, limit=limit)

    def show(ids: Sequence[int]) -> Hydrated:
        return hydrated(ids, viewer=viewer, visibility=visibility, suspended=sees_suspended(viewer))

    return full_page(request, Stored(fetch), show)


def likes_page(username: str, viewer: Viewer | None, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the tweets that somebody likes, newest like first; empty, cost and errors as `author_page`."""
    person = visible_account(username, viewer)
    visibility = Visibility(viewer.id if viewer is not None else None)
    if visibility.unseen_among({person.id: person}, suspended=sees_suspended(viewer)):
        return empty_page(request)
    return Marked(person.id, LIKE).page(request, lambda ids: hydrated(ids, viewer=viewer, visibility=visibility))


def bookmarks_page(viewer: Viewer, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the viewer's own bookmarks, newest first: the listing and hydration."""
    return Marked(viewer.id, BOOKMARK).page(request, lambda ids: hydrated(ids, viewer=viewer))


def likers_page(tweet_id: int, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    """Returns a page of the people who like a tweet, the newest like first.

    Suspended people, those hidden from the viewer, and protected ones whom they do not follow are left out and made up
    for. Up to two reads of the tweet besides what `people_page` costs. Raises `NotFound`.
    """
    return _marking_page(tweet_id, LIKE, viewer, request)


def retweeters_page(tweet_id: int, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    """Returns a page of the people who retweeted a tweet, as `likers_page`."""
    return _marking_page(tweet_id, RETWEET, viewer, request)


def _marking_page(tweet_id: int, kind: str, viewer: Viewer | None, request: PageRequest) -> Page[UserOut]:
    tweet = original_tweet(tweet_id, viewer)
    listing = Listing(tweet.id, kind, associations().newest_sources, lambda edge: edge.source)
    return people_page(viewer, request, listing, of_acts=True)


def no_such_tweet() -> NotFound:
    return NotFound("There is no tweet with this id.")
