"""Runs of the product or of stand-ins for it: started as somebody does, and watched from outside."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deploy.supervisor.ports import free_port

ROOT = Path(__file__).parents[2]


START_SECONDS = 90.0


END_SECONDS = 60.0


GONE_SECONDS = 20.0


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
        return self.popen.wait(END_SECONDS)

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


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


Starter = Callable[..., Run]
