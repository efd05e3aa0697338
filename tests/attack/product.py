"""The product under attack, started as somebody does, and what its processes take meanwhile."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from bench.processes import cpu_seconds
from deploy.errors import CannotStart
from deploy.supervisor.ports import LOOPBACK, free_port
from tests.attack.settings import Settings
from tests.attack.target import Target
from tests.e2e.runs import Run, contents, eventually, processes_of

MODULES = {"run": "deploy.run", "production": "tests.attack.production"}
START_SECONDS = 180.0
LOOK_SECONDS = 0.05
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
CHANGED = {"RATE_LIMITS": "on", "SECONDS": "", "NAMES": "", "TRUSTED_PROXIES": "0"}
"""Limits are what is attacked; the surrounding shell's choices are not."""


class Product:
    """A context: the product runs within it. Raises `CannotStart`; nothing that was started is left."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        live_port = free_port()
        argv = [sys.executable, "-m", MODULES[settings.servers], "--end-with-parent"]
        self._run = Run(argv, directory, STORE=settings.store, LIVE_PORT=str(live_port), **CHANGED)
        fronted = settings.servers == "production"
        self.target = Target(LOOPBACK, self._run.port, live_port if fronted else self._run.port, fronted)

    def __enter__(self) -> "Product":
        if not eventually(lambda: "Feed is ready" in self._run.output or self.ended, START_SECONDS) or self.ended:
            self.__exit__()
            raise CannotStart(f"The product does not start:\n{self._run.output}")
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended:
            self._run.send(signal.SIGINT)
            self._run.ended()

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself, as it does when one of its processes dies."""
        return self._run.popen.poll() is not None

    @property
    def output(self) -> str:
        return self._run.output

    def pids(self) -> list[int]:
        return processes_of(self._run.data_dir)


class Gauge:
    """A context that watches the product's processes: all that there are when it begins."""

    def __init__(self, product: Product) -> None:
        self._pids = product.pids()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.before_mb = self.peak_mb = resident_mb(self._pids)
        self.cores = 0.0
        """Of processors, what they have used within the context."""
        self.began_at = self.ended_at = time.monotonic()

    def __enter__(self) -> "Gauge":
        self._used = sum(map(cpu_seconds, self._pids))
        self.began_at = time.monotonic()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended_at = time.monotonic()
        self._over.set()
        self._watcher.join()
        self.peak_mb = max(self.peak_mb, resident_mb(self._pids))
        self.cores = (sum(map(cpu_seconds, self._pids)) - self._used) / (self.ended_at - self.began_at)

    @property
    def growth_mb(self) -> float:
        return self.peak_mb - self.before_mb

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.peak_mb = max(self.peak_mb, resident_mb(self._pids))


def resident_mb(pids: list[int]) -> float:
    """Resident memory of all of them; pages that they share count for each."""
    fields = [contents(Path(f"/proc/{pid}/statm")).split() for pid in pids]
    return sum(int(each[1]) for each in fields if each) * PAGE_MB
