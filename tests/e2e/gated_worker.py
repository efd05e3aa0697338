"""A worker of the product that tells what it does, and waits once where a test wants it to.

    python -m tests.e2e.gated_worker NAME QUEUES PAGE PAGES_A_TASK HELD_AT

Besides the product's own environment it reads STORE_FILE, the test's SQLite store. What it does
goes to the list TOLD in the broker's Redis. At the HELD_AT-th part that it begins it waits until
the key OPEN is there.
"""

import os
import sys
import time

import django
import msgspec
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if store_file := os.environ.get("STORE_FILE"):
    settings.DATABASES["store"]["NAME"] = store_file
django.setup()

from config.celery import app  # noqa: E402
from fanout.delivery import fan_out  # noqa: E402
from fanout.orders import handlers  # noqa: E402
from storage.ports.outbox import Order  # noqa: E402
from storage.redis.node import broker_node  # noqa: E402

PART_SECONDS = 2
"""A part that a killed worker had is handed out again so soon."""
TOLD, OPEN = "test:told", "test:open"
WAIT_SECONDS = 120.0

work_off, work_off_part = handlers.work_off, fan_out.work_off_part


class Told(msgspec.Struct, frozen=True):
    """One step of one worker: an order (part -1) or a part begun, held or ended."""

    worker: str
    step: str
    order: int
    part: int = -1
    after: int = 0


class Teller:
    """Stands around fan-out's own two functions."""

    def __init__(self, name: str, held_at: int) -> None:
        self._name = name
        self._parts_until_held = held_at

    def work_off(self, order: Order, *, resent: bool = False) -> None:
        work_off(order, resent=resent)
        self._tell("ended", order)

    def work_off_part(self, order: Order, part: int, parts: int, *, after: int = 0, resent: bool = False) -> bool:
        self._tell("begun", order, part, after)
        self._parts_until_held -= 1
        if self._parts_until_held == 0:
            self._tell("held", order, part, after)
            self._wait()
        has_ended = work_off_part(order, part, parts, after=after, resent=resent)
        self._tell("ended", order, part, after)
        return has_ended

    def _tell(self, step: str, order: Order, part: int = -1, after: int = 0) -> None:
        broker_node().round_trip(("RPUSH", TOLD, msgspec.json.encode(Told(self._name, step, order.id, part, after))))

    def _wait(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not broker_node().round_trip(("EXISTS", OPEN))[0] and time.monotonic() < deadline:
            time.sleep(0.01)


def main(name: str, queues: str, page: int, pages_a_task: int, held_at: int) -> None:
    teller = Teller(name, held_at)
    fan_out.PAGE, fan_out.PAGES_A_TASK, fan_out.PART_SECONDS = page, pages_a_task, PART_SECONDS
    handlers.work_off, fan_out.work_off_part = teller.work_off, teller.work_off_part
    options = ["--pool", "solo", "--without-gossip", "--without-mingle", "--hostname", f"{name}@%h"]
    app.worker_main(["worker", *options, "--queues", queues, "--loglevel", "WARNING"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
