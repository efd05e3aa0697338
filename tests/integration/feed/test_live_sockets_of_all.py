"""A reader's sockets are counted over all live processes, and a process that dies is forgotten."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from deploy.supervisor.processes import wait_until
from deploy.valkey import Valkey
from fanout.live import sockets as counted
from fanout.live.sockets import KEPT_SECONDS, SocketCounts, sockets_key
from feed.live import shared_places as shared
from feed.live.frames import CloseCode
from feed.live.places import Places
from feed.live.shared_places import SharedPlaces
from feed.live.threads import housekeeping
from storage import stores
from storage.redis.node import timeline_node
from tests.integration.feed.sockets import SECONDS, Socket, until
from tests.integration.speaking import on_one_store
from tests.outages import server_down
from tests.people import new_person

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]
HERE = "192.0.2.1"


@pytest.fixture(autouse=True)
def few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for module in ("places", "shared_places"):
            patched.setattr(f"feed.live.{module}.SOCKETS_A_READER", 3)
        yield


class Process:
    """The places of a process like any other."""

    def __init__(self) -> None:
        self.places = Places()
        self.shared = SharedPlaces(self.places)

    async def come(self, reader: int) -> bool:
        self.places.come(HERE)
        self.places.token_came(HERE)
        return self.places.sign_in(reader) and await self.shared.has_place(reader)

    def go(self, reader: int) -> None:
        self.places.leave(HERE, reader, had_token=True)
        self.shared.left(reader)


def test_two_processes_count_together_and_one_that_left_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "TELL_SECONDS", 0)
    reader, other = stores.ids.next(), stores.ids.next()

    async def scenario() -> None:
        one, two = Process(), Process()
        assert [await one.come(reader), await two.come(reader), await one.come(reader)] == [True] * 3
        assert await two.come(other)
        assert not await two.come(reader)
        two.go(reader)
        assert not await one.come(reader), "two has one still, and one has three"
        one.go(reader)
        await two.shared.keep_telling()
        await one.shared.keep_telling()
        two.go(reader)
        assert not await one.come(reader), "nobody has been told"
        one.go(reader)
        await two.shared.keep_telling()
        assert await one.come(reader)

    asyncio.run(scenario())


def test_what_a_process_said_ends_unless_it_says_so_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = stores.ids.next()
    died, lives = SocketCounts(), SocketCounts()
    lives.tell({reader: 1})
    monkeypatch.setattr(counted, "KEPT_SECONDS", 1)
    died.tell({reader: 3})
    monkeypatch.undo()
    assert wait_until(lambda: lives.tell({reader: 1}) == {reader: 0}, seconds=10)
    assert lives.tell({reader: 1}) == {reader: 0}
    assert SocketCounts().tell({reader: 1}) == {reader: 1}
    assert lives.tell({reader: 0}) == {reader: 1}
    assert SocketCounts().tell({reader: 0}) == {reader: 1}


def test_everybody_is_told_again_in_time_and_nothing_is_left_of_who_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "TELL_SECONDS", 0)
    monkeypatch.setattr(shared, "READERS_A_TRIP", 2)
    readers = [stores.ids.next() for _ in range(5)]

    async def scenario() -> None:
        process = Process()
        for reader in readers:
            await process.come(reader)
        timeline_node().round_trip(("FLUSHALL",))
        await process.shared.keep_telling()
        assert SocketCounts().tell(dict.fromkeys(readers, 0)) == dict.fromkeys(readers, 1)
        for reader in readers:
            process.go(reader)
        await process.shared.keep_telling()

    asyncio.run(scenario())
    assert timeline_node().round_trip(*(("EXISTS", sockets_key(reader)) for reader in readers)) == [0] * 5


def test_readers_who_come_and_go_while_it_tells_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes meanwhile has the next turn: a round ends, so that everybody's is told again in time."""
    monkeypatch.setattr(shared, "TELL_SECONDS", 0)
    told: list[int] = []
    process = Process()

    def tell(counts: dict[int, int]) -> dict[int, int]:
        told.extend(counts)
        process.shared.left(max(counts) + 1)
        return dict.fromkeys(counts, 0)

    monkeypatch.setattr(process.shared._counts, "tell", tell)
    process.shared.left(1)

    async def scenario() -> None:
        for expected in ([1], [1, 2]):
            await asyncio.wait_for(process.shared.keep_telling(), 5)
            assert told == expected

    asyncio.run(scenario())


def test_without_redis_each_process_has_its_own_bound(timeline_redis: Valkey) -> None:
    reader = stores.ids.next()

    async def scenario() -> None:
        one, two = Process(), Process()
        assert [await one.come(reader) for _ in range(3)] == [True] * 3
        assert await two.come(reader)
        assert not await one.come(reader)

    with server_down(timeline_redis, "killed"):
        asyncio.run(scenario())


def test_a_socket_that_has_left_is_told_of_soon() -> None:
    person, other = new_person(), SocketCounts()

    async def scenario() -> None:
        socket = await housekeeping(Socket, person)
        await socket.open()
        await until(lambda: person.pk not in shared.shared_places._stale)
        assert await housekeeping(other.tell, {person.pk: 0}) == {person.pk: 1}
        await socket.close()
        async with asyncio.timeout(KEPT_SECONDS / 3):
            while await housekeeping(other.tell, {person.pk: 0}) != {person.pk: 0}:
                await asyncio.sleep(0.05)

    asyncio.run(scenario())


def test_a_socket_too_many_of_another_process_is_closed() -> None:
    person = new_person()
    SocketCounts().tell({person.pk: 2})

    async def scenario() -> None:
        first, second = [await housekeeping(Socket, person) for _ in range(2)]
        await first.open()
        await second.enter()
        assert await second.closed() == CloseCode.TOO_MANY
        await first.close()

    asyncio.run(scenario())


def test_what_is_said_at_sign_in_and_comes_behind_that_the_socket_has_left_is_made_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "TELL_SECONDS", 0)
    reader, told_that_it_left = stores.ids.next(), threading.Event()

    async def scenario() -> None:
        process = Process()
        tell = process.shared._counts.tell

        def slowly(counts: dict[int, int]) -> dict[int, int]:
            if counts[reader] == 1:
                assert told_that_it_left.wait(SECONDS)
            return tell(counts)

        monkeypatch.setattr(process.shared._counts, "tell", slowly)
        coming = asyncio.create_task(process.come(reader))
        await until(lambda: process.places.sockets_of(reader) == 1)
        process.go(reader)
        await process.shared.keep_telling()
        told_that_it_left.set()
        assert await coming
        await process.shared.keep_telling()
        assert await housekeeping(SocketCounts().tell, {reader: 0}) == {reader: 0}

    asyncio.run(scenario())
