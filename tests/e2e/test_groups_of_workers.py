"""Two groups of real workers, each at a broker of its own: together they work everything off, and apart they go on."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from django.db import connections

from accounts.graph import follows
from deploy.supervisor.processes import Child, start, wait_until
from deploy.valkey import Valkey
from fanout.orders import dispatch, resending
from fanout.orders.brokers import broker_of, brokers
from fanout.orders.queues import FANOUT
from storage.errors import Unavailable
from storage.ports.outbox import Order
from tests.e2e.runs import PATIENT, ROOT, own_environment
from tests.groups import groups_of_workers
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post
from tests.people import new_person
from tests.work import open_orders, work_off_everything

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("empty_outbox", "redis_servers"), on_one_store]

WAIT_SECONDS = 120.0
POSTS = 12

Hire = Callable[[Valkey], Child]


@pytest.fixture(autouse=True)
def nothing_is_sent_by_itself(store: str) -> Iterator[None]:
    with patch.object(dispatch.dispatcher, "send"):
        yield


@pytest.fixture
def groups() -> Iterator[list[Valkey]]:
    with groups_of_workers(2) as servers:
        yield servers


@pytest.fixture
def hire(tmp_path: Path) -> Iterator[Hire]:
    """Starts a worker of a group, as docs/operations.md says; kills those that are left."""
    (tmp_path / "store.sqlite3").symlink_to(str(connections["store"].settings_dict["NAME"]))
    children: list[Child] = []

    def begin(broker: Valkey) -> Child:
        env = own_environment() | PATIENT
        env |= {name: getattr(django_settings, name) for name in ("TIMELINE_REDIS_URL", "BROKER_REDIS_URL")}
        env |= {
            "FANOUT_BROKER_URLS": ",".join(django_settings.FANOUT_BROKER_URLS),
            "STORE": "embedded",
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL": f"sqlite://{connections['default'].settings_dict['NAME']}",
        }
        argv = [sys.executable, "-m", "celery", "--app", "config", "--quiet", "--broker", broker.url, "worker"]
        options = ["--pool", "solo", "--without-gossip", "--without-mingle", "--queues", "graph,fanout,notices,bulk"]
        log = tmp_path / f"worker-{broker.port}.log"
        name = f"worker-{broker.port}"
        children.append(start(name, [*argv, *options, "--hostname", f"{name}@%h"], env=env, cwd=ROOT, log=log))
        return children[-1]

    yield begin
    for child in children:
        child.kill()


def sent(orders: list[Order]) -> None:
    for order in orders:
        try:
            dispatch.enqueue(order)
        except Unavailable:
            assert broker_of(order.id) is brokers()[0]


def test_each_group_works_off_its_own(groups: list[Valkey], hire: Hire) -> None:
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    work_off_everything()
    home(reader)
    tweets = [post(author) for _ in range(POSTS)]
    sent(open_orders())
    assert all(resending.queue_lengths(each, [FANOUT])[FANOUT] for each in brokers())
    for each in groups:
        hire(each)
    assert wait_until(lambda: open_orders() == [], seconds=WAIT_SECONDS)
    assert home(reader) == tweets[::-1]

    groups[0].kill()
    later = [post(author) for _ in range(POSTS)]
    waits = {order.id for order in open_orders() if broker_of(order.id) is brokers()[0]}
    assert 0 < len(waits) < POSTS
    sent(open_orders())
    assert wait_until(lambda: {order.id for order in open_orders()} == waits, seconds=WAIT_SECONDS)
    groups[0].start()
    brokers()[0].breaker.reset()
    sent(open_orders())
    assert wait_until(lambda: open_orders() == [], seconds=WAIT_SECONDS)
    assert home(reader) == later[::-1] + tweets[::-1]
