"""Figures of the last hours: counted by all processes, sampled at a fixed cost, kept for hours and no longer."""

import threading
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import follows
from fanout.live.figures import LiveFigures
from fanout.live.presence import Presence
from fanout.orders import figures as counting
from fanout.timelines import census
from feed.models import FigureSample
from feed.operations import figures
from feed.operations.figures import BEHIND, KEPT_SECONDS, sampled, samples
from feed.tasks import sample_figures
from storage.breakers import State
from storage.redis import tallies as tally
from storage.redis.node import broker_node, timeline_node
from storage.redis.tallies import KEYS_AT_ONCE, SLOT_SECONDS, Tallies, current_slot, tallies
from tests.backends import counted_round_trips, counted_sql, timeline_redis_down
from tests.ids import new_id
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post
from tests.people import new_person
from tests.work import open_orders, work_off_everything

pytestmark = pytest.mark.usefixtures("product")


def now_is(slot: int) -> Any:
    return patch("storage.redis.tallies.time.time", return_value=float(slot * SLOT_SECONDS + 1))


def test_a_slot_has_what_was_counted_in_it_and_what_is_so() -> None:
    author, reader, away = new_person(), new_person(), new_person()
    for each in (reader, away):
        follows.follow(each.id, author.id)
    slot = current_slot()
    with now_is(slot):
        for _ in range(2):
            home(reader)
        post(author)
        work_off_everything()
        tallies.tell()
        Presence().appear([reader.id])
        post(author)
        found = sampled(slot)
    assert (found.entries, found.deliveries) == (0.1, 0.1), "one entry, to one active follower, in ten seconds"
    assert found.hit_share == 0.5, "cold, then warm"
    assert found.lag_p50_ms is not None
    assert found.lag_p50_ms == found.lag_p99_ms
    assert (found.open_orders, found.dead_letters, found.timelines, found.connected) == (1, 0, 1, 1)
    assert found.oldest_open_seconds is not None
    assert found.queues == {"graph": 0, "fanout": 0, "notices": 0, "bulk": 0, "maintenance": 0}
    assert found.open_breakers == []
    assert sampled(slot + 1).deliveries == 0.0


@on_one_store
def test_sockets_of_all_processes_and_what_they_were_sent() -> None:
    one, other, slot = LiveFigures(), LiveFigures(), current_slot()
    with now_is(slot):
        for process, sockets, frames in ((one, 3, 40), (other, 5, 0), (one, 4, 2)):
            process.frames += frames
            process.tell(sockets)
        tallies.tell()
        found = sampled(slot)
    assert (found.sockets, found.frames) == (8, 4.2), "of one process the first that it said in the slot"
    with now_is(slot + 1):
        one.tell(4)
        tallies.tell()
    assert (sampled(slot + 1).sockets, sampled(slot + 1).frames) == (4, 0.0)


def ended(process: Tallies) -> None:
    """Its thread has begun, and then ended."""
    thread = process._thread
    assert thread is not None
    thread.join(30)
    assert process._thread is None


@on_one_store
class TestKeeping:
    def test_a_slot_is_kept_once_and_told_in_order(self) -> None:
        slot = current_slot()
        for each in (slot, slot, slot + 1):
            with now_is(each):
                sample_figures()
        with now_is(slot + 1):
            assert [sample.slot for sample in samples(3600)] == [slot - BEHIND, slot + 1 - BEHIND]
            assert [sample.slot for sample in samples(SLOT_SECONDS)] == [slot + 1 - BEHIND]
            assert samples(3600)[0].at == (slot - BEHIND) * SLOT_SECONDS

    def test_a_slot_that_a_late_task_has_passed_over_is_made_good(self) -> None:
        slot = current_slot()
        for each, deliveries in ((slot, 10), (slot + 1, 20), (slot + 2, 30)):
            with now_is(each):
                tallies.count("deliveries", deliveries)
        tallies.tell()
        for each in (slot + BEHIND, slot + BEHIND + 2):
            with now_is(each):
                sample_figures()
        with now_is(slot + BEHIND + 2):
            assert [(each.slot, each.deliveries) for each in samples(3600)] == [
                (slot, 1.0),
                (slot + 1, 2.0),
                (slot + 2, 3.0),
            ]

    def test_of_two_who_sample_at_once_one_is_kept(self) -> None:
        with now_is(current_slot()), patch.object(figures, "_is_kept", return_value=False):
            sample_figures()
            sample_figures()
        assert FigureSample.objects.count() == 1

    def test_what_is_too_old_is_forgotten(self) -> None:
        slot = current_slot()
        kept = slot - BEHIND - KEPT_SECONDS // SLOT_SECONDS + 1
        for each in (kept - 5, kept - 1, kept):
            FigureSample.objects.create(slot=each, figures={})
        sample_figures()
        assert sorted(FigureSample.objects.values_list("slot", flat=True))[0] in (kept, kept + 1)
        assert FigureSample.objects.count() <= 2

    def test_who_is_down_leaves_a_gap_and_the_rest_is_told(self) -> None:
        with timeline_redis_down():
            found = sampled(current_slot())
        assert (found.timelines, found.connected) == (None, None)
        assert (found.open_orders, found.queues) != (None, None)
        with patch.object(broker_node().breaker, "_state", State.OPEN):
            found = sampled(current_slot())
        assert (found.deliveries, found.queues, found.open_breakers) == (None, None, ["redis_broker"])
        assert found.timelines == 0

    def test_a_sample_costs_the_same_whatever_there_is(self) -> None:
        """But for how the few keys are scanned: round trips, and SQL statements."""
        costs = []
        for count in (1, 40):
            for _ in range(count):
                reader = new_person()
                post(reader)
                home(reader)
            FigureSample.objects.all().delete()
            with counted_round_trips() as trips, counted_sql("default") as sql, counted_sql("store") as store:
                sample_figures()
            costs.append((len(trips), len(sql), len(store)))
        assert costs[0] == costs[1]
        assert len(open_orders()) == 41


