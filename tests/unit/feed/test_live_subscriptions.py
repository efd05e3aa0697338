"""Several streams in one socket: each is told its own, and ends by itself."""

import asyncio
import gc
import json
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence, Set
from typing import Any

import pytest

from accounts.entities import Account, Viewer
from feed.live.queues import LiveQueue
from feed.live.registry import Registry
from feed.live.streams.shown import Shown
from feed.live.streams.stream import READER, Over, Send, Signal, SignalKind, Stream, Topic
from feed.live.streams.table import make_stream
from feed.live.subscriptions import MOST_STREAMS, Subscriptions
from feed.live.told import Frame, Subscribed, encode
from storage.errors import BadRequest, NotFound, Unavailable
from tests.live_queues import next_in

SUN, RAIN = Topic("weather", 1), Topic("weather", 2)


class Weather:
    """A stream that writes down what happens to it."""

    def __init__(
        self,
        topic: Topic,
        *,
        fails: Callable[[str], bool] = lambda _step: False,
        error: Callable[[], Exception] = lambda: Unavailable("store"),
        name: str = "",
        tell: Send | None = None,
    ) -> None:
        self.topic = topic
        self.name = name or f"weather:{topic.id}"
        self.wanted = True
        self.steps: list[str] = []
        self._fails = fails
        self._error = error
        self._tell = tell

    async def open(self, after: int | None, watermark: int) -> None:
        self._note(f"open {after} {watermark}")

    async def begin(self) -> None:
        self._note("begin")
        if self._tell is not None:
            await self._tell(Subscribed(self.name))

    async def handle(self, signal: Signal) -> None:
        self._note(f"{signal.kind} {signal.entry_id}")

    def expect(self) -> bool:
        return False

    def show(self, shown: Shown, watermark: int) -> Sequence[Frame]:
        return []

    def shows(self, tweet_id: int) -> bool:
        return False

    def shows_any_by(self, authors: Set[int]) -> bool:
        return False

    def close(self) -> None:
        self._note("close")

    def _note(self, step: str) -> None:
        self.steps.append(step)
        if self._fails(step):
            raise self._error()

    def take(self) -> list[str]:
        steps, self.steps = self.steps, []
        return steps


class Socket:
    """The streams of one socket, without the socket."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.queue = LiveQueue()
        self.subscriptions = Subscriptions(self.queue, self.send)

    async def send(self, frame: Frame) -> None:
        self.frames.append(json.loads(encode(frame)))

    async def pump(self) -> None:
        """Does what is in the queue."""
        self.queue.put(last := Signal(SignalKind.UNSUBSCRIBE, Topic("nothing", 0)))
        while (signal := await next_in(self.queue)) is not last:
            await self.subscriptions.tell(signal)

    async def subscribed(self, *streams: Stream) -> None:
        for stream in streams:
            self.subscriptions.subscribe(stream, None)
        await self.pump()


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry of this process, empty."""
    empty = Registry()
    monkeypatch.setattr("feed.live.subscriptions.registry", empty)
    return empty


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_each_stream_is_told_what_is_about_its_topic_and_all_what_is_about_the_socket(sockets: Registry) -> None:
    sun, rain = Weather(SUN), Weather(RAIN)
    sockets.watermark = 7

    async def scenario() -> None:
        socket = Socket()
        sockets.add(Topic(READER, 1), socket.queue)
        await socket.subscribed(sun, rain)
        assert sun.take() == rain.take() == ["open None 7", "begin"]
        sockets.signal("weather", [SUN.id, 3], SignalKind.TWEET, 10)
        sockets.resync_all()
        await socket.pump()
        assert sun.take() == ["tweet 10", "resync 0"]
        assert rain.take() == ["resync 0"]

    run(scenario)


def test_unsubscribing_ends_one_stream_and_no_other(sockets: Registry) -> None:
    sun, rain = Weather(SUN), Weather(RAIN)

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(sun, rain)
        socket.subscriptions.unsubscribe(SUN)
        sockets.signal("weather", [SUN.id, RAIN.id], SignalKind.TWEET, 10)
        await socket.pump()
        assert sun.steps[2:] == ["close"]
        assert rain.steps[2:] == ["tweet 10"]
        assert sockets.ids("weather") == [RAIN.id]

    run(scenario)


