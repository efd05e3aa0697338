"""What only Cassandra's outbox can get wrong: the times at which its rows are written, and finishing what was left."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any
from unittest.mock import DEFAULT, Mock, patch

import pytest
from cassandra import InvalidRequest

from deploy.supervisor.processes import wait_until
from storage.cassandra import finishing, session
from storage.cassandra import outbox as cassandra_outbox
from storage.cassandra.finishing import LEFT_US, WRITE_SHARDS
from storage.cassandra.marks import UNDER_WAY, marks
from storage.cassandra.outbox import CassandraOutbox, forget_known, write_with_order
from storage.cassandra.session import TOGETHER, Statement
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, id_minute, make_id, now_us, spread
from storage.ports.outbox import SHARDS, UNREAD_US, Order
from tests.ids import new_id
from tests.integration.storage.statements import INSERT_LEVEL, SELECT_LEVEL
from tests.torn import torn_after

pytestmark = [pytest.mark.cassandra, pytest.mark.usefixtures("cassandra", "empty_cassandra_outbox")]

MINUTE_US = 60_000_000
MINUTES = 55
"""Nearly an hour."""


def test_an_order_whose_writer_stood_still_while_its_minute_was_forgotten_is_found() -> None:
    """It named the order's time, was stopped for minutes, and then sent it."""
    order = Order(make_id(now_us() - 5 * MINUTE_US, 1), "deliver", (new_id(), new_id()))
    forgotten_us = now_us() - MINUTE_US
    place = (spread(order.id, SHARDS), id_minute(order.id))
    session.execute("DELETE FROM outbox USING TIMESTAMP ? WHERE shard = ? AND minute = ?", (forgotten_us, *place))
    times = [now_us() - 5 * MINUTE_US]
    with patch.object(cassandra_outbox, "now_us", lambda: times.pop() if times else now_us()):
        CassandraOutbox().add(order)
    assert CassandraOutbox().open_order(order.id) == order
    assert order in CassandraOutbox().open_orders(before=MAX_ID, limit=10)


