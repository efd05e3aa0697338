"""What the index has missed for good is noted: an indexer that was away for too long, an index that was lost."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings

from accounts.models import User
from fanout.orders import sweeper
from storage.cassandra import order_rows
from storage.ids.snowflakes import MAX_ID, make_id, now_us
from storage.ports.outbox import UNREAD_US, Order
from storage.ports.places import SEARCH, SEARCH_GAP
from storage.stores import outbox, places
from tests.ids import new_id
from tests.integration.indexing import empty_index, index_everything, indexed, later, settled
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import new_person
from tests.work import work_off_everything
from tweets.search import figures, gaps
from tweets.search.embedded import FILE
from tweets.search.guarded import search_index
from tweets.search.indexer import Indexer
from tweets.search.port import Document

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


class TestGaps:
    def test_discarding_waits_for_the_indexer(self, ada: User) -> None:
        post(ada)
        work_off_everything()
        places().move(SEARCH, make_id(now_us() - 5 * MINUTE_US, 0))
        with patch.object(sweeper, "now_us", lambda: now_us() + 10 * MINUTE_US):
            sweeper.discard()
        for before in (make_id(now_us(), 0), MAX_ID):
            with patch.object(order_rows, "now_us", lambda: now_us() + 10 * MINUTE_US):
                assert outbox().orders_between(after=make_id(now_us() - MINUTE_US, 0), before=before, limit=10)

    def test_discarding_waits_for_an_indexer_that_has_never_run(self, ada: User) -> None:
        tweet = post(ada)
        work_off_everything()
        with patch.object(sweeper, "now_us", lambda: now_us() + 10 * MINUTE_US):
            sweeper.discard()
        with later(10 * MINUTE_US):
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
    @pytest.mark.parametrize("dies", [False, True])
    def test_what_is_forgotten_while_it_is_being_read_is_a_gap(self, ada: User, dies: bool) -> None:
        """It was within the hour when the run began; whoever dies before the place is moved has noted it."""
        place = make_id(now_us() - UNREAD_US + MINUTE_US, 0)
        places().move(SEARCH, place)
        read, move = outbox().orders_between, places().move
        late: list[int] = []

        def slowly(*, after: int, before: int, limit: int) -> list[Order]:
            orders = read(after=after, before=before, limit=limit)
            if after == place:
                late.append(2 * MINUTE_US)
            return orders

        def moving(reader: str, place: int) -> None:
            if reader == SEARCH and dies:
                raise SystemExit
            move(reader, place)

        with (
            patch.object(outbox(), "orders_between", slowly),
            patch.object(places(), "move", moving),
            patch.object(gaps, "now_us", lambda: now_us() + (late[-1] if late else 0)),
            suppress(SystemExit),
        ):
            Indexer().run()
        assert gaps.rebuild_wanted()
        assert (places().place(SEARCH) == place) is dies

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
