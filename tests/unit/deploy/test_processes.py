"""Children are ended for certain, and a killed run's are found again."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deploy.supervisor.output import Output
from deploy.supervisor.processes import Child, last_lines, start, stop, wait_until
from deploy.supervisor.records import Records, birth

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]


def deaf(child: Child, log: Path) -> bool:
    return wait_until(lambda: "deaf" in log.read_text(), seconds=60)


def test_a_child_leads_a_session_of_its_own(tmp_path: Path) -> None:
    child = start("sleeper", SLEEP, log=tmp_path / "log")
    try:
        assert os.getsid(child.pid) == child.pid
        assert child.returncode is None
    finally:
        assert stop([child], grace_seconds=60) == []
    assert child.returncode == -signal.SIGTERM


def test_who_does_not_end_in_time_is_killed_and_named(tmp_path: Path) -> None:
    polite = start("polite", SLEEP, log=tmp_path / "polite")
    stubborn = start("stubborn", STUBBORN, log=tmp_path / "stubborn")
    assert deaf(stubborn, tmp_path / "stubborn")
    assert stop([polite, stubborn], grace_seconds=3) == [stubborn]
    assert stubborn.returncode == -signal.SIGKILL


def test_what_an_ended_child_left_in_its_group_is_killed(tmp_path: Path) -> None:
    leaver = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    child = start("leaver", [sys.executable, "-c", leaver], log=tmp_path / "log")
    assert wait_until(child.ended, seconds=60)
    orphan = int((tmp_path / "log").read_text())
    assert wait_until(lambda: birth(orphan) is None, seconds=60)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_a_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    parent = f"""
import time
from pathlib import Path
from deploy.supervisor.processes import start
child = start("sleeper", {SLEEP!r}, log=Path({str(tmp_path / "log")!r}))
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as popen:
        assert popen.stdout is not None
        child = int(popen.stdout.readline())
        assert birth(child) is not None
        popen.kill()
    assert wait_until(lambda: birth(child) is None, seconds=60)


def test_a_child_of_another_thread_outlives_the_thread(tmp_path: Path) -> None:
    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(start("sleeper", SLEEP, log=tmp_path / "log")))
    thread.start()
    thread.join()
    time.sleep(0.3)
    try:
        assert not children[0].ended()
    finally:
        children[0].kill()


def test_a_log_is_quoted_by_its_end_with_long_lines_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == ""
    log.write_text("one\ntwo\n" + "x" * 1000 + "\n")
    assert last_lines(log, 2) == "two\n" + "x" * 300


def test_leftovers_of_a_killed_run_are_ended_and_named(tmp_path: Path) -> None:
    records = Records(tmp_path / "run.json")
    child = start("web", STUBBORN, log=tmp_path / "log")
    records.add(child.name, child.pid)
    # Ending it needs a reaper, as the system's own would be for an orphan.
    reaper = threading.Thread(target=lambda: wait_until(child.ended, seconds=60))
    reaper.start()
    try:
        assert Records(tmp_path / "run.json").end_leftovers() == ["web"]
    finally:
        reaper.join()  # one thread at a time may look whether it has ended
        child.kill()
    assert Records(tmp_path / "run.json").end_leftovers() == []


def test_a_process_that_got_the_number_of_a_dead_one_is_left_alone(tmp_path: Path) -> None:
    child = start("stranger", SLEEP, log=tmp_path / "log")
    path = tmp_path / "run.json"
    path.write_text(f'[{{"name": "web", "pid": {child.pid}, "birth": "another boot+1"}}]')
    try:
        assert Records(path).end_leftovers() == []
        assert not child.ended()
    finally:
        child.kill()


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"name": "web"}]'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    assert Records(path).end_leftovers() == []


def test_output_is_merged_line_by_line_under_the_names_of_its_processes(tmp_path: Path) -> None:
    with (tmp_path / "merged").open("wb") as merged:
        output = Output(merged.fileno())
        speaker = start("speaker", [sys.executable, "-c", "print('one\\ntwo', end='')"])
        output.follow(speaker)
        while not speaker.ended():
            output.pump(0.1)
        output.say("done")
        output.close()
    # What was said before the end of a line comes when the line ends, or the process.
    lines = (tmp_path / "merged").read_text().splitlines()
    assert [line.partition("speaker")[2] for line in lines if "speaker" in line] == ["    | one", "    | two"]
    assert "done" in lines
