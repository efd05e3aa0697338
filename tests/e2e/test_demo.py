"""`make demo` against the running product: nothing fails, a second run goes on, every home is right."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.demo.people import PASSWORD, Person, Society, make_society
from deploy.demo.scene import WORD, cast_of
from tests.e2e.conftest import Server
from tests.e2e.live_sockets import on_one_store
from tests.e2e.main_job import data
from tests.e2e.runs import ROOT, own_environment

pytestmark = [pytest.mark.e2e, on_one_store]
"""The demo is a client, of requests that the main job makes of both stores; tests of the audit run on both, too."""

PEOPLE = 30
TALK = ("follows", "tweets", "replies", "thread parts", "quotes", "retweets", "likes", "bookmarks", "timelines read")
SCENE = (
    "acts towards the lead", "bookmarks of the lead", "people protected", "follow requests", "requests accepted",
    "people who left",
)  # fmt: skip
FOUND_SECONDS = 30.0


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


def signed_in(server: Server, person: Person) -> httpx.Client:
    base = f"{server.url}/api/v1"
    credentials = {"username": person.username, "password": PASSWORD}
    token = data(httpx.post(f"{base}/auth/token", json=credentials))["token"]
    return httpx.Client(base_url=base, timeout=30, headers={"Authorization": f"Bearer {token}"})


def has_something_of_everything(server: Server, society: Society) -> None:
    """The lead, through the public API; and nobody sees what they must not."""
    cast = cast_of(society)
    lead, left = society.people[cast.lead], {each.username for each in society.leavers}
    with signed_in(server, lead) as client, httpx.Client(base_url=client.base_url, timeout=30) as nobody:
        told = until(lambda: data(client.get("/me/notifications?limit=100")), of_all_types)
        assert not left & {person["username"] for each in told for person in each["people"]}
        asking = {each["username"] for each in data(client.get("/me/follow-requests"))}
        waiting = {ask.asker for ask in cast.asks if ask.asked == cast.lead and not ask.is_accepted}
        assert asking == {society.name_of(each) for each in waiting}
        assert data(client.get("/me/bookmarks"))
        shy = society.people[cast.shy[0]].username
        assert data(client.get(f"/users/{shy}"))["relationship"]["following"]
        about = until(lambda: data(client.get(f"/search/tweets?q={WORD}")), lambda found: len(found) == 3)
        assert lead.username in {each["author"]["username"] for each in about}
        by_others = [each for each in about if each["author"]["username"] != lead.username]
        assert [each["id"] for each in data(nobody.get(f"/search/tweets?q={WORD}"))] == [
            each["id"] for each in by_others
        ]
        tagged = data(client.get(f"/hashtags/{WORD}/tweets"))
        assert [each["text"] for each in tagged] == [each["text"] for each in about if "#" in each["text"]]
        for each in (lead.username, shy):
            assert data(nobody.get(f"/users/{each}/tweets")) == []
        assert [nobody.get(f"/users/{each}").status_code for each in left] == [404] * len(left)


def of_all_types(told: list[dict[str, Any]]) -> bool:
    return {each["type"] for each in told} == {
        "follow", "follow_request", "mention", "reply", "quote", "retweet", "like",
    }  # fmt: skip


def until(read: Callable[[], list[dict[str, Any]]], right: Callable[[list[dict[str, Any]]], bool]) -> Any:
    """What is read when it is right, which workers may take some seconds to bring about."""
    ends = time.monotonic() + FOUND_SECONDS
    while not right(found := read()) and time.monotonic() < ends:
        time.sleep(0.3)
    assert right(found), found
    return found


def test_the_demo_fails_nowhere_and_every_home_timeline_is_right(server: Server) -> None:
    table = demo(server)
    assert row(table, "people signed up")[1] == str(PEOPLE)
    for kind in (*TALK, *SCENE):
        assert int(row(table, kind)[1]) > 0, kind
    assert row(table, "in all")[3] == "0"

    society = make_society(count=PEOPLE, seed=7, graph=None)
    people = society.people
    has_something_of_everything(server, society)
    written = {person.username: tweets_of(server, person.username) for person in people}
    again = demo(server)
    assert row(again, "people signed in")[1] == str(PEOPLE)
    assert row(again, "people who left")[1] == str(len(society.leavers))
    assert row(again, "in all")[3] == "0"
    assert {person.username: tweets_of(server, person.username) for person in people} == written
    has_something_of_everything(server, society)

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
