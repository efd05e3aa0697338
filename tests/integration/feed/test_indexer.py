"""The search index follows what happens: by the outbox, whatever breaks off in between."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings

from accounts.models import User
from fanout.orders import sweeper
from feed.tasks import index_tweets as task
from storage.cassandra.outbox import forget_known
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, make_id, now_us
from storage.ports.outbox import SETTLED_US, UNREAD_US, Order
from storage.ports.places import SEARCH, SEARCH_GAP
from storage.redis.node import broker_node
from storage.stores import ids, outbox, places
from tests.ids import new_id
from tests.integration.indexing import empty_index, found, index_everything, indexed
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.torn import torn_after
from tests.work import every_open_order, work_off_everything
from tweets.search import figures, gaps, indexer, late, turns
from tweets.search.embedded import FILE
from tweets.search.guarded import search_index
from tweets.search.indexer import Indexer
from tweets.search.port import Document
from tweets.stores.port import tweet_store
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet, undo_retweet

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


def later(by_us: int) -> Any:
    """The indexer's clock, so much later than everybody's: what was written by now has settled."""
    return patch.object(indexer, "now_us", lambda: now_us() + by_us)


def settled() -> Any:
    return later(SETTLED_US + indexer.STEP_US + 1_000_000)


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
            indexer.index_tweets({tweet: deletion})
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
        with settled(), patch.object(type(outbox()), "finished_order", side_effect=ValueError("not zlib's")):
            one.run()
        assert indexed() == [tweet]
        assert "search_order_is_unreadable" in caplog.text
        assert places().place(SEARCH) > gone.id
        outbox().mark_done(gone.id)

    def test_one_at_a_time(self, ada: User) -> None:
        post(ada)
        with turns.turn() as taken:
            assert taken is not None
            assert Indexer().run() == 0
        assert Indexer().run() == 1


class TestLateTweets:
    def test_a_tweet_under_an_old_id_has_an_order_of_now(self, ada: User) -> None:
        one, old = Indexer(), make_id(now_us() - 3_600_000_000, 77)
        places().move(SEARCH, make_id(now_us() - SETTLED_US, 0))
        create_tweet(author=viewer(ada), text="a day late", tweet_id=old)
        one.run()
        assert indexed() == [old]
        work_off_everything()
        assert every_open_order() == []

    @on_one_store
    def test_a_tweet_under_a_new_id_has_none(self, ada: User) -> None:
        create_tweet(author=viewer(ada), text="at once", tweet_id=ids.next())
        assert [order.kind for order in every_open_order()] == ["deliver"]

    @on_one_store
    def test_nor_has_any_where_search_is_off(self, settings: Any) -> None:
        settings.SEARCH_URL = "off"
        assert late.announce_late(make_id(now_us() - 3_600_000_000, 77)) is None


class TestUnfinishedWrites:
    @pytest.mark.parametrize("store", [pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True)
    def test_what_a_torn_write_left_is_written_and_found(self, ada: User) -> None:
        """Of a process that died behind its order's row. In SQLite a write is one transaction."""
        tweet = new_id()
        forget_known()
        for rows in range(1, 5):
            with torn_after(rows) as torn, suppress(Unavailable):
                create_tweet(author=viewer(ada), text="torn", tweet_id=tweet)
            if [order.id for order in every_open_order()] == [tweet]:
                break
        assert torn.broke
        assert not tweet_store().get_many([tweet])
        one = Indexer()
        one.run()
        assert tweet not in indexed()
        with settled():
            one.run()
        assert tweet in indexed()
        assert tweet_store().get_many([tweet])

    def test_what_is_owed_to_a_late_tweet_is_done_by_its_own_order(self, ada: User) -> None:
        """The order of now is another one's: the tweet's own has the tweet's id."""
        tweet, announced = make_id(now_us() - 3_600_000_000, 77), ids.next()
        outbox().add(Order(announced, late.INDEX_ORDER, (tweet,)))
        with settled(), patch.object(outbox(), "finished_order", wraps=outbox().finished_order) as finished:
            Indexer().run()
        assert [call.args for call in finished.call_args_list] == [(announced,), (tweet,)]

    def test_what_is_owed_to_an_order_is_done_before_its_tweet_is_given_up(self, ada: User) -> None:
        """As of a process that died between the order and the rest."""
        tweet = new_id()
        outbox().add(Order(tweet, "deliver", (tweet, ada.id)))
        one = Indexer()
        assert one.run() == 0
        assert one.run() == 0, "it is looked for again"
        with settled(), patch.object(outbox(), "finished_order", wraps=outbox().finished_order) as finished:
            one.run()
        finished.assert_called_once_with(tweet)
        with later(2 * SETTLED_US):
            assert one.run() == 0
        assert indexed() == []


