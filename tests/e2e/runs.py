"""Runs of the product or of stand-ins for it: started as somebody does, and watched from outside."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from deploy.supervisor.ports import free_port

ROOT = Path(__file__).parents[2]


START_SECONDS = 90.0


END_SECONDS = 120.0


GONE_SECONDS = 20.0


LOOK_SECONDS = 0.05


class Run:
    """One runner, or one make with a runner below it, and what they print."""

    def __init__(self, argv: list[str], directory: Path, **variables: str) -> None:
        self.data_dir = directory / "data"
        self.port = int(variables.pop("PORT", 0)) or free_port()
        self._log = directory / f"output-{self.port}-{time.monotonic_ns()}"
        own = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        with self._log.open("wb") as log:
            self.popen = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=own_environment() | {"KIND": ""} | own | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def until(self, text: str, seconds: float = START_SECONDS) -> Self:
        assert eventually(lambda: text in self.output or self.popen.poll() is not None, seconds), self.output
        assert text in self.output, self.output
        return self

    def send(self, number: signal.Signals) -> Self:
        self.popen.send_signal(number)
        return self

    def ended(self) -> int:
        """Its exit status. Fails, saying what still runs and all that it printed, when it does not end in time."""
        if not eventually(lambda: self.popen.poll() is not None, END_SECONDS):
            pids = [self.popen.pid, *processes_of(self.data_dir)]
            running = "\n".join(f"{pid} {state(pid)} {command_line(pid)}" for pid in pids)
            pytest.fail(f"Still running after {END_SECONDS:.0f} s:\n{running}\nIts output:\n{self.output}")
        return self.popen.returncode

    def strays(self) -> list[str]:
        """The command lines of the living processes that were given this run's directory."""
        return [line for line in map(command_line, processes_of(self.data_dir)) if line]

    def leaves_nothing(self) -> bool:
        return eventually(lambda: not self.strays(), GONE_SECONDS) and not (self.data_dir / "run.json").exists()


PATIENT = {"REDIS_TIMEOUT_SECONDS": "5", "CASSANDRA_TIMEOUT_SECONDS": "30"}
"""For a product that is asked on a machine that is busy: as tests/settings.py."""


def own_environment() -> dict[str, str]:
    """The environment, but for what the test run set for itself and what a surrounding make did."""
    ours = {"TIMELINE_REDIS_URL", "BROKER_REDIS_URL", "DATABASE_URL", "SECRET_KEY", "STORE", "DJANGO_SETTINGS_MODULE"}
    makes = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours | makes and not name.startswith("CASSANDRA_")
    }


def processes_of(data_dir: Path) -> list[int]:
    wanted = f"DATA_DIR={data_dir}\0".encode()
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if wanted in contents(entry / "environ")]


def command_line(pid: int) -> str:
    return contents(Path(f"/proc/{pid}/cmdline")).replace(b"\0", b" ").decode(errors="replace").strip()


def state(pid: int) -> str:
    """What a process is doing: its state, what it waits for in the kernel, and the signals it blocks and ignores."""
    fields = dict(line.split(":\t", 1) for line in contents(Path(f"/proc/{pid}/status")).decode().splitlines())
    waits = contents(Path(f"/proc/{pid}/wchan")).decode()
    return " ".join([fields.get("State", "gone"), waits, *(fields.get(name, "") for name in ("SigBlk", "SigIgn"))])


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true in time. A machine that stands still meanwhile uses up none of it: looks are counted."""
    for _ in range(round(seconds / LOOK_SECONDS)):
        if condition():
            return True
        time.sleep(LOOK_SECONDS)
    return condition()


Starter = Callable[..., Run]
