"""Attempts at orders: what counts, what never does, and what becomes of an order that cannot succeed."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from accounts.graph import follows
from accounts.graph.kinds import FOLLOW
from fanout import tasks
from fanout.delivery import fan_out
from fanout.live.watermark import watermark
from fanout.orders import attempts, handlers, sweeper
from fanout.orders.kinds import DELIVER, RETRACT
from feed.operations.audit import Fault, Person, Report, audit
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.dead_letters import ERROR_CHARS, Attempt, DeadLetter
from storage.ports.outbox import Order
from storage.stores import associations, dead_letters, outbox
from tests.backends import timeline_redis_down
from tests.ids import new_id
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


class Killed(BaseException):
    """Leaves the attempt as a process that was killed does: without an end."""


@pytest.fixture(autouse=True)
def _nothing_to_take_back() -> Iterator[None]:
    attempts._to_take_back.clear()
    yield
    attempts._to_take_back.clear()


def run(order: Order, *, resent: bool = True) -> None:
    """As a worker does that got the order's message."""
    tasks.work_order(order.id, order.kind, resent=resent)


def planted(kind: str = "no such kind", args: tuple[int, ...] = ()) -> Order:
    order = Order(new_id(), kind, args)
    outbox().add(order)
    return order


def attempts_at(order: Order) -> list[Attempt]:
    return dead_letters().attempts([order.id]).get(order.id, [])


@contextmanager
def working(work: Callable[[Order], None]) -> Iterator[None]:
    def instead(order: Order, *, resent: bool) -> None:
        work(order)

    with patch.object(handlers, "work_off", instead):
        yield


def failing(error: BaseException) -> Callable[[Order], None]:
    def fail(order: Order) -> None:
        raise error

    return fail


class TestOrdersThatAreClosed:
    @pytest.mark.parametrize("sequence", list(itertools.permutations([DELIVER, RETRACT, DELIVER])))
    def test_a_delivery_that_comes_after_the_deletion_does_nothing(self, sequence: tuple[str, ...]) -> None:
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        [retract] = open_orders()
        pushed: list[str] = []

        def push_pages(order: Order, *_: int, **__: int) -> fan_out._Pushed:
            pushed.append(order.kind)
            return fan_out._Pushed(0, None)

        with patch.object(fan_out, "_push_pages", push_pages):
            for kind in sequence:
                run({DELIVER: deliver, RETRACT: retract}[kind], resent=False)
        assert pushed == [RETRACT]
        assert open_orders() == []

    def test_a_duplicate_does_nothing(self) -> None:
        post(new_person())
        [order] = open_orders()
        for resent in (False, True):
            run(order, resent=resent)
        with patch.object(handlers, "work_off") as worked:
            run(order, resent=True)
        worked.assert_not_called()

    def test_the_parts_that_are_left_of_a_deleted_entry_do_nothing(self) -> None:
        author = new_person()
        associations().grow(author.id, FOLLOW, 1)
        tweet = post(author)
        [order] = open_orders()
        tasks.work_part(order.id, order.kind, 0, 2)
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        with patch.object(fan_out, "_push_pages") as pushed:
            tasks.work_part(order.id, order.kind, 1, 2)
        pushed.assert_not_called()

    def test_a_delivery_replayed_after_its_deletion_is_closed_by_the_retraction(self) -> None:
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()
        dead_letters().bury(DeadLetter(deliver, "ValueError", 5, now_us()))
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        [retract] = open_orders()
        dead_letters().replay(deliver.id)
        assert open_orders() == [deliver, retract]
        run(retract)
        assert open_orders() == []

    def test_a_retraction_forgets_the_dead_letter_of_its_delivery(self) -> None:
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()
        dead_letters().bury(DeadLetter(deliver, "ValueError", 5, now_us()))
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        work_off_everything()
        assert dead_letters().read(deliver.id) is None

    def test_a_deletion_during_the_last_attempt_leaves_no_dead_letter(self) -> None:
        """Replaying one would put the deleted entry into timelines again."""
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()

        def deletes_and_fails(order: Order) -> None:
            delete_tweet(tweet_id=tweet, viewer=viewer(author))
            [retract] = [each for each in open_orders() if each.kind == RETRACT]
            work_off(retract)
            raise ValueError("too late")

        work_off = handlers.work_off
        with working(failing(KeyError("bug"))):
            for _ in range(attempts.MAX_ATTEMPTS - 1):
                run(deliver)
        with working(deletes_and_fails):
            run(deliver)
        assert (open_orders(), dead_letters().count(limit=1)) == ([], 0)


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


