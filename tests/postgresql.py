"""A real PostgreSQL server for the tests of people's database, where its programs are installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from django.core.management import call_command
from django.db import connections

from config.sql_databases import sql_database
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import wait_until

START_SECONDS = 30.0


def programs() -> Path | None:
    """The directory of `postgres` and `initdb`; Debian keeps it off the path."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/postgres"), shutil.which("postgres")]
    real = [Path(each).resolve().parent for each in found if each]
    return next((each for each in real if (each / "initdb").exists()), None)


def missing(what: str) -> NoReturn:
    """Skips the test, for want of a program that is to be had; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run the tests with {what}: it is not installed")
    pytest.skip(f"no {what} is installed")


class PostgreSQL:
    """One server on loopback, under another user where the tests run as root: it refuses that."""

    def __init__(self, bin_dir: Path) -> None:
        self._bin = bin_dir
        self._user = None if os.geteuid() else next(u.pw_name for u in pwd.getpwall() if u.pw_name == "nobody")
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="feed-postgresql-"))
        if self._user is not None:
            shutil.chown(self.directory, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", "feed", "-A", "trust", "--no-sync", "-E", "UTF8")

    @property
    def url(self) -> str:
        return f"postgresql://feed@{LOOPBACK}:{self.port}/postgres"

    def start(self) -> None:
        options = ["-p", str(self.port), "-k", str(self.directory), "-h", LOOPBACK, "-c", "fsync=off"]
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self._data, *options],
            user=self._user,
            cwd=self.directory,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert wait_until(self._ready, seconds=START_SECONDS), "PostgreSQL did not start"

    def stop(self) -> None:
        """At once; what is open is cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)
            self._process = None

    @contextmanager
    def down(self, how: str) -> Iterator[None]:
        """`how` is "hung" or "dead"."""
        with self.hung() if how == "hung" else self.dead():
            yield

    @contextmanager
    def dead(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Inside, none of its processes runs; their sockets stay as they are."""
        pids = self._pids()
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _pids(self) -> list[int]:
        """The server and its children, the server first, so that no child comes to be meanwhile."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [self._process.pid, *map(int, children.split())]

    def _ready(self) -> bool:
        asked = subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(self.port)], check=False, capture_output=True
        )
        return asked.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / program, *arguments], user=self._user, cwd=self.directory, check=True, capture_output=True
        )


@contextmanager
def running(bin_dir: Path) -> Generator[PostgreSQL]:
    server = PostgreSQL(bin_dir)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.directory, ignore_errors=True)


@contextmanager
def people_in(server: PostgreSQL, url: str | None = None) -> Generator[None]:
    """Inside, people are kept there, with the product's own settings, but for a shorter wait to connect; migrated.

    `url` is another address of it, such as PgBouncer's.
    """
    database = sql_database(url or server.url)
    database["OPTIONS"]["connect_timeout"] = 1
    before = connections.settings["default"]
    connections["default"].close()
    connections.settings["default"] = connections.configure_settings({"default": database})["default"]
    del connections["default"]
    try:
        call_command("migrate", database="default", verbosity=0)
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        del connections["default"]
