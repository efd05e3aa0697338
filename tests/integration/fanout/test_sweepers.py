"""Sweepers side by side: who has which shards, how much they send, and that they stand in for one another."""

import math
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.graph.follows import GRAPH_ORDER
from deploy.supervisor.ports import LOOPBACK, free_port
from fanout import tasks
from fanout.management.commands import sweep as sweep_command
from fanout.orders import figures, resending, sweeper, sweepers
from fanout.orders.kinds import DELIVER
from fanout.orders.queues import FANOUT, GRAPH
from fanout.orders.resending import QUEUE_LONG
from fanout.orders.sweepers import Share, Sweeper, share_of
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us, spread
from storage.ports.outbox import SHARDS, Order
from storage.redis import tallies as tally
from storage.redis.node import broker_node
from storage.redis.reads import Command
from storage.redis.tallies import SLOT_SECONDS, current_slot, slot_key
from storage.stores import outbox
from tests.backends import node_elsewhere
from tests.ids import new_id
from tests.integration.speaking import on_one_store

pytestmark = pytest.mark.usefixtures("product")

EVERYTHING = Share(list(range(SHARDS)), 1.0)


@pytest.fixture(autouse=True)
def sent(product: str, settings: Settings) -> Iterator[list[int]]:
    """The ids of the orders that were sent."""
    settings.SWEEP_AFTER_SECONDS = 0.0
    ids: list[int] = []
    with (
        patch.object(sweeper, "enqueue", lambda order, **_: ids.append(order.id)),
        patch.object(sweepers, "TURN_SECONDS", 10**12),
    ):
        yield ids


def planted(count: int) -> list[int]:
    born = now_us() - 30_000_000
    orders = [Order(make_id(born + 1_000 * n, new_id() % 4096), DELIVER, (new_id(), new_id())) for n in range(count)]
    for order in orders:
        outbox().add(order)
    return [order.id for order in orders]


def worked(queue: str, a_second: float, *, slots_ago: int = 1) -> None:
    """So many orders were taken off the queue by all workers."""
    key = slot_key(current_slot() - slots_ago)
    broker_node().round_trip(("HINCRBY", key, f"{figures.WORKED}{queue}", int(a_second * SLOT_SECONDS)))


def queued(queue: str, count: int) -> None:
    messages: Command = ("LPUSH", queue, *([b"{}"] * count))
    broker_node().round_trip(messages)


