"""Sockets that have nothing else to do are told an entry without their pumps, in the same order as by them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock, patch

import pytest

from accounts.graph import follows
from accounts.models import User
from feed.live import arrivals
from feed.live.streams.home import HomeStream
from feed.live.threads import housekeeping, reading
from feed.timelines.home import InHome
from feed.timelines.standing import seen_at_home
from storage.errors import Unavailable
from tests.integration.feed.sockets import WiredSocket, delivered, until
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


class Looks:
    """Looks, each of which has read, and tells when it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.go = asyncio.Semaphore(0)

    async def read(self, function: Callable[..., Any], *args: Any) -> Any:
        found = await reading(function, *args)
        if function is seen_at_home:
            self.begun.release()
            await self.go.acquire()
        return found


@asynccontextmanager
async def looked_at() -> AsyncIterator[Looks]:
    looks = Looks()
    with patch.object(arrivals, "reading", looks.read):
        yield looks


@asynccontextmanager
async def told_of(author: User, readers: Sequence[User]) -> AsyncIterator[list[WiredSocket]]:
    sockets = [await housekeeping(WiredSocket, reader) for reader in readers]
    for socket in sockets:
        await socket.open()
    first = await housekeeping(post, author)
    await delivered()
    for socket in sockets:
        await socket.until(first)
        socket.at_once = 0
    yield sockets
    for socket in sockets:
        await socket.close()


@pytest.fixture
def author() -> User:
    return new_person()


@pytest.fixture
def readers(author: User) -> list[User]:
    found = [new_person() for _ in range(3)]
    for reader in found:
        follows.follow(reader.id, author.id)
    work_off_everything()
    return found


def test_no_pump_is_woken_for_who_has_nothing_else_to_do(author: User, readers: list[User]) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            counted = SimpleNamespace(frames=0)
            woken = patch.object(HomeStream, "handle", side_effect=AssertionError("a pump was woken"))
            with woken, patch.object(arrivals, "live_figures", counted):
                tweets = []
                for _ in range(3):
                    tweets.append(await housekeeping(post, author))
                    await delivered()
                    assert [int((await each.frame())["tweet"]["id"]) for each in sockets] == tweets[-1:] * 3
            assert [each.at_once for each in sockets] == [3, 3, 3]
            assert counted.frames == 9

    run(scenario)


def test_what_comes_while_one_is_read_is_told_behind_it(author: User, readers: list[User]) -> None:
    """A deletion, too, of which only those are told who may have the tweet: its own author is nobody's they follow."""
    stranger = new_person()

    async def scenario() -> None:
        async with told_of(author, readers[:1]) as [socket], looked_at() as looks:
            tweet = await housekeeping(post, stranger)
            await housekeeping(lambda: retweet(viewer=viewer(author), tweet_id=tweet))
            await delivered()
            await looks.begun.acquire()
            second = await housekeeping(post, author)
            await delivered()
            await housekeeping(lambda: delete_tweet(tweet_id=tweet, viewer=viewer(stranger)))
            await delivered()
            assert await socket.is_silent(0.2), "the first is still being told"
            for _ in range(3):
                looks.go.release()
            first = await socket.frame()
            rest = [await socket.frame() for _ in range(2)]
            assert first["tweet"]["retweet_of"]["id"] == str(tweet)
            told = sorted((each["type"], each.get("id") or each["tweet"]["id"]) for each in rest)
            assert told == [("delete", first["tweet"]["id"]), ("tweet", str(second))]

    run(scenario)


def test_what_was_told_at_once_is_known_to_be_on_the_screen(author: User, readers: list[User]) -> None:
    stranger = new_person()

    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            tweet = await housekeeping(post, stranger)
            await housekeeping(lambda: retweet(viewer=viewer(author), tweet_id=tweet))
            await delivered()
            [retweeted] = {int((await each.frame())["tweet"]["id"]) for each in sockets}
            assert [each.at_once for each in sockets] == [1, 1, 1]
            await housekeeping(lambda: delete_tweet(tweet_id=tweet, viewer=viewer(stranger)))
            await delivered()
            assert [await each.deleted(1) for each in sockets] == [[retweeted]] * 3

    run(scenario)


def test_who_does_not_read_is_told_by_the_pump_which_waits(author: User, readers: list[User]) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            sockets[0].reads = False
            tweet = await housekeeping(post, author)
            await delivered()
            assert [int((await each.frame())["tweet"]["id"]) for each in sockets] == [tweet] * 3
            assert [each.at_once for each in sockets] == [0, 1, 1]

    run(scenario)


@pytest.mark.parametrize("told", [InHome.UNKNOWN, InHome.STANDS])
def test_what_a_look_cannot_tell_the_pump_finds_out(author: User, readers: list[User], told: InHome) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            with patch.object(arrivals, "seen_at_home", lambda ids, *_args: dict.fromkeys(ids, told)):
                tweet = await housekeeping(post, author)
                await delivered()
                for each in sockets:
                    assert (await each.until(tweet))[-1] == tweet
            assert [each.at_once for each in sockets] == [0, 0, 0]

    run(scenario)


