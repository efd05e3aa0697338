"""The workers' healthcheck: a worker that is silent fails it, and none does while the broker is away."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from redis.exceptions import ConnectionError as NoConnection

from deploy.valkey import Valkey
from fanout.management.commands import check_worker
from storage.redis.node import broker_node
from tests.backends import node_elsewhere
from tests.outages import server_down

pytestmark = pytest.mark.usefixtures("redis_servers")

WORKER = "worker@here"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_worker, "ANSWER_SECONDS", 0.2)


@pytest.fixture
def answers() -> Iterator[list[str]]:
    """Whom it was that was asked; all of them answer."""
    asked: list[str] = []

    class Inspect:
        def __init__(self, names: list[str], timeout: float) -> None:
            asked.extend(names)

        def ping(self) -> dict[str, object]:
            return {name: {"ok": "pong"} for name in asked}

    with patch.object(current_app.control, "inspect", Inspect):
        yield asked


def test_one_that_answers_is_well(answers: list[str]) -> None:
    call_command("check_worker", WORKER)
    assert answers == [WORKER]


def test_one_that_does_not_answer_is_not() -> None:
    with pytest.raises(CommandError, match=f"{WORKER} does not answer"):
        call_command("check_worker", WORKER)


@pytest.mark.usefixtures("answers")
def test_with_a_groups_broker_that_is_away_its_workers_are_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_worker", WORKER, broker="redis://127.0.0.1:1/0")
    assert "Not judged" in capsys.readouterr().out


def test_a_broker_that_goes_away_while_it_is_asked_is_no_fault_of_the_command() -> None:
    with (
        patch.object(current_app.control, "inspect", side_effect=NoConnection("reset")),
        pytest.raises(CommandError, match=f"{WORKER} does not answer"),
    ):
        call_command("check_worker", WORKER)


def test_with_a_broker_that_hangs_nobody_is_at_fault(broker_redis: Valkey, capsys: pytest.CaptureFixture[str]) -> None:
    with server_down(broker_redis, "hung"):
        call_command("check_worker", WORKER)
    with node_elsewhere(broker_node(), "redis://127.0.0.1:1/0"):
        call_command("check_worker", WORKER)
    assert capsys.readouterr().out.count("Not judged") == 2
