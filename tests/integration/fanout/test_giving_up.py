"""Orders that cannot succeed: when they are given up, and what becomes of them afterwards."""

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
from fanout.orders import attempts, sweeper
from fanout.orders.kinds import DELIVER, RETRACT
from feed.operations.audit import Fault, Person, Report, audit
from storage.ids.snowflakes import make_id, now_us
from storage.models import OutboxOrder
from storage.ports.dead_letters import ERROR_CHARS, DeadLetter
from storage.ports.outbox import Order
from storage.stores import associations, dead_letters, outbox
from tests.integration.fanout.attempting import attempts_at, failing, planted, run, working
from tests.integration.tweeting import home, post
from tests.people import new_person
from tests.work import forget_watermark, open_orders, work_off_everything

pytestmark = pytest.mark.usefixtures("nothing_to_take_back", "product")


class Killed(BaseException):
    """Leaves the attempt as a process that was killed does: without an end."""


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

    @pytest.mark.parametrize("store", ["embedded"], indirect=True)
    def test_one_whose_arguments_are_no_numbers_is_given_up_as_well(self) -> None:
        """Cassandra's column takes none."""
        order = planted(DELIVER, (1, 2))
        OutboxOrder.objects.filter(id=order.id).update(args=["one", 2])
        for _ in range(attempts.MAX_ATTEMPTS):
            run(order, resent=True)
        assert open_orders() == []
        assert dead_letters().read(order.id) is not None

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
        forget_watermark()
        assert watermark.read() == old.id - 1
        dead_letters().bury(DeadLetter(old, "ValueError", 5, now_us()))
        forget_watermark()
        assert watermark.read() > old.id

    def test_the_audit_tells_what_it_did_not_deliver(self) -> None:
        _, reader, tweet, _ = self.dead_delivery()
        report = Report()
        [[finding]] = audit([Person(reader.id, reader.username)], report, repair=False, sleep=lambda _: None)
        assert [(each.entry_id, each.fault) for each in finding.differences] == [(tweet, Fault.MISSING)]
        assert (finding.pending, report.clean) == ([], False)
        list(audit([Person(reader.id, reader.username)], Report(), repair=True, sleep=lambda _: None))
        assert home(reader) == [tweet]
