"""Who may write to the SQLite file now: one thread of one process at a time.

SQLite's own way to wait for the write lock is to look again after 1, 2, 5, … 100 ms. So of many who wait it
serves whoever looks at the right moment, and the lock is idle between: with 16 threads that write all
the time, some waited out 15 s though each write took 40 ms. Here threads of a process wait for one
another by a lock of Python's, and processes by one on a file beside the database (flock(2)), which
the kernel takes back from who dies. The file's lock is asked for each POLL_SECONDS: a wait in the
kernel would have no end when its holder stands still.
"""

import fcntl
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from django.db import OperationalError

from storage.process import start_anew_after_fork

LOCK_SECONDS = 15.0
"""As long as SQLite itself waits for the lock (busy_timeout in config/sql_databases.py)."""
POLL_SECONDS = 0.0005


class WriteLock:
    """The lock that a write holds. Re-entrant, as a write may be part of another."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._path = ""
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Takes a lock and a file of a forked child's own: another thread of the parent may have held the lock, and
        the two would share the file's."""
        self._lock = threading.RLock()
        self._depth = 0
        self._close_file()

    @contextmanager
    def held(self, database: str) -> Generator[None]:
        """Holds the lock around a write.

        Raises `OperationalError`, as SQLite would, when it is not free within LOCK_SECONDS.
        """
        ends = time.monotonic() + LOCK_SECONDS
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise OperationalError("the write lock was not free")
        try:
            if self._depth == 0:
                self._lock_file(f"{database}.turns", ends)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._file is not None:
                    fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._lock.release()

    def _lock_file(self, path: str, ends: float) -> None:
        try:
            if path != self._path:
                self._close_file()
                self._file, self._path = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), path
            while not self._locked():
                if time.monotonic() > ends:
                    raise OperationalError("the write lock was not free")
                time.sleep(POLL_SECONDS)
        except OSError as error:
            raise OperationalError(f"{path}: {error.strerror}") from error

    def _locked(self) -> bool:
        assert self._file is not None  # noqa: S101 - for the type checker
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file, self._path = None, ""


write_lock = WriteLock()
