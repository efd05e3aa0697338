"""What processes take, as the kernel counts it."""

import os
import subprocess
import sys
import time

import pytest

from bench.processes import children, cpu_seconds, resident
from deploy.errors import CannotStart

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
MB = 1_024 * 1_024


def test_a_child_that_takes_memory_is_found_and_is_as_large() -> None:
    hold = f"held = bytearray(b'x') * {50 * MB}; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        size = resident(child.pid)
        assert child.pid in children(os.getpid())
        assert 50 * MB < size.pss <= size.rss < 120 * MB
        child.communicate(b"\n")
    assert child.pid not in children(os.getpid())


def test_a_process_that_is_gone_is_said() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.raises(CannotStart, match="takes Linux"):
        resident(child.pid)
    assert cpu_seconds(child.pid) == 0


def test_processor_time_grows_with_work() -> None:
    before = cpu_seconds(os.getpid())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert cpu_seconds(os.getpid()) - before == pytest.approx(0.1, abs=0.05)
