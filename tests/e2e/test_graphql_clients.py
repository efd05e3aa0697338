"""Clients that people use subscribe at `/graphql` of the running product: npm's graphql-ws, and gql of Python.

Needs npm, and what tests/graphql_clients pins. Without npm it is skipped, and in CI that is an error.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Person, Server
from tests.e2e.live_sockets import cursor_of, follower_of, on_one_store

pytestmark = pytest.mark.e2e

CLIENTS = Path(__file__).parents[1] / "graphql_clients"
INSTALL_SECONDS = 240


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which npm's is installed, beside what both are told."""
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must try graphql-ws: npm is missing")
        pytest.skip("SKIPPED: subscriptions are not tried with graphql-ws, because npm is missing")
    directory = tmp_path_factory.mktemp("graphql_clients")
    shutil.copytree(CLIENTS, directory, dirs_exist_ok=True)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


class Client:
    """One client in a process of its own; what it says, a line at a time."""

    def __init__(self, directory: Path, command: list[str], server: Server, *arguments: str) -> None:
        self.popen = subprocess.Popen(
            [*command, f"ws://{urlsplit(server.url).netloc}/graphql", *arguments],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def next(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            pytest.fail(line + self.popen.stdout.read())
        return said

    def until(self, *tweets: str) -> list[str]:
        """The tweets that come, each once, until these have."""
        found: list[str] = []
        while not {*tweets} <= {*found}:
            event = self.next()
            assert event.get("tweet"), event
            found.append(event["tweet"]["id"])
        return list(dict.fromkeys(found))


COMMANDS = {"graphql-ws": ["node", "graphql_ws.mjs"], "gql": [sys.executable, "gql_client.py"]}


@on_one_store
class TestSubscribing:
    @pytest.fixture
    def people(self, server: Server) -> tuple[Person, Person]:
        author = server.sign_up()
        return author, follower_of(server, author)

    @pytest.fixture
    def running(self) -> Iterator[list[Client]]:
        running: list[Client] = []
        yield running
        for each in running:
            each.popen.kill()
            each.popen.communicate()

    def test_both_hear_what_was_missed_and_what_is_new_and_are_told_what_is_wrong(
        self, server: Server, clients: Path, people: tuple[Person, Person], running: list[Client]
    ) -> None:
        author, reader = people
        before = author.post("before")
        cursor = cursor_of(reader, before)
        missed = author.post("missed")
        cursor_of(reader, missed)
        for command in COMMANDS.values():
            running.append(Client(clients, command, server, reader.token, cursor))
            running.append(Client(clients, command, server, "nonsense", cursor))
        good, nobodys = running[::2], running[1::2]
        for each in good:
            assert each.until(missed)[-1] == missed
        new = author.post("new")
        for each in good:
            assert each.until(new) == [new]
        author.delete(new)
        for each in good:
            assert each.next()["deletedId"] == new
            assert each.next() == {"refused": "bad_query"}
        assert [each.next() for each in nobodys] == [{"refused": 4401}] * 2
