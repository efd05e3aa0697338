"""CPU time of processes, from /proc: what each of them spends on one delivery or request (Linux only).

A child of deploy/supervisor/processes.py leads a session, so what it forked is counted with it.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

SETTLE_SECONDS, LOOK_SECONDS = 20.0, 1.0
IDLE = 0.15
"""Of a core: what a server does that nobody asks for anything."""
UTIME, STIME, SESSION = 11, 12, 3
"""Places after the parenthesised name (proc(5), /proc/pid/stat)."""


def seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system time so far, of each process with its session, by name; and of this one as "bench"."""
    by_session: dict[int, int] = {}
    for fields in map(_fields, Path("/proc").glob("[0-9]*/stat")):
        if fields:
            session = int(fields[SESSION])
            by_session[session] = by_session.get(session, 0) + int(fields[UTIME]) + int(fields[STIME])
    ticks = os.sysconf("SC_CLK_TCK")
    own = os.times()
    return {name: by_session.get(pid, 0) / ticks for name, pid in pids.items()} | {"bench": own.user + own.system}


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in before}


def settle(name: str, pid: int) -> None:
    """Waits until the process has done what seeding left it to do (compaction), SETTLE_SECONDS at most."""
    deadline = time.monotonic() + SETTLE_SECONDS
    busy = IDLE
    while busy >= IDLE and time.monotonic() < deadline:
        before = seconds({name: pid})[name]
        time.sleep(LOOK_SECONDS)
        busy = (seconds({name: pid})[name] - before) / LOOK_SECONDS


def lower(pid: int, nice: int) -> None:
    """Has a process that was just started, and leads its session, give way to others by so much.

    Where Linux schedules sessions as groups (autogroup, sched(7)), it is the group's value that counts
    among them; the process's own counts within the group alone.
    """
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _fields(stat: Path) -> list[str]:
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (OSError, ProcessLookupError):
        return []
