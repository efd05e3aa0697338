"""The processes of a run, on disk, so that the next run can end what a killed one left.

A process is told by its number *and* its birth, so a number that the system has given to
someone else since is left alone.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from json import JSONDecodeError, dumps, loads
from pathlib import Path

from deploy.supervisor.privacy import write_private
from deploy.supervisor.processes import wait_until

GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    pid: int
    birth: str

    def alive(self) -> bool:
        return birth(self.pid) == self.birth

    def signal(self, number: signal.Signals) -> None:
        """Signals its whole group, which it leads."""
        if self.alive():
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                return


class Records:
    """The file of records, rewritten whole at every change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: list[Record] = []

    def add(self, name: str, pid: int) -> None:
        born = birth(pid)
        if born is not None:
            self._records.append(Record(name, pid, born))
            self._write()

    def note_addresses(self, variables: Mapping[str, str]) -> None:
        """Keeps what a command beside the run needs to reach it; passwords are in it, so only its owner may read it."""
        _write(_addresses(self._path), dict(variables))

    def clear(self) -> None:
        _addresses(self._path).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def end_leftovers(self) -> list[str]:
        """Ends what an earlier run left, killing it after a grace; returns the names of those found."""
        leftovers = [record for record in self._read() if record.alive()]
        for record in leftovers:
            record.signal(signal.SIGTERM)
        wait_until(lambda: not any(record.alive() for record in leftovers), seconds=GRACE_SECONDS)
        for record in leftovers:
            record.signal(signal.SIGKILL)
        wait_until(lambda: not any(record.alive() for record in leftovers), seconds=GRACE_SECONDS)
        return [record.name for record in leftovers]

    def _read(self) -> list[Record]:
        try:
            return [Record(**fields) for fields in loads(self._path.read_text())]
        except (FileNotFoundError, JSONDecodeError, TypeError):
            return []

    def _write(self) -> None:
        _write(self._path, [asdict(record) for record in self._records])


def read_addresses(path: Path) -> dict[str, str]:
    """Returns what the run whose records are at `path` noted; nothing when there is no run."""
    try:
        return {str(name): str(value) for name, value in loads(_addresses(path).read_text()).items()}
    except (FileNotFoundError, JSONDecodeError):
        return {}


def _addresses(path: Path) -> Path:
    return path.with_name("addresses.json")


def _write(path: Path, content: object) -> None:
    write_private(path, dumps(content, indent=1))


def birth(pid: int) -> str | None:
    """Returns when the process began, in words that no other process of that number shares; None when it is over."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _birth_from_ps(pid)
    try:
        # The name, in parentheses, may itself hold spaces and parentheses.
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, ticks_since_boot = fields[0], fields[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if state in "ZX" else f"{boot}+{ticks_since_boot}"


def _birth_from_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None
