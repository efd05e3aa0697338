"""Conversations: the replies to a tweet, and the thread that leads to it. Staff see suspended people's part in them."""

from collections.abc import Sequence

import msgspec

from accounts.entities import Viewer
from accounts.graph.exclusions import sees_suspended
from storage.errors import Unavailable
from storage.redis.reads import Read
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored
from tweets.caches.tweets import TWEETS
from tweets.entities import Tweet
from tweets.reading.bodies import tweets_by_id
from tweets.reading.hydration import Hydrate, Hydrated, TweetOut, full_page, hydrate, hydrated
from tweets.reading.selectors import no_such_tweet
from tweets.stores.port import tweet_store

ANCESTORS_MAX = 100
"""Of a deeper thread the nearest so many are shown; each of them has a thread of its own to go on with."""


class Thread(msgspec.Struct, frozen=True):
    """A tweet in its conversation: what it answers, oldest first, and a page of what answers it."""

    ancestors: list[TweetOut]
    tweet: TweetOut
    replies: Page[TweetOut]


def replies_page(tweet_id: int, viewer: Viewer | None, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the direct replies to a tweet, or to the original of a retweet, newest first.

    One read of the tweet, two hydrations and the listing. Raises `NotFound` for a tweet that
    is gone or hidden.
    """
    subject = _subject(tweet_id)
    if not hydrate([tweet_id], viewer=viewer, suspended=sees_suspended(viewer)):
        raise no_such_tweet()
    return _replies(subject.id, request, lambda ids: hydrated(ids, viewer=viewer, suspended=sees_suspended(viewer)))


def thread(tweet_id: int, viewer: Viewer | None, request: PageRequest, *, first: Tweet | None = None) -> Thread:
    """Returns the tweet with its nearest ANCESTORS_MAX ancestors and a page of direct replies.

    An ancestor that is deleted or hidden is left out, and those above it are still there.
    Costs the listing and one hydration, of all that is shown, and one read of the tweet unless `first` is what
    `cached_tweet` said. Of more than PATH_MAX ancestors, or if the oldest cannot be shown, a read for every PATH_MAX
    levels and one hydration more. Raises `NotFound` as `replies_page` does.
    """
    subject = _subject(tweet_id, first)
    path = subject.known_path
    conversation = _Conversation([*path, tweet_id], viewer)
    try:
        replies = _replies(subject.id, request, conversation.show)
    except Unavailable:
        conversation.above()  # what is gone is so though nobody can list the replies
        raise
    shown = conversation.above()
    if path and not _begins_with(path[0], shown):
        shown = [*conversation.hydrated(_older_than(path)).tweets, *shown]
    return Thread(ancestors=shown[:-1], tweet=shown[-1], replies=replies)


def cached_tweet(tweet_id: int) -> Read[Tweet | None]:
    """Returns a read of the tweet, for `thread`; None of what Redis does not have. One command."""
    return TWEETS.read([tweet_id]).map(lambda cached: cached.values.get(tweet_id))


class _Conversation:
    """What stands above the replies, a tweet's path and itself, hydrated together with the first of them.

    Whatever hydrates first raises `NotFound` when the tweet itself may not be shown: then nobody looks for more
    replies.
    """

    def __init__(self, ids: Sequence[int], viewer: Viewer | None) -> None:
        self._ids = ids
        self._viewer = viewer
        self._shown: list[TweetOut] | None = None

    def show(self, replies: Sequence[int]) -> Hydrated:
        """Returns the replies that may be shown, at the cost of one hydration."""
        if self._shown is not None:
            return self.hydrated(replies)
        found = self.hydrated([*self._ids, *replies])
        above = {str(each) for each in self._ids}
        shown = [tweet for tweet in found.tweets if tweet.id in above]
        if not shown or shown[-1].id != str(self._ids[-1]):
            raise no_such_tweet()
        self._shown = shown
        below = [tweet for tweet in found.tweets if tweet.id not in above]
        return Hydrated(below, found.unreadable.difference(self._ids))

    def above(self) -> list[TweetOut]:
        """Returns what may be shown of what stands above; a hydration of its own if no reply was looked at."""
        if self._shown is None:
            self.show(())
        return self._shown or []

    def hydrated(self, ids: Sequence[int]) -> Hydrated:
        return hydrated(ids, viewer=self._viewer, suspended=sees_suspended(self._viewer))


def _subject(tweet_id: int, first: Tweet | None = None) -> Tweet:
    """Returns what a conversation is about: the tweet, or the original of a retweet. Raises `NotFound`."""
    tweet = first or tweets_by_id([tweet_id]).get(tweet_id)
    if tweet is not None and tweet.retweet_of_id is not None:
        tweet = tweets_by_id([tweet.retweet_of_id]).get(tweet.retweet_of_id)
    if tweet is None:
        raise no_such_tweet()
    return tweet


def _replies(tweet_id: int, request: PageRequest, show: Hydrate) -> Page[TweetOut]:
    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        return tweet_store().replies(tweet_id, before=before, after=after, limit=limit)

    return full_page(request, Stored(fetch), show)


def _begins_with(oldest_id: int, shown: Sequence[TweetOut]) -> bool:
    """Whether what is shown begins with the oldest ancestor that is known, and that answers nothing itself."""
    return shown[0].id == str(oldest_id) and shown[0].reply_to_id is None


def _older_than(path: Sequence[int]) -> list[int]:
    """The nearest ancestors of a path's oldest, oldest first, through those that were deleted."""
    ancestors = list(path)
    while len(ancestors) < ANCESTORS_MAX:
        oldest = tweets_by_id(ancestors[:1]).get(ancestors[0])
        if oldest is None or not oldest.known_path:
            break
        ancestors = [*oldest.known_path, *ancestors]
    return ancestors[-ANCESTORS_MAX:][: -len(path)]
