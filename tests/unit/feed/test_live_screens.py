"""What a deletion or a suspension takes off a client's screen: each entry once, whatever shows it."""

import asyncio
from collections.abc import Sequence, Set
from unittest.mock import patch

import pytest

from feed.live import registry
from feed.live.queues import LiveQueue
from feed.live.registry import Registry
from feed.live.streams import screen as screen_module
from feed.live.streams.screen import Screen
from feed.live.streams.shown import Shown
from feed.live.streams.stream import Signal, SignalKind, Topic
from feed.live.told import Frame
from tests.live_queues import next_in
from tweets.reading.showing import Showing

ADA, BOB, CLEO = 1, 2, 3


def tweet(entry_id: int, author: int) -> Showing:
    return Showing(entry_id, author, entry_id, author)


@pytest.fixture
def screen() -> Screen:
    """Ada's 10 and 20, of which 10 was retweeted by Bob and by Cleo; and Bob's 30."""
    screen = Screen()
    screen.put([tweet(10, ADA), tweet(20, ADA), Showing(11, BOB, 10, ADA), Showing(12, CLEO, 10, ADA), tweet(30, BOB)])
    return screen


def test_a_tweet_takes_its_retweets_along(screen: Screen) -> None:
    assert screen.shows(10)
    assert screen.leave(10) == [10, 11, 12]
    assert not screen.shows(10)
    assert screen.leave(10) == screen.leave(10, unseen=True) == screen.leave(11, unseen=True) == []
    assert screen.leave(20) == [20]


def test_a_retweet_that_is_undone_takes_nothing_else_along(screen: Screen) -> None:
    assert screen.leave(11) == [11]
    assert screen.leave(10) == [10, 12]


def test_what_is_shown_by_a_retweet_alone_is_told_by_its_id() -> None:
    screen = Screen()
    screen.put([Showing(11, BOB, 10, ADA)])
    assert screen.shows(10)
    assert screen.leave(10) == [11]


def test_what_is_not_known_to_be_there_is_told_once_if_it_may_be(screen: Screen) -> None:
    assert screen.leave(40) == []
    assert screen.leave(40, unseen=True) == [40]
    assert screen.leave(40, unseen=True) == []
    screen.put([Showing(51, BOB, 50, ADA)])
    assert screen.leave(50, unseen=True) == [50, 51]


def test_who_is_suspended_takes_along_what_others_retweeted_of_theirs(screen: Screen) -> None:
    assert screen.authors() == {ADA, BOB, CLEO}
    assert screen.shows_any_by({CLEO})
    assert not screen.shows_any_by({4})
    assert screen.leave_by({CLEO}) == [12]
    assert screen.leave_by({ADA, 4}) == [10, 20, 11]
    assert screen.authors() == {BOB}


def test_who_is_restored_may_be_deleted_afterwards(screen: Screen) -> None:
    assert screen.leave_by({BOB}) == [11, 30]
    screen.put([tweet(30, BOB)])
    assert screen.leave(30) == [30]


def test_the_newest_entries_are_kept() -> None:
    screen = Screen()
    with patch.object(screen_module, "KEPT", 3):
        screen.put([Showing(11, BOB, 10, ADA), *(tweet(each, ADA) for each in (20, 30, 30, 40))])
        assert [screen.shows(each) for each in (10, 11, 20, 30, 40)] == [False, False, True, True, True]
        for each in range(100, 110):
            screen.leave(each, unseen=True)
        assert screen.leave(109, unseen=True) == []
        assert screen.leave(100, unseen=True) == [100], "too long ago to be known"


def test_of_who_becomes_protected_what_nobody_else_ever_had_is_not_named() -> None:
    """Ada since 25: what stood there was made before and after; 50 and 61 were sent."""
    screen = Screen()
    stood = [tweet(10, ADA), tweet(20, BOB), tweet(30, ADA), Showing(31, BOB, 10, ADA), Showing(32, BOB, 30, ADA)]
    screen.fill([*stood, Showing(33, ADA, 20, BOB)])
    screen.put([tweet(50, ADA), Showing(61, BOB, 50, ADA)])
    assert screen.leave_protected({ADA: 25, CLEO: 1}) == [10, 31, 50, 61]
    assert screen.authors() == {BOB}
    assert screen.leave_by({BOB}) == [20]


