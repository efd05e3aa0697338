"""A broker that takes connections and never answers: who enqueues does not notice."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.supervisor.ports import LOOPBACK
from fanout.orders.dispatch import DRAIN_SECONDS

ROOT = Path(__file__).parents[3]
START_SECONDS = 60.0
EXIT_SECONDS = 20.0
"""What a Python with Django and Celery in it takes to end on a busy machine. Handing every order on would take
REDIS_TIMEOUT_SECONDS for each."""

POSTING = """
import json, sys, time
import django
django.setup()
from fanout.orders import dispatch
from tweets.writing.after_write import deliver_order

dispatch.QUEUE_SIZE = int(sys.argv[1])
took = []
for number in range(1, 3_001):
    started = time.perf_counter()
    dispatch.dispatcher.send(deliver_order(number, 1))
    took.append(time.perf_counter() - started)
took.sort()
print(json.dumps({"half": took[1_500], "most": took[-30], "waiting": dispatch.dispatcher.waiting}), flush=True)
"""


@pytest.fixture
def hung_broker() -> Iterator[str]:
    """Accepts, as its kernel does for it, and reads nothing."""
    with socket.create_server((LOOPBACK, 0), backlog=128) as listener:
        yield f"redis://{LOOPBACK}:{listener.getsockname()[1]}/0"


@pytest.mark.parametrize("queue_size", [10_000, 100], ids=["with room in the queue", "with a full queue"])
def test_sending_takes_no_time_and_the_process_ends_in_time(hung_broker: str, queue_size: int, tmp_path: Path) -> None:
    """3,000 sends while the broker hangs. Of their times the 30 longest are the machine's affair."""
    environment = os.environ | {
        "BROKER_REDIS_URL": hung_broker,
        "DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "STORE": "embedded",
    }
    with subprocess.Popen(
        [sys.executable, "-c", POSTING, str(queue_size)], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = json.loads(next(line for line in process.stdout if line.startswith("{")))
        sent_at = time.monotonic()
        process.stdout.read()
        assert process.wait(START_SECONDS) == 0
        ended_after = time.monotonic() - sent_at
    assert told["half"] < 0.001
    assert told["most"] < 0.05
    assert 100 <= told["waiting"] <= min(queue_size, 3_000) + 1
    assert ended_after < DRAIN_SECONDS + EXIT_SECONDS
