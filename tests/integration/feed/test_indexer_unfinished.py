"""Tweets that the indexer finds late: under old ids, or behind an order whose writer died."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest

from accounts.models import User
from storage.cassandra import session
from storage.cassandra.outbox import forget_known
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, id_minute, make_id, now_us, spread
from storage.ports.outbox import SETTLED_US, SHARDS, Order
from storage.ports.places import SEARCH
from storage.stores import ids, outbox, places
from tests.ids import new_id
from tests.integration.indexing import empty_index, indexed, later, settled
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import viewer
from tests.people import new_person
from tests.torn import torn_after
from tests.work import every_open_order
from tweets.search import figures, indexer, late
from tweets.search.indexer import Indexer
from tweets.stores.port import tweet_store
from tweets.writing.posting import create_tweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    empty_index()
    yield
    empty_index()


@pytest.fixture
def ada() -> User:
    return new_person()


def torn_tweet(author: User, tweet: int) -> None:
    """As of a process that died behind its order's row."""
    forget_known()
    for rows in range(1, 5):
        with torn_after(rows) as torn, suppress(Unavailable):
            create_tweet(author=viewer(author), text="torn", tweet_id=tweet)
        if tweet in {order.id for order in every_open_order()}:
            break
    assert torn.broke
    assert not tweet_store().get_many([tweet])


class TestLateTweets:
    def test_a_tweet_under_an_old_id_has_an_order_of_now(self, ada: User) -> None:
        one, old = Indexer(), make_id(now_us() - 3_600_000_000, 77)
        places().move(SEARCH, make_id(now_us() - SETTLED_US, 0))
        create_tweet(author=viewer(ada), text="a day late", tweet_id=old)
        assert [order.kind for order in every_open_order()] == ["deliver"], "no worker has anything to do about it"
        one.run()
        assert indexed() == [old]

    @pytest.mark.parametrize("dies_in", ["mark_done", "add"])
    def test_who_dies_while_telling_of_it_leaves_no_open_order(self, ada: User, dies_in: str) -> None:
        old = make_id(now_us() - 3_600_000_000, 77)
        with patch.object(type(outbox()), dies_in, side_effect=SystemExit), suppress(SystemExit):
            create_tweet(author=viewer(ada), text="a day late", tweet_id=old)
        assert every_open_order() == []
        assert not tweet_store().get_many([old])

    @on_one_store
    def test_a_tweet_under_a_new_id_has_none(self, ada: User) -> None:
        create_tweet(author=viewer(ada), text="at once", tweet_id=ids.next())
        assert [order.kind for order in every_open_order()] == ["deliver"]

    @on_one_store
    def test_nor_has_any_where_search_is_off(self, settings: Any) -> None:
        settings.SEARCH_URL = "off"
        late.announce_late(make_id(now_us() - 3_600_000_000, 77))
        assert outbox().orders_between(after=0, before=MAX_ID, limit=10) == []


class TestUnfinishedWrites:
    @pytest.mark.parametrize("store", [pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True)
    def test_what_a_torn_write_left_is_written_and_found(self, ada: User) -> None:
        """In SQLite a write is one transaction."""
        tweet = new_id()
        torn_tweet(ada, tweet)
        one = Indexer()
        one.run()
        assert tweet not in indexed()
        with settled(), patch.object(figures, "count_indexed") as counted:
            one.run()
        assert tweet in indexed()
        assert tweet in set[int]().union(*(call.args[0] for call in counted.call_args_list))
        assert tweet_store().get_many([tweet])

    def test_what_is_owed_to_a_late_tweet_is_done_by_its_own_order(self, ada: User) -> None:
        """The order of now is another one's: the tweet's own has the tweet's id."""
        tweet, announced = make_id(now_us() - 3_600_000_000, 77), ids.next()
        outbox().add(Order(announced, late.INDEX_ORDER, (tweet,)))
        with settled(), patch.object(outbox(), "finish_orders", wraps=outbox().finish_orders) as finished:
            Indexer().run()
        assert [list(call.args[0]) for call in finished.call_args_list] == [[tweet]]

    def test_what_is_owed_to_an_order_is_done_before_its_tweet_is_given_up(self, ada: User) -> None:
        """As of a process that died between the order and the rest."""
        tweet = new_id()
        outbox().add(Order(tweet, "deliver", (tweet, ada.id)))
        one = Indexer()
        assert one.run() == 0
        assert one.run() == 0, "it is looked for again"
        with settled(), patch.object(outbox(), "finish_orders", wraps=outbox().finish_orders) as finished:
            one.run()
        assert [list(call.args[0]) for call in finished.call_args_list] == [[tweet]]
        with later(2 * SETTLED_US):
            assert one.run() == 0
        assert indexed() == []

    def test_of_many_a_run_finishes_what_it_has_time_for_and_the_next_one_goes_on(self, ada: User) -> None:
        """Their orders are read together; the place stays below what is left, also of a process that dies then."""
        orders = [Order(tweet, "deliver", (tweet, ada.id)) for tweet in sorted(new_id() for _ in range(45))]
        for each in orders:
            outbox().add(each)
        with (
            settled(),
            patch.object(indexer, "RUN_SECONDS", 0.0),
            patch.object(outbox(), "finish_orders", wraps=outbox().finish_orders) as finished,
        ):
            Indexer().run()
            assert places().place(SEARCH) == orders[indexer.FINISHED_AT_ONCE].id - 1
            Indexer().run()
            Indexer().run()
        assert [len(call.args[0]) for call in finished.call_args_list] == [20, 20, 5]
        assert places().place(SEARCH) > orders[-1].id
        for each in orders:
            outbox().mark_done(each.id)

    @pytest.mark.parametrize("store", [pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True)
    def test_what_cannot_be_read_of_one_holds_up_no_other(self, ada: User, caplog: pytest.LogCaptureFixture) -> None:
        faulty, torn = sorted(new_id() for _ in range(2))
        outbox().add(Order(faulty, "deliver", (faulty, ada.id)))
        place = (spread(faulty, SHARDS), id_minute(faulty), faulty)
        session.execute("UPDATE outbox SET redo = ? WHERE shard = ? AND minute = ? AND id = ?", (b"not zlib's", *place))
        torn_tweet(ada, torn)
        with settled():
            Indexer().run()
        assert indexed() == [torn]
        assert "search_order_is_unreadable" in caplog.text
        assert places().place(SEARCH) > torn
        assert outbox().finish_orders([faulty, torn]) == {faulty}
        outbox().mark_done(faulty)