def test_nor_of_what_stood_when_the_client_was_let_page_on() -> None:
    """Ada since 25: 30 and 41 were behind the gap, and 35 was sent before it."""
    screen = Screen()
    screen.fill([tweet(10, ADA)])
    screen.put([tweet(35, ADA)])
    behind = [tweet(20, ADA), tweet(30, ADA), Showing(41, BOB, 30, ADA)]
    for _ in range(2):
        screen.fill([tweet(10, ADA), *behind, tweet(35, ADA)])
    screen.put([tweet(50, ADA)])
    assert screen.shows(30)
    assert screen.leave_protected({ADA: 25}) == [10, 35, 20, 50]
    assert not screen.authors()


class ShownOne:
    """A stream that shows one tweet, by one author."""

    name = "shown"

    def __init__(self, tweet_id: int, author: int) -> None:
        self.topic = Topic("shown", tweet_id)
        self.wanted = True
        self._author = author

    async def open(self, after: int | None, watermark: int) -> None: ...

    async def begin(self) -> None: ...

    async def handle(self, signal: Signal) -> None: ...

    def close(self) -> None: ...

    def expect(self) -> bool:
        return False

    def show(self, shown: Shown, watermark: int) -> Sequence[Frame]:
        return []

    def shows(self, tweet_id: int) -> bool:
        return tweet_id == self.topic.id

    def shows_any_by(self, authors: Set[int]) -> bool:
        return self._author in authors


@pytest.mark.parametrize("asked_at_a_time", [1, registry.ASKED])
def test_only_those_are_told_who_may_have_it_on_their_screens(
    asked_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ASKED", asked_at_a_time)
    sockets = Registry()
    queue, other = LiveQueue(), LiveQueue()
    first, second = ShownOne(10, ADA), ShownOne(20, BOB)
    sockets.watch(first, queue)
    sockets.watch(second, other)
    sockets.watermark = 7

    async def scenario() -> None:
        await sockets.gone(30)
        await sockets.gone(20)
        await sockets.of_authors(SignalKind.SUSPENDED, frozenset({ADA, CLEO}))
        assert await next_in(other) == Signal(SignalKind.GONE, second.topic, 7, 20)
        assert await next_in(queue) == Signal(SignalKind.SUSPENDED, first.topic, 7, authors=frozenset({ADA, CLEO}))
        sockets.remove(second.topic, other)
        sockets.unwatch(first, queue, instead=None)
        await sockets.gone(20)
        await sockets.gone(10)
        for each in (queue, other):
            each.put(last := Signal(SignalKind.RESYNC))
            assert await next_in(each) is last

    asyncio.run(scenario())


def test_a_stream_that_did_not_come_to_be_leaves_the_one_before_it_or_the_next_one_be() -> None:
    sockets, queue = Registry(), LiveQueue()
    standing, failed, asked = ShownOne(10, ADA), ShownOne(10, BOB), ShownOne(10, CLEO)

    async def who_is_asked() -> list[bool]:
        found = []
        for author in (ADA, BOB, CLEO):
            await sockets.of_authors(SignalKind.SUSPENDED, frozenset({author}))
            queue.put(last := Signal(SignalKind.RESYNC))
            found.append(await next_in(queue) is not last)
            if found[-1]:
                await next_in(queue)
        return found

    async def scenario() -> None:
        sockets.watch(failed, queue)
        sockets.unwatch(failed, queue, instead=standing)
        assert await who_is_asked() == [True, False, False]
        sockets.watch(failed, queue)
        sockets.watch(asked, queue)
        sockets.unwatch(failed, queue, instead=standing)
        assert await who_is_asked() == [False, False, True]

    asyncio.run(scenario())
