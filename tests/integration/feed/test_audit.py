"""`manage.py audit_timelines`: every kind of fault is found, named and repaired; what only waits is not a fault."""

from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError
from pytest_django.fixtures import Settings

from accounts.graph import follows
from fanout.orders.kinds import DELIVER
from fanout.timelines import layout, materialised
from feed.management.commands.audit_timelines import LINE_PEOPLE, progress_line
from feed.management.progress import Progress
from feed.operations import audit as audit_module
from feed.operations.audit import Difference, Fault, Person, Report, audit, differences_of
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import outbox
from tests.backends import timeline_redis_down
from tests.ids import new_id
from tests.integration.feed.commands import audit_timelines
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def short_moment() -> Iterator[None]:
    with patch.object(audit_module, "MOMENT_SECONDS", 0.01):
        yield


class Scene:
    """A reader whose timeline holds five entries of an author, all delivered; and the author's own."""

    def __init__(self) -> None:
        self.author, self.reader = new_person(), new_person()
        follows.follow(self.reader.id, self.author.id)
        home(self.reader)
        home(self.author)
        self.ids = [post(self.author) for _ in range(5)]
        work_off_everything()
        self.key = materialised.timeline_key(self.reader.id)

    def plant(self, *command: str | bytes | int) -> None:
        """A raw write into the reader's list, past the scripts that keep it right."""
        name, *arguments = command
        timeline_node().round_trip((name, self.key, *arguments))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def pack(entry_id: int) -> bytes:
    return layout.pack(entry_id)


def plant_extra(scene: Scene) -> str:
    stray = new_id()
    scene.plant("LPUSH", pack(stray))
    return f"{stray} extra"


def plant_missing(scene: Scene) -> str:
    scene.plant("LREM", 0, pack(scene.ids[2]))
    return f"{scene.ids[2]} missing"


def plant_wrong_order(scene: Scene) -> str:
    scene.plant("LSET", 1, pack(scene.ids[2]))
    scene.plant("LSET", 2, pack(scene.ids[3]))
    return f"{scene.ids[3]} out of order"


def plant_duplicate(scene: Scene) -> str:
    scene.plant("LINSERT", "BEFORE", pack(scene.ids[1]), pack(scene.ids[1]))
    return f"{scene.ids[1]} duplicate"


FAULTS = [plant_extra, plant_missing, plant_wrong_order, plant_duplicate]


def test_right_timelines_are_clean(scene: Scene) -> None:
    asleep = new_person()
    follows.follow(asleep.id, scene.author.id)
    assert audit_timelines() == (0, ["3 people: 2 timelines compared, 1 inactive; 0 wrong (0 differences); 0 pending"])


@pytest.mark.parametrize("plant", FAULTS)
def test_a_planted_fault_is_found_and_repaired(scene: Scene, plant: Callable[[Scene], str]) -> None:
    expected = f"@{scene.reader.username} {plant(scene)}"
    status, lines = audit_timelines()
    assert (status, lines[:-1]) == (1, [expected])
    assert lines[-1] == "2 people: 2 timelines compared, 0 inactive; 1 wrong (1 differences); 0 pending"
    status, lines = audit_timelines("--repair")
    assert (status, lines[0]) == (0, expected)
    assert lines[-1].endswith("1 wrong (1 differences), 1 repaired; 0 pending")
    assert audit_timelines()[0] == 0
    assert home(scene.reader) == scene.ids[::-1]


@on_one_store
def test_all_faults_together_are_each_named(scene: Scene) -> None:
    planted = {plant(scene) for plant in (plant_extra, plant_duplicate)}
    planted.add(f"{scene.ids[0]} missing")
    scene.plant("LREM", 0, pack(scene.ids[0]))
    assert {line.split(" ", 1)[1] for line in audit_timelines()[1][:-1]} == planted


@on_one_store
def test_only_the_named_people_are_looked_at(scene: Scene) -> None:
    plant_extra(scene)
    assert audit_timelines("--user", scene.author.username)[0] == 0
    assert audit_timelines("--user", scene.author.username, f"@{scene.reader.username.upper()}")[0] == 1
    with pytest.raises(CommandError, match="no such person"):
        audit_timelines("--user", "nobody_of_this_name")


@on_one_store
def test_a_sample_looks_at_so_many(scene: Scene) -> None:
    assert audit_timelines("--sample", "1")[1][-1].startswith("1 people")
    assert audit_timelines("--sample", "10")[1][-1].startswith("2 people")
    with pytest.raises(CommandError):
        audit_timelines("--sample", "0")


def test_an_entry_whose_order_is_open_is_pending_and_no_fault(scene: Scene) -> None:
    late = post(scene.author)
    status, lines = audit_timelines()
    assert status == 0
    assert lines[0] == f"@{scene.reader.username} {late} pending: missing, its order is open"
    assert lines[-1].endswith("0 wrong (0 differences); 1 pending")
    work_off_everything()
    assert audit_timelines()[1][-1].endswith("0 pending")


def test_a_deletion_whose_order_is_open_is_pending(scene: Scene) -> None:
    delete_tweet(tweet_id=scene.ids[1], viewer=viewer(scene.author))
    status, lines = audit_timelines("--user", scene.reader.username)
    assert (status, lines[0]) == (
        0,
        f"@{scene.reader.username} {scene.ids[1]} pending: extra, its order is open",
    )


def test_an_open_order_explains_no_duplicate(scene: Scene) -> None:
    plant_duplicate(scene)
    outbox().add(Order(id=new_id(), kind=DELIVER, args=(scene.ids[1], scene.author.id)))
    assert audit_timelines()[0] == 1


