"""Replays that somebody asks for on and on: counted, one at a time, and stopped when nobody wants them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.sessions import authentication
from fanout.live.figures import GAPS, GapCause
from feed.live import quota as live_quota
from feed.live.streams import home, replaying
from feed.live.threads import housekeeping
from feed.live.turns import AT_A_TIME
from feed.timelines.home import home_page
from storage.redis.rate_limits import Policy, hit_all
from storage.web.paging import PageRequest, decode_cursor, encode_cursor
from tests.integration.feed.sockets import SECONDS, Socket, delivered, until
from tests.integration.feed.test_live_stream import Told
from tests.people import new_person

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]


def gaps_by_cause(stream: str) -> dict[str, float]:
    return {cause: GAPS.labels(stream, cause)._value.get() for cause in GapCause}


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


@pytest.fixture
def limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Policy:
    """Five requests a minute."""
    settings.RATE_LIMITS = True
    five = Policy("default", 5, 60)
    monkeypatch.setattr(live_quota, "SIGNED_IN", five)
    return five


class Reads:
    """Pages of replays as they are read: how many at a time, and for whom."""

    def __init__(self) -> None:
        self.all: list[int] = []
        self.most = 0
        self._now: list[int] = []
        self._lock = threading.Lock()
        self._page = home_page
        self.held = threading.Event()
        """Clear while no page comes to its end."""
        self.held.set()

    def __call__(self, viewer: Any, request: PageRequest) -> Any:
        with self._lock:
            self.all.append(viewer.id)
            self._now.append(viewer.id)
            assert len(set(self._now)) == len(self._now), "one of a reader"
            self.most = max(self.most, len(self._now))
        try:
            assert self.held.wait(SECONDS)
            return self._page(viewer, request)
        finally:
            with self._lock:
                self._now.remove(viewer.id)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    reads = Reads()
    monkeypatch.setattr(home, "home_page", reads)
    return reads


def test_what_is_asked_for_counts_as_requests_do_and_over_the_quota_is_an_error(limits: Policy) -> None:
    told = Told(new_person())
    socket, key = Socket(told.person), authentication.user_rate_key(told.viewer.id)
    hit_all((limits, key))

    async def scenario() -> None:
        await socket.open()
        for wrong in ({"stream": "weather"}, {"stream": "home", "after": "x"}):
            await socket.say(type="subscribe", **wrong)
            assert (await socket.frame())["code"] in ("unknown_stream", "bad_cursor")
        await socket.say(type="unsubscribe", stream="home")
        await socket.say(type="subscribe", stream="home")
        assert (await socket.frame())["type"] == "subscribed"
        for _ in range(3):
            await socket.say(type="subscribe", stream="home")
            refused = await socket.frame()
            assert (refused["type"], refused["code"]) == ("error", "rate_limited")
            assert 0 < refused["retry_after_seconds"] <= 60
        [hit] = await housekeeping(hit_all, (limits, key))
        assert hit.count == 7, "once it is known that there were too many, nobody is asked"
        last = await housekeeping(told.post)
        await delivered()
        assert await socket.until(last) == [last], "what it was subscribed to goes on"
        await socket.close()

    run(scenario)


def test_further_pages_of_a_replay_count_and_beyond_the_quota_the_client_is_told_to_page(limits: Policy) -> None:
    told = Told(new_person())
    ids = [told.post() for _ in range(9)]
    for _ in range(3):
        hit_all((limits, authentication.user_rate_key(told.viewer.id)))

    async def scenario() -> None:
        before = gaps_by_cause("home")
        with patch.object(replaying, "REPLAY_PAGE", 2):
            await told.subscribe(after=ids[0], watermark=ids[-1])
        assert gaps_by_cause("home") == before | {"resume": before["resume"] + 1}
        *shown, gap = told.frames[1:]
        assert [int(frame["tweet"]["id"]) for frame in shown] == ids[1:7]
        assert gap["type"] == "gap"
        assert decode_cursor(gap["after"]) == ids[6]

    run(scenario)


def test_of_a_reader_one_page_is_read_at_a_time_over_all_sockets_and_of_all_readers_a_few(reads: Reads) -> None:
    people = [new_person() for _ in range(AT_A_TIME + 2)]
    told = [Told(person) for person in people]
    firsts = {each.person.id: each.post() for each in told}
    lasts = {each.person.id: each.post() for each in told}
    sockets = [Socket(person) for person in people for _ in range(4)]

    async def replay(place: int, socket: Socket) -> None:
        person = people[place // 4]
        await socket.open(after=encode_cursor(firsts[person.id] - 1))
        await socket.until(lasts[person.id])
        await socket.close()

    async def scenario() -> None:
        reads.held.clear()
        replays = asyncio.gather(*(replay(place, socket) for place, socket in enumerate(sockets)))
        await until(lambda: reads.most >= AT_A_TIME)
        reads.held.set()
        await replays
        assert len(reads.all) == len(sockets)
        assert reads.most == AT_A_TIME

    run(scenario)


def test_those_that_wait_are_one_replay(reads: Reads) -> None:
    told = Told(new_person())
    first, last = told.post(), told.post()
    cursor, socket = encode_cursor(first - 1), Socket(told.person)

    async def scenario() -> None:
        reads.held.clear()
        await socket.open(after=cursor)
        await until(lambda: len(reads.all) == 1)
        for _ in range(50):
            await socket.say(type="subscribe", stream="home", after=cursor)
        await socket.say(type="ping")
        assert (await socket.frame())["type"] == "pong"
        reads.held.set()
        frames = [await socket.frame() for _ in range(52)]
        assert [frame["type"] for frame in frames].count("subscribed") == 50
        assert [int(frame["tweet"]["id"]) for frame in frames if frame["type"] == "tweet"] == [first, last]
        assert len(reads.all) == 2, "the first had begun, and sends nothing any more"
        await socket.close()

    run(scenario)


@pytest.mark.parametrize("end", ["unsubscribe", "close"])
def test_a_replay_that_nobody_wants_any_more_stops(reads: Reads, end: str) -> None:
    told = Told(new_person())
    other = Told(new_person())
    ids, others = [told.post() for _ in range(8)], [other.post() for _ in range(8)]
    socket, watching = Socket(told.person), Socket(other.person)

    async def scenario() -> None:
        reads.held.clear()
        with patch.object(replaying, "REPLAY_PAGE", 2):
            await socket.open(after=encode_cursor(ids[0]))
            await until(lambda: len(reads.all) == 1)
            if end == "close":
                await socket.close()
            else:
                await socket.say(type="unsubscribe", stream="home")
                await socket.say(type="ping")
                assert (await socket.frame())["type"] == "pong"
            reads.held.set()
            await watching.open(after=encode_cursor(others[0] - 1))
            await watching.until(others[-1])
            await watching.close()
        assert reads.all.count(other.viewer.id) >= 4
        assert reads.all.count(told.viewer.id) == 1, "the page that was being read"

    run(scenario)
