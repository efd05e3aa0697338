"""A broker that dies and comes back: what was posted meanwhile is delivered (`make broker-away` says how soon)."""

import subprocess
import sys

import msgspec
import pytest
from kombu.exceptions import OperationalError

from config.celery import RECONNECT_SECONDS, app
from tests.e2e.broker_away import Outcome
from tests.e2e.runs import ROOT, own_environment

POSTS = 100
AWAY_SECONDS = 5.0


@pytest.mark.e2e
def test_what_was_posted_while_the_broker_was_dead_is_delivered_after_its_return() -> None:
    """How soon depends on the machine: it fails by its exit status where that is busy, and that is not looked at."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.broker_away"],
        cwd=ROOT,
        env=own_environment() | {"POSTS": str(POSTS), "AWAY": str(AWAY_SECONDS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    print(done.stdout)
    found = msgspec.json.decode(done.stdout.splitlines()[-1], type=Outcome)
    assert (found.posts, found.missing) == (POSTS, 0)
    assert found.waited >= POSTS, "nothing could be delivered before"
    assert found.away_seconds >= AWAY_SECONDS


def test_a_worker_tries_to_have_the_broker_back_every_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it was away: Celery's own pauses grow to 30 s."""
    pauses: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: None)
    with app.connection_for_read("redis://127.0.0.1:1/0") as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda _error, pause: pauses.append(pause), max_retries=30)
    assert len(pauses) == 30
    assert 0 < pauses[0] <= max(pauses) <= RECONNECT_SECONDS
