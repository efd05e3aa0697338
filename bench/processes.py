"""What a process takes: resident memory and processor time, as Linux counts them in /proc."""

import os
from pathlib import Path

import msgspec

from deploy.errors import CannotStart

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


class Resident(msgspec.Struct, frozen=True):
    """In bytes. Pages that several processes share count wholly in `rss` and by their share in `pss`."""

    rss: int
    pss: int


def resident(pid: int) -> Resident:
    """Raises `CannotStart` where the kernel does not tell."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError as error:
        raise CannotStart(f"The size of process {pid} cannot be read, which takes Linux: {error}") from error
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return Resident(kilobytes["Rss"] * 1024, kilobytes["Pss"] * 1024)


def children(pid: int) -> list[int]:
    """The processes that were started by this one, oldest first."""
    found = [int(each.name) for each in PROC.iterdir() if each.name.isdecimal()]
    return sorted(each for each in found if _fields(each)[1:2] == [str(pid)])


def cpu_seconds(pid: int) -> float:
    """Processor time of the process so far, its own and the kernel's for it; not that of its children."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def _fields(pid: int) -> list[str]:
    """Of /proc/<pid>/stat, from the state on; none when the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
