"""The indexer's two passes: what either reads and keeps, which place it moves, whatever fails in between."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings

from accounts.models import User
from storage.cassandra.session import Opened
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, make_id, now_us
from storage.ports.outbox import SETTLED_US, UNREAD_US, Order
from storage.ports.places import SEARCH
from storage.redis.node import broker_node
from storage.stores import ids, outbox, places
from tests.ids import new_id
from tests.integration.indexing import empty_index, index_everything, indexed, settled
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import every_open_order
from tweets.search import bringing, figures, indexer, turns
from tweets.search.embedded import FILE
from tweets.search.guarded import search_index
from tweets.search.indexer import Indexer
from tweets.stores.port import tweet_store
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")
MINUTE_US = 60_000_000
WRITE_SECONDS_MOST = 2.0
"""For which a worker may be held by an index that hangs."""


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


class TestPlaces:
    def test_the_durable_place_stays_below_what_may_still_appear(self, ada: User) -> None:
        before = make_id(now_us() - SETTLED_US, 0)
        post(ada)
        Indexer().run()
        assert places().place(SEARCH) <= make_id(now_us() - SETTLED_US, 0)
        with settled():
            Indexer().run()
        assert before < places().place(SEARCH) < make_id(now_us() + indexer.STEP_US + 2_000_000, 0)

    def test_who_dies_between_index_and_place_leaves_it_to_the_next(self, ada: User) -> None:
        tweet = post(ada)
        move = places().move

        def die(reader: str, place: int) -> None:
            if reader == SEARCH:
                raise SystemExit
            move(reader, place)

        with settled(), patch.object(places(), "move", die), pytest.raises(SystemExit):
            Indexer().run()
        assert indexed() == [tweet]
        broker_node().round_trip(("DEL", turns.TURN, turns.READ_UP_TO))
        with settled():
            assert Indexer().run() == 1
        assert indexed() == [tweet]

    def test_what_an_index_that_fails_did_not_take_is_taken_later(self, ada: User) -> None:
        one, tweet = Indexer(), post(ada)
        with (
            settled(),
            patch.object(search_index()._index, "put", side_effect=Unavailable("search")),
            pytest.raises(Unavailable),
        ):
            one.run()
        with settled():
            one.run()
        assert indexed() == [tweet]

    @on_one_store
    def test_an_index_that_hangs_holds_a_run_for_one_write(self, ada: User) -> None:
        """As somebody who has locked the file makes it; the same worker has other people's orders to work off."""
        post(ada), post(ada)
        one = Indexer()
        one._look_at_the_index()
        one._looks_at = float("inf")
        with closing(sqlite3.connect(Path(django_settings.DATA_DIR, FILE), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with patch.object(indexer, "PAGE", 1), settled(), pytest.raises(Unavailable, match="search"):
                one.run()
            assert time.monotonic() - began < WRITE_SECONDS_MOST + indexer.RUN_SECONDS + 0.5
        one.run()
        assert len(indexed()) == 2

    def test_an_order_that_appears_late_is_found_by_the_second_pass(self, ada: User) -> None:
        """Of an id from before what the first pass has read."""
        early = make_id(now_us() - indexer.BACK_US[-1] - 5_000_000, 77)
        one = Indexer()
        post(ada)
        one.run()
        create_tweet(author=viewer(ada), text="late", tweet_id=early)
        one.run()
        assert early not in indexed()
        with settled():
            one.run()
        assert early in indexed()

    def test_a_clock_ahead_switches_the_first_pass_off_for_nobody(self, ada: User) -> None:
        """An order of an hour from now is read, and those of everybody else as soon as ever, by any process."""
        one, ahead = Indexer(), make_id(now_us() + 3_600_000_000, 77)
        create_tweet(author=viewer(ada), text="ahead", tweet_id=ahead)
        one.run()
        for process in (one, Indexer(), one):
            tweet = post(ada)
            process.run()
            assert indexed()[:2] == [ahead, tweet]

    def test_a_clock_behind_is_made_up_for_within_its_bound(self, ada: User) -> None:
        one = Indexer()
        post(ada)
        one.run()
        behind = make_id(now_us() - 11_000_000, 77)
        create_tweet(author=viewer(ada), text="behind", tweet_id=behind)
        one.run()
        assert behind in indexed()

    @on_one_store
    def test_the_figure_of_the_lag_has_what_the_second_pass_finds_first(self, ada: User) -> None:
        early, one = make_id(now_us() - indexer.BACK_US[-1] - 5_000_000, 77), Indexer()
        post(ada)
        one.run()
        create_tweet(author=viewer(ada), text="late", tweet_id=early)
        with settled(), patch.object(figures, "count_indexed") as counted:
            one.run()
            Indexer().run()
        assert [set(call.args[0]) for call in counted.call_args_list if set(call.args[0])] == [{early}]

    @on_one_store
    def test_the_figure_of_the_lag_has_nothing_of_what_is_never_put(
        self, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A retweet, and what was deleted: no process would find them in the index, and each would count them late."""
        tweet, gone = post(ada), post(ada)
        retweet(viewer=viewer(new_person()), tweet_id=tweet)
        delete_tweet(tweet_id=gone, viewer=viewer(ada))
        monkeypatch.setattr(indexer, "PAGE", 1)  # the deletion's order is not read with the post's
        counted: list[list[int]] = []
        with patch.object(figures, "count_indexed", lambda ids: counted.append(list(ids))):
            Indexer().run()
            first = [each for ids in counted for each in ids]
            counted.clear()
            with settled():
                Indexer().run()
        assert (first, [each for ids in counted for each in ids]) == ([tweet], [])

    def test_a_restoration_is_read_again_behind_its_post_and_deletion(self, ada: User, staff: User) -> None:
        """The first pass has the restoration, the second comes to the rest, of which the row says nothing yet."""
        places().move(SEARCH, make_id(now_us() - 10 * MINUTE_US, 0))
        old = make_id(now_us() - 5 * MINUTE_US, 77)
        create_tweet(author=viewer(ada), text="old", tweet_id=old)
        for order in every_open_order():
            outbox().mark_done(order.id)
        one = Indexer()
        outbox().add(Order(make_id(now_us() - 4 * MINUTE_US, 77), "retract", (old, ada.id)))
        outbox().add(Order(ids.next(), "restore", (old, ada.id)))
        one.run()
        with settled():
            one.run()
        assert indexed() == [old]

    def test_who_takes_out_what_another_has_just_put_back_puts_it_again(self, ada: User, staff: User) -> None:
        tweet = post(ada)
        index_everything()
        delete_tweet(tweet_id=tweet, viewer=viewer(staff))
        remove = search_index().remove

        def late(gone: Any) -> None:
            if not restored:
                restored.append(True)
                restore_tweet(tweet_id=tweet, viewer=viewer(staff), reason="A mistake.")
            remove(gone)

        restored: list[bool] = []
        [deletion] = [order for order in every_open_order() if order.kind == "retract"]
        with patch.object(search_index(), "remove", late):
            bringing.index_tweets({tweet: deletion})
        assert restored
        assert indexed() == [tweet]

    def test_a_turn_that_lasted_too_long_is_not_given_back_for_the_next_one(self) -> None:
        with turns.turn() as taken:
            assert taken is not None
            broker_node().round_trip(("SET", turns.TURN, b"another's", "EX", 15))
        assert broker_node().round_trip(("GET", turns.TURN)) == [b"another's"]
        broker_node().round_trip(("DEL", turns.TURN))

    @on_one_store
    def test_an_order_that_makes_no_sense_stops_nobody(self, ada: User, caplog: pytest.LogCaptureFixture) -> None:
        tweet = post(ada)
        for args in ((), (0,), (-5, 1), (MAX_ID,), ("5",), (2**64,)):
            outbox().add(Order(ids.next(), "retract", cast(tuple[int, ...], args)))
        one = Indexer()
        one.run()
        assert indexed() == [tweet]
        assert "search_order_is_unreadable" in caplog.text
        for order in every_open_order():
            outbox().mark_done(order.id)

    @on_one_store
    def test_an_order_whose_writes_cannot_be_read_stops_nobody(
        self, ada: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        gone = Order(ids.next(), "deliver", (new_id(), ada.id))
        outbox().add(gone)
        tweet, one = post(ada), Indexer()
        with settled(), patch.object(type(outbox()), "finish_orders", return_value={gone.id}):
            one.run()
        assert indexed() == [tweet]
        assert "search_order_is_unreadable" in caplog.text
        assert places().place(SEARCH) > gone.id
        outbox().mark_done(gone.id)

    def test_what_another_process_has_put_is_not_put_again(self, ada: User) -> None:
        tweets = [post(ada), post(ada)]
        Indexer().run()
        search_index().refresh()
        with settled(), patch.object(search_index(), "put", wraps=search_index().put) as put:
            Indexer().run()
        put.assert_not_called()
        assert indexed() == tweets[::-1]

    def test_one_at_a_time(self, ada: User) -> None:
        post(ada)
        with turns.turn() as taken:
            assert taken is not None
            assert Indexer().run() == 0
        assert Indexer().run() == 1


def test_a_backlog_is_made_up_for_in_steps_and_what_is_new_comes_first(ada: User) -> None:
    """An hour's orders, of which a run takes a page; the first pass reads the newest all the same."""
    places().move(SEARCH, make_id(now_us() - UNREAD_US // 2, 0))
    old = [make_id(now_us() - UNREAD_US // 3 + step * 1_000, 78) for step in range(25)]
    for each in old:
        create_tweet(author=viewer(ada), text="old", tweet_id=each)
    new = post(ada, "new")
    one = Indexer()
    with patch.object(indexer, "PAGE", 10), patch.object(indexer, "RUN_SECONDS", 0.0):
        one.run()
        assert places().place(SEARCH) == old[9]
        assert set(old[:10]) <= set(indexed())
        for _ in range(4):
            one.run()
    one.run()
    assert set(indexed()) == {*old, new}
    assert tweet_store().get_many([new])


@pytest.mark.parametrize("store", [pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True)
@pytest.mark.parametrize(("quiet_for_us", "most"), [(5_000_000, 41), (300_000_000, 9)])
def test_a_turn_in_which_nothing_is_new_asks_little_of_the_store(quiet_for_us: int, most: int) -> None:
    """Beside four minutes of orders that all have been read: which minutes there are, and those of the last seconds, in
    each of SHARDS partitions. A minute that begins meanwhile is asked for as well."""
    places().move(SEARCH, make_id(now_us() - SETTLED_US - MINUTE_US // 6, 0))
    for step in range(240):
        order = Order(make_id(now_us() - quiet_for_us - step * 1_000_000, 77), "graph", (1,))
        outbox().mark_done(order.id)
        outbox().add(order)
    one = Indexer()
    for _ in range(2):
        one.run()
    with patch.object(Opened, "bind", autospec=True, side_effect=Opened.bind) as asked:
        assert one.run() == 0
    assert 0 < asked.call_count <= most
