"""Traces: what was done for one request or one order, in whatever process, as spans of one tree (docs/adr/047).

**Off**, unless OTEL_EXPORTER_OTLP_ENDPOINT says where spans go: `traced`, `order_work` and `adopts` then return the
very function that they are given, so nothing of this is ever called.

**Units and spans.** A *unit* is what one process does at a time for one cause: a request, a task, a look at an entry
for sockets. What it calls that is `traced` is a span of it. A span is a few slots in memory until its unit ends; only
then is it known whether the unit is sampled and in which trace it stands, and what is not is dropped. Where there is no
unit, nothing is recorded.

**An order's trace follows from its id**: trace id and root span's id are hashes of it. So no row and no message
carries them, whoever meets the order, the first time or again, writes into the same tree, and the id of a tweet is
enough to find its trace. A request that hands an order to the workers *adopts* its trace, with all that was recorded
before the order had an id, and its span is the root. Whether a trace is sampled follows from its id, too: alike
everywhere.

For example, a POST begins as trace a1, a random one. It asks Redis for the token, writes tweet 90, and sends order 90:
from now on its trace is T(90), and it is the root R(90). A worker takes order 90 and records its unit in T(90) below
R(90). So does another one that the sweeper sent it to, and a live process that hears of entry 90.

**What is never in a span**: values. Attributes are names that stand in the code (routes, commands, statements with
their `?`), numbers, and ids of orders; of an error its type, and not its words.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from enum import StrEnum
from functools import wraps
from hashlib import blake2b
from inspect import iscoroutinefunction
from random import getrandbits
from typing import Any, ParamSpec, TypeVar, cast

import msgspec
import structlog
from django.conf import settings

MOST_SPANS = 1_000
"""Of one unit; of more it is only counted how many."""
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
Attributes = Mapping[str, str | int | bool]
NO_ATTRIBUTES: Attributes = {}
Link = tuple[int, int]
"""A trace id and a span id."""


class Kind(StrEnum):
    """OpenTelemetry's kinds of spans."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Finished(msgspec.Struct, frozen=True):
    """A span as it is exported."""

    trace_id: int
    span_id: int
    parent_id: int | None
    name: str
    kind: Kind
    started_ns: int
    ended_ns: int
    attributes: Attributes
    failure: str | None
    """The type of the error that ended it."""
    links: tuple[Link, ...] = ()


class Span:
    """A span in the making; its trace is its unit's."""

    __slots__ = ("attributes", "ended_ns", "failure", "kind", "name", "parent", "span_id", "started_ns", "unit")

    def __init__(self, unit: "Unit", parent: "Span | None", name: str, kind: Kind, attributes: Attributes) -> None:
        self.unit = unit
        self.parent = parent
        self.span_id = getrandbits(64) or 1
        self.name = name
        self.kind = kind
        self.attributes = {**attributes}
        self.failure: str | None = None
        self.started_ns = time.time_ns()
        self.ended_ns = 0

    def end(self) -> None:
        self.ended_ns = time.time_ns()
        self.unit.keep(self)