@on_one_store
class TestShares:
    @pytest.mark.parametrize("count", [*range(1, SHARDS + 4), 2 * SHARDS])
    @pytest.mark.parametrize("turn", [0, 1, 12_345])
    def test_every_shard_is_somebody_s_and_nobody_has_much_more(self, count: int, turn: int) -> None:
        names = [f"machine/{n:02}" for n in range(count)]
        shares = [share_of(name, names[::-1], turn) for name in names]
        swept = sorted(shard for share in shares for shard in share.shards)
        assert sorted({*swept}) == list(range(SHARDS))
        assert len(swept) == max(count, SHARDS)
        sizes = [share.size for share in shares]
        assert sum(sizes) == pytest.approx(1.0)
        assert max(sizes) - min(sizes) <= 1 / SHARDS

    @pytest.mark.parametrize("count", [*range(1, SHARDS + 4), 2 * SHARDS])
    def test_every_shard_passes_through_every_sweeper(self, count: int) -> None:
        names = [f"machine/{n:02}" for n in range(count)]
        for name in names:
            seen = {shard for turn in range(count) for shard in share_of(name, names, turn).shards}
            assert seen == {*range(SHARDS)}

    def test_they_change_places_by_the_broker_s_clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        one, other = Sweeper(), Sweeper()
        for each in (one, other):
            each.meet()
        before = one.meet().shards, other.meet().shards
        [(seconds, _)] = broker_node().round_trip(("TIME",))
        monkeypatch.setattr(sweepers, "TURN_SECONDS", int(seconds))
        assert (other.meet().shards, one.meet().shards) == before

    def test_who_comes_and_goes_changes_them_at_the_next_round(self) -> None:
        one, other = Sweeper(), Sweeper()
        assert one.meet() == EVERYTHING
        theirs = other.meet()
        assert sorted([*one.meet().shards, *theirs.shards]) == list(range(SHARDS))
        assert (len(theirs.shards), theirs.size) == (SHARDS // 2, 0.5)
        one.leave()
        assert other.meet() == EVERYTHING

    def test_who_is_not_heard_of_is_gone(self) -> None:
        lives, killed = Sweeper(), Sweeper()
        killed.meet()
        assert len(lives.meet().shards) == SHARDS // 2
        broker_node().round_trip(("ZADD", sweepers.KEY, 1, killed.name))
        assert lives.meet() == EVERYTHING

    def test_an_emptied_broker_gathers_them_again(self) -> None:
        one, other = Sweeper(), Sweeper()
        for each in (one, other):
            each.meet()
        broker_node().round_trip(("FLUSHALL",))
        assert one.meet() == EVERYTHING, "alone, as far as anybody knows"
        assert sorted([*other.meet().shards, *one.meet().shards]) == list(range(SHARDS))


def test_each_sends_what_is_in_its_shards(sent: list[int]) -> None:
    ids = planted(40)
    one, other = Sweeper(), Sweeper()
    for each in (one, other):
        each.meet()
    shards = one.meet().shards
    sweeper.sweep(shards)
    assert sent == [each for each in ids if spread(each, SHARDS) in shards]
    sweeper.sweep(other.meet().shards)
    assert sorted(sent) == ids


def test_two_at_the_same_shards_send_each_order_once(sent: list[int]) -> None:
    """As happens for a round when somebody comes or goes."""
    ids = planted(30)
    together = threading.Barrier(2)

    def one_of_two() -> None:
        together.wait(30)
        sweeper.sweep()

    threads = [threading.Thread(target=one_of_two) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(sent) == ids


@on_one_store
class TestHowMany:
    @pytest.fixture(autouse=True)
    def moment(self, monkeypatch: pytest.MonkeyPatch) -> int:
        """The clock of tallies stands still, in the middle of a slot."""
        slot = current_slot()
        now_is(monkeypatch, slot, 5.0)
        return slot

    def test_as_many_as_the_workers_get_through(self) -> None:
        assert allowed(FANOUT) == sweeper.SWEEP_LIMIT, "of workers of whom nothing is known"
        worked(FANOUT, 5_000)
        ahead = int(5_000 * sweeper.AHEAD_SECONDS)
        assert allowed(FANOUT) == ahead
        assert allowed(GRAPH) == sweeper.SWEEP_LIMIT
        queued(FANOUT, 4_000)
        assert allowed(FANOUT) == ahead - 4_000, "with what waits already"
        queued(FANOUT, ahead - 4_000)
        assert allowed(FANOUT) == sweeper.TRICKLE, "the queue is long"

    def test_a_slot_that_has_just_begun_does_not_slow_it_down(
        self, moment: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worked(FANOUT, 900)
        now_is(monkeypatch, moment, 0.1)
        worked(FANOUT, 1, slots_ago=0)
        assert figures.worked_a_second([FANOUT]) == {FANOUT: 900.0}
        now_is(monkeypatch, moment, 5.0)
        worked(FANOUT, 999, slots_ago=0)
        assert figures.worked_a_second([FANOUT]) == {FANOUT: 2_000.0}, "workers are faster than before"

    def test_the_old_bound_of_a_queue_holds_for_slow_workers(self) -> None:
        worked(FANOUT, 10)
        queued(FANOUT, QUEUE_LONG - 1)
        assert allowed(FANOUT) == sweeper.SWEEP_LIMIT
        queued(FANOUT, 1)
        assert allowed(FANOUT) == sweeper.TRICKLE

    @pytest.mark.parametrize("share", [1, 3, SHARDS])
    def test_of_which_each_sweeper_has_its_share(self, share: int) -> None:
        worked(FANOUT, 5_000)
        expected = math.ceil(5_000 * sweeper.AHEAD_SECONDS * share / SHARDS)
        assert allowed(FANOUT, share=share / SHARDS) == expected

    def test_a_sweep_ends_in_time_and_the_next_goes_on(self, sent: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeper, "CHUNK", 3)
        ids, moments, over = planted(10), iter([0.0, 0.0]), sweeper.SWEEP_SECONDS + 0.1
        with patch.object(sweeper, "time", SimpleNamespace(monotonic=lambda: next(moments, over))):
            sweeper.sweep()
        assert sent == ids[:3]
        sweeper.sweep()
        assert sent == ids


def now_is(monkeypatch: pytest.MonkeyPatch, slot: int, seconds: float) -> None:
    """So long after the slot began."""
    monkeypatch.setattr("storage.redis.tallies.time.time", lambda: slot * SLOT_SECONDS + seconds)


def allowed(queue: str, *, share: float = 1.0) -> int:
    """How many a sweep may send to the queue."""
    return sweeper._Sweep(now_us(), sweeper.Look(), share=share)._left[broker_node(), queue]


@on_one_store
class TestFirstSending:
    """Of an outage's orders: no attempt at them needs to be noted before it begins, unless it is not the first."""

    def sent_again(self, memory: sweeper.Memory | None, *, times: int = 1) -> list[str]:
        """How each was sent; either way the worker sees to what its writer may have left unwritten."""
        said: list[str] = []

        def note(order: Order, *, resent: bool, found: bool) -> None:
            said.append("again" * resent + "found" * found)

        with patch.object(sweeper, "enqueue", note):
            for _ in range(times):
                broker_node().round_trip(("FLUSHALL",))
                sweeper.sweep(memory=memory)
        return said

    def test_a_sweeper_knows_what_it_sent(self) -> None:
        planted(3)
        memory = sweeper.Memory()
        assert self.sent_again(memory, times=2) == ["found"] * 3 + ["again"] * 3

    def test_who_works_orders_off_remembers_none(self) -> None:
        planted(3)
        assert self.sent_again(None) == ["again"] * 3

    def test_what_is_sent_again_and_again_is_not_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeper, "REMEMBERED", 3)
        memory = sweeper.Memory()
        assert not memory.has(1)
        for other in range(2, 10):
            assert not memory.has(other)
            assert memory.has(1)
        assert len(memory._sent) == 3
        assert not memory.has(2), "long ago"


@on_one_store
class TestBeat:
    def test_its_task_sweeps_where_no_sweeper_does(self, sent: list[int]) -> None:
        [order] = planted(1)
        there = Sweeper()
        there.meet()
        tasks.sweep()
        assert sent == []
        there.leave()
        tasks.sweep()
        assert sent == [order]

    def test_it_sweeps_while_no_sweeper_can_read_the_store(self, sent: list[int]) -> None:
        """Each leaves when its own way to the store has failed, and comes back once it has read."""
        one, away = Sweeper(), Unavailable("store")
        one._round()
        assert sweepers.anybody_sweeps()
        with patch.object(sweeper, "outbox", side_effect=away), patch.object(sweepers, "outbox", side_effect=away):
            for _ in range(2):
                one._round()
                assert not sweepers.anybody_sweeps()
        [order] = planted(1)
        tasks.sweep()
        assert sent == [order]
        one._round()
        assert sweepers.anybody_sweeps()

    def test_a_broker_that_is_away_makes_no_sweeper_leave(self) -> None:
        one = Sweeper()
        with patch.object(sweepers, "sweep", side_effect=Unavailable(broker_node().name)):
            one._round()
        assert sweepers.anybody_sweeps()

    def test_a_worker_counts_what_it_takes(self) -> None:
        [order] = planted(1)
        tasks.work_order(order, DELIVER)
        tally.tallies.tell()
        assert figures.worked_a_second([FANOUT])[FANOUT] > 0


@on_one_store
class TestTheCommand:
    def test_it_sweeps_until_it_is_told_to_end_and_leaves(self, sent: list[int]) -> None:
        ids, ended = planted(5), threading.Event()

        def sweeps(shards: list[int], **more: Any) -> int:
            assert sweepers.anybody_sweeps(on_this_machine=True)
            count = sweeper.sweep(shards, **more)
            ended.set()
            return count

        with patch.object(sweepers, "sweep", sweeps):
            Sweeper().run(ended)
        assert sent == ids
        assert not sweepers.anybody_sweeps()

    def test_what_goes_wrong_in_a_round_ends_no_sweeper(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("RETRY_SECONDS", "IDLE_SECONDS"):
            monkeypatch.setattr(sweepers, name, 0.0)
        ended, faults = threading.Event(), iter([Unavailable("store"), RuntimeError("a bug")])

        def sweeps(*_: Any, **__: Any) -> int:
            for fault in faults:
                raise fault
            ended.set()
            return 0

        with patch.object(sweepers, "sweep", sweeps):
            Sweeper().run(ended)
        assert ended.is_set()

    def test_its_check_is_of_this_machine(self) -> None:
        with pytest.raises(CommandError, match="No sweeper"):
            call_command("sweep", "--check")
        elsewhere = Sweeper()
        elsewhere.name = "elsewhere/1"
        elsewhere.meet()
        with pytest.raises(CommandError, match="No sweeper"):
            call_command("sweep", "--check")
        Sweeper().meet()
        call_command("sweep", "--check")

    def test_none_is_at_fault_while_it_cannot_be_heard_of_or_has_no_store(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with node_elsewhere(broker_node(), "redis://127.0.0.1:1/0"):
            call_command("sweep", "--check")
        with patch.object(sweep_command, "ping_store", side_effect=Unavailable("store")):
            call_command("sweep", "--check")
        assert capsys.readouterr().out.count("Not judged") == 2


@on_one_store
@pytest.mark.parametrize("they_never_end", [False, True])
def test_a_broker_that_is_back_is_left_to_those_who_hold_orders_for_it(
    sent: list[int], monkeypatch: pytest.MonkeyPatch, they_never_end: bool
) -> None:
    [order_id], one = planted(1), Sweeper()
    one._round()
    assert sent == [order_id]
    broker_node().round_trip(("DEL", f"sent:{order_id}"))
    with node_elsewhere(broker_node(), f"redis://{LOOPBACK}:{free_port()}/0"):
        assert one._round() == sweepers.RETRY_SECONDS
    one._round()
    assert sent == [order_id], "they go first"
    monkeypatch.setattr(sweeper, "HEAD_START_SECONDS", 0.0)
    resending.claim(broker_node(), [], seconds=60, are_held=True)
    one._round()
    assert sent == [order_id], "and go on for as long as they say so"
    if they_never_end:
        monkeypatch.setattr(sweeper, "LONGEST_START_SECONDS", 0.0)
    else:
        broker_node().round_trip(("DEL", resending.HELD))
    one._round()
    assert sent == [order_id, order_id]
    assert one._look._back_at == {}


@on_one_store
def test_changes_of_the_graph_are_not_left_to_anybody_else(sent: list[int]) -> None:
    """Nobody but a sweeper sends them."""
    one = Sweeper()
    with node_elsewhere(broker_node(), f"redis://{LOOPBACK}:{free_port()}/0"):
        assert one._round() == sweepers.RETRY_SECONDS
    [tweet] = planted(1)
    change = Order(make_id(now_us() - 30_000_000, 1), GRAPH_ORDER, (new_id(), 1))
    outbox().add(change)
    one._round()
    assert sent == [change.id], "the tweet is its writer's to send"
    assert tweet not in sent
