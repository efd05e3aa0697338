"""An order that kills every process that works on it, with a real worker and a real broker."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from accounts.graph import follows
from fanout.orders import attempts, resending, sweeper
from fanout.orders.dispatch import dispatcher
from fanout.timelines import materialised
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import dead_letters, outbox
from tests.e2e.poison_worker import ATTEMPT_SECONDS, BACKOFF_SECONDS, DIED, POISON
from tests.e2e.runs import PATIENT
from tests.ids import new_id
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post
from tests.people import new_person
from tests.work import open_orders, work_off_everything

ROOT = Path(__file__).parents[2]
END_SECONDS = 240.0
WORKER = [sys.executable, "-m", "celery", "--app", "tests.e2e.poison_worker", "--quiet", "worker", "--pool", "solo"]
MANNERS = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING", "--queues", "graph,fanout,notices,bulk"]


class Worker:
    """One worker process, started again when it has died, as its supervisor would."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process = self._started()
        self.deaths = 0

    def watch(self) -> None:
        status = self._process.poll()
        if status is not None:
            assert status == DIED, f"the worker ended with {status}"
            self.deaths += 1
            self._process = self._started()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([*WORKER, *MANNERS], env=self._environment, cwd=ROOT)


@pytest.fixture
def worker(store: str, empty_outbox: None, redis_servers: None, tmp_path: Path) -> Iterator[Worker]:
    """Works on the databases of this test, under the names that the product knows."""
    for alias in connections:
        name = Path(connections[alias].settings_dict["NAME"])
        (tmp_path / name.name.removesuffix(".test")).symlink_to(name)
    started = Worker(
        os.environ | PATIENT | {"STORE": store, "DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    )
    yield started
    started.end()


@pytest.mark.e2e
@on_one_store
def test_an_order_that_kills_its_worker_ends_as_a_dead_letter_and_holds_up_nothing(
    worker: Worker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BACKOFF_SECONDS", BACKOFF_SECONDS)
    monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", ATTEMPT_SECONDS)
    monkeypatch.setattr(resending, "RESEND_SECONDS", 1)
    settings.SWEEP_AFTER_SECONDS = 0.5
    with patch.object(dispatcher, "send"):
        author, reader = new_person(), new_person()
        follows.follow(reader.id, author.id)
        assert home(reader) == []
        work_off_everything()
        poison = Order(new_id(), POISON, ())
        outbox().add(poison)
        tweets = [post(author) for _ in range(10)]
    deadline = time.monotonic() + END_SECONDS
    while open_orders() and time.monotonic() < deadline:
        sweeper.sweep()
        worker.watch()
        time.sleep(0.2)
    assert open_orders() == []
    letter = dead_letters().read(poison.id)
    assert letter is not None
    assert (letter.order, letter.error, letter.attempts) == (poison, attempts.KILLED, attempts.MAX_ATTEMPTS)
    assert worker.deaths >= attempts.MAX_ATTEMPTS
    assert dead_letters().count(limit=10) == 1
    [window] = timeline_node().ask(materialised.read(reader.id, count=100))
    assert window is not None
    assert window.ids == tweets[::-1]
