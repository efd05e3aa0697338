"""`make run` starts the product itself, says so, and ends all of it."""

import signal

import pytest

from deploy.supervisor.health import answers_200
from tests.e2e.runs import (
    START_SECONDS,
    Starter,
    eventually,
)

pytestmark = pytest.mark.e2e


REAL_START_SECONDS = 180.0


def test_the_product_starts_serves_and_starts_again_with_the_same_secret(started: Starter) -> None:
    first = started(["make", "run"]).until("Feed is ready", REAL_START_SECONDS)
    assert answers_200(first.url + "/readyz")
    assert len(first.strays()) == 8  # make, runner, two Valkeys, web, two workers, beat
    secret = (first.data_dir / "secret_key").read_text()
    assert first.send(signal.SIGINT).ended() == -signal.SIGINT
    assert first.strays() == []
    assert "Traceback" not in first.output

    second = started(["make", "run"]).until("Feed is ready", REAL_START_SECONDS)
    assert answers_200(second.url + "/readyz")
    assert (second.data_dir / "secret_key").read_text() == secret
    assert second.send(signal.SIGTERM).ended() == -signal.SIGTERM
    assert second.strays() == []
    assert "Traceback" not in second.output


@pytest.mark.cassandra
def test_the_product_with_a_cassandra_of_its_own_can_be_stopped_at_any_time(started: Starter) -> None:
    booting = started(["make", "run"], STORE="cassandra").until("Starting Cassandra")
    assert eventually(lambda: any("CassandraDaemon" in line for line in booting.strays()), START_SECONDS)
    assert booting.send(signal.SIGINT).ended() == -signal.SIGINT
    assert booting.strays() == []

    run = started(["make", "run"], STORE="cassandra").until("Feed is ready", REAL_START_SECONDS)
    assert answers_200(run.url + "/readyz")
    assert any("CassandraDaemon" in line for line in run.strays())
    assert run.send(signal.SIGINT).ended() == -signal.SIGINT
    assert run.strays() == []
    assert "Traceback" not in run.output