class Unit:
    """What one process does at a time for one cause. Several threads may add spans."""

    __slots__ = (
        "_began_as",
        "_left_out",
        "_spans",
        "has_ended",
        "is_recorded",
        "links",
        "orders",
        "own_order",
        "parent_id",
        "root",
        "takes_spans",
        "trace_id",
    )

    def __init__(self, name: str, kind: Kind, attributes: Attributes, *, order_id: int | None, may_adopt: bool) -> None:
        self.own_order = order_id
        self.trace_id: int
        self.parent_id: int | None
        self.trace_id, self.parent_id = (getrandbits(128) or 1, None) if order_id is None else ids_of(order_id)
        self.is_recorded = self.takes_spans = may_adopt or is_sampled(self.trace_id)
        """Until it ends, one that may adopt an order's trace is recorded on suspicion."""
        self.has_ended = False
        self.orders: list[int] = []
        """Orders that it sent for the first time, other than the one that it is about."""
        self.links: list[Link] = []
        self.root = Span(self, None, name, kind, attributes)
        self._began_as = self.trace_id
        self._spans: list[Span] = []
        self._left_out = 0

    @property
    def may_be_told(self) -> bool:
        """Whether anything of it may be sampled, so that it is worth describing."""
        return self.is_recorded or bool(self.orders)

    def keep(self, span: Span) -> None:
        """Keeps a span that has ended; not behind the unit's end, and MOST_SPANS at most."""
        if len(self._spans) < MOST_SPANS:
            self._spans.append(span)
        else:
            self._left_out += 1

    def adopt(self, order_id: int) -> None:
        """Has the trace of the order, of several that of the first; for an order's own unit it is another's."""
        if order_id == self.own_order or order_id in self.orders:
            return
        self.orders.append(order_id)
        if self.own_order is None and len(self.orders) == 1:
            self.trace_id, self.root.span_id = ids_of(order_id)

    def end(self) -> list[Finished]:
        """Ends it, and returns its spans that are sampled; as well a root for each further order that it sent."""
        self.has_ended, self.takes_spans = True, False
        if not (self.is_recorded or self.orders):
            return []
        self.root.ended_ns = time.time_ns()
        roots = [ids_of(each) for each in self.orders if is_sampled(ids_of(each)[0])]
        own: tuple[int, int] | None = None
        if self.own_order is None and self.orders:
            own = roots.pop(0) if roots else None
        elif is_sampled(self.trace_id):
            own = self.trace_id, self.root.span_id
        finished = [] if own is None else self._in_trace(*own)
        return [*finished, *(self._root(*each, links=() if own is None else (own,)) for each in roots)]

    def _in_trace(self, trace_id: int, root_id: int) -> list[Finished]:
        self.root.span_id = root_id
        if trace_id != self._began_as:
            self.root.attributes["feed.trace_before"] = f"{self._began_as:032x}"
        if self._left_out:
            self.root.attributes["feed.spans_left_out"] = self._left_out
        spans = [
            _finished(each, trace_id, each.span_id, None if each.parent is None else each.parent.span_id)
            for each in self._spans
        ]
        return [self._root(trace_id, root_id, parent_id=self.parent_id, links=tuple(self.links)), *spans]

    def _root(
        self, trace_id: int, span_id: int, *, parent_id: int | None = None, links: tuple[Link, ...] = ()
    ) -> Finished:
        return _finished(self.root, trace_id, span_id, parent_id, links)


def _finished(span: Span, trace_id: int, span_id: int, parent_id: int | None, links: tuple[Link, ...] = ()) -> Finished:
    times = span.started_ns, span.ended_ns
    return Finished(trace_id, span_id, parent_id, span.name, span.kind, *times, span.attributes, span.failure, links)


Sink = Callable[[Sequence[Finished]], None]
"""Takes the spans of a unit. Never blocks, never raises."""

_current: ContextVar[Span | None] = ContextVar("span", default=None)
_sinks: list[Sink] = []


def is_on() -> bool:
    return bool(settings.TRACES_ENDPOINT)


def send_to(sink: Sink) -> None:
    """Has all that is sampled from now on given to `sink`, too."""
    _sinks.append(sink)


def ids_of(order_id: int) -> tuple[int, int]:
    """Returns the trace id of an order, and the id of its root span."""
    digest = blake2b(order_id.to_bytes(8, "big"), digest_size=24, person=b"feed-trace").digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big")


def trace_of(order_id: int) -> str:
    """Returns the trace id of an order as tools write it. A tweet's order has the tweet's id."""
    return f"{ids_of(order_id)[0]:032x}"


def is_sampled(trace_id: int) -> bool:
    """Says whether a trace is among those of TRACES_RATIO, by its lower half as OpenTelemetry's own sampler does."""
    return (trace_id & (1 << 64) - 1) < settings.TRACES_RATIO * (1 << 64)


def link_of(traceparent: str) -> Link | None:
    """Returns the span that a client says it comes from; None for what is none."""
    found = TRACEPARENT.fullmatch(traceparent)
    link = (int(found[1], 16), int(found[2], 16)) if found else (0, 0)
    return link if all(link) else None


def log_fields(_logger: object, _method: str, line: Any) -> Any:
    """A processor of structlog's: says in each line to which span it belongs, sampled or not."""
    span = _current.get()
    if span is not None and not span.unit.has_ended:
        line["trace_id"] = f"{span.unit.trace_id:032x}"
        line["span_id"] = f"{span.span_id:016x}"
    return line


def unit(
    name: str,
    kind: Kind = Kind.INTERNAL,
    attributes: Attributes = NO_ATTRIBUTES,
    *,
    order_id: int | None = None,
    may_adopt: bool = False,
) -> AbstractContextManager[Unit]:
    """Returns a unit, which ends with the block: of the order's trace, or of one of its own.

    `may_adopt`: whether it may send orders, and then has the trace of the first. Of a request that is not sampled it
    costs 3 µs; a generator's context alone would be one more.
    """
    return _InUnit(Unit(name, kind, attributes, order_id=order_id, may_adopt=may_adopt))


class _InUnit:
    __slots__ = ("_token", "_unit")

    def __init__(self, begun: Unit) -> None:
        self._unit = begun

    def __enter__(self) -> Unit:
        self._token = _current.set(self._unit.root)
        return self._unit

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            self._unit.root.failure = kind.__name__
        try:
            _current.reset(self._token)
        finally:
            if finished := self._unit.end():
                _give(finished)


