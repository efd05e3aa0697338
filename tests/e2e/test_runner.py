"""The runner ends everything however it is ended, and says what ended it.

Stand-ins run for the product's processes (tests/e2e/stand_ins.py).
"""

import os
import signal
import subprocess
import sys
import time
from json import loads
from pathlib import Path

import pytest

from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import free_port
from tests.e2e.runs import (
    END_SECONDS,
    GONE_SECONDS,
    ROOT,
    START_SECONDS,
    Starter,
    command_line,
    eventually,
    own_environment,
    processes_of,
)

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(runner: Starter, number: signal.Signals) -> None:
    run = runner().until("Feed is ready")
    assert len(run.strays()) == 5  # the runner, two Valkeys, web and worker
    assert answers_200(run.url)
    assert run.send(number).ended() == 0
    assert run.leaves_nothing()
    assert "Traceback" not in run.output
    assert "Everything has ended." in run.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_make_alone_ends_everything_before_make_ends(make: Starter, number: signal.Signals) -> None:
    run = make().until("Feed is ready")
    assert run.send(number).ended() == -number
    assert run.strays() == []
    assert "Everything has ended." in run.output


def test_killing_make_ends_everything(make: Starter) -> None:
    run = make().until("Feed is ready")
    run.send(signal.SIGKILL).ended()
    assert run.leaves_nothing()


def test_an_impatient_ctrl_c_in_the_terminal_leaves_nothing(make: Starter) -> None:
    run = make(KIND="stubborn").until("Feed is ready").until("stubborn")
    for _ in range(3):
        os.killpg(run.popen.pid, signal.SIGINT)
        time.sleep(0.2)
    run.ended()
    assert run.leaves_nothing()
    assert "Traceback" not in run.output


@pytest.mark.parametrize(("kind", "moment"), [("slow", "preparing"), ("never", "never ready")])
def test_a_signal_during_the_start_ends_everything(runner: Starter, kind: str, moment: str) -> None:
    run = runner(KIND=kind).until(moment)
    assert run.send(signal.SIGINT).ended() == 0
    assert run.leaves_nothing()
    assert "Traceback" not in run.output


def test_a_process_that_will_not_end_is_killed_with_its_own_children(runner: Starter) -> None:
    run = runner(KIND="stubborn").until("Feed is ready").until("stubborn")
    assert run.send(signal.SIGTERM).ended() == 0
    assert "worker.1 did not end in 1 s and was killed." in run.output
    assert run.leaves_nothing()


def test_a_process_that_ends_by_itself_ends_the_run_and_is_named(runner: Starter) -> None:
    run = runner(KIND="dying")
    assert run.ended() == 1
    assert run.output.splitlines()[-1] == "worker.1 has ended by itself (exit status 3), and the run with it."
    assert run.leaves_nothing()


def test_a_failed_migration_ends_the_run_and_is_named(runner: Starter) -> None:
    run = runner(KIND="failing")
    assert run.ended() == 1
    assert run.output.splitlines()[-1] == "migrate failed (exit status 4); see its lines above."
    assert run.leaves_nothing()


def test_a_killed_runner_takes_everything_with_it_and_the_next_one_starts(runner: Starter) -> None:
    first = runner().until("Feed is ready")
    pids = [record["pid"] for record in loads((first.data_dir / "run.json").read_text())]
    first.send(signal.SIGKILL).ended()
    assert eventually(lambda: not any(command_line(pid) for pid in pids), GONE_SECONDS)
    second = runner(PORT=str(first.port)).until("Feed is ready")
    assert second.send(signal.SIGINT).ended() == 0
    assert second.leaves_nothing()


def test_nobody_reading_the_output_does_not_keep_a_run_alive(tmp_path: Path, script: Path) -> None:
    directory = tmp_path / "data"
    own = {"DATA_DIR": str(directory), "PORT": str(free_port()), "PYTHONPATH": str(ROOT), "KIND": "chatty"}
    with subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, env=own_environment() | own, stdout=subprocess.PIPE
    ) as popen:
        assert eventually(lambda: len(processes_of(directory)) == 5, START_SECONDS)
        time.sleep(0.5)
        popen.terminate()
        assert popen.wait(END_SECONDS) == 0
    assert processes_of(directory) == []
