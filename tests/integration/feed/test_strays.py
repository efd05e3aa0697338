"""Keys that nobody would miss are found and removed: by `manage.py stray_keys`, and once a day."""

import re
from collections.abc import Callable
from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError

from accounts.people import suspending
from accounts.people.purge import READING
from fanout.timelines import builds, materialised
from feed.management.commands.stray_keys import LINE_KEYS, progress_line
from feed.management.progress import Progress
from feed.operations import strays
from feed.operations.strays import Report, Why, search
from feed.tasks import search_strays
from storage.redis.shards import shard_tag, user_tag
from tests.backends import timeline_redis_down
from tests.ids import new_id
from tests.integration.feed.commands import stray_keys
from tests.integration.feed.reading import active_reader, all_keys, operator, reading_of, redis
from tests.integration.tweeting import home, post
from tests.people import new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product", "no_moment")


def plant_suspended() -> tuple[str, int]:
    reader = active_reader()
    with patch("accounts.people.suspending.purge_reading"):
        suspending.suspend(reader, by=operator())
    return "home", reader.id


def plant_gone() -> tuple[str, int]:
    reader = new_id()
    build = builds.open_build(reader)
    assert build is not None
    assert builds.finish_build(build, [], floor=0)
    return "home", reader


def plant_endless() -> tuple[str, int]:
    reader = active_reader()
    redis("PERSIST", materialised.timeline_key(reader.id))
    return "home", reader.id


def plant_too_long() -> tuple[str, int]:
    reader = active_reader()
    redis("EXPIRE", materialised.timeline_key(reader.id), materialised.active_seconds() + 60)
    return "home", reader.id


def plant_endless_cache() -> tuple[str, int]:
    redis("SET", "tweet:5", b"x")
    return "tweet", 0


def plant_other_shards() -> tuple[str, int]:
    redis("SET", "{t3/99}:generation", b"x")
    return "generation", 0


def plant_wrong_shard() -> tuple[str, int]:
    reader = new_person()
    wrong = next(shard_tag(shard) for shard in range(8) if shard_tag(shard) != user_tag(reader.id))
    redis("SET", f"{wrong}:home:{reader.id}", b"x", "EX", 60)
    return "home", 0


PLANTED: list[tuple[Callable[[], tuple[str, int]], Why]] = [
    (plant_suspended, Why.SHUT_OUT),
    (plant_gone, Why.SHUT_OUT),
    (plant_endless, Why.LASTING),
    (plant_too_long, Why.LASTING),
    (plant_endless_cache, Why.LASTING),
    (plant_other_shards, Why.UNREACHABLE),
    (plant_wrong_shard, Why.UNREACHABLE),
]


class TestCommand:
    def test_what_is_in_use_is_no_stray(self) -> None:
        active_reader(new_person())
        status, lines = stray_keys()
        assert (status, len(lines)) == (0, 1)
        assert re.fullmatch(r"\d+ keys: 0 strays", lines[0])

    @pytest.mark.parametrize(("plant", "why"), PLANTED)
    def test_a_stray_is_found_and_removed(self, plant: Callable[[], tuple[str, int]], why: Why) -> None:
        author = new_person()
        active = active_reader(author)
        tweet = post(author)
        work_off_everything()
        family, reader_id = plant()
        status, lines = stray_keys()
        assert status == 1
        assert f"{family}: 1 {why}" in lines
        assert stray_keys("--remove")[0] == 0
        assert stray_keys() == (0, [line for line in stray_keys()[1] if line.endswith(" 0 strays")])
        assert not [key for key in all_keys() if key.endswith(f":{reader_id}") and key.split(":")[1] in READING]
        assert reading_of(active) == {*READING}, "nobody else's goes"
        assert tweet in home(active)

    def test_a_key_that_is_just_being_given_its_end_is_no_stray(self) -> None:
        """Presence adds to its sets and gives them their end in two commands."""
        reader = active_reader()
        redis("PERSIST", materialised.timeline_key(reader.id))

        def meanwhile(_: float) -> None:
            redis("EXPIRE", materialised.timeline_key(reader.id), 60)

        report = Report()
        assert [*search(report, remove=True, sleep=meanwhile)][-1] == 0
        assert (report.found.total(), report.removed) == (0, 0)
        assert "home" in reading_of(reader)

    def test_without_redis_it_says_that_it_could_not_look(self) -> None:
        with timeline_redis_down(), pytest.raises(CommandError) as raised:
            stray_keys()
        assert raised.value.returncode == 2

    def test_progress_is_a_line_now_and_then_or_one_that_is_written_over(self) -> None:
        plain, terminal = StringIO(), StringIO()
        terminal.isatty = lambda: True  # type: ignore[method-assign]
        for out in (plain, terminal):
            progress = Progress(out, every=LINE_KEYS)
            for keys in range(500, 300_001, 500):
                progress.show(keys, progress_line(Report(keys=keys), 300_000))
            progress.clear()
        assert plain.getvalue().splitlines() == [f"{n}00,000 of about 300,000 keys, 0 strays" for n in (1, 2, 3)]
        assert terminal.getvalue().startswith("\r500 of about")
        assert terminal.getvalue().endswith("\r\x1b[K")


class TestDailySearch:
    def test_it_goes_on_where_it_stopped_and_rests_for_a_day(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(strays, "STEP", 10)
        monkeypatch.setattr(strays, "STEPS_A_RUN", 2)
        for each in range(300):
            redis("SET", f"tweet:{each}", b"x")
        runs = 0
        while redis("GET", strays.PLACE_KEY) != strays.RESTING:
            before = len(all_keys())
            search_strays()
            runs += 1
            assert before - len(all_keys()) <= 60, "a run does a bounded amount of work"
            assert runs < 100
        assert runs > 5
        assert not [key for key in all_keys() if key.startswith("tweet:")]
        redis("SET", "tweet:1", b"x")
        search_strays()
        assert redis("EXISTS", "tweet:1") == 1, "it rests"
        assert 0 < int(str(redis("TTL", strays.PLACE_KEY))) <= strays.REST_SECONDS
        redis("DEL", strays.PLACE_KEY)
        for _ in range(3):
            search_strays()
        assert redis("EXISTS", "tweet:1") == 0

    def test_without_redis_it_waits(self) -> None:
        with timeline_redis_down():
            search_strays()
