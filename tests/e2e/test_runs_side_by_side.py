"""Two runs: of one port or one directory the second starts nothing; of two of each neither touches the other.

Stand-ins run for the product's processes (tests/e2e/stand_ins.py).
"""

import signal
from pathlib import Path

import pytest

from deploy.supervisor.health import answers_200
from tests.e2e.runs import (
    Starter,
)

pytestmark = pytest.mark.e2e


def test_a_taken_port_is_one_sentence_and_starts_nothing(runner: Starter, tmp_path: Path) -> None:
    first = runner().until("Feed is ready")
    second = runner(directory=tmp_path / "other", PORT=str(first.port))
    assert second.ended() == 1
    assert second.output == (f"Port {first.port} is taken by another process: end it, or choose another with PORT=.\n")
    assert answers_200(first.url)
    first.send(signal.SIGINT).ended()


def test_a_directory_in_use_is_one_sentence_and_starts_nothing(runner: Starter) -> None:
    first = runner().until("Feed is ready")
    second = runner()
    assert second.ended() == 1
    assert second.output == (
        f"Another run uses {first.data_dir}: end it, or choose another directory with DATA_DIR=.\n"
    )
    assert answers_200(first.url)
    first.send(signal.SIGINT).ended()


def test_two_runs_side_by_side_do_not_touch(runner: Starter, tmp_path: Path) -> None:
    one, two = runner(), runner(directory=tmp_path / "other")
    one.until("Feed is ready")
    two.until("Feed is ready")
    assert one.send(signal.SIGINT).ended() == 0
    assert one.leaves_nothing()
    assert answers_200(two.url)
    assert len(two.strays()) == 5
    assert two.send(signal.SIGINT).ended() == 0