class TestGivingUp:
    @pytest.mark.parametrize(
        ("kind", "args", "error"),
        [
            ("no such kind", (), "PoisonedOrder: no such kind of order: no such kind"),
            (DELIVER, (1,), "PoisonedOrder: deliver takes an entry and its author, not 1 arguments"),
            (RETRACT, (1, 2, 3), "PoisonedOrder: retract takes an entry and its author, not 3 arguments"),
            (DELIVER, (-1, 2), "OverflowError: can't convert negative int to unsigned"),
        ],
    )
    def test_an_order_that_cannot_succeed_becomes_a_dead_letter(
        self, kind: str, args: tuple[int, ...], error: str
    ) -> None:
        order = planted(kind, args)
        for number in range(attempts.MAX_ATTEMPTS):
            assert open_orders() == [order], f"after {number} attempts"
            run(order, resent=number > 0)
        assert open_orders() == []
        letter = dead_letters().read(order.id)
        assert letter is not None
        assert (letter.order, letter.error, letter.attempts) == (order, error, 5)

    def test_what_kills_its_process_becomes_a_dead_letter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order = planted()
        with working(failing(Killed())):
            for _ in range(attempts.MAX_ATTEMPTS):
                with pytest.raises(Killed):
                    run(order)
            run(order)
        assert open_orders() == [order], "the last may be under way still"
        monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", 0.0)
        with working(failing(Killed())):
            run(order)
        letter = dead_letters().read(order.id)
        assert letter is not None
        assert (letter.error, letter.attempts) == (attempts.KILLED, 5)
        assert open_orders() == []

    def test_attempts_under_way_do_not_make_a_dead_letter(self) -> None:
        """Five workers at the same order at once, none of whom has failed."""
        order = planted()

        def work(order: Order) -> None:
            if len(attempts_at(order)) < attempts.MAX_ATTEMPTS:
                run(order)

        with working(work):
            run(order)
        assert (attempts_at(order), open_orders()) == ([], [order])

    def test_parts_are_counted_each_for_itself(self) -> None:
        author = new_person()
        associations().grow(author.id, FOLLOW, 2)
        post(author)
        [order] = open_orders()
        with patch.object(fan_out, "_push_pages", side_effect=ValueError("bucket")):
            for _ in range(attempts.MAX_ATTEMPTS - 1):
                for part in range(4):
                    tasks.work_part(order.id, order.kind, part, 4, resent=True)
            assert open_orders() == [order]
            tasks.work_part(order.id, order.kind, 2, 4, resent=True)
        assert open_orders() == []
        letter = dead_letters().read(order.id)
        assert letter is not None
        assert (letter.error, letter.attempts) == ("ValueError: bucket", 5)

    def test_an_error_is_kept_short_and_without_secrets(self, settings: Settings) -> None:
        settings.METRICS_TOKEN = "a-token-of-metrics"
        text = f"at redis://someone:hunter2@there/0\nwith {settings.SECRET_KEY} and a-token-of-metrics" + "x" * 9_000
        told = attempts.described(ValueError(text))
        assert told.startswith("ValueError: at redis://…@there/0 with … and …x")
        assert len(told) == ERROR_CHARS


class TestAfterwards:
    def dead_delivery(self) -> tuple[Any, Any, int, Order]:
        """A tweet that could not be delivered to its reader."""
        author, reader = new_person(), new_person()
        follows.follow(reader.id, author.id)
        home(reader)
        work_off_everything()
        tweet = post(author)
        [order] = open_orders()
        with working(failing(KeyError("bug"))):
            for _ in range(attempts.MAX_ATTEMPTS):
                run(order)
        assert open_orders() == []
        return author, reader, tweet, order

    def test_a_replayed_order_is_worked_off_once_the_bug_is_mended(self, settings: Settings) -> None:
        _, reader, tweet, order = self.dead_delivery()
        assert home(reader) == []
        out = StringIO()
        call_command("dead_letters", "replay", str(order.id), stdout=out)
        assert out.getvalue() == "replayed 1\n"
        settings.SWEEP_AFTER_SECONDS = 0.0
        sent: list[Order] = []
        with patch.object(sweeper, "enqueue", lambda order, **_: sent.append(order)):
            sweeper.sweep()
        for each in sent:
            run(each)
        assert home(reader) == [tweet]
        assert (open_orders(), dead_letters().count(limit=1)) == ([], 0)

    def test_it_does_not_hold_the_watermark(self) -> None:
        author = new_person()
        old = Order(id=make_id(now_us() - 3_600 * 1_000_000, 0), kind=DELIVER, args=(1, author.id))
        outbox().add(old)
        watermark.forget()
        assert watermark.read() == old.id - 1
        dead_letters().bury(DeadLetter(old, "ValueError", 5, now_us()))
        watermark.forget()
        assert watermark.read() > old.id

    def test_the_audit_tells_what_it_did_not_deliver(self) -> None:
        _, reader, tweet, _ = self.dead_delivery()
        report = Report()
        [[finding]] = audit([Person(reader.id, reader.username)], report, repair=False, sleep=lambda _: None)
        assert [(each.entry_id, each.fault) for each in finding.differences] == [(tweet, Fault.MISSING)]
        assert (finding.pending, report.clean) == ([], False)
        list(audit([Person(reader.id, reader.username)], Report(), repair=True, sleep=lambda _: None))
        assert home(reader) == [tweet]
