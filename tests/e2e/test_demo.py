"""`make demo` against the running product: nothing fails, a second run goes on, every home is right."""

import subprocess
import sys

import httpx
import pytest

from deploy.demo.people import PASSWORD, make_society
from tests.e2e.conftest import Server
from tests.e2e.live_sockets import on_one_store
from tests.e2e.main_job import data
from tests.e2e.runs import ROOT, own_environment

pytestmark = [pytest.mark.e2e, on_one_store]
"""The demo is a client, of requests that the main job makes of both stores; tests of the audit run on both, too."""

PEOPLE = 30


def run_module(server: Server, module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=own_environment() | server.variables | {"DATA_DIR": str(server.data_dir), "COLUMNS": "120"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def demo(server: Server) -> str:
    """Told nothing but the run's DATA_DIR."""
    ended = run_module(server, "deploy.demo", PEOPLE=str(PEOPLE), TWEETS="100", SEED="7")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def row(table: str, kind: str) -> list[str]:
    """The cells of one kind: what, done, a second, failed."""
    line = next(line for line in table.splitlines() if f" {kind} " in line)
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def tweets_of(server: Server, username: str) -> int:
    """As many as stand on the first page."""
    return len(httpx.get(f"{server.url}/api/v1/users/{username}/tweets?limit=100").json()["data"])


def test_the_demo_fails_nowhere_and_every_home_timeline_is_right(server: Server) -> None:
    table = demo(server)
    assert row(table, "people signed up")[1] == str(PEOPLE)
    for kind in ("follows", "tweets", "replies", "thread parts", "quotes", "retweets", "likes", "timelines read"):
        assert int(row(table, kind)[1]) > 0
    assert row(table, "in all")[3] == "0"

    people = make_society(count=PEOPLE, seed=7, graph=None).people
    written = {person.username: tweets_of(server, person.username) for person in people}
    again = demo(server)
    assert row(again, "people signed in")[1] == str(PEOPLE)
    assert {person.username: tweets_of(server, person.username) for person in people} == written

    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=30) as client:
        for person in people:
            credentials = {"username": person.username, "password": PASSWORD}
            token = data(client.post("/auth/token", json=credentials), 200)["token"]
            data(client.get("/feed/home", headers={"Authorization": f"Bearer {token}"}))
    ended = run_module(server, "deploy.manage", "audit_timelines", "--user", *(person.username for person in people))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{PEOPLE} people: {PEOPLE} timelines compared, 0 inactive; 0 wrong" in ended.stdout


def test_the_demo_says_when_there_is_no_server(server: Server) -> None:
    ended = run_module(server, "deploy.demo", URL="http://127.0.0.1:9", PEOPLE="5")
    assert ended.returncode == 1
    assert "No server answers at http://127.0.0.1:9: start one with make run" in ended.stdout
    assert "Traceback" not in ended.stderr
