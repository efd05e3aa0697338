"""Conversations: the replies to a tweet, and the thread that leads to it. Staff see suspended people's part in them."""

from collections.abc import Sequence

import msgspec

from accounts.entities import Viewer
from accounts.graph.exclusions import sees_suspended
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored
from tweets.entities import Tweet
from tweets.reading.bodies import tweets_by_id
from tweets.reading.hydration import Hydrated, TweetOut, full_page, hydrate, hydrated
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
    return _replies(subject.id, viewer, request)


def thread(tweet_id: int, viewer: Viewer | None, request: PageRequest) -> Thread:
    """Returns the tweet with its nearest ANCESTORS_MAX ancestors and a page of direct replies.

    An ancestor that is deleted or hidden is left out, and those above it are still there.
    Costs one read of the tweet, another one for every PATH_MAX levels above the first
    PATH_MAX, two hydrations and the listing. Raises `NotFound` as `replies_page` does.
    """
    subject = _subject(tweet_id)
    shown = hydrate([*_ancestor_ids(subject), tweet_id], viewer=viewer, suspended=sees_suspended(viewer))
    if not shown or shown[-1].id != str(tweet_id):
        raise no_such_tweet()
    return Thread(ancestors=shown[:-1], tweet=shown[-1], replies=_replies(subject.id, viewer, request))


def _subject(tweet_id: int) -> Tweet:
    """Returns what a conversation is about: the tweet, or the original of a retweet. Raises `NotFound`."""
    tweet = tweets_by_id([tweet_id]).get(tweet_id)
    if tweet is not None and tweet.retweet_of_id is not None:
        tweet = tweets_by_id([tweet.retweet_of_id]).get(tweet.retweet_of_id)
    if tweet is None:
        raise no_such_tweet()
    return tweet


def _replies(tweet_id: int, viewer: Viewer | None, request: PageRequest) -> Page[TweetOut]:
    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        return tweet_store().replies(tweet_id, before=before, after=after, limit=limit)

    def show(ids: Sequence[int]) -> Hydrated:
        return hydrated(ids, viewer=viewer, suspended=sees_suspended(viewer))

    return full_page(request, Stored(fetch), show)


def _ancestor_ids(tweet: Tweet) -> list[int]:
    """The nearest ancestors, oldest first, through those that were deleted."""
    ancestors = list(tweet.known_path)
    while 0 < len(ancestors) < ANCESTORS_MAX:
        oldest = tweets_by_id(ancestors[:1]).get(ancestors[0])
        if oldest is None or not oldest.known_path:
            break
        ancestors = [*oldest.known_path, *ancestors]
    return ancestors[-ANCESTORS_MAX:]
