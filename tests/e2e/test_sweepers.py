"""Real sweepers side by side, `manage.py sweep`: they share the work, and one stands in for another.

The test is the only worker: it takes messages off the queue, which say which process sent them, and closes the orders.
"""

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connections

from deploy.supervisor.processes import Child, start, wait_until
from fanout.orders import sweepers
from fanout.orders.kinds import DELIVER
from fanout.orders.queues import FANOUT
from storage.ids.snowflakes import make_id, now_us, spread
from storage.ports.outbox import SHARDS, Order
from storage.redis.node import broker_node
from storage.stores import outbox
from tests.e2e.runs import PATIENT, ROOT, own_environment
from tests.ids import new_id

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("empty_outbox", "redis_servers")]

ORDERS = 400
WAIT_SECONDS = 120.0
AGAIN = 0.05
"""Of the orders may be sent twice: a machine that stands still for RESEND_SECONDS looks like a worker that died."""

Hire = Callable[[str], Child]


@pytest.fixture
def hire(store: str, tmp_path: Path) -> Iterator[Hire]:
    """Starts sweepers on the test's own store; kills those that are left."""
    names = ["TIMELINE_REDIS_URL", "BROKER_REDIS_URL", "CASSANDRA_KEYSPACE"]
    variables = {name: getattr(django_settings, name) for name in names}
    variables |= PATIENT | {
        "CASSANDRA_HOSTS": ",".join(django_settings.CASSANDRA_HOSTS),
        "CASSANDRA_PORT": str(django_settings.CASSANDRA_PORT),
        "STORE": store,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite://{connections['default'].settings_dict['NAME']}",
    }
    if store == "embedded":
        (tmp_path / "store.sqlite3").symlink_to(str(connections["store"].settings_dict["NAME"]))
    children: list[Child] = []

    def begin(name: str) -> Child:
        argv = [sys.executable, "manage.py", "sweep"]
        env = own_environment() | variables
        children.append(start(name, argv, env=env, cwd=ROOT, log=tmp_path / f"{name}.log"))
        return children[-1]

    yield begin
    for child in children:
        child.kill()


def planted(count: int) -> set[int]:
    """Open orders that are old enough to be sent again."""
    born = now_us() - 30_000_000
    orders = [Order(make_id(born + 1_000 * n, new_id() % 4096), DELIVER, (new_id(), new_id())) for n in range(count)]
    for order in orders:
        outbox().add(order)
    return {order.id for order in orders}


def are_there(count: int) -> bool:
    [here] = broker_node().round_trip(("ZCARD", sweepers.KEY))
    return bool(here == count)


def seconds() -> int:
    """The broker's clock, by which sweepers change places."""
    [(whole, _)] = broker_node().round_trip(("TIME",))
    return int(whole)


def turn() -> int:
    return seconds() // sweepers.TURN_SECONDS


def a_turn_has_just_begun() -> bool:
    """Long enough ago for each to have had a round in it."""
    return 3 < seconds() % sweepers.TURN_SECONDS < sweepers.TURN_SECONDS / 3


def gathered(count: int) -> None:
    """Waits until so many are there, and each has been told of the others at a round since."""
    assert wait_until(lambda: are_there(count), seconds=WAIT_SECONDS)
    before = last_rounds()
    assert wait_until(lambda: all(last_rounds()[name] > at for name, at in before.items()), seconds=WAIT_SECONDS)


def last_rounds() -> dict[bytes, float]:
    """When each sweeper was last here."""
    [answer] = broker_node().round_trip(("ZRANGE", sweepers.KEY, 0, -1))
    scores = broker_node().round_trip(*(("ZSCORE", sweepers.KEY, name) for name in answer))
    return dict(zip(answer, map(float, scores), strict=True))


def worked_off(wanted: set[int]) -> dict[int, list[int]]:
    """Takes what is sent until every order was; by which processes each was sent."""
    senders: dict[int, list[int]] = {}
    deadline = time.monotonic() + WAIT_SECONDS
    while not wanted <= senders.keys():
        assert time.monotonic() < deadline, f"{len(wanted - senders.keys())} orders were not sent"
        [message] = broker_node().round_trip(("RPOP", FANOUT))
        if message is None:
            time.sleep(0.01)
            continue
        order, process = read(message)
        senders.setdefault(order, []).append(process)
        outbox().mark_done(order)
    return senders


def read(message: bytes) -> tuple[int, int]:
    """The order that a message is about, and the process that sent it, as Celery says."""
    envelope = json.loads(message)
    (order, _kind), *_ = json.loads(base64.b64decode(envelope["body"]))
    return order, int(envelope["headers"]["origin"].removeprefix("gen").partition("@")[0])


def test_two_share_the_work_and_when_one_is_killed_the_other_does_all(hire: Hire) -> None:
    one, other = hire("one"), hire("other")
    gathered(2)
    assert wait_until(a_turn_has_just_begun, seconds=WAIT_SECONDS)
    first_turn = turn()
    first = planted(ORDERS)
    sent = worked_off(first)
    counts = {child.pid: sum(child.pid in by for by in sent.values()) for child in (one, other)}
    assert all(count > ORDERS / 4 for count in counts.values()), counts
    assert sum(map(len, sent.values())) <= ORDERS * (1 + AGAIN)
    shards = {pid: {spread(order, SHARDS) for order, by in sent.items() if by == [pid]} for pid in counts}
    assert not shards[one.pid] & shards[other.pid] or turn() != first_turn, "each keeps to its own for a turn"

    other.kill()
    killed_at = time.monotonic()
    second = planted(ORDERS)
    sent = worked_off(second)
    print(f"all were sent {time.monotonic() - killed_at:.1f} s after one of two sweepers was killed")
    assert {pid for order in second for pid in sent[order]} == {one.pid}
    assert are_there(1)


def test_one_that_is_told_to_end_leaves_at_once(hire: Hire) -> None:
    one, other = hire("one"), hire("other")
    gathered(2)
    other.terminate()
    assert wait_until(other.ended, seconds=WAIT_SECONDS)
    assert (other.returncode, are_there(1)) == (0, True)
    orders = planted(20)
    assert {pid for by in worked_off(orders).values() for pid in by} == {one.pid}