def test_a_change_of_the_graph_that_redis_missed_is_pending(scene: Scene) -> None:
    other = new_person()
    entry = post(other)
    work_off_everything()
    with timeline_redis_down():
        follows.follow(scene.reader.id, other.id)
    status, lines = audit_timelines("--user", scene.reader.username)
    assert (status, lines[0]) == (0, f"@{scene.reader.username} {entry} pending: missing, its order is open")


def test_what_is_just_arriving_is_not_reported(scene: Scene) -> None:
    """The entry is in the store and not in the timeline at the first look; in both at the second."""
    late = post(scene.author)
    orders = open_orders()
    people = [Person(scene.reader.id, scene.reader.username)]
    findings = [*audit(people, Report(), repair=False, sleep=lambda _: _deliver(orders))]
    assert findings == [[]]
    assert late in home(scene.reader)


def _deliver(orders: Sequence[Order]) -> None:
    assert orders
    work_off_everything()


def test_an_order_that_is_done_right_after_the_second_look_still_explains(scene: Scene) -> None:
    late = post(scene.author)
    looks = 0
    look = audit_module._look

    def look_then_work(people: Sequence[Person]) -> dict[int, list[Difference] | None]:
        nonlocal looks
        found = look(people)
        looks += 1
        if looks == 2:
            work_off_everything()
        return found

    with patch.object(audit_module, "_look", look_then_work):
        [[finding]] = audit([Person(scene.reader.id, "reader")], Report(), repair=False, sleep=lambda _: None)
    assert (finding.differences, finding.pending) == ([], [Difference(late, Fault.MISSING)])


def test_what_comes_between_the_looks_is_not_reported(scene: Scene) -> None:
    """A new entry whose order vanished from the outbox differs at the second look only."""
    plant_extra(scene)

    def write(_: float) -> None:
        new = post(scene.author)
        outbox().mark_done(new)

    [[finding]] = audit([Person(scene.reader.id, "reader")], Report(), repair=False, sleep=write)
    assert [each.fault for each in finding.differences] == [Fault.EXTRA]


def test_a_timeline_is_compared_down_to_its_floor_only(scene: Scene, settings: Settings) -> None:
    settings.TIMELINE_CAP = 3
    with patch.object(materialised, "TRIM_SLACK", 0):
        newest = post(scene.author)
        work_off_everything()
    assert home(scene.reader)[0] == newest
    assert audit_timelines()[0] == 0
    scene.plant("LINSERT", "BEFORE", pack(scene.ids[3]), pack(scene.ids[0]))
    assert f"{scene.ids[0]} extra" in audit_timelines("--user", scene.reader.username)[1][0]


def test_more_people_than_one_chunk_and_more_entries_than_one_page(scene: Scene) -> None:
    readers = [new_person() for _ in range(5)]
    for reader in readers:
        follows.follow(reader.id, scene.author.id)
        home(reader)
    timeline_node().round_trip(("LREM", materialised.timeline_key(readers[-1].id), 0, pack(scene.ids[0])))
    with patch.object(audit_module, "CHUNK", 2), patch.object(audit_module, "ORACLE_PAGE", 2):
        status, lines = audit_timelines()
    assert (status, lines[:-1]) == (1, [f"@{readers[-1].username} {scene.ids[0]} missing"])
    assert lines[-1].startswith("7 people: 7 timelines compared")


@on_one_store
def test_what_cannot_be_repaired_stays_wrong(scene: Scene) -> None:
    expected = plant_missing(scene)
    with patch.object(audit_module, "make_anew"):
        status, lines = audit_timelines("--repair")
    assert status == 1
    assert [line.split(" ", 1)[1] for line in lines[:-1]] == [expected, expected]


@on_one_store
def test_without_redis_it_says_that_it_could_not_look(scene: Scene) -> None:
    with timeline_redis_down(), pytest.raises(CommandError) as raised:
        audit_timelines()
    assert raised.value.returncode == 2


def test_a_tweet_of_someone_no_longer_followed_is_extra(scene: Scene) -> None:
    """The edge went and nobody raised the graph version: the fault that the version is there to prevent."""
    other = new_person()
    entry = post(other)
    work_off_everything()
    scene.plant("LPUSH", pack(entry))
    assert tweet_store().get_many([entry])
    assert audit_timelines()[1][0].endswith(f"{entry} extra")


@on_one_store
@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([9, 7, 5], []),
        ([7, 9, 5], [Difference(9, Fault.OUT_OF_ORDER)]),
        ([9, 9, 7, 5], [Difference(9, Fault.DUPLICATE)]),
        ([9, 5], [Difference(7, Fault.MISSING)]),
        ([9, 8, 7, 5], [Difference(8, Fault.EXTRA)]),
        ([6, 9, 7, 5], [Difference(6, Fault.EXTRA)]),
        ([], [Difference(9, Fault.MISSING), Difference(7, Fault.MISSING), Difference(5, Fault.MISSING)]),
    ],
)
def test_differences_by_kind(ids: list[int], expected: list[Difference]) -> None:
    assert differences_of(materialised.Window(ids, 0), [9, 7, 5]) == expected


@on_one_store
def test_progress_is_a_line_now_and_then_or_one_that_is_written_over() -> None:
    plain, terminal = StringIO(), StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    for out in (plain, terminal):
        progress = Progress(out, every=LINE_PEOPLE)
        for people in range(50, 30_001, 50):
            progress.show(people, progress_line(Report(people=people), 30_000))
        progress.clear()
    assert plain.getvalue().splitlines() == [f"{count},000 of 30,000 people, 0 wrong" for count in (10, 20, 30)]
    assert terminal.getvalue().startswith("\r50 of 30,000")
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\n" not in terminal.getvalue()
