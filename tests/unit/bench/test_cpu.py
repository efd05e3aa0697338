"""CPU time of processes as /proc has it."""

import os
import sys
import time
from pathlib import Path

import pytest

from bench import cpu
from deploy.supervisor.processes import start, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux")
SPIN = (
    "import os, time\nos.fork()\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ntime.sleep(60)"
)


def test_a_process_is_counted_with_what_it_forked(tmp_path: Path) -> None:
    child = start("spin", [sys.executable, "-c", SPIN], log=tmp_path / "log")
    try:
        before = cpu.seconds({"spin": child.pid, "nobody": -1})
        assert wait_until(lambda: cpu.seconds({"spin": child.pid})["spin"] >= 0.55, seconds=60)
        spent = cpu.between(before, cpu.seconds({"spin": child.pid, "nobody": -1}))
        assert spent["spin"] < 5
        assert spent["nobody"] == 0
    finally:
        child.kill()


def test_this_process_is_the_bench() -> None:
    before, end = cpu.seconds({}), time.process_time() + 0.1
    while time.process_time() < end:
        os.getpid()
    assert 0.08 < cpu.between(before, cpu.seconds({}))["bench"] < 5


def test_a_lowered_process_gives_way(tmp_path: Path) -> None:
    child = start("sleep", [sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log")
    try:
        cpu.lower(child.pid, 10)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == 10
        group = Path(f"/proc/{child.pid}/autogroup")
        assert not group.exists() or group.read_text().split()[-1] == "10"
    finally:
        child.kill()
