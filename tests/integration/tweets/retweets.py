"""What stands in the store of somebody's retweet of a tweet."""

from accounts.models import User
from storage.stores import associations
from tests.integration.tweeting import seen
from tweets.kinds import RETWEET
from tweets.stores.port import tweet_store


def entries_of(author: User, original: int) -> list[int]:
    """Those that may be shown."""
    return tweet_store().retweets_of(original, author.id)


def entry_of(author: User, original: int) -> int:
    [entry] = entries_of(author, original)
    return entry


def assert_one_entry_and_edge(author: User, original: int) -> None:
    edge = associations().find(author.id, RETWEET, [original])[original]
    assert entries_of(author, original) == [edge.op]
    assert associations().count_sources(original, RETWEET) == 1
    assert seen(original).counts.retweets == 1
    assert tweet_store().by_author(author.id, replies=True, limit=100) == [edge.op]
