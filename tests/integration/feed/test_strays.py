"""Who stays away, is suspended or gone leaves nothing in Redis; strays are found; all comes back complete."""

import re
import time
from collections.abc import Callable, Iterator
from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.graph import blocks, exclusions, follows
from accounts.graph.follows import graph_version_key
from accounts.models import User
from accounts.people import purge, services
from accounts.people.purge import PURGE_ORDER, READING, purge_command
from fanout.live.presence import Presence
from fanout.orders import handlers, sweeper
from fanout.timelines import builds, materialised
from feed.management.commands.stray_keys import LINE_KEYS, progress_line
from feed.management.progress import Progress
from feed.operations import strays
from feed.operations.strays import FOR_EVER, Report, Why, search
from feed.tasks import search_strays
from feed.timelines import home as home_module
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.shards import shard_tag, user_tag
from tests.backends import timeline_redis_down
from tests.ids import new_id
from tests.integration.tweeting import home, post, viewer
from tests.people import ApiClient, new_person
from tests.work import open_orders, work_off_everything
from tweets.caches import marks
from tweets.writing import liking
from tweets.writing import posting as tweet_services
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def no_moment() -> Iterator[None]:
    with patch.object(strays, "MOMENT_SECONDS", 0.0):
        yield


def redis(*command: str | bytes | int) -> object:
    [answer] = timeline_node().round_trip(command)
    return answer


def all_keys() -> list[str]:
    [names] = timeline_node().round_trip(("KEYS", "*"))
    return [name.decode() for name in names]


def reading_of(person: User) -> set[str]:
    """The families of keys that the person's reading has left."""
    return {key.split(":")[1] for key in all_keys() if key.endswith(f":{person.id}")} & {*READING}


def operator() -> User:
    return new_person(staff=True)


def active_reader(*authors: User) -> User:
    """Somebody whose reading has left a key of each family."""
    reader = new_person()
    for author in authors or [new_person()]:
        follows.follow(reader.id, author.id)
    tweet = post(reader)
    liking.like(viewer=viewer(reader), tweet_id=tweet)
    client = ApiClient(reader)
    for _ in range(2):
        assert client.get("/api/v1/feed/home").status_code == 200
    work_off_everything()
    assert reading_of(reader) == {*READING}
    return reader


def test_forgetting_names_the_keys_of_their_owners() -> None:
    reader = new_id()
    assert set(purge_command(reader)[1:]) == {
        materialised.timeline_key(reader),
        graph_version_key(reader),
        exclusions._key(reader),
        marks._marks_key(reader),
        marks._version_key(reader),
    }


