"""The log of a run: one JSON object a line, `at` seconds after the start; and what was found wrong."""

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be; `time` as time.time() tells it."""

    time: float
    text: str


class Journal:
    """The first line holds the settings, which are all that the plan of a run is made from. Thread-safe."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self._lock = threading.Lock()
        self._file = path.open("w", buffering=1)
        self._zero = time.time()
        self.note("run", settings=settings.logged())

    def start_clock(self) -> None:
        """`at` counts from now on."""
        self._zero = time.time()
        self.note("clock")

    @property
    def zero(self) -> float:
        return self._zero

    def note(self, event: str, **fields: Any) -> None:
        line = json.dumps({"at": round(time.time() - self._zero, 3), "event": event, **fields}, ensure_ascii=False)
        with self._lock:
            self._file.write(line + "\n")

    def find(self, text: str, **fields: Any) -> None:
        """Something is wrong: the run has failed."""
        self.note("finding", text=text, **fields)
        with self._lock:
            self.findings.append(Finding(time.time(), text))

    def close(self) -> None:
        self._file.close()
