"""What an entry of a timeline shows: a tweet, which it is itself or retweets, and whose both are.

Of one entry there is one `Showing` in a process, whichever of its sockets keep it.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from tweets.entities import Tweet
from tweets.reading.bodies import tweets_by_id
from tweets.reading.hydration import TweetOut

SHARED = 32_768
"""So many are found again by other sockets. About 400 bytes each, with their ids: 13 MB, besides what sockets keep."""


class Showing(msgspec.Struct, frozen=True):
    """An entry, by whom it came, and the tweet that it shows; the same ids twice unless it is a retweet."""

    entry_id: int
    author_id: int
    tweet_id: int
    tweet_author_id: int


def showing_of(entry: TweetOut) -> Showing:
    """Returns what an entry shows that was hydrated. Costs nothing."""
    entry_id, author_id = int(entry.id), int(entry.author.id)
    if entry.retweet_of is None:
        return _shared(entry_id, author_id, entry_id, author_id)
    return _shared(entry_id, author_id, int(entry.retweet_of.id), int(entry.retweet_of.author.id))


def showings(entry_ids: Sequence[int]) -> list[Showing]:
    """Returns what the entries show, in their order, whether or not anybody may still see it.

    Left out are those that do not exist. Costs `tweets_by_id`, twice if there are retweets; errors are those of it.
    """
    entries = tweets_by_id(entry_ids)
    inner = {entry.retweet_of_id for entry in entries.values() if entry.retweet_of_id is not None}
    originals = tweets_by_id(sorted(inner))
    return [_showing(entries[each], originals) for each in entry_ids if each in entries]


def _showing(entry: Tweet, originals: dict[int, Tweet]) -> Showing:
    tweet_id = entry.retweet_of_id if entry.retweet_of_id is not None else entry.id
    return _shared(entry.id, entry.author_id, tweet_id, originals.get(tweet_id, entry).author_id)


_shared = lru_cache(SHARED)(Showing)
