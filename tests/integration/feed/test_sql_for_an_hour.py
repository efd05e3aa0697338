"""A warm request asks SQL nothing for an hour, at any door; and while SQL is away everything warm goes on.

The hour is travelled: each step makes every key in Redis a minute older, and forgets what is in memory.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.db import close_old_connections
from django.test import Client

from accounts import sql
from accounts.account_cache import accounts
from accounts.graph import follows
from accounts.people import suspending
from accounts.people.names import forget_names
from accounts.sessions import many_tokens, tokens
from deploy.supervisor.processes import wait_until
from feed.live import rechecking
from storage.breakers import State
from storage.redis.lasting_cache import AWAY, RENEWED_SECONDS, TOLD
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from tests import postgresql as servers
from tests.backends import Probes, sql_of_all_threads, vouch_for_all, vouch_for_none
from tests.integration.accounts.vouched import look_again, vouches
from tests.integration.degrading import closes, how_down, is_503, posted, sign_in
from tests.integration.feed.sockets import Socket
from tests.integration.speaking import on_one_store
from tests.people import ApiClient, new_person
from tests.postgresql import PostgreSQL
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")

MINUTES = RENEWED_SECONDS // 60
HOME = "{ homeTimeline(first: 20) { edges { node { text author { username displayName } } } } }"


def a_minute_goes_by() -> None:
    """Every key is a minute older, or has ended, but for what was guarded or limits requests; memory has ended.

    And somebody looks each second, of which this has one look, and lets what it says stand: nothing, where its breaker
    is open.
    """
    node = timeline_node()
    [keys] = node.round_trip(("KEYS", "*"))
    left = node.round_trip(*[("PTTL", key) for key in keys])
    older: list[Command] = [("PEXPIRE", key, ms - 60_000) for key, ms in zip(keys, left, strict=True) if ms >= 0]
    node.round_trip(*older)
    accounts.forget_all()
    forget_names()
    look_again()
    [state] = vouches()
    assert state is not None or not sql.can_be_asked()
    if state is not None:
        vouch_for_all(state)


class Scene:
    """A reader whose home has tweets of an author who was never asked for before, and a conversation."""

    def __init__(self) -> None:
        self.author, self.reader = new_person(), new_person()
        follows.follow(self.reader.id, self.author.id)
        self.client, self.writer, self.nobody = ApiClient(self.reader), ApiClient(self.author), Client()
        self.tweet = posted(self.writer)
        self.writer.post("/api/v1/tweets", {"text": "more", "reply_to_id": str(self.tweet)}, "application/json")
        work_off_everything()

    def graphql(self) -> Any:
        answer = self.client.post("/graphql", {"query": HOME}, "application/json")
        assert "errors" not in answer.json()
        return answer

    def doors(self) -> dict[str, Callable[[], Any]]:
        return {
            "home": lambda: self.client.get("/api/v1/feed/home"),
            "post": lambda: self.client.post("/api/v1/tweets", {"text": "on"}, "application/json"),
            "user timeline": lambda: self.client.get(f"/api/v1/users/{self.author.username}/tweets"),
            "profile": lambda: self.client.get(f"/api/v1/users/{self.author.username}"),
            "tweet": lambda: self.client.get(f"/api/v1/tweets/{self.tweet}"),
            "thread": lambda: self.client.get(f"/api/v1/tweets/{self.tweet}/thread"),
            "replies": lambda: self.client.get(f"/api/v1/tweets/{self.tweet}/replies"),
            "public": lambda: self.client.get("/api/v1/feed/public"),
            "public, of nobody": lambda: self.nobody.get("/api/v1/feed/public"),
            "like": lambda: self.client.put(f"/api/v1/tweets/{self.tweet}/like"),
            "GraphQL home": self.graphql,
        }

    def ask(self) -> dict[str, list[str]]:
        """What each door asked SQL."""
        asked = {}
        for name, door in self.doors().items():
            with sql_of_all_threads() as statements:
                answer = door()
            assert answer.status_code in (200, 201), (name, answer.content)
            asked[name] = statements
        work_off_everything()
        return asked


@on_one_store  # the public feed of a Cassandra that tests share has authors of other tests, whom SQL does not know
def test_warm_requests_ask_sql_nothing_for_an_hour_and_then_once() -> None:
    scene = Scene()
    scene.ask()
    nothing: dict[str, list[str]] = {door: [] for door in scene.doors()}
    for _ in range(MINUTES - 1):
        a_minute_goes_by()
        assert scene.ask() == nothing
    for _ in range(2):
        a_minute_goes_by()
    renewed = scene.ask()
    assert sum(map(len, renewed.values())) <= 3, renewed
    assert scene.ask() == nothing


@on_one_store
def test_open_sockets_and_those_that_come_again_ask_sql_nothing_for_an_hour() -> None:
    person = new_person()
    raw = tokens.issue(person)

    async def come_and_go() -> None:
        socket = Socket(person, raw=raw)
        await socket.open()
        await socket.close()

    async def scenario() -> list[str]:
        stays = Socket(person, raw=raw)
        await stays.open()
        with sql_of_all_threads() as statements:
            for _ in range(6):
                for _ in range(9):
                    await asyncio.to_thread(a_minute_goes_by)
                statements.clear()
                await rechecking.rechecking.keep_checking()
                await come_and_go()
                assert statements == []
        await stays.close()
        return statements

    with patch.object(rechecking, "RECHECK_SECONDS", 0.0):
        assert asyncio.run(scenario()) == []


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgreSQL]:
    bin_dir = servers.programs()
    if bin_dir is None:
        servers.missing("PostgreSQL")
    with servers.running(bin_dir) as server:
        yield server


@on_one_store
class TestPostgreSQLAway:
    @how_down
    def test_who_is_signed_in_reads_and_posts_on_and_waits_for_nothing(
        self, postgres: PostgreSQL, probes: Probes, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        """For an hour, once the looks have opened the breaker. Nobody but they ask it anything."""
        monkeypatch.setattr(sql, "PATIENCE_SECONDS", 1.0)
        with servers.people_in(postgres):
            scene = Scene()
            late = tokens.issue(scene.reader)
            nothing = scene.ask() and {door: [] for door in scene.doors()}
            vouch_for_none()
            with postgres.down(how):
                close_old_connections()
                assert not look_again()
                assert vouches() == {AWAY}
                assert wait_until(lambda: not look_again() and not sql.can_be_asked(), seconds=60)
                for _ in range(MINUTES):
                    a_minute_goes_by()
                    assert scene.ask() == nothing
                assert many_tokens.good_among([str(scene.client.token)])
                assert is_503(ApiClient(token=late).get("/api/v1/feed/home")), "never seen: unknown, and not refused"
                assert is_503(sign_in(scene.reader))
                assert is_503(scene.client.delete("/api/v1/auth/token"))
            assert sql.breaker.state is State.CLOSED or closes(sql.breaker, probes)
            close_old_connections()
            assert look_again()
            assert vouches() == {TOLD}
            assert ApiClient(token=late).get("/api/v1/feed/home").status_code == 200
            suspending.suspend(scene.reader, by=scene.author)
            assert scene.client.get("/api/v1/feed/home").status_code == 403