class TestMarksThatNobodyWaitsFor:
    """They go behind, and together; each is waited for when its order is read next, and not before."""

    def test_going_on_does_not_wait_for_it(self) -> None:
        order, waited = added(), list[bool]()
        with patch.object(session, "write_soon", return_value=lambda: waited.append(True)):
            CassandraOutbox().mark_done_soon(order.id)
            assert waited == []
            assert CassandraOutbox().open_order(order.id) == order, "none was sent"
            assert waited == [True]

    @pytest.mark.parametrize("fault", [Unavailable("cassandra"), InvalidRequest("amid a change of the schema")])
    def test_one_that_is_lost_leaves_its_order_open_and_holds_up_no_other(self, fault: Exception) -> None:
        lost, order = added(), added()
        with patch.object(session, "write_soon", return_value=Mock(side_effect=fault)):
            CassandraOutbox().mark_done_soon(lost.id)
            marks.settle()
        CassandraOutbox().mark_done_soon(order.id)
        assert CassandraOutbox().open_orders(before=MAX_ID, limit=10) == [lost]

    def test_one_that_comes_after_its_order_was_opened_again_closes_nothing(self) -> None:
        order = added()
        made_us = now_us() - 1_000_000
        for statement in cassandra_outbox.reopening_statements(order, at_us=now_us()):
            session.execute(*statement)
        marks.make(order.id, cassandra_outbox.done_statement(order.id, at_us=made_us))
        assert CassandraOutbox().open_order(order.id) == order

    def test_what_could_not_be_sent_is_sent_when_it_is_waited_for(self) -> None:
        order = added()
        session.close()
        CassandraOutbox().mark_done_soon(order.id)
        assert CassandraOutbox().open_order(order.id) is None

    def test_many_are_few_requests_and_reading_another_order_waits_for_none(self) -> None:
        orders, other = [added() for _ in range(3 * TOGETHER + 1)], added()
        with patch.object(session, "write_soon", wraps=session.write_soon) as sent:
            for order in orders:
                CassandraOutbox().mark_done_soon(order.id)
            assert CassandraOutbox().open_order(other.id) == other
            assert CassandraOutbox().finished_order(other.id) == other
        assert 3 <= sent.call_count <= 4, "the time of a window may have come"
        assert CassandraOutbox().open_orders(before=MAX_ID, limit=100) == [other]

    def test_one_alone_is_written_though_nobody_reads(self) -> None:
        order = added()
        CassandraOutbox().mark_done_soon(order.id)
        place = (spread(order.id, SHARDS), id_minute(order.id))
        select = "SELECT done FROM outbox WHERE shard = ? AND minute = ? AND id = ?"
        assert wait_until(lambda: session.execute(select, (*place, order.id))[0][0] is True, seconds=10.0)

    def test_who_reads_an_order_waits_for_its_mark_though_another_thread_is_about_to_send_it(self) -> None:
        order, going, go_on = added(), threading.Event(), threading.Event()
        write_soon = session.write_soon

        def slowly(statements: Sequence[Statement]) -> Any:
            going.set()
            go_on.wait(10)
            return write_soon(statements)

        with patch.object(session, "write_soon", slowly):
            CassandraOutbox().mark_done_soon(order.id)
            assert going.wait(10), "by the thread of its time"
            threading.Timer(0.2, go_on.set).start()
            assert CassandraOutbox().open_order(order.id) is None

    def test_without_a_thread_for_its_time_it_is_sent_at_once(self) -> None:
        order = added()
        with (
            patch.object(threading.Timer, "start", side_effect=RuntimeError("can't start new thread")),
            patch.object(session, "write_soon", wraps=session.write_soon) as sent,
        ):
            CassandraOutbox().mark_done_soon(order.id)
        assert sent.call_count == 1

    def test_a_store_that_does_not_answer_holds_up_who_marks_on_and_on(self) -> None:
        """So what is under way is bounded."""
        waited: list[bool] = []
        with patch.object(session, "write_soon", return_value=lambda: waited.append(True)):
            for number in range(1, (UNDER_WAY + 3) * TOGETHER + 1):
                marks.make(number, ("", ()))
            assert len(waited) >= 3
            marks.settle()
        assert len(waited) >= UNDER_WAY + 3


