"""What reading home and posting cost in round trips."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import follows
from accounts.graph.kinds import FOLLOW
from storage.cassandra import session
from storage.cassandra.session import Statement
from storage.ids.snowflakes import id_month, make_id, now_us
from storage.ports.associations import MAX_CHANGES, Change
from storage.ports.outbox import SHARDS
from storage.stores import associations, ids
from tests.backends import counted_round_trips, counted_sql, counted_store_calls
from tests.ids import new_id
from tests.integration.feed.reading import a_reader_of
from tests.integration.tweeting import home, in_redis, post
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.stores.cassandra_pull import AHEAD_US

pytestmark = pytest.mark.usefixtures("product")


def test_a_cold_read_of_two_hundred_followees_costs_a_bounded_number_of_round_trips(product: str) -> None:
    """The store is asked as often for many as for a few: in groups that travel together, or one statement. In the last
    hour of a month the next one is read first, in which a server whose clock is ahead may have written."""
    costs = []
    for followees in (20, 200):
        reader, author = new_person(), new_person()
        tweets = [post(author) for _ in range(3)]
        work_off_everything()
        authors = [author.id, *(new_id() for _ in range(followees - 1))]
        edges = [Change(reader.id, FOLLOW, each, ids.next(), present=True) for each in authors]
        for start in range(0, len(edges), MAX_CHANGES):
            associations().apply(edges[start : start + MAX_CHANGES])
        with counted_round_trips() as redis, counted_store_calls() as store:
            assert home(reader) == tweets[::-1]
        costs.append((len(redis), len(store)))
    (redis_of_few, store_of_few), (redis_of_many, store_of_many) = costs
    assert redis_of_many == redis_of_few <= 12
    of_next_month = id_month(make_id(now_us() + AHEAD_US, 0)) - id_month(new_id())
    assert store_of_many == store_of_few <= (13 + of_next_month if product == "cassandra" else 9)


def test_a_warm_read_costs_two_redis_round_trips_and_nothing_else() -> None:
    """The token and the timeline in the first, everything of the tweets in the second."""
    author = new_person()
    reader = a_reader_of(author)
    for _ in range(25):
        post(author)
    work_off_everything()
    client = ApiClient(reader)
    for _ in range(2):
        assert len(client.get("/api/v1/feed/home").json()["data"]) == 20
    with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
        answer = client.get("/api/v1/feed/home")
    assert len(answer.json()["data"]) == 20
    assert (len(redis), store, sql) == (2, [], [])


def test_a_post_costs_one_order_its_rows_and_one_redis_round_trip_besides_the_token(product: str) -> None:
    """And nothing for the answer: it is made of what was just written."""
    author = new_person()
    client = ApiClient(author)
    client.post("/api/v1/tweets", {"text": "warm"}, content_type="application/json")
    with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
        answer = client.post("/api/v1/tweets", {"text": "counted"}, content_type="application/json")
    assert answer.status_code == 201
    assert len(redis) == 2
    assert sql == []
    if product == "cassandra":
        assert store == ["write_all", "write_all"], "the order with all that it owes, and that"
    else:
        written = [sql.partition(" (")[0] for sql in store]
        assert written == ["INSERT INTO tweets_tweetrow", "INSERT INTO storage_outboxorder"]


def test_a_post_is_five_rows_of_cassandra(product: str) -> None:
    """Order, tweet, the author's tweets, home entries, the public feed. A first one in a place lists that as well."""
    if product != "cassandra":
        pytest.skip("SQLite keeps listings as indexes")
    author, rows = new_person(), list[int]()
    write_all = session.write_all

    def counted(statements: Sequence[Statement], **how: Any) -> None:
        rows.append(len(statements))
        write_all(statements, **how)

    with patch.object(session, "write_all", counted):
        for _ in range(4 * SHARDS):
            post(author)
    assert min(map(sum, zip(rows[::2], rows[1::2], strict=True))) == 5


def test_a_page_of_followers_costs_a_snapshot_and_a_push() -> None:
    author = new_person()
    readers = [new_person() for _ in range(3)]
    for reader in readers:
        follows.follow(reader.id, author.id)
        home(reader)
    tweet: int = post(author)
    work_off_everything()
    post(author)
    with counted_round_trips() as redis:
        work_off_everything()
    assert len(redis) == 2, "the snapshot, and the push to the author and a page of followers"
    assert all(tweet in (in_redis(reader) or []) for reader in readers)