class TestGaps:
    def test_discarding_waits_for_the_indexer(self, ada: User) -> None:
        post(ada)
        work_off_everything()
        places().move(SEARCH, make_id(now_us() - 5 * MINUTE_US, 0))
        with patch.object(sweeper, "now_us", lambda: now_us() + 10 * MINUTE_US):
            sweeper.discard()
        assert outbox().orders_between(after=make_id(now_us() - MINUTE_US, 0), before=MAX_ID, limit=10)

    def test_discarding_waits_for_an_indexer_that_has_never_run(self, ada: User) -> None:
        tweet = post(ada)
        work_off_everything()
        with patch.object(sweeper, "now_us", lambda: now_us() + 10 * MINUTE_US):
            sweeper.discard()
        index_everything()
        assert indexed() == [tweet]

    @on_one_store
    def test_where_search_is_off_it_waits_for_nobody(self, ada: User, settings: Any) -> None:
        post(ada)
        work_off_everything()
        places().move(SEARCH, make_id(now_us() - 5 * MINUTE_US, 0))
        settings.SEARCH_URL = "off"
        with patch.object(sweeper, "now_us", lambda: now_us() + 10 * MINUTE_US):
            assert sweeper.discard() == 1

    @on_one_store
    def test_who_was_away_for_too_long_says_so(self, ada: User) -> None:
        places().move(SEARCH, make_id(now_us() - UNREAD_US + MINUTE_US, 0))
        index_everything()
        assert not gaps.rebuild_wanted()
        with later(UNREAD_US), patch.object(gaps, "now_us", lambda: now_us() + UNREAD_US + MINUTE_US):
            index_everything()
        assert gaps.rebuild_wanted()

    @on_one_store
    def test_an_index_that_was_lost_says_so(self, ada: User) -> None:
        post(ada)
        with settled():
            index_everything()
            index_everything()
        assert not gaps.rebuild_wanted()
        empty_index()
        with settled():
            index_everything()
        assert gaps.rebuild_wanted()

    @on_one_store
    def test_an_index_that_was_lost_beneath_a_running_indexer_says_so(self, ada: User) -> None:
        """Though it holds something already: whoever asks first makes it anew."""
        one = Indexer()
        post(ada)
        with settled():
            one.run()
            one.run()
            one._looks_at = 0.0
            one.run()
            assert not gaps.rebuild_wanted()
            Path(django_settings.DATA_DIR, FILE).unlink()
            search_index().put([Document(id=new_id(), author_id=ada.id)])
            one._looks_at = 0.0
            one.run()
        assert gaps.rebuild_wanted()

    @on_one_store
    def test_an_index_that_was_lost_between_two_processes_says_so(self, ada: User) -> None:
        """Which index it was stands in the store, whoever has put something into another one meanwhile."""
        post(ada)
        with settled():
            index_everything()
            index_everything()
            assert not gaps.rebuild_wanted()
            Path(django_settings.DATA_DIR, FILE).unlink()
            search_index().put([Document(id=new_id(), author_id=ada.id)])
            index_everything()
        assert gaps.rebuild_wanted()

    @on_one_store
    def test_what_a_process_has_put_into_a_lost_index_it_puts_again(self, ada: User) -> None:
        one, tweet = Indexer(), post(ada)
        one.run()
        Path(django_settings.DATA_DIR, FILE).unlink()
        between = post(ada)
        one._looks_at = 0.0
        one.run()
        assert indexed() == [between, tweet]

    @on_one_store
    def test_a_new_installation_says_nothing(self, ada: User) -> None:
        post(ada)
        index_everything()
        assert places().place(SEARCH_GAP) == 0

    @on_one_store
    def test_lag_is_what_the_place_is_behind_more_than_always(self) -> None:
        assert figures.lag_seconds() == 0
        places().move(SEARCH, make_id(now_us() - figures.USUAL_US - 100_000_000, 0))
        assert 100 <= figures.lag_seconds() < 110

    def test_where_the_indexer_has_never_run_lag_is_the_oldest_orders(self, store: str) -> None:
        assert figures.lag_seconds() == 0
        for age_us in (figures.USUAL_US + 200_000_000, 0):
            order_id = make_id(now_us() - age_us, 1)
            outbox().add(Order(order_id, "retract", (order_id, order_id)))
            outbox().mark_done(order_id)
        assert 200 <= figures.lag_seconds() < 210
        places().move(SEARCH, make_id(now_us(), 0))
        assert figures.lag_seconds() == 0


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


def test_a_backlog_is_made_up_for_in_steps_and_what_is_new_comes_first(ada: User) -> None:
    """An hour's orders, of which a run takes a page; the first pass reads the newest all the same."""
    places().move(SEARCH, make_id(now_us() - UNREAD_US // 2, 0))
    old = [make_id(now_us() - UNREAD_US // 3 + step * 1_000, 78) for step in range(25)]
    for each in old:
        create_tweet(author=viewer(ada), text="old", tweet_id=each)
    index_orders = {order.id for order in every_open_order() if order.kind == late.INDEX_ORDER}
    assert len(index_orders) == 25
    for each in index_orders:
        outbox().mark_done(each)
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