def an_hour_of_them() -> list[Order]:
    """Orders that were done five minutes ago, one of each shard in each of MINUTES closed minutes; oldest first."""
    start = (now_us() // MINUTE_US - 58) * MINUTE_US
    orders = [Order(each, "x", ()) for step in range(MINUTES) for each in one_a_shard(start + step * MINUTE_US)]
    with patch.object(cassandra_outbox, "now_us", lambda: now_us() - 5 * MINUTE_US):
        for order in orders:
            CassandraOutbox().add(order)
        session.write_all([cassandra_outbox.done_statement(order.id) for order in orders])
    return sorted(orders, key=lambda order: order.id)


def one_a_shard(us: int) -> list[int]:
    """Ids from that microsecond on."""
    return list({spread(each, SHARDS): each for each in range(make_id(us, 1), make_id(us, 1) + 500)}.values())


def read_what_is_open() -> None:
    outbox = CassandraOutbox()
    assert outbox.open_orders(before=MAX_ID, limit=10) == []
    assert outbox.oldest_open() is None
    assert outbox.count_open(limit=10) == 0


def statements_of(read: Callable[[], object]) -> int:
    with (
        patch.object(session, "execute", wraps=session.execute) as one,
        patch.object(session, "execute_many", wraps=session.execute_many) as many,
    ):
        read()
    return one.call_count + sum(len(call.args[1]) for call in many.call_args_list)


@contextmanager
def broken_after(writes: int) -> Iterator[None]:
    """Inside, the store takes so many writes and then none."""
    left = count(writes, -1)

    def breaking(original: Callable[..., Any]) -> Callable[..., Any]:
        def ask(cql: str, *values: Any, **options: Any) -> Any:
            if not cql.startswith("SELECT") and next(left) <= 0:
                raise Unavailable("cassandra")
            return original(cql, *values, **options)

        return ask

    with (
        patch.object(session, "execute", breaking(session.execute)),
        patch.object(session, "execute_many", breaking(session.execute_many)),
    ):
        yield


def discard(*, read_up_to: int, later_us: int = 0) -> int:
    return CassandraOutbox().discard_closed(now_us=now_us() + later_us, read_up_to=read_up_to)


def left_listed() -> list[session.Row]:
    listings = ("SELECT shard, minute FROM outbox_minutes", "SELECT shard, minute FROM outbox_unread")
    return [row for listing in listings for row in session.execute(listing)]


def added() -> Order:
    order = Order(new_id(), "deliver", (new_id(), new_id()))
    CassandraOutbox().add(order)
    return order


class TestMinutesThatNobodyHasRead:
    """All done and closed, and kept for a reader that is away: nobody else reads them."""

    def test_an_hour_of_them_costs_who_reads_open_orders_nothing(self) -> None:
        before = statements_of(read_what_is_open)
        assert before == 3 * SHARDS
        kept = an_hour_of_them()
        assert statements_of(read_what_is_open) > before + len(kept), "while it is not known that all of them are done"
        assert discard(read_up_to=kept[0].id - 1) == 0
        assert statements_of(read_what_is_open) == before
        assert CassandraOutbox().orders_between(after=0, before=MAX_ID, limit=1_000) == kept
        assert discard(read_up_to=kept[0].id - 1) == 0
        assert CassandraOutbox().orders_between(after=kept[9].id, before=kept[-9].id, limit=1_000) == kept[10:-9]

    def test_they_go_when_they_were_read(self) -> None:
        kept = an_hour_of_them()
        discard(read_up_to=kept[0].id - 1)
        read = [order for order in kept if id_minute(order.id) < id_minute(kept[200].id)]
        assert discard(read_up_to=kept[200].id) == len({id_minute(order.id) for order in read}) * SHARDS
        assert CassandraOutbox().orders_between(after=0, before=MAX_ID, limit=1_000) == kept[len(read) :]
        discard(read_up_to=MAX_ID)
        assert left_listed() == []
        assert session.execute("SELECT id FROM outbox") == []

    def test_they_go_after_an_hour_unread(self) -> None:
        kept = an_hour_of_them()
        discard(read_up_to=1)
        assert discard(read_up_to=1, later_us=UNREAD_US // 2) > 0
        rest = CassandraOutbox().orders_between(after=0, before=MAX_ID, limit=1_000)
        assert rest == kept[-len(rest) :]
        assert 0 < len(rest) < len(kept)

    def test_one_that_is_written_late_is_open_and_goes_with_none_of_them(self) -> None:
        kept = an_hour_of_them()
        discard(read_up_to=kept[0].id - 1)
        late = Order(kept[40].id + 1_000, "deliver", (1, 2))
        CassandraOutbox().add(late)
        assert CassandraOutbox().open_orders(before=MAX_ID, limit=10) == [late]
        together = sorted([*kept, late], key=lambda order: order.id)
        assert CassandraOutbox().orders_between(after=0, before=MAX_ID, limit=1_000) == together
        discard(read_up_to=MAX_ID, later_us=2 * MINUTE_US)
        assert CassandraOutbox().open_orders(before=MAX_ID, limit=10) == [late]
        CassandraOutbox().mark_done(late.id)
        assert discard(read_up_to=late.id - 1, later_us=3 * MINUTE_US) == 0
        assert statements_of(read_what_is_open) == 3 * SHARDS, "only listings"
        assert late in CassandraOutbox().orders_between(after=0, before=MAX_ID, limit=1_000)
        assert discard(read_up_to=MAX_ID, later_us=4 * MINUTE_US) == 1
        assert left_listed() == []

    def test_who_dies_setting_them_aside_loses_none(self) -> None:
        kept = an_hour_of_them()
        for writes in range(6):
            with broken_after(writes), suppress(Unavailable):
                discard(read_up_to=kept[0].id - 1)
            assert CassandraOutbox().orders_between(after=0, before=MAX_ID, limit=1_000) == kept

    def test_reading_on_does_not_list_what_is_before(self) -> None:
        """The minutes of a long outage lie below the place that was come to."""
        kept = an_hour_of_them()
        with patch.object(session, "execute_many", wraps=session.execute_many) as many:
            CassandraOutbox().orders_between(after=kept[-2].id, before=MAX_ID, limit=10)
        listings = [call.args for call in many.call_args_list if "SELECT minute" in call.args[0]]
        lowest = {row[1] for _, rows in listings for row in rows}
        assert lowest == {id_minute(kept[-2].id)}


class TestFinishing:
    """Writes without an order whose process died when they were recorded."""

    @pytest.fixture(autouse=True)
    def anew(self) -> None:
        forget_known()

    def test_one_that_the_store_does_not_answer_for_holds_up_no_other(self) -> None:
        targets = [left() for _ in range(3)]
        errors = [Unavailable("cassandra"), DEFAULT, DEFAULT]
        with patch.object(finishing, "do_again", side_effect=errors, wraps=finishing.do_again):
            assert finish() == 2
        assert finish() == 1
        assert all(stands(target) for target in targets)

    def test_a_minute_that_cannot_be_read_holds_up_no_other(self) -> None:
        left(shard=WRITE_SHARDS[0])
        target = left(shard=WRITE_SHARDS[1])

        def execute(cql: str, params: Any = (), **options: Any) -> list[session.Row]:
            if cql == finishing._WRITES and params[0] == WRITE_SHARDS[0]:
                raise Unavailable("cassandra")
            return asked(cql, params, **options)

        asked = session.execute
        with patch.object(session, "execute", execute):
            assert finish() == 1
        assert stands(target)
        assert finish() == 1

    def test_a_run_looks_at_so_many_minutes_and_others_have_their_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(finishing, "LOOKED_THROUGH_AT_ONCE", 1)
        targets = [left(shard=shard) for shard in WRITE_SHARDS[:4]]
        finished = 0
        for _ in range(1_000):
            found = finish()
            assert found <= 1
            finished += found
            if finished == len(targets):
                break
        assert all(stands(target) for target in targets)

    def test_a_run_ends_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        target = left()
        with monkeypatch.context() as hurried:
            hurried.setattr(finishing, "FINISH_SECONDS", 0.0)
            assert finish() == 0
        assert not stands(target)
        assert finish() == 1

    def test_a_large_minute_is_read_in_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(finishing, "PAGE", 2)
        targets = [left(shard=WRITE_SHARDS[0]) for _ in range(5)]
        finished = sum(finish() for _ in range(2))
        assert finished == 5
        assert all(stands(target) for target in targets)

    def test_what_was_seen_closed_and_done_is_not_read_again(self) -> None:
        left(shard=WRITE_SHARDS[0])
        with patch.object(session, "execute", wraps=session.execute) as asked:
            read = []
            for later in (LEFT_US // 2, 2 * MINUTE_US, 2 * MINUTE_US, 2 * MINUTE_US):
                asked.reset_mock()
                finish(later_us=later)
                read.append(sum(call.args[0] == finishing._WRITES for call in asked.call_args_list))
        assert read == [1, 1, 0, 0], "not while something may be left there"


def left(*, shard: int | None = None) -> int:
    """The target of a level that its process has recorded and not written."""
    target = new_id()
    statements = [(INSERT_LEVEL, (target, "k", level, level)) for level in (1, 2)]
    forget_known()
    choice = WRITE_SHARDS[0] if shard is None else shard
    with patch("storage.cassandra.outbox.secrets.choice", lambda _: choice), torn_after(2), suppress(Unavailable):
        write_with_order(statements, None)
    assert not stands(target)
    return target


def stands(target: int) -> bool:
    return bool(session.execute(SELECT_LEVEL, (target,)))


def finish(*, later_us: int = 2 * LEFT_US) -> int:
    return CassandraOutbox().finish_writes(now_us=now_us() + later_us)
