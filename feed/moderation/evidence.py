"""What people wrote, for those who moderate: as everybody sees it, and what suspended people wrote as well."""

from tweets.reading.hydration import TweetOut, hydrate
from tweets.stores.port import tweet_store

NEWEST = 20
"""Enough to judge by; the whole of it is at `GET /users/{username}/tweets`, with a token of staff's."""

__all__ = ["TweetOut", "newest_tweets", "tweet_for_staff"]


def newest_tweets(person_id: int) -> list[TweetOut]:
    """Returns up to NEWEST of the person's tweets that are not deleted, newest first: the listing and hydration.

    Raises `Unavailable`.
    """
    return hydrate(tweet_store().by_author(person_id, replies=True, limit=NEWEST), viewer=None, suspended=True)


def tweet_for_staff(tweet_id: int) -> TweetOut | None:
    """Returns the tweet, None for one that is deleted. Costs what `hydrate` costs. Raises `Unavailable`."""
    return next(iter(hydrate([tweet_id], viewer=None, suspended=True)), None)
