"""Tweets that the indexer finds late: under old ids, or behind an order whose writer died."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest

from accounts.models import User
from storage.cassandra.outbox import forget_known
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.outbox import SETTLED_US, Order
from storage.ports.places import SEARCH
from storage.stores import ids, outbox, places
from tests.ids import new_id
from tests.integration.indexing import empty_index, indexed, later, settled
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import viewer
from tests.people import new_person
from tests.torn import torn_after
from tests.work import every_open_order, work_off_everything
from tweets.search import late
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