def test_unsubscribing_what_is_not_subscribed_puts_nothing_into_the_queue(sockets: Registry) -> None:
    sun = Weather(SUN)

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(sun)
        for number in range(2, 1_000):
            socket.subscriptions.unsubscribe(Topic("weather", number))
        await socket.pump()
        assert sun.steps == ["open None 0", "begin"], "and no overflow"

    run(scenario)


def test_a_stream_that_could_not_be_opened_leaves_the_one_before_it_be(sockets: Registry) -> None:
    first, second = Weather(SUN), Weather(SUN, fails=lambda step: step.startswith("open"))

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(first)
        await socket.subscribed(second)
        assert [frame["code"] for frame in socket.frames] == ["unavailable"]
        sockets.signal("weather", [SUN.id], SignalKind.TWEET, 10)
        await socket.pump()
        assert first.steps == ["open None 0", "begin", "tweet 10"]
        assert second.steps == ["open None 0", "close"]
        await socket.subscribed(third := Weather(SUN))
        assert first.steps[3:] == ["close"]
        assert third.steps == ["open None 0", "begin"]

    run(scenario)


def test_what_one_stream_cannot_tell_is_told_by_the_others_and_made_good(
    sockets: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unavailable, "retry_after_seconds", 0)
    sun, rain = Weather(SUN, fails=lambda step: step.startswith("overflow")), Weather(RAIN)

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(sun, rain)
        socket.queue.put(Signal(SignalKind.OVERFLOW))
        await socket.pump()
        assert [frame["type"] for frame in socket.frames] == ["error"]
        await socket.subscriptions.tell(await next_in(socket.queue))
        assert sun.steps[2:] == ["overflow 0", "resync 0"]
        assert rain.steps[2:] == ["overflow 0"]

    run(scenario)


def test_a_socket_that_ends_while_it_subscribes_is_not_kept(sockets: Registry) -> None:
    stream = Weather(SUN)

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(stream)
        assert sockets.ids("weather") == [SUN.id]
        socket.subscriptions.end()
        socket.subscriptions.end()
        socket.subscriptions.subscribe(Weather(RAIN), None)
        assert sockets.ids("weather") == []
        assert stream.steps[2:] == ["close"]

    run(scenario)


def test_those_that_wait_are_one_wish_begun_in_the_place_of_the_first_and_each_is_answered(sockets: Registry) -> None:
    streams = [Weather(SUN) for _ in range(95)]

    async def scenario() -> None:
        socket = Socket()
        socket.subscriptions.subscribe(streams[0], None)
        sockets.signal("weather", [SUN.id], SignalKind.TWEET, 10)
        for number, stream in enumerate(streams[1:]):
            socket.subscriptions.subscribe(stream, number)
        socket.subscriptions.subscribe(last := Weather(SUN), None)
        await socket.pump()
        assert last.steps == ["open 93 0", "begin", "tweet 10"], "what the first has asked for is not lost either"
        assert not any(stream.steps for stream in streams)
        assert socket.frames == [{"type": "subscribed", "stream": "weather:1"}] * 95, "and the last begins with its own"

    run(scenario)


@pytest.mark.parametrize("at_once", [True, False])
def test_other_names_of_a_stream_are_answered_each_and_are_one(sockets: Registry, at_once: bool) -> None:
    async def scenario() -> None:
        socket = Socket()
        streams = [Weather(SUN, name=name, tell=socket.send) for name in ("weather:Sun", "weather:sun")]
        for stream in streams:
            socket.subscriptions.subscribe(stream, None)
            if not at_once:
                await socket.pump()
        await socket.pump()
        assert [frame["stream"] for frame in socket.frames] == ["weather:Sun", "weather:sun"]
        assert (streams[1].name, "begin" in streams[1].steps) == ("weather:sun", True)
        assert streams[0].steps == ([] if at_once else ["open None 0", "begin", "close"])

    run(scenario)


def test_what_was_unsubscribed_while_it_waited_is_answered_and_never_begun(sockets: Registry) -> None:
    first, second = Weather(SUN), Weather(SUN)

    async def scenario() -> None:
        socket = Socket()
        socket.subscriptions.subscribe(first, 1)
        socket.subscriptions.unsubscribe(SUN)
        socket.subscriptions.subscribe(second, 2)
        await socket.pump()
        assert first.steps == []
        assert second.steps == ["open 2 0", "begin"]
        assert len(socket.frames) == 1

    run(scenario)


