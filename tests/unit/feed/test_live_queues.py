"""What is put into the queue of a socket, and which sockets' queues a signal is put into."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import structlog
from django.conf import settings

from feed.live import listener
from feed.live.queues import MOST_ASKED, QUEUE_SIZE, LiveQueue
from feed.live.registry import Registry
from feed.live.streams.stream import HOME, Signal, SignalKind, Topic
from feed.live.told import Frame

ANNS_HOME, BENS_HOME = Topic(HOME, 1), Topic(HOME, 2)


def everything_in(queue: LiveQueue) -> list[Signal]:
    signals = []
    while queue._signals:
        signals.append(queue.take())
    return signals


def tweet(number: int) -> Signal:
    return Signal(SignalKind.TWEET, ANNS_HOME, entry_id=number)


def test_a_queue_is_bounded_and_says_that_it_overflowed() -> None:
    queue = LiveQueue()
    for number in range(10 * QUEUE_SIZE):
        queue.put(tweet(number))
    kept = everything_in(queue)
    assert len(kept) <= QUEUE_SIZE
    assert kept[0].kind is SignalKind.OVERFLOW
    assert kept[1:] == [tweet(number) for number in range(10 * QUEUE_SIZE - len(kept) + 1, 10 * QUEUE_SIZE)]


def test_what_the_client_asked_for_last_outlives_an_overflow() -> None:
    queue = LiveQueue()
    queue.put(Signal(SignalKind.UNSUBSCRIBE, ANNS_HOME))
    subscribe = Signal(SignalKind.SUBSCRIBE, ANNS_HOME, watermark=7)
    queue.put(subscribe)
    for number in range(QUEUE_SIZE):
        queue.put(tweet(number))
    assert everything_in(queue)[:2] == [subscribe, Signal(SignalKind.OVERFLOW)]


def test_so_does_what_it_last_asked_of_each_of_its_streams() -> None:
    queue, other = LiveQueue(), Topic("weather", 7)
    asked = [Signal(SignalKind.SUBSCRIBE, ANNS_HOME, watermark=5), Signal(SignalKind.UNSUBSCRIBE, other)]
    for signal in [Signal(SignalKind.SUBSCRIBE, other), *asked, *map(tweet, range(QUEUE_SIZE))]:
        queue.put(signal)
    kept = everything_in(queue)
    assert sorted(kept[:2], key=asked.index) == asked
    assert kept[2] == Signal(SignalKind.OVERFLOW)


def test_a_client_that_asks_on_and_on_and_does_not_read_is_to_be_ended_and_raises_nothing() -> None:
    rechecked: list[bool] = []
    queue, patient = LiveQueue(lambda: rechecked.append(True)), LiveQueue()
    for number in range(10 * QUEUE_SIZE):
        queue.put(Signal(SignalKind.UNSUBSCRIBE, Topic("weather", number)))
        patient.put(Signal(SignalKind.UNSUBSCRIBE, Topic("weather", number % MOST_ASKED)))
        for each in (queue, patient):
            each.put(tweet(number))
    assert queue.asked_too_much
    assert rechecked == [True]
    assert everything_in(queue) == []
    assert not patient.asked_too_much
    assert len(everything_in(patient)) > MOST_ASKED


def test_of_resyncs_of_everything_one_waits_and_one_behind_each_stream_that_is_to_begin() -> None:
    queue, resync, subscribe = LiveQueue(), Signal(SignalKind.RESYNC), Signal(SignalKind.SUBSCRIBE, ANNS_HOME)
    of_one_topic = Signal(SignalKind.RESYNC, ANNS_HOME)
    for _ in range(3):
        queue.put(resync)
    queue.put(of_one_topic)
    queue.put(subscribe)
    for _ in range(3):
        queue.put(resync)
    assert everything_in(queue) == [resync, of_one_topic, subscribe, resync]


def test_one_that_comes_while_the_one_before_is_worked_off_waits() -> None:
    queue, resync = LiveQueue(), Signal(SignalKind.RESYNC)
    queue.put(resync)
    assert queue.take() == resync
    queue.put(resync)
    assert everything_in(queue) == [resync]


def test_a_recheck_does_not_wait_behind_anything() -> None:
    rechecks: list[bool] = []
    queue = LiveQueue(lambda: rechecks.append(True))
    for number in range(QUEUE_SIZE):
        queue.put(tweet(number))
    queue.put(Signal(SignalKind.RECHECK))
    assert rechecks == [True]
    assert len(everything_in(queue)) == QUEUE_SIZE


def test_a_signal_goes_to_every_socket_of_its_readers_and_to_no_other() -> None:
    sockets = Registry()
    queues = [LiveQueue() for _ in range(3)]
    homes = (ANNS_HOME, ANNS_HOME, BENS_HOME)
    assert [sockets.add(topic, queue) for topic, queue in zip(homes, queues, strict=True)] == [1, 2, 1]
    sockets.watermark = 9
    sockets.signal(HOME, [ANNS_HOME.id, 3], SignalKind.TWEET, 10)
    sockets.signal("weather", [ANNS_HOME.id], SignalKind.TWEET, 11)
    sockets.remove(ANNS_HOME, queues[0])
    sockets.remove(ANNS_HOME, queues[0])
    sockets.signal(HOME, [ANNS_HOME.id], SignalKind.DELETE, 10)
    told_tweet, told_delete = (Signal(kind, ANNS_HOME, 9, 10) for kind in (SignalKind.TWEET, SignalKind.DELETE))
    assert [everything_in(queue) for queue in queues] == [[told_tweet], [told_tweet, told_delete], []]
    sockets.remove(ANNS_HOME, queues[1])
    assert sockets.ids(HOME) == [BENS_HOME.id]


def test_the_waits_until_a_socket_of_somebody_signed_out_is_closed_are_within_a_second() -> None:
    """Until the log of changed accounts is read, and for Redis to answer."""
    assert listener.WATCH_SECONDS + settings.ENV.redis_timeout_seconds <= 1.0


EXPECTING: Any = SimpleNamespace(expect=lambda: True)
NOT_EXPECTING: Any = SimpleNamespace(expect=lambda: False)
"""Streams."""


class Connection:
    """A client that reads."""

    def write_now(self, frames: Sequence[Frame]) -> bool:
        return True


class Pump:
    """What a socket does with its signals: one after the other, each once it may."""

    def __init__(self) -> None:
        self.told: list[Signal] = []
        self.sockets: list[object] = []
        """What the context says whose pump it is."""
        self.may = asyncio.Event()
        self.may.set()

    async def tell(self, signal: Signal) -> None:
        await self.may.wait()
        self.told.append(signal)
        self.sockets.append(structlog.contextvars.get_contextvars().get("socket_id"))


def test_a_pump_is_there_only_while_there_is_something_to_tell() -> None:
    async def scenario() -> None:
        pump, queue = Pump(), LiveQueue()
        queue.put(tweet(1))
        before = asyncio.all_tasks()
        assert queue._pumping is None, "nobody pumps yet"
        queue.pump(pump.tell)
        pump.may.clear()
        queue.put(tweet(2))
        queue.put(tweet(3))
        assert len(asyncio.all_tasks() - before) == 1, "one tells after the other"
        pump.may.set()
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0)
        assert pump.told == [tweet(1), tweet(2), tweet(3)]
        queue.put(tweet(4))
        await asyncio.sleep(0)
        assert pump.told[3:] == [tweet(4)]

    asyncio.run(scenario())


def test_a_pump_runs_in_the_context_of_its_socket_and_not_of_what_woke_it() -> None:
    async def scenario() -> None:
        pump, queue = Pump(), LiveQueue()
        with structlog.contextvars.bound_contextvars(socket_id="mine"):
            queue.pump(pump.tell)
        with structlog.contextvars.bound_contextvars(socket_id="another"):
            queue.put(tweet(1))
            await asyncio.sleep(0)
        assert pump.sockets == ["mine"]

    asyncio.run(scenario())


def test_a_queue_is_held_only_while_its_pump_has_nothing_to_do() -> None:
    async def scenario() -> None:
        pump, queue = Pump(), LiveQueue()
        queue.wire = Connection()
        assert not queue.hold(EXPECTING), "nobody pumps"
        queue.wire = None
        queue.pump(pump.tell)
        assert not queue.hold(EXPECTING), "nothing can be written at once"
        queue.wire = Connection()
        assert not queue.hold(NOT_EXPECTING), "it is not expected"
        assert queue.hold(EXPECTING)
        assert not queue.hold(EXPECTING), "it is held"
        queue.put(tweet(2))
        await asyncio.sleep(0)
        assert pump.told == []
        queue.release(tweet(1))
        assert not queue.hold(EXPECTING), "something waits"
        pump.may.clear()
        await asyncio.sleep(0)
        assert not queue.hold(EXPECTING), "something is told"
        pump.may.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert pump.told == [tweet(1), tweet(2)]
        assert queue.hold(EXPECTING)

    asyncio.run(scenario())


def test_a_socket_that_has_ended_is_neither_held_nor_told() -> None:
    async def scenario() -> None:
        pump, queue = Pump(), LiveQueue()
        queue.wire = Connection()
        queue.pump(pump.tell)
        assert queue.hold(EXPECTING)
        queue.forget()
        assert not queue.hold(EXPECTING), "nobody can be written to"
        queue.release(tweet(1))
        queue.put(tweet(2))
        await asyncio.sleep(0)
        assert pump.told == []

    asyncio.run(scenario())


def test_what_is_being_told_when_a_socket_ends_is_cancelled_unless_it_is_what_ends_it() -> None:
    async def scenario() -> None:
        pump, queue, before = Pump(), LiveQueue(), asyncio.all_tasks()
        queue.pump(pump.tell)
        pump.may.clear()
        queue.put(tweet(1))
        await asyncio.sleep(0)
        queue.forget()
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0)
        assert (pump.told, pump.may.is_set()) == ([], False)

        async def end(signal: Signal) -> None:
            other.forget()
            await pump.tell(signal)

        other = LiveQueue()
        other.pump(end)
        for number in (1, 2):
            other.put(tweet(number))
        pump.may.set()
        await asyncio.sleep(0)
        assert pump.told == [tweet(1)]

    asyncio.run(scenario())
