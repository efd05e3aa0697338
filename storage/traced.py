"""Functions whose calls are spans, or units, of a trace (tracing.py). Where traces are off each decorator returns the
very function that it is given."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast

from storage.tracing import NO_ATTRIBUTES, Attributes, Kind, adopt, is_on, is_recording, span, unit, work_of

P = ParamSpec("P")
R = TypeVar("R")


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