def _give(finished: Sequence[Finished]) -> None:
    """Gives the spans to each sink. One that raises, which none may, is given no more."""
    for sink in list(_sinks):
        try:
            sink(finished)
        except Exception as error:
            with suppress(ValueError):  # another thread was faster
                _sinks.remove(sink)
            log.error("traces_given_up", error=str(error), exc_info=error)


@contextmanager
def span(name: str, kind: Kind = Kind.INTERNAL, attributes: Attributes | None = None) -> Iterator[None]:
    """A span of the unit that there is; where there is none, or it is not recorded, nothing."""
    parent = _current.get()
    if parent is None or not parent.unit.takes_spans:
        yield
        return
    begun = Span(parent.unit, parent, name, kind, attributes or {})
    try:
        with _standing(begun):
            yield
    finally:
        begun.end()


def is_recording() -> bool:
    """Says whether a span that began now would be kept."""
    current = _current.get()
    return current is not None and current.unit.takes_spans


def adopt(order_id: int) -> None:
    """Has the unit that there is, if there is one, stand in the order's trace (`Unit.adopt`)."""
    current = _current.get()
    if current is not None and not current.unit.has_ended:
        current.unit.adopt(order_id)


def work_of(order_id: int, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[object]:
    """Returns a unit of the order; within one of the same trace, a span of that."""
    current = _current.get()
    if current is not None and not current.unit.has_ended and current.unit.trace_id == ids_of(order_id)[0]:
        return span(name, kind, attributes)
    return unit(name, kind, attributes, order_id=order_id)


def record_order(
    order_id: int, name: str, kind: Kind, attributes: Attributes, *, began_ns: int, failure: str | None = None
) -> None:
    """Records in the order's trace what was done to it together with others since `began_ns`, with a link to the span
    within which it was. Costs nothing while traces are off."""
    if not is_on():
        return
    current = _current.get()
    with unit(name, kind, {"feed.order": str(order_id), **attributes}, order_id=order_id) as done:
        done.root.started_ns, done.root.failure = began_ns, failure
        if current is not None:
            done.links.append((current.unit.trace_id, current.span_id))


def traced(
    name: str, kind: Kind = Kind.INTERNAL, describe: Callable[..., Attributes] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function, or coroutine function, whose calls are spans. `describe` is given its arguments.

    Of what is not recorded, as most is not, a call costs one look.
    """

    def context(*args: Any, **kwargs: Any) -> AbstractContextManager[object]:
        return span(name, kind, describe(*args, **kwargs) if describe is not None else None)

    return _within(context, wanted=is_recording)


def begins(
    name: str, kind: Kind = Kind.INTERNAL, describe: Callable[..., Attributes] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function, or coroutine function, whose calls are units of a trace of their own."""

    def context(*args: Any, **kwargs: Any) -> AbstractContextManager[object]:
        return unit(name, kind, NO_ATTRIBUTES if describe is None else describe(*args, **kwargs))

    return _within(context)


def order_work(
    name: str, order: Callable[..., int], kind: Kind = Kind.INTERNAL, describe: Callable[..., Attributes] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function, or coroutine function, whose calls are units of an order; `order` is given its arguments,
    and returns the order's id."""

    def context(*args: Any, **kwargs: Any) -> AbstractContextManager[object]:
        order_id = order(*args, **kwargs)
        described = {} if describe is None else describe(*args, **kwargs)
        return work_of(order_id, name, kind, {"feed.order": str(order_id), **described})

    return _within(context)


def adopts(order: Callable[..., int]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function that sends an order for the first time; `order` is as `order_work` has it."""

    @contextmanager
    def context(*args: Any, **kwargs: Any) -> Iterator[None]:
        adopt(order(*args, **kwargs))
        yield

    return _within(context)


def _within(
    context: Callable[..., AbstractContextManager[object]], wanted: Callable[[], bool] = lambda: True
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function whose calls stand in the context, where it is wanted."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if not is_on():
            return function
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                if not wanted():
                    return await cast(Awaitable[Any], function(*args, **kwargs))
                with context(*args, **kwargs):
                    return await cast(Awaitable[Any], function(*args, **kwargs))

            return cast(Callable[P, R], awaited)

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            if not wanted():
                return function(*args, **kwargs)
            with context(*args, **kwargs):
                return function(*args, **kwargs)

        return called

    return decorate


@contextmanager
def _standing(span: Span) -> Iterator[None]:
    """The span is what others are called by, until the block ends; an error that ends it is its own."""
    token = _current.set(span)
    try:
        yield
    except BaseException as error:
        span.failure = type(error).__name__
        raise
    finally:
        _current.reset(token)