class TestSuspension:
    def test_whoever_is_suspended_leaves_nothing_and_others_stay(self) -> None:
        author = new_person()
        reader, other = active_reader(author), active_reader(author)
        services.suspend(reader, by=operator())
        assert reading_of(reader) == set()
        assert reading_of(other) == {*READING}

    def test_a_request_that_was_let_in_before_is_forgotten_by_the_order(self, settings: Settings) -> None:
        reader = active_reader()
        services.suspend(reader, by=operator())
        home(reader)
        assert "home" in reading_of(reader), "it had been let in, and made the timeline anew"
        [order] = open_orders()
        assert (order.kind, order.args) == (PURGE_ORDER, (reader.id,))
        settings.SWEEP_AFTER_SECONDS = 0.0
        time.sleep(0.01)
        with patch.object(sweeper, "enqueue", handlers.work_off):
            assert sweeper.sweep() == 1
        assert reading_of(reader) == set()
        assert open_orders() == []

    def test_a_rebuild_and_fills_under_way_do_not_land(self) -> None:
        author = new_person()
        reader = active_reader(author)
        redis("DEL", materialised.timeline_key(reader.id))
        build = builds.open_build(reader.id)
        assert build is not None

        def suspended_meanwhile(_: int) -> exclusions.Exclusions:
            services.suspend(reader, by=operator())
            return exclusions.Exclusions()

        with patch.object(exclusions, "from_store") as read:
            read.side_effect = suspended_meanwhile
            exclusions.refreshed(reader.id)
        assert not builds.finish_build(build, [1], floor=0)
        assert reading_of(reader) == set()

    def test_without_redis_the_order_forgets(self) -> None:
        reader = active_reader()
        with timeline_redis_down():
            services.suspend(reader, by=operator())
        assert reading_of(reader) == {*READING}
        work_off_everything()
        assert reading_of(reader) == set()

    def test_without_the_store_it_is_in_force_all_the_same(self) -> None:
        """As after a crash between SQL and the outbox: what is left then is a stray."""
        reader = active_reader()
        client = ApiClient(reader)
        with (
            patch("accounts.people.purge.stores.outbox", side_effect=Unavailable("store")),
            patch.object(purge, "_remove", side_effect=Unavailable("redis_timelines")),
        ):
            services.suspend(reader, by=operator())
        assert client.get("/api/v1/feed/home").status_code == 403
        assert open_orders() == []
        assert reading_of(reader) == {*READING}
        assert run("--remove")[0] == 0
        assert reading_of(reader) == set()

    def test_suspending_in_the_admin_forgets(self) -> None:
        reader = active_reader()
        client = ApiClient()
        client.force_login(operator())
        answer = client.post(
            "/admin/accounts/user/", {"action": "suspend", "_selected_action": str(reader.id)}, follow=True
        )
        assert answer.status_code == 200
        assert reading_of(reader) == set()

    def test_who_is_restored_finds_everything_again(self) -> None:
        left, joined = new_person(), new_person()
        reader = active_reader(left)
        services.suspend(reader, by=operator())
        during = [post(left), post(joined)]
        work_off_everything()
        assert reading_of(reader) == set()
        services.restore(reader, by=operator())
        assert during[0] in home(reader)
        follows.follow(reader.id, joined.id)
        assert set(during) <= set(home(reader))
        blocks.block(reader.id, left.id)
        assert (during[0] in home(reader), during[1] in home(reader)) == (False, True)

    def test_an_order_worked_off_after_a_restoration_costs_a_rebuild_only(self) -> None:
        author = new_person()
        reader = active_reader(author)
        tweet = post(author)
        services.suspend(reader, by=operator())
        services.restore(reader, by=operator())
        before = home(reader)
        work_off_everything()
        assert home(reader) == before
        assert tweet in before


def plant_suspended() -> tuple[str, int]:
    reader = active_reader()
    with patch("accounts.people.services.purge_reading"):
        services.suspend(reader, by=operator())
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


