"""What people wrote, for those who moderate: as everybody sees it, and what suspended people wrote as well."""

import msgspec

from tweets.reading.hydration import TweetOut, hydrate
from tweets.stores.port import tweet_store

NEWEST = 20
"""Enough to judge by; the whole of it is at `GET /users/{username}/tweets`, with a token of staff's."""

NEAR = 5
"""Of what a tweet answers, and of what answers it."""

__all__ = ["Context", "TweetOut", "context_of", "newest_tweets", "tweet_for_staff"]


class Context(msgspec.Struct, frozen=True):
    """A tweet where it was said: what it answers, oldest first, and the newest answers to it; itself, unless gone."""

    before: list[TweetOut]
    tweet: TweetOut | None
    answers: list[TweetOut]


def context_of(tweet_id: int) -> Context:
    """Returns the tweet with up to NEAR tweets on either side. The tweet, a listing and hydration. Raises
    `Unavailable`."""
    row = tweet_store().get_many([tweet_id]).get(tweet_id)
    above = [] if row is None else list(row.known_path)[-NEAR:]
    below = tweet_store().replies(tweet_id, limit=NEAR)
    shown = {int(each.id): each for each in hydrate([*above, tweet_id, *below], viewer=None, suspended=True)}
    return Context(
        before=[shown[each] for each in above if each in shown],
        tweet=shown.get(tweet_id),
        answers=[shown[each] for each in below if each in shown],
    )


def newest_tweets(person_id: int) -> list[TweetOut]:
    """Returns up to NEWEST of the person's tweets that are not deleted, newest first: the listing and hydration.

    Raises `Unavailable`.
    """
    return hydrate(tweet_store().by_author(person_id, replies=True, limit=NEWEST), viewer=None, suspended=True)


def tweet_for_staff(tweet_id: int) -> TweetOut | None:
    """Returns the tweet, None for one that is deleted. Costs what `hydrate` costs. Raises `Unavailable`."""
    return next(iter(hydrate([tweet_id], viewer=None, suspended=True)), None)
