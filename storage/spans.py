"""Spans and the units that they are of, in the words of tracing.py: what is kept, and in which trace it ends."""

import re
import time
from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from random import getrandbits

import msgspec
from django.conf import settings

MOST_SPANS = 1_000
"""Of one unit; of more it is only counted how many."""
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

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
