"""A large author's fan-out by real workers: fair to small authors, and whole though a worker is killed.

Nothing is timed: a worker is held inside a part while the test looks at what the others do.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from django.conf import settings as django_settings
from django.db import connections
from pytest_django.fixtures import Settings

from accounts.graph.kinds import FOLLOW
from accounts.models import User
from deploy.plan import BULK_FIRST, FANOUT_FIRST
from deploy.supervisor.processes import Child, start, wait_until
from fanout.orders import resending, sweeper
from fanout.orders.dispatch import dispatcher
from fanout.timelines import builds, materialised
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.redis.node import broker_node, timeline_node
from storage.stores import associations, outbox
from tests.e2e.gated_worker import OPEN, TOLD, Told
from tests.e2e.runs import PATIENT, ROOT, own_environment
from tests.ids import new_id
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import new_person
from tweets.writing.after_write import deliver_order

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("empty_outbox", "redis_servers")]

FOLLOWERS = 1_200
ACTIVE_SHARE = 0.7
EDGES_PER_BUCKET = 100
PAGE = 20
PAGES_A_TASK = 2
"""So 1,200 followers are some 40 tasks, as some 800,000 are in production."""
SMALL_AUTHORS = 20
WAIT_SECONDS = 120.0

Hire = Callable[..., Child]


@pytest.fixture
def hire(store: str, tmp_path: Path) -> Iterator[Hire]:
    """Starts workers; kills those that are left."""
    names = ["TIMELINE_REDIS_URL", "BROKER_REDIS_URL", "CASSANDRA_KEYSPACE"]
    variables = {name: getattr(django_settings, name) for name in names}
    variables |= PATIENT | {
        "CASSANDRA_HOSTS": ",".join(django_settings.CASSANDRA_HOSTS),
        "CASSANDRA_PORT": str(django_settings.CASSANDRA_PORT),
        "STORE": store,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite://{connections['default'].settings_dict['NAME']}",
        "STORE_FILE": str(connections["store"].settings_dict["NAME"]) if store == "embedded" else "",
    }
    children: list[Child] = []

    def begin(name: str, queues: str, *, held_at: int = 0) -> Child:
        argv = [sys.executable, "-m", "tests.e2e.gated_worker", name, queues, str(PAGE), str(PAGES_A_TASK)]
        env = own_environment() | variables
        children.append(start(name, [*argv, str(held_at)], env=env, cwd=ROOT, log=tmp_path / f"{name}.log"))
        return children[-1]

    yield begin
    for child in children:
        child.kill()


class Crowd:
    """An author whose followers fill many buckets, which grew as they came; most of them are active."""

    def __init__(self) -> None:
        self.author = new_person()
        dice = random.Random(1)
        growing = type(associations())(  # type: ignore[call-arg]
            edges_per_bucket=EDGES_PER_BUCKET, sample=lambda: dice.random() < 0.1
        )
        self.followers = [new_id() for _ in range(FOLLOWERS)]
        for first in range(0, FOLLOWERS, 50):
            batch = self.followers[first : first + 50]
            growing.apply([Change(each, FOLLOW, self.author.id, new_id(), present=True) for each in batch])
        self.parts = 1 << associations().level(self.author.id, FOLLOW)
        self.active = [each for each in self.followers if dice.random() < ACTIVE_SHARE]
        for each in self.active:
            make_active(each)

    def holding(self, tweet: int) -> dict[int, int]:
        """How many times the tweet stands in each follower's timeline; those without one are left out."""
        found: dict[int, int] = {}
        for first in range(0, FOLLOWERS, 500):
            readers = self.followers[first : first + 500]
            windows = timeline_node().ask_all([materialised.read(each, count=100) for each in readers])
            read = zip(readers, windows, strict=True)
            found |= {each: window.ids.count(tweet) for each, window in read if window is not None}
        return found


@pytest.fixture
def crowd() -> Crowd:
    made = Crowd()
    assert made.parts >= 8
    return made


def make_active(reader: int) -> None:
    build = builds.open_build(reader)
    assert build is not None
    assert builds.finish_build(build, [], floor=0)


