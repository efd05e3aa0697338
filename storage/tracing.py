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

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast

import structlog
from django.conf import settings

from storage.spans import NO_ATTRIBUTES, Attributes, Finished, Kind, Span, Unit, ids_of

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
Sink = Callable[[Sequence[Finished]], None]
"""Takes the spans of a unit. Never blocks, never raises."""

_current: ContextVar[Span | None] = ContextVar("span", default=None)
_sinks: list[Sink] = []


def is_on() -> bool:
    return bool(settings.TRACES_ENDPOINT)


def send_to(sink: Sink) -> None:
    """Has all that is sampled from now on given to `sink`, too."""
    _sinks.append(sink)


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