@on_one_store
class TestTallies:
    def test_processes_add_up_and_a_process_tells_once(self) -> None:
        slot = current_slot()
        with now_is(slot):
            processes = [Tallies(), Tallies()]
            for process in processes:
                process.count("deliveries", 20)
                process.count("deliveries")
            for process in [*processes, *processes]:
                process.tell()
        [found] = broker_node().ask(tally.read(tally.slot_key(slot)))
        assert found == {"deliveries": 42}
        [seconds] = broker_node().round_trip(("TTL", tally.slot_key(slot)))
        assert 0 < seconds <= tally.KEPT_SECONDS

    def test_what_is_noted_is_bounded_and_what_is_counted_is_not_pushed_out(self) -> None:
        process = Tallies()
        for number in range(KEYS_AT_ONCE + 10):
            process.note(f"fanned:{number}", "reached", 1, kept_seconds=60)
        process.note("fanned:0", "reached", 1, kept_seconds=60)
        process.count("deliveries")
        process.tell()
        assert len(broker_node().round_trip(("KEYS", "fanned:*"))[0]) == KEYS_AT_ONCE
        assert broker_node().ask(tally.read("fanned:0")) == ({"reached": 2},)
        assert len(broker_node().round_trip(("KEYS", "tally:*"))[0]) == 1

    def test_of_two_who_note_a_moment_the_first_is_believed(self) -> None:
        for process, moment in ((Tallies(), 7), (Tallies(), 9)):
            process.note_once("fanned:1", "done_us", moment, kept_seconds=60)
            process.note("fanned:1", "reached", 2, kept_seconds=60)
            process.tell()
        assert broker_node().ask(tally.read("fanned:1")) == ({"done_us": 7, "reached": 4},)

    def test_whatever_ends_a_thread_another_one_is_begun(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(tally, "TOLD_EVERY_SECONDS", 0.01)
        monkeypatch.setattr(threading, "excepthook", lambda _: None)
        process = Tallies()
        with patch.object(threading.Thread, "start", side_effect=RuntimeError):
            process.count("deliveries", 1)
        with patch.object(Tallies, "tell", side_effect=ValueError):
            process.count("deliveries", 2)
            ended(process)
        process.count("deliveries", 4)
        ended(process)
        [keys] = broker_node().round_trip(("KEYS", "tally:*"))
        assert broker_node().ask(tally.read(keys[0].decode())) == ({"deliveries": 7},)

    def test_counting_works_while_redis_is_down_and_tells_what_comes_after(self) -> None:
        process = Tallies()
        process.count("deliveries")
        with patch.object(broker_node().breaker, "_state", State.OPEN):
            process.tell()
        process.tell()
        assert broker_node().round_trip(("KEYS", "tally:*"))[0] == []

    def test_a_thread_tells_and_ends_when_there_is_nothing_to_tell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(tally, "TOLD_EVERY_SECONDS", 0.01)
        process = Tallies()
        process.count("deliveries", 7)
        thread = process._thread
        assert thread is not None
        thread.join(30)
        assert process._thread is None
        [keys] = broker_node().round_trip(("KEYS", "tally:*"))
        assert broker_node().ask(tally.read(keys[0].decode())) == ({"deliveries": 7},)


@on_one_store
@pytest.mark.parametrize("counted", [10_000, 0])
def test_timelines_are_counted_or_estimated(counted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "COUNTED", counted)
    monkeypatch.setattr(census, "SAMPLED", 4_000)
    for number in range(100):
        timeline_node().round_trip(("SET", f"{{t0/8}}:{'home' if number < 30 else 'tweet'}:{new_id()}", b"1"))
    assert census.active_timelines() == 30 if counted else 20 < census.active_timelines() < 40


def test_percentiles_are_upper_bounds_of_classes() -> None:
    counted = {"lag:0": 50, "lag:4": 40, "lag:28": 10, "deliveries": 9}
    assert [counting.percentile(counted, share) for share in (0.5, 0.6, 0.9, 0.99)] == [1.0, 2.0, 2.0, 128.0]
    assert counting.percentile({"deliveries": 9}, 0.5) is None
    for milliseconds in (0.2, 1, 3, 1_000, 86_400_000):
        bound = counting.percentile({f"lag:{counting.class_of(milliseconds)}": 1}, 0.5)
        assert bound is not None
        assert milliseconds <= bound <= max(milliseconds * 1.19, 1.0)


def test_of_an_entry_is_noted_how_far_it_has_come() -> None:
    author, readers = new_person(), [new_person() for _ in range(3)]
    for reader in readers:
        follows.follow(reader.id, author.id)
        home(reader)
    tweet = post(author)
    assert broker_node().ask(counting.note_of(tweet)) == (None,)
    work_off_everything()
    tallies.tell()
    [noted] = broker_node().ask(counting.note_of(tweet))
    assert noted is not None
    assert noted.reached == 3
    assert noted.done_us is not None
