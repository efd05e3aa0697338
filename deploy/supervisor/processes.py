"""Child processes that are ended for certain.

Each child leads a session of its own, so a terminal's Ctrl-C reaches only the process that
started it, and everything the child spawned can be ended with it. On Linux a child also dies
with its parent, even when that is killed with -9. Linux ties a child to the *thread* that
started it, so a child started from another thread than the main one is left untied.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.supervisor.privacy import PRIVATE_UMASK, private_file

TIED = Path(__file__).with_name("tied.py")
POLL_SECONDS = 0.05


def nothing() -> None:
    """Does nothing while waiting."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The functions that whoever starts a server wants to be called."""

    started: Callable[["Child"], None] = lambda child: None
    """With the process, as soon as there is one and long before it serves."""
    while_waiting: Callable[[], None] = nothing
    """Some twenty times a second until it serves. What it raises ends the start."""


NO_HOOKS = Hooks()


class Child:
    """A started process. `pid` stays valid until `ended` was seen: it is not reaped before."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.pid = popen.pid
        self._popen = popen

    @property
    def output(self) -> IO[bytes]:
        """Returns what it prints, when started without a log file."""
        if self._popen.stdout is None:
            raise ValueError(f"{self.name} writes to a log file")
        return self._popen.stdout

    def ended(self) -> bool:
        """Returns whether it is over. If so, whatever it left behind in its group is killed first:
        the group's number is certain to be its own only while the leader is not reaped."""
        if self._popen.returncode is not None:
            return True
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self._signal_group(signal.SIGKILL)
        self._popen.wait()
        return True

    @property
    def returncode(self) -> int | None:
        """Returns the exit status, negative for a signal; None while it runs."""
        return self._popen.returncode if self.ended() else None

    def terminate(self) -> None:
        if not self.ended():
            self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once; returns when it is gone."""
        if not self.ended():
            self._signal_group(signal.SIGKILL)
            self._popen.wait()

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # The group is gone; macOS says EPERM for a group of zombies.
            return


def start(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    keep_open: Sequence[int] = (),
) -> Child:
    """Starts `argv`; its output goes to `log` (begun anew), or to `Child.output`.
    `keep_open` are file descriptors that it inherits. What it and its log write is for nobody but their owner."""
    stdout: IO[bytes] | int = subprocess.PIPE if log is None else private_file(log)
    try:
        popen = subprocess.Popen(
            _tied(argv),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            umask=PRIVATE_UMASK,
            pass_fds=tuple(keep_open),
        )
    finally:
        if not isinstance(stdout, int):
            stdout.close()
    return Child(name, popen)


def _tied(argv: Sequence[str]) -> list[str]:
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return list(argv)
    return [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *argv]


def wait_until(condition: Callable[[], bool], *, seconds: float, while_waiting: Callable[[], None] = nothing) -> bool:
    """Returns whether `condition` became true in time. `while_waiting` is called between looks; what
    it raises ends the wait."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        while_waiting()
        time.sleep(POLL_SECONDS)
    return True


def stop(
    children: Sequence[Child], *, grace_seconds: float, while_waiting: Callable[[], None] = nothing
) -> list[Child]:
    """Asks all to end, kills those that have not within the grace, and returns those. When it
    returns, none is left."""
    for child in children:
        child.terminate()
    wait_until(lambda: all(child.ended() for child in children), seconds=grace_seconds, while_waiting=while_waiting)
    late = [child for child in children if not child.ended()]
    for child in late:
        child.kill()
    return late


def last_lines(log: Path, count: int = 5) -> str:
    """Returns the end of a log, each line shortened, for an error message."""
    if not log.exists():
        return ""
    return "\n".join(line[:300] for line in log.read_text(errors="replace").splitlines()[-count:])