def test_a_replay_stops_for_a_newer_one_and_for_nobody_and_not_for_what_is_new(sockets: Registry) -> None:
    streams = [Weather(SUN) for _ in range(4)]

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(streams[0])
        socket.subscriptions.subscribe(streams[1], None)
        assert streams[0].wanted
        await socket.pump()
        socket.subscriptions.subscribe(streams[2], 5)
        assert not streams[1].wanted
        assert streams[2].wanted
        await socket.pump()
        socket.subscriptions.unsubscribe(SUN)
        assert not streams[2].wanted

    run(scenario)


def test_one_that_stopped_for_a_newer_one_which_failed_is_wanted_again_and_replayed(
    sockets: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unavailable, "retry_after_seconds", 0)
    first, second = Weather(SUN), Weather(SUN, fails=lambda step: step.startswith("open"))

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(first)
        socket.subscriptions.subscribe(second, 5)
        stopped = not first.wanted
        await socket.pump()
        assert stopped
        assert first.wanted
        await socket.subscriptions.tell(await next_in(socket.queue))
        assert first.steps[2:] == ["resync 0"]

    run(scenario)


def test_what_there_is_not_is_an_error_and_forgotten(sockets: Registry) -> None:
    nothing = Weather(SUN, fails=lambda step: step.startswith("open"), error=lambda: NotFound("No weather."))

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(nothing)
        assert socket.frames == [{"type": "error", "code": "not_found", "detail": "No weather."}]
        assert nothing.steps == ["open None 0", "close"]
        assert sockets.ids("weather") == []
        await socket.subscribed(again := Weather(SUN))
        assert again.steps == ["open None 0", "begin"]

    run(scenario)


def test_what_ends_by_itself_is_forgotten_and_what_was_asked_for_since_is_begun(sockets: Registry) -> None:
    first, second = (Weather(SUN, fails=lambda step: step == "gone 7", error=Over) for _ in range(2))

    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(first)
        socket.queue.put(Signal(SignalKind.GONE, SUN, entry_id=7))
        socket.subscriptions.subscribe(second, None)
        await socket.pump()
        assert first.steps[2:] == ["gone 7", "close"]
        assert second.steps == ["open None 0", "begin"]
        assert sockets.ids("weather") == [SUN.id]
        socket.queue.put(Signal(SignalKind.GONE, SUN, entry_id=7))
        await socket.pump()
        assert sockets.ids("weather") == []
        assert socket.frames == [], "a stream tells its end itself"

    run(scenario)


def test_a_socket_has_so_many_streams(sockets: Registry) -> None:
    async def scenario() -> None:
        socket = Socket()
        await socket.subscribed(*[Weather(Topic("weather", number)) for number in range(MOST_STREAMS)])
        with pytest.raises(BadRequest) as refused:
            socket.subscriptions.subscribe(Weather(Topic("weather", MOST_STREAMS)), None)
        assert refused.value.code == "too_many_subscriptions"
        assert len(sockets.ids("weather")) == MOST_STREAMS
        await socket.subscribed(Weather(SUN))
        socket.subscriptions.unsubscribe(SUN)
        await socket.subscribed(Weather(Topic("weather", MOST_STREAMS)))

    run(scenario)


@pytest.mark.parametrize("name", ["", "weather", "home:1", "Home", "public:1", "tweet"])
def test_there_is_no_stream_of_another_name(name: str) -> None:
    ann = Viewer(1, Account(1, "ann", "Ann", "", None, verified=False, suspended=False, is_staff=False), "")
    with pytest.raises(BadRequest) as refused:
        make_stream(name, ann, Socket().send)
    assert refused.value.code == "unknown_stream"


@pytest.fixture
def no_cycles_found() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_cycles_found")
@pytest.mark.parametrize("asks", [False, True])
def test_what_has_ended_keeps_nobody_who_sent_for_it(asks: bool) -> None:
    """`asks`: for a stream that the pump has not come to, and that tells by its socket."""
    socket, stream = Socket(), Weather(SUN)
    stream.tells = socket.subscriptions  # type: ignore[attr-defined]
    if asks:
        socket.subscriptions.subscribe(stream, None)
    kept = weakref.ref(socket), weakref.ref(socket.subscriptions)
    socket.queue.forget()
    socket.subscriptions.end()
    del socket, stream
    assert [each() for each in kept] == [None, None]
