"""What the reads besides home cost in round trips, warm: two of Redis and one listing of the store, no SQL."""

import pytest
from pytest_django.fixtures import Settings

from storage.redis.node import timeline_node
from tests.backends import counted_round_trips, counted_sql, counted_store_calls
from tests.integration.tweeting import post
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.caches.counts import COUNTS

pytestmark = pytest.mark.usefixtures("product")

TWO_OF_CASSANDRA = 2
"""The months that a listing has something in, and the newest of them."""


class Costs:
    """An author with tweets, a conversation below one of them, and a reader of both."""

    def __init__(self, product: str) -> None:
        author, other = new_person(), new_person()
        root = post(author)
        parent = post(other, reply_to=root)
        self.tweet = post(author, reply_to=parent)
        replies = [post(other, reply_to=self.tweet) for _ in range(3)]
        work_off_everything()
        guarded = [COUNTS.key(each) for each in (root, parent, self.tweet, *replies)]
        timeline_node().round_trip(*[("DEL", key) for key in guarded])  # counted anew, and kept again
        self.username = author.username
        self.listing = TWO_OF_CASSANDRA if product == "cassandra" else 1
        self.reader, self.nobody = ApiClient(new_person()), ApiClient()

    def of(self, path: str, client: ApiClient) -> tuple[int, int, list[str]]:
        """Round trips of Redis, calls of the store, and statements of SQL, when all is cached that is kept."""
        for _ in range(2):
            assert client.get(f"/api/v1/{path}").status_code == 200
        with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
            answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200
        return len(redis), len(store), sql


@pytest.fixture
def costs(product: str, settings: Settings) -> Costs:
    settings.RATE_LIMITS = True
    return Costs(product)


def test_a_persons_tweets(costs: Costs) -> None:
    """The token, whom the reader must not see and the author in the first, everything of the tweets in the second."""
    path = f"users/{costs.username}/tweets"
    assert costs.of(path, costs.reader) == (2, costs.listing, [])
    assert costs.of(path, costs.nobody) == (2, costs.listing, [])


def test_a_thread(costs: Costs) -> None:
    """The token and the tweet in the first, ancestors, tweet and replies in the second."""
    path = f"tweets/{costs.tweet}/thread"
    assert costs.of(path, costs.reader) == (2, costs.listing, [])
    assert costs.of(path, costs.nobody) == (2, costs.listing, [])


def test_a_tweet(costs: Costs) -> None:
    assert costs.of(f"tweets/{costs.tweet}", costs.reader) == (2, 0, [])
    assert costs.of(f"tweets/{costs.tweet}", costs.nobody) == (2, 0, [])