def test_a_socket_that_ends_meanwhile_is_told_nothing_and_holds_up_nobody(author: User, readers: list[User]) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets, looked_at() as looks:
            tweet = await housekeeping(post, author)
            await delivered()
            await looks.begun.acquire()
            await sockets[0].close()
            for _ in readers:
                looks.go.release()
            assert [int((await each.frame())["tweet"]["id"]) for each in sockets[1:]] == [tweet] * 2
            assert sockets[0].at_once == 0

    run(scenario)


def test_looks_at_one_entry_follow_each_other_however_many_messages_bring_it(author: User, readers: list[User]) -> None:
    asked: list[list[int]] = []

    def look(reader_ids: Sequence[int], *_args: Any) -> dict[int, Any]:
        asked.append(list(reader_ids))
        return dict.fromkeys(reader_ids, ())

    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            first, *others = [reader.id for reader in readers]
            with patch.object(arrivals, "TOGETHER", 2), patch.object(arrivals, "seen_at_home", look):
                entry = await housekeeping(post, author)
                arrivals.arrivals.tell([first], entry)
                arrivals.arrivals.tell(others, entry)
                await asyncio.gather(*arrivals.arrivals._looks)
            assert asked == [[first, others[0]], [others[1]]]
            assert not arrivals.arrivals._waiting
            await delivered()
            assert [int((await each.frame())["tweet"]["id"]) for each in sockets] == [entry] * 3
            assert [each.at_once for each in sockets] == [1, 1, 1], "nobody is held any more"

    run(scenario)


def test_where_a_look_fails_no_other_waits_for_one(author: User, readers: list[User]) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            failing = Mock(side_effect=Unavailable("redis_timelines"))
            with (
                patch.object(arrivals, "TOGETHER", 1),
                patch.object(arrivals, "seen_at_home", failing),
                patch.object(HomeStream, "handle", AsyncMock()),
            ):
                came = [reader.id for reader in readers]
                arrivals.arrivals.tell(came, await housekeeping(post, author))
                await asyncio.gather(*arrivals.arrivals._looks)
            assert failing.call_count == 1, "the pumps ask for the others"
            assert [each.at_once for each in sockets] == [0, 0, 0]

    run(scenario)


def test_whom_looks_have_not_come_to_in_time_their_pumps_tell(author: User, readers: list[User]) -> None:
    asked: list[int] = []

    def look(reader_ids: Sequence[int], *_args: Any) -> dict[int, Any]:
        asked.extend(reader_ids)
        time.sleep(0.2)
        return dict.fromkeys(reader_ids, ())

    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            with (
                patch.object(arrivals, "TOGETHER", 1),
                patch.object(arrivals, "LOOKING_SECONDS", 0.1),
                patch.object(arrivals, "seen_at_home", look),
                patch.object(HomeStream, "handle", AsyncMock()) as by_pump,
            ):
                arrivals.arrivals.tell([reader.id for reader in readers], await housekeeping(post, author))
                await asyncio.gather(*arrivals.arrivals._looks)
                await until(lambda: by_pump.call_count == 2)
            assert asked == [readers[0].id]
            assert not arrivals.arrivals._waiting
            assert [each.at_once for each in sockets] == [0, 0, 0]

    run(scenario)


def test_looks_that_never_begin_hold_up_nobody(author: User, readers: list[User]) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            with patch.object(arrivals.Arrivals, "_tell", AsyncMock(side_effect=asyncio.CancelledError)) as never:
                tweet = await housekeeping(post, author)
                await delivered()
                for each in sockets:
                    assert (await each.until(tweet))[-1] == tweet
            assert never.call_count > 0
            assert not arrivals.arrivals._waiting

    run(scenario)


def test_a_look_that_is_cancelled_gives_its_sockets_back(author: User, readers: list[User]) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets, looked_at() as looks:
            tweet = await housekeeping(post, author)
            await delivered()
            await looks.begun.acquire()
            for look in list(arrivals.arrivals._looks):
                look.cancel()
            for _ in range(2 * len(readers)):
                looks.go.release()
            for each in sockets:
                assert (await each.until(tweet))[-1] == tweet

    run(scenario)


def test_a_connection_that_fails_holds_up_nobody(author: User, readers: list[User]) -> None:
    async def scenario() -> None:
        async with told_of(author, readers) as sockets:
            with patch.object(sockets[0], "write_now", side_effect=RuntimeError("it is broken")):
                tweet = await housekeeping(post, author)
                await delivered()
                for each in sockets:
                    assert (await each.until(tweet))[-1] == tweet

    run(scenario)
