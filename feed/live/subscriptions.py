"""The streams of one socket, each by the topic that it listens to.

What the client asks for passes through the socket's queue like everything else, so a stream
begins and ends between the same signals, however far behind the pump is. The registry is told
at once: what comes after a SUBSCRIBE has to be in the queue behind it.

Each `subscribe` is answered by `subscribed`, in its place, but several that wait are one wish: the newest is begun in
the place of the first, and the others cost no more than the answer. What the client no longer wants stops. Of names
that are the same stream (`hashtag:Berlin`, `hashtag:berlin`) each answer has the one that was asked by, and so have the
frames that follow it.
"""

import asyncio
from collections.abc import Awaitable, Iterable

from fanout.live.figures import BEGUN, RESUMES, SUBSCRIPTIONS
from feed.live.queues import LiveQueue
from feed.live.registry import registry
from feed.live.streams.stream import Over, Send, Signal, SignalKind, Stream, Topic, Wish
from feed.live.told import Frame, Subscribed, failed
from storage.errors import BadRequest, NotFound, Unavailable
from storage.spans import Kind
from storage.tracing import begins

MOST_STREAMS = 20
"""That one socket may have at a time: a screen of each costs up to 140 KB (streams/screen.py)."""


class Subscriptions:
    """The streams that one socket is subscribed to. Its door calls `subscribe` and `unsubscribe`, its pump `tell`."""

    def __init__(self, queue: LiveQueue, send: Send) -> None:
        self._queue = queue
        self._send = send
        self._streams: dict[Topic, Stream] = {}
        self._wishes: dict[Topic, Wish] = {}
        """What the client has asked for last, by each topic that it listens to."""
        self._ended = False

    def subscribe(self, stream: Stream, after: int | None) -> None:
        """Asks for the stream, from the place `after` on or from now on; in place of the one that listens there.

        A replay of that one stops if the new one has its own; without, it goes on, as the client waits for it.
        Nothing for a socket that has ended meanwhile: nobody would take its queue out of the registry. Raises
        `BadRequest` for one more than MOST_STREAMS.
        """
        if self._ended:
            return
        if stream.topic not in self._wishes and len(self._wishes) >= MOST_STREAMS:
            raise BadRequest(
                f"A socket has {MOST_STREAMS} subscriptions at most; end one of them first.",
                code="too_many_subscriptions",
            )
        registry.add(stream.topic, self._queue)
        registry.watch(stream, self._queue)
        if after is not None:
            self._stop(stream.topic)
        wish = self._wishes.get(stream.topic)
        if wish is not None and not wish.taken:
            wish.stream, wish.after = stream, wish.after if after is None else after
        else:
            wish = self._wishes[stream.topic] = Wish(stream, after)
        self._queue.put(Signal(SignalKind.SUBSCRIBE, stream.topic, registry.watermark, wish=wish, name=stream.name))

    def unsubscribe(self, topic: Topic) -> None:
        """Asks for an end of the stream that listens to the topic, if there is one; else it does nothing."""
        if topic not in self._wishes:
            return
        registry.remove(topic, self._queue)
        self._stop(topic)
        wish = self._wishes.pop(topic, None)
        if wish is not None:
            wish.over = True
        self._queue.put(Signal(SignalKind.UNSUBSCRIBE, topic))

    def has(self, topic: Topic) -> bool:
        """Returns whether a stream of the topic is there, or asked for: not once it has ended by itself."""
        return topic in self._wishes

    async def tell(self, signal: Signal) -> None:
        """Begins or ends a stream, or has each one that the signal concerns tell the client what it says."""
        if signal.wish is not None:
            await self._carry_on(self._answer(signal.wish, signal), signal.wish.stream.topic)
        elif signal.kind is SignalKind.UNSUBSCRIBE:
            self._close([each for each in self._streams if signal.concerns(each)])
        else:
            for topic, stream in list(self._streams.items()):
                if signal.concerns(topic):
                    await self._carry_on(stream.handle(signal), topic)

    def end(self) -> None:
        """Forgets every stream, and the socket, so that no search for cycles is needed to free them. Idempotent."""
        self._ended = True
        for topic in self._wishes:
            registry.remove(topic, self._queue)
        self._close(list(self._streams))
        self._wishes.clear()
        self._send = _to_nobody

    async def _answer(self, wish: Wish, signal: Signal) -> None:
        """Begins what is wished for, or says that it was begun, or that it would have been. Nothing if it failed."""
        wish.stream.name = signal.name
        if not wish.taken and not wish.over:
            wish.taken = True
            await self._begin(wish, signal.watermark)
        elif wish.begun or wish.over:
            await self._send(Subscribed(wish.stream.name))

    @begins("live.subscribe", Kind.SERVER, lambda _self, wish, _watermark: {"feed.stream": wish.stream.topic.subject})
    async def _begin(self, wish: Wish, watermark: int) -> None:
        """Puts the stream in place of the one before it once it is open: a failure leaves that one be."""
        stream, kind = wish.stream, wish.stream.topic.subject
        if wish.after is not None:
            RESUMES.labels(kind).inc()
        try:
            with BEGUN.labels(kind).time():
                await stream.open(wish.after, watermark)
        except BaseException:
            SUBSCRIPTIONS.labels(kind, "failed").inc()
            stream.close()
            standing = self._streams.get(stream.topic)
            registry.unwatch(stream, self._queue, instead=standing)
            if standing is not None:
                standing.wanted = not wish.over
            raise
        wish.begun = True
        SUBSCRIPTIONS.labels(kind, "begun").inc()
        self._close([each for each in self._streams if each == stream.topic])
        self._streams[stream.topic] = stream
        await stream.begin()

    def _stop(self, topic: Topic) -> None:
        """Tells what is there of the topic that the client wants something else."""
        wish, standing = self._wishes.get(topic), self._streams.get(topic)
        if wish is not None:
            wish.stream.wanted = False
        if standing is not None:
            standing.wanted = False

    async def _carry_on(self, step: Awaitable[None], topic: Topic) -> None:
        """Awaits the step; a backend that is down for a moment costs the topic a resync, not the socket.

        A stream that there is not, or that ends by itself, is forgotten."""
        try:
            await step
        except NotFound as error:
            self._let_go(topic)
            await self._send(failed(error))
        except Over:
            self._let_go(topic)
        except Unavailable as error:
            await self._send(failed(error))
            resync = Signal(SignalKind.RESYNC, topic)
            asyncio.get_running_loop().call_later(error.retry_after_seconds, self._queue.put, resync)

    def _let_go(self, topic: Topic) -> None:
        """Forgets the stream that listens to the topic; not what the client has asked for since it began."""
        self._close([each for each in self._streams if each == topic])
        wish = self._wishes.get(topic)
        if wish is None or wish.taken:
            self._wishes.pop(topic, None)
            registry.remove(topic, self._queue)

    def _close(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            self._streams.pop(topic).close()


async def _to_nobody(_: Frame) -> None:
    """Tells a socket that has ended."""