def told() -> list[Told]:
    """What the workers have done so far, in order."""
    [lines] = broker_node().round_trip(("LRANGE", TOLD, 0, -1))
    return [msgspec.json.decode(line, type=Told) for line in lines]


HELD_SECONDS = 10.0
"""In which whoever is to hold one of an order's parts takes enough of them, if not another does all."""


def open_the_gate() -> None:
    broker_node().round_trip(("SET", OPEN, b"1"))


def until(condition: Callable[[], bool]) -> None:
    assert wait_until(condition, seconds=WAIT_SECONDS), [*map(str, told())][-20:]


def is_held() -> bool:
    return any(each.step == "held" for each in told())


def posted(author: User) -> Order:
    """The order of a new tweet of theirs, which the workers have by now."""
    tweet = post(author)
    dispatcher.drain(WAIT_SECONDS)
    return deliver_order(tweet, author.id)


def ended(orders: list[Order]) -> bool:
    return all(outbox().open_order(order.id) is None for order in orders)


def swept_to_the_end(order: Order) -> bool:
    """Whether it has ended; if not, what is due is sent again first, as by the product's sweeper every 2 s."""
    sweeper.sweep()
    return ended([order])


def small_authors() -> tuple[list[User], list[int]]:
    """Authors with a follower each, and those followers, active."""
    authors = [new_person() for _ in range(SMALL_AUTHORS)]
    readers = [new_id() for _ in authors]
    for author, reader in zip(authors, readers, strict=True):
        associations().apply([Change(reader, FOLLOW, author.id, new_id(), present=True)])
        make_active(reader)
    return authors, readers


@on_one_store
def test_small_authors_do_not_wait_for_a_large_one(hire: Hire, crowd: Crowd) -> None:
    """With one worker. Those who post while it is at the first part are done before it begins a second one."""
    authors, readers = small_authors()
    hire("only", FANOUT_FIRST, held_at=1)
    large = posted(crowd.author)
    until(is_held)
    small = [posted(author) for author in authors]
    assert broker_node().round_trip(("LLEN", "fanout")) == [SMALL_AUTHORS], "the held worker has taken none ahead"
    open_the_gate()
    until(lambda: ended(small))
    until(lambda: ended([large]))
    steps = told()
    done = [steps.index(Told("only", "ended", order.id)) for order in small]
    parts_begun = [place for place, each in enumerate(steps) if each.step == "begun"]
    assert len(parts_begun) > crowd.parts, "parts of several tasks"
    assert parts_begun[0] < min(done)
    assert max(done) < parts_begun[1]
    for order, reader in zip(small, readers, strict=True):
        [window] = timeline_node().ask(materialised.read(reader, count=10))
        assert window is not None
        assert window.ids == [order.id]
    assert crowd.holding(large.id) == dict.fromkeys(crowd.active, 1)


def test_a_worker_killed_half_way_loses_nothing_and_doubles_nothing(
    hire: Hire, crowd: Crowd, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it held is done by another, after the order was sent again: as often as the sweeper does, only sooner."""
    settings.SWEEP_AFTER_SECONDS = 0.0
    monkeypatch.setattr(resending, "RESEND_SECONDS", 1)
    victim = hire("victim", FANOUT_FIRST, held_at=crowd.parts // 4)
    hire("other", BULK_FIRST)
    orders: dict[int, Order] = {}
    while not wait_until(is_held, seconds=HELD_SECONDS):
        assert len(orders) < 10, "the other one does everything"
        posting = posted(crowd.author)
        orders[posting.id] = posting
    [held] = [each for each in told() if each.step == "held"]
    order = orders[held.order]
    until(lambda: len(outbox().finished_parts(order.id)) == crowd.parts - 1)
    assert held.part not in outbox().finished_parts(order.id)
    assert outbox().open_order(order.id) is not None
    assert 0 < sum(crowd.holding(order.id).values()) < len(crowd.active)
    victim.kill()
    time.sleep(0.01)
    assert sweeper.sweep() >= 1
    until(lambda: swept_to_the_end(order))
    assert crowd.holding(order.id) == dict.fromkeys(crowd.active, 1)
    assert {each.worker for each in told() if each.step == "ended" and each.part >= 0} == {"victim", "other"}
