"""Tweets that are watched: each is looked at in its turn, and no reply counts as known that is new to somebody."""

import asyncio

import pytest

from feed.live import watching
from feed.live.registry import registry
from feed.live.streams.stream import TWEET, Topic
from feed.live.watching import AT_ONCE, Watched
from tweets.caches.counts import Counts
from tweets.reading.outputs import CountsOut

NOTHING = CountsOut(0, 0, 0, 0)


class Stream:
    """One that watches a tweet."""

    def __init__(self, tweet_id: int) -> None:
        self.topic = Topic(TWEET, tweet_id)
        self.viewer_id = 1
        self.authors = frozenset({2})


def test_of_more_than_one_look_reads_each_has_its_turn_however_often_the_others_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []
    ids = range(1, 3 * AT_ONCE + 1)

    async def count(_function: object, some: list[int]) -> dict[int, Counts]:
        looked.extend(some)
        return {each: Counts() for each in some}

    monkeypatch.setattr(watching, "reading", count)

    async def scenario() -> None:
        watched = Watched()
        for tweet_id in ids:
            watched.add(tweet_id, Stream(tweet_id), NOTHING)
        for _ in range(4):
            for tweet_id in ids[:-1]:
                watched.changed(tweet_id)
            await watched.look()
        assert looked[: len(ids)] == list(ids)
        assert looked[len(ids) :] == list(ids[:AT_ONCE]), "and from the front again"

    asyncio.run(scenario())


def test_what_changes_while_it_is_looked_at_is_looked_at_again_and_what_nobody_watches_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[list[int]] = []
    watched = Watched()

    async def count(_function: object, some: list[int]) -> dict[int, Counts]:
        if not looked:
            watched.changed(1)
            watched.remove(watch, stream)
        looked.append(some)
        return {each: Counts() for each in some}

    monkeypatch.setattr(watching, "reading", count)
    stream = Stream(2)
    watch = watched.add(2, stream, NOTHING)

    async def scenario() -> None:
        watched.add(1, Stream(1), NOTHING)
        await watched.look()
        await watched.look()
        assert looked == [[2, 1], [1]]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watched.look(), 0.01)

    asyncio.run(scenario())


def test_who_comes_to_a_watch_that_has_moved_on_is_told_the_counts_it_did_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Topic | None] = []
    now = Counts()

    async def count(_function: object, some: list[int]) -> dict[int, Counts]:
        return dict.fromkeys(some, now)

    monkeypatch.setattr(watching, "reading", count)
    monkeypatch.setattr(registry, "tell", lambda signal: told.append(signal.topic))

    async def scenario() -> None:
        nonlocal now
        watched = Watched()
        watched.add(7, Stream(7), NOTHING)
        await watched.look()
        told.clear()
        await watched_again(watched)
        assert told == [], "nothing has changed, and nobody came"
        now = Counts(likes=1)
        watched.changed(7)
        await watched.look()
        watched.add(7, Stream(7), NOTHING)  # it had read before the like, and comes behind the look
        assert len(told) == 1
        await watched.look()
        assert len(told) == 2
        await watched_again(watched)
        assert len(told) == 2

    async def watched_again(watched: Watched) -> None:
        watched.changed(7)
        await watched.look()

    asyncio.run(scenario())


def test_a_reply_that_came_between_the_readings_of_two_streams_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    rows = iter([(gates[0], []), (gates[1], [70])])

    async def read(*_: object) -> list[int]:
        gate, found = next(rows)
        await gate.wait()
        return found

    monkeypatch.setattr(watching, "reading", read)

    async def scenario() -> None:
        watched, streams = Watched(), [Stream(7), Stream(7)]
        [watch, _] = [watched.add(7, stream, NOTHING) for stream in streams]
        beginning = [asyncio.create_task(watched.begin(watch)) for _ in streams]
        await asyncio.sleep(0)
        for gate, task in zip(gates, beginning, strict=True):
            gate.set()
            await task
        watched.changed(7, 70)
        [told] = await asyncio.wait_for(watched.replies.beat(), 1)
        assert told.entries == (70,)

    asyncio.run(scenario())
