"""What is told at a pace: the newest, in order, once, behind the watermark of the first that came."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from feed.live import pacing
from feed.live.pacing import AT_A_TIME, Pacing
from feed.live.streams.stream import PUBLIC, TWEET, Signal, SignalKind, Topic


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def told(watermark: int, *entries: int) -> Signal:
    return Signal(SignalKind.TWEETS, PUBLIC, watermark, entries=entries)


def test_what_came_is_told_oldest_first_with_the_watermark_of_the_first() -> None:
    async def scenario() -> None:
        held = Pacing()
        held.add(PUBLIC, 12, 5)
        held.add(PUBLIC, 11, 6)
        assert await held.beat() == [told(5, 11, 12)]
        held.add(PUBLIC, 13, 7)
        assert await held.beat() == [told(7, 13)]

    run(scenario)


def test_of_more_the_newest_are_told_behind_a_word_that_there_were_more() -> None:
    async def scenario() -> None:
        held = Pacing()
        entries = list(range(100, 100 + 3 * AT_A_TIME))
        for watermark, entry in enumerate(entries[::-1]):
            held.add(PUBLIC, entry, watermark)
        assert await held.beat() == [Signal(SignalKind.SKIPPED, PUBLIC, 0), told(0, *entries[-AT_A_TIME:])]

    run(scenario)


def test_each_topic_has_a_pace_of_its_own_and_each_entry_is_told_once() -> None:
    async def scenario() -> None:
        held, tweet = Pacing(), Topic(TWEET, 7)
        held.know(tweet, [1])
        for _ in range(2):
            for topic in (PUBLIC, tweet):
                held.add(topic, 1, 0)
        assert await held.beat() == [told(0, 1)]
        held.add(PUBLIC, 1, 0)
        held.add(tweet, 2, 0)
        assert await held.beat() == [Signal(SignalKind.TWEETS, tweet, entries=(2,))]

    run(scenario)


def test_of_many_topics_a_beat_tells_a_few_those_first_that_have_waited_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, "TOPICS_A_BEAT", 2)
    topics = [Topic(TWEET, number) for number in range(5)]

    def of(topic: Topic, watermark: int, *entries: int) -> Signal:
        return Signal(SignalKind.TWEETS, topic, watermark, entries=entries)

    async def scenario() -> None:
        held = Pacing()
        for topic in topics:
            held.add(topic, 11, 5)
        assert await held.beat() == [of(topic, 5, 11) for topic in topics[:2]]
        held.add(topics[0], 12, 6)
        held.add(topics[4], 12, 6)
        assert await held.beat() == [of(topic, 5, 11) for topic in topics[2:4]]
        assert await held.beat() == [of(topics[4], 5, 11, 12), of(topics[0], 6, 12)], "merged, behind its first"
        held.add(PUBLIC, 13, 7)
        assert await held.beat() == [told(7, 13)], "and nothing is told twice"

    run(scenario)


def test_what_is_remembered_is_bounded() -> None:
    held = Pacing()
    for entry in range(2 * pacing.REMEMBERED):
        held.add(PUBLIC, entry, 0)
    assert len(held._known) == pacing.REMEMBERED
    assert len(held._held[PUBLIC].newest) == AT_A_TIME
