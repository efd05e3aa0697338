"""The search index follows what happens: by the outbox, in whatever order it is read."""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest

from accounts.models import User
from feed.tasks import index_tweets as task
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.outbox import Order
from storage.ports.places import SEARCH
from storage.stores import ids, outbox, places
from tests.integration.indexing import empty_index, found, index_everything, indexed, settled
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import every_open_order, work_off_everything
from tweets.search import indexer
from tweets.search.guarded import search_index
from tweets.search.indexer import Indexer
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet, undo_retweet

pytestmark = pytest.mark.usefixtures("product")
MINUTE_US = 60_000_000


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    empty_index()
    yield
    empty_index()


@pytest.fixture
def ada() -> User:
    return new_person()


@pytest.fixture
def staff() -> User:
    return new_person(staff=True)


def test_whatever_is_posted_is_indexed_whether_its_order_is_done_or_not(ada: User) -> None:
    """Tweets, replies that go to nobody's home, with hashtags or without."""
    bob = new_person()
    tweet = post(ada)
    work_off_everything()
    written = [tweet, *(post(bob, text, reply_to=tweet) for text in ("a", "b #tag", "@nobody"))]
    written.append(post(ada, "mine", reply_to=written[1]))
    index_everything()
    assert indexed() == written[::-1]


def test_a_retweet_costs_the_index_nothing(ada: User) -> None:
    bob, tweet, one = new_person(), post(ada), Indexer()
    one.run()
    retweet(viewer=viewer(bob), tweet_id=tweet)
    undo_retweet(author_id=bob.id, original_id=tweet, by=bob.id)
    with patch.object(search_index(), "put") as put, patch.object(search_index(), "remove") as removed:
        assert one.run()
    put.assert_not_called()
    removed.assert_not_called()
    assert indexed() == [tweet]


def test_an_order_is_read_once_by_a_process_and_again_by_another(ada: User) -> None:
    one = Indexer()
    post(ada)
    assert one.run() == 1
    assert one.run() == 0
    post(ada)
    assert one.run() == 1
    assert Indexer().run() == 2


def test_what_is_deleted_goes_and_what_is_restored_comes_back(ada: User, staff: User) -> None:
    one = Indexer()
    stays, goes = post(ada), post(ada)
    one.run()
    delete_tweet(tweet_id=goes, viewer=viewer(staff))
    one.run()
    assert indexed() == [stays]
    restore_tweet(tweet_id=goes, viewer=viewer(staff), reason="A mistake.")
    one.run()
    assert indexed() == [goes, stays]
    delete_tweet(tweet_id=goes, viewer=viewer(ada))
    one.run()
    assert indexed() == [stays]


def test_all_of_it_read_at_once_leaves_what_stands(ada: User, staff: User) -> None:
    gone, back = post(ada), post(ada)
    for each in (gone, back):
        delete_tweet(tweet_id=each, viewer=viewer(staff))
    restore_tweet(tweet_id=back, viewer=viewer(staff), reason="A mistake.")
    index_everything()
    assert indexed() == [back]


def test_a_deletion_counts_before_it_can_be_seen(ada: User) -> None:
    """Its order is there, and the row is not flagged yet."""
    tweet = post(ada)
    index_everything()
    outbox().add(Order(ids.next(), "retract", (tweet, ada.id)))
    index_everything()
    assert indexed() == []
    with settled():
        index_everything()
    assert indexed() == [], "and in the second pass, which reads the post again"


def test_a_deletion_that_was_read_first_is_read_again_behind_its_post(ada: User) -> None:
    """By one process: the first pass has the deletion, the second comes to the post, whose row is not flagged yet."""
    places().move(SEARCH, make_id(now_us() - 10 * MINUTE_US, 0))
    old = make_id(now_us() - 5 * MINUTE_US, 77)
    create_tweet(author=viewer(ada), text="old", tweet_id=old)
    for order in every_open_order():
        outbox().mark_done(order.id)
    outbox().add(Order(ids.next(), "retract", (old, ada.id)))
    one = Indexer()
    one.run()
    with settled():
        one.run()
    assert indexed() == []


def test_a_restoration_counts_before_it_can_be_seen(ada: User, staff: User) -> None:
    tweet, by_author = post(ada), post(ada)
    delete_tweet(tweet_id=tweet, viewer=viewer(staff))
    delete_tweet(tweet_id=by_author, viewer=viewer(ada))
    for each in (tweet, by_author):
        outbox().add(Order(ids.next(), "restore", (each, ada.id)))
    index_everything()
    assert indexed() == [tweet]


class TestTheTask:
    @on_one_store
    def test_follows(self, ada: User) -> None:
        tweet = post(ada, "found by the task")
        task()
        assert found("task found") == [tweet]

    @on_one_store
    @pytest.mark.parametrize("backend", ["search", "redis_broker", "store"])
    def test_waits_for_a_backend_that_does_not_answer(self, backend: str) -> None:
        with patch.object(Indexer, "run", side_effect=Unavailable(backend)):
            task()

    @on_one_store
    def test_does_nothing_where_search_is_off(self, settings: Any) -> None:
        settings.SEARCH_URL = "off"
        with patch.object(Indexer, "run") as asked:
            task()
        asked.assert_not_called()


def acts(dice: random.Random, ada: User, staff: User, standing: set[int], taken_down: set[int]) -> None:
    """One of what people do."""
    act = dice.random()
    if act < 0.5 or not standing:
        standing.add(post(ada, "hello", reply_to=dice.choice(sorted(standing)) if standing and act < 0.2 else None))
    elif act < 0.8:
        tweet, by = dice.choice(sorted(standing)), dice.choice([ada, staff])
        delete_tweet(tweet_id=tweet, viewer=viewer(by))
        standing.discard(tweet)
        if by is staff:
            taken_down.add(tweet)
    elif taken_down:
        restored = dice.choice(sorted(taken_down))
        restore_tweet(tweet_id=restored, viewer=viewer(staff), reason="A mistake.")
        taken_down.discard(restored)
        standing.add(restored)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_whatever_order_the_index_has_what_stands(seed: int, ada: User, staff: User) -> None:
    """Two processes take turns at any moment, and every third write to the index fails."""
    dice, processes = random.Random(seed), [Indexer(), Indexer()]
    standing: set[int] = set()
    taken_down: set[int] = set()
    put = search_index().put
    fails = patch.object(search_index(), "put", side_effect=lambda some: _fails(dice) or put(some))
    with fails, patch.object(indexer, "PAGE", 7):
        for _ in range(60):
            acts(dice, ada, staff, standing, taken_down)
            if dice.random() < 0.3:
                with suppress(Unavailable):
                    dice.choice(processes).run()
    with settled():
        for process in processes * 2:
            process.run()
    assert set(indexed()) == standing


def _fails(dice: random.Random) -> bool:
    if dice.random() < 0.33:
        raise Unavailable("search")
    return False
