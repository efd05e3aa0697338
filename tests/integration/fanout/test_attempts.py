"""Attempts at orders: what counts, and what never does."""

from unittest.mock import patch

import pytest

from accounts.graph.kinds import FOLLOW
from fanout import tasks
from fanout.orders import attempts
from storage.errors import Unavailable
from storage.ports.dead_letters import Attempt
from storage.ports.outbox import Order
from storage.stores import associations, dead_letters, outbox
from tests.backends import timeline_redis_down
from tests.integration.fanout.attempting import attempts_at, failing, planted, run, working
from tests.integration.tweeting import post
from tests.people import new_person
from tests.work import open_orders

pytestmark = pytest.mark.usefixtures("nothing_to_take_back", "product")


class TestWhatCounts:
    def test_a_first_attempt_keeps_no_books(self) -> None:
        post(new_person())
        [order] = open_orders()
        with patch.object(type(dead_letters()), "record_attempt") as noted:
            run(order, resent=False)
        noted.assert_not_called()
        assert open_orders() == []

    def test_an_attempt_at_an_order_sent_again_is_noted_before_its_work_and_taken_back_after_it(self) -> None:
        order = planted()
        during: list[int] = []
        with working(lambda order: during.append(len(attempts_at(order)))):
            run(order)
        assert during == [1]
        assert attempts_at(order) == []

    def test_a_task_that_the_broker_hands_out_again_is_noted_too(self) -> None:
        """Since its first worker was killed, perhaps by it."""
        order = planted()
        during: list[int] = []
        with working(lambda order: during.append(len(attempts_at(order)))):
            for redelivered in (False, True):
                tasks.work_order.push_request(delivery_info={"redelivered": redelivered})
                try:
                    tasks.work_order.run(order.id, order.kind)
                finally:
                    tasks.work_order.pop_request()
        assert during == [0, 1]

    def test_an_outage_never_counts(self) -> None:
        post(new_person())
        [order] = open_orders()
        with timeline_redis_down():
            for _ in range(3 * attempts.MAX_ATTEMPTS):
                run(order)
        assert attempts_at(order) == []
        assert attempts.may_be_tried(attempts_at(order)), "and nothing pauses because of it"
        run(order)
        assert open_orders() == []

    def test_an_outage_of_the_store_in_the_midst_of_attempts_never_counts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The work fails, and then the note cannot be taken back either."""
        monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", 0.0)
        order = planted()
        note = dead_letters().record_attempt
        down = False

        def failing_store(order_id: int, attempt: Attempt) -> None:
            if down:
                raise Unavailable("store")
            note(order_id, attempt)

        def work(order: Order) -> None:
            nonlocal down
            down = True
            raise Unavailable("store")

        with patch.object(type(dead_letters()), "record_attempt", staticmethod(failing_store)), working(work):
            for _ in range(3 * attempts.MAX_ATTEMPTS):
                down = False
                run(order)
        assert len(attempts_at(order)) == 1, "of the last attempt, which could not be taken back yet"
        with working(lambda order: None):
            run(order)
        assert attempts_at(order) == []
        assert open_orders() == [order]

    def test_what_was_written_with_an_order_is_finished_once_a_process_and_by_no_part(self) -> None:
        order = planted()
        store = type(outbox())
        with patch.object(store, "finished_order", autospec=True, side_effect=store.finished_order) as finished:
            with working(failing(Unavailable("timelines"))):
                run(order, resent=False)
                for part in range(2):
                    tasks.work_part(order.id, order.kind, part, 2, resent=True)
                assert finished.call_count == 0
                for _ in range(3):
                    run(order)
                assert finished.call_count == 1
                run(planted())
            assert finished.call_count == 2

    def test_a_broker_that_refuses_the_parts_of_an_order_does_not_count(self) -> None:
        author = new_person()
        associations().grow(author.id, FOLLOW, 1)
        post(author)
        [order] = open_orders()
        with patch("fanout.orders.dispatch.current_app.send_task", side_effect=ConnectionRefusedError):
            for _ in range(2 * attempts.MAX_ATTEMPTS):
                run(order)
        assert attempts_at(order) == []

    def test_a_first_attempt_that_fails_counts(self) -> None:
        order = planted()
        run(order, resent=False)
        [attempt] = attempts_at(order)
        assert attempt.error == "PoisonedOrder: no such kind of order: no such kind"
