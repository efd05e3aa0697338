"""Recent lists on a real Redis: many read as one, each fed and built as a timeline is."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from fanout.timelines import recents, snapshots
from fanout.timelines.materialised import Window
from fanout.timelines.recents import Pulled, Recents
from storage.ids.snowflakes import MAX_ID
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from tests.ids import new_id

pytestmark = pytest.mark.usefixtures("redis_servers")


def ready(reader: int, pulled: Pulled, ids: list[int]) -> None:
    """A built list of these entries, newest first, in the reader's shard."""
    builds = recents.open_builds(reader, [pulled])
    assert len(builds) == 1
    recents.finish_builds([(builds[0], ids)])


def read(
    reader: int, merge_set: Sequence[Pulled], *, before: int | None = None, after: int | None = None, count: int
) -> Recents:
    [found] = timeline_node().ask(recents.read(reader, merge_set, before=before, after=after, count=count))
    return found


def contents(reader: int, merge_set: Sequence[Pulled]) -> list[Window] | None:
    [found] = timeline_node().ask(recents.contents(reader, merge_set))
    return found


def a_pulled() -> Pulled:
    return new_id(), new_id()


PLACES = st.integers(1, 60) | st.integers(MAX_ID - 60, MAX_ID)
LISTS = st.lists(st.lists(PLACES, unique=True, max_size=12), max_size=8)


@given(lists=LISTS, place=PLACES, count=st.integers(1, 9))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_window_is_that_of_all_lists_together(lists: list[list[int]], place: int, count: int) -> None:
    reader = new_id()
    merge_set = [a_pulled() for _ in lists]
    for pulled, ids in zip(merge_set, lists, strict=True):
        ready(reader, pulled, sorted(ids, reverse=True))
    together = sorted((each for ids in lists for each in ids), reverse=True)
    newest = read(reader, merge_set, count=count)
    below = read(reader, merge_set, before=place, count=count)
    above = read(reader, merge_set, after=place, count=count)
    assert newest == Recents(together[:count], 0, [])
    assert below == Recents([each for each in together if each < place][:count], 0, [])
    assert above == Recents([each for each in together if each > place][-count:], 0, [])


def test_more_lists_than_a_script_call_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recents, "LISTS_A_CALL", 3)
    reader, merge_set = new_id(), [a_pulled() for _ in range(10)]
    ids = random.Random(2).sample(range(1, 1000), 40)
    for place, pulled in enumerate(merge_set[:-1]):
        ready(reader, pulled, sorted(ids[place::9], reverse=True))
    ids.sort(reverse=True)
    for count in (1, 7, 100):
        assert read(reader, merge_set, count=count) == Recents(ids[:count], 0, merge_set[-1:])
        assert read(reader, merge_set, after=0, count=count).ids == ids[-count:]


def test_the_highest_floor_is_that_of_the_window_and_missing_lists_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recents, "RECENT_CAP", 3)
    reader = new_id()
    merge_set = [a_pulled() for _ in range(4)]
    ready(reader, merge_set[0], [90, 80, 70, 60])
    ready(reader, merge_set[1], [95, 85, 75, 65])
    recents.open_builds(reader, merge_set[2:3])
    assert read(reader, merge_set, count=9) == Recents([95, 90, 85, 80, 75, 70], 65, merge_set[2:])
    assert contents(reader, merge_set) is None
    assert contents(reader, merge_set[:1]) == [Window([90, 80, 70], 60)]


def test_an_entry_goes_into_the_list_of_every_shard_that_has_one(settings: Settings) -> None:
    pulled = a_pulled()
    readers: dict[int, int] = {}
    while len(readers) < settings.TIMELINE_SHARDS:
        reader = new_id()
        readers[timeline_shard(reader)] = reader
    absent = readers.pop(3)
    for reader in readers.values():
        ready(reader, pulled, [5])
    snapshot = snapshots.take_snapshot()
    for _ in range(2):
        timeline_node().round_trip(*recents.deliver_commands(9, pulled, snapshot))
        timeline_node().round_trip(*recents.deliver_commands(7, pulled, snapshot))
    assert all(read(reader, [pulled], count=9).ids == [9, 7, 5] for reader in readers.values())
    assert read(absent, [pulled], count=9).missing == [pulled]
    timeline_node().round_trip(*recents.retract_commands(7, new_id(), pulled, snapshot))
    timeline_node().round_trip(*recents.deliver_commands(7, pulled, snapshot))
    assert all(read(reader, [pulled], count=9).ids == [9, 5] for reader in readers.values())


def test_a_list_ends_by_itself(settings: Settings) -> None:
    reader, pulled = new_id(), a_pulled()
    ready(reader, pulled, [5])
    [seconds] = timeline_node().round_trip(("TTL", recents.recent_key(timeline_shard(reader), pulled)))
    assert 0 < seconds <= settings.ACTIVE_DAYS * 86_400


@pytest.mark.parametrize("lists_a_call", [2, 100])
def test_the_rest_is_what_stands_below_a_window_and_above_what_has_settled(
    lists_a_call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recents, "LISTS_A_CALL", lists_a_call)
    reader, merge_set = new_id(), [a_pulled() for _ in range(5)]
    ids = random.Random(5).sample(range(1, 1_000), 60)
    for place, pulled in enumerate(merge_set):
        ready(reader, pulled, sorted(ids[place::5], reverse=True))
    ids.sort(reverse=True)
    for count, settled, before in ((5, ids[30], None), (5, ids[3], None), (7, ids[40], ids[10]), (100, ids[50], None)):
        asked = recents.read(reader, merge_set, before=before, count=count, settled=settled, rest=400)
        [found] = timeline_node().ask(asked)
        standing = [each for each in ids if before is None or each < before]
        assert found.ids == standing[:count]
        assert [each for each in found.rest if each > settled] == [each for each in standing[count:] if each > settled]
    [some] = timeline_node().ask(recents.read(reader, merge_set, count=1, settled=0, rest=3))
    assert some.rest[:3] == ids[1:4]


def test_the_rest_costs_a_step_for_each_hundred_entries_whatever_the_count() -> None:
    reader, merge_set = new_id(), [a_pulled() for _ in range(3)]
    for place, pulled in enumerate(merge_set):
        ready(reader, pulled, list(range(900 + place, place, -3)))
    asked = recents.read(reader, merge_set, count=1, settled=0, rest=401)
    before = _list_reads()
    [found] = timeline_node().ask(asked)
    assert found.rest == list(range(901, 500, -1))
    assert _list_reads() - before <= 1 + 3 * 4, "the window, and 300 entries of each list"
    before = _list_reads()
    [found] = timeline_node().ask(recents.read(reader, merge_set, count=1, settled=0, rest=50))
    assert found.rest == list(range(901, 851, -1))
    assert _list_reads() - before <= 1 + 3


def _list_reads() -> int:
    """LRANGE calls so far, those of scripts among them."""
    [stats] = timeline_node().round_trip(("INFO", "commandstats"))
    return int(stats["cmdstat_lrange"]["calls"])