def run(*arguments: str) -> tuple[int, list[str]]:
    """Exit status and output lines."""
    out = StringIO()
    try:
        call_command("stray_keys", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


class TestCommand:
    def test_what_is_in_use_is_no_stray(self) -> None:
        active_reader(new_person())
        status, lines = run()
        assert (status, len(lines)) == (0, 1)
        assert re.fullmatch(r"\d+ keys: 0 strays", lines[0])

    @pytest.mark.parametrize(("plant", "why"), PLANTED)
    def test_a_stray_is_found_and_removed(self, plant: Callable[[], tuple[str, int]], why: Why) -> None:
        author = new_person()
        active = active_reader(author)
        tweet = post(author)
        work_off_everything()
        family, reader_id = plant()
        status, lines = run()
        assert status == 1
        assert f"{family}: 1 {why}" in lines
        assert run("--remove")[0] == 0
        assert run() == (0, [line for line in run()[1] if line.endswith(" 0 strays")])
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
            run()
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


def ends_now(reader: User) -> None:
    """As if ACTIVE_DAYS had passed since the reader's last read."""
    redis("PEXPIRE", materialised.timeline_key(reader.id), 1)
    while redis("EXISTS", materialised.timeline_key(reader.id)):
        time.sleep(0.001)


def seconds_left(reader: User) -> int:
    """Until the reader's timeline ends."""
    return int(str(redis("TTL", materialised.timeline_key(reader.id))))


def everything(reader: User) -> list[int]:
    """All pages of the reader's home."""
    found: list[int] = []
    before: int | None = None
    while page := home(reader, limit=7, before=before):
        found += page
        before = page[-1]
    return found


class TestInactivity:
    def test_the_first_read_back_is_complete_after_many_tweets_and_changes(self, settings: Settings) -> None:
        settings.TIMELINE_CAP = 10
        left, joined, kept = new_person(), new_person(), new_person()
        reader = new_person()
        for author in (left, kept):
            follows.follow(reader.id, author.id)
        early = [post(author) for author in (left, kept, joined)]
        home(reader)
        ends_now(reader)
        during = [post(kept) for _ in range(25)]
        work_off_everything()
        assert "home" not in reading_of(reader), "a delivery wakes nobody"
        follows.unfollow(reader.id, left.id)
        follows.follow(reader.id, joined.id)
        deleted = during.pop(5)
        tweet_services.delete_tweet(tweet_id=deleted, viewer=viewer(kept))
        work_off_everything()
        assert everything(reader) == sorted([early[1], early[2], *during], reverse=True)
        assert everything(reader) == sorted([early[1], early[2], *during], reverse=True), "and warm alike"
        late = post(kept)
        work_off_everything()
        assert home(reader)[0] == late, "active again"

    def test_deliveries_do_not_keep_a_timeline_and_reads_do(self) -> None:
        author = new_person()
        reader = active_reader(author)
        key = materialised.timeline_key(reader.id)
        redis("EXPIRE", key, 100)
        for _ in range(3):
            post(author)
        work_off_everything()
        assert seconds_left(reader) <= 100
        home(reader)
        assert materialised.active_seconds() - 60 < seconds_left(reader) <= materialised.active_seconds()

    def test_a_page_that_was_pulled_keeps_no_outdated_timeline(self) -> None:
        """Nobody could make it anew. Kept by each such read it would outlive the version that outdates it."""
        author = new_person()
        reader = active_reader(author)
        tweet = post(author)
        work_off_everything()
        redis("EXPIRE", materialised.timeline_key(reader.id), 100)
        redis("SET", graph_version_key(reader.id), b"another.")
        with patch.object(home_module, "rebuild", return_value=False):
            assert tweet in home(reader)
        assert 0 < seconds_left(reader) <= 100

    def test_a_page_from_an_old_cursor_and_a_probe_of_another_person_keep_nothing(self) -> None:
        """Only whoever is signed in as the reader keeps the reader's timeline."""
        reader = active_reader()
        redis("EXPIRE", materialised.timeline_key(reader.id), 100)
        assert ApiClient(new_person()).get(f"/api/v1/users/{reader.username}").status_code == 200
        assert seconds_left(reader) <= 100


LONGEST = {
    "home": 30 * 86_400, "graph": 31 * 86_400, "exclusions": 12 * 3600, "marks": 3600, "marked": 60,
    "present": 180, "live-process": 180, "gone": 120, "token": 30, "account": 30, "rate": 60,
    "followers": 60, "following": 60, "tweets": 60,
    "tweet": 2 * 86_400, "counts": 600, "counting": 10, "accounts": 20, "sweep": 3600, "stray-search": 86_400,
}  # fmt: skip
"""Seconds that a key of each family may last at most, as docs/data.md says; "accounts" is accounts:changed."""


def family_of(key: str) -> str:
    return strays.parsed(key.encode()).family


def test_every_key_ends_but_those_that_say_why_not(settings: Settings) -> None:
    """After a bit of everything that the product does."""
    settings.RATE_LIMITS = True
    settings.SWEEP_AFTER_SECONDS = 0.0
    author = new_person()
    readers = [active_reader(author) for _ in range(3)]
    tweet = post(author, "one")
    reply = post(readers[0], "two", reply_to=tweet)
    post(readers[1], "three", quote_of=tweet)
    retweet(viewer=viewer(readers[2]), tweet_id=tweet)
    liking.bookmark(viewer=viewer(readers[2]), tweet_id=tweet)
    Presence().appear([reader.id for reader in readers])
    time.sleep(0.01)
    with patch.object(sweeper, "enqueue"):
        sweeper.sweep()
    blocks.mute(readers[0].id, author.id)
    blocks.block(readers[1].id, readers[2].id)
    follows.unfollow(readers[1].id, author.id)
    client = ApiClient(readers[0])
    for path in ("feed/home", "feed/public", f"users/{author.username}", f"tweets/{tweet}", f"tweets/{tweet}/replies"):
        assert client.get(f"/api/v1/{path}").status_code == 200, path
    tweet_services.delete_tweet(tweet_id=reply, viewer=viewer(readers[0]))
    services.suspend(readers[2], by=operator())
    search_strays()
    work_off_everything()
    ends = {key: int(str(redis("TTL", key))) for key in all_keys()}
    assert {family_of(key) for key, seconds in ends.items() if seconds == -1} <= {*FOR_EVER}
    for key, seconds in ends.items():
        if family_of(key) not in FOR_EVER:
            assert 0 < seconds <= LONGEST[family_of(key)], key
    assert {family_of(key) for key in ends} >= {"home", "graph", "exclusions", "marks", "present", "gone", "tweet"}
