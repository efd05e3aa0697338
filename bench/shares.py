"""Where the time of a GraphQL request goes: the parts of the door, timed from outside while requests are answered.

Processor time in one process, Django's handler with all of its middleware, without a web server. A part is a function
that is replaced, where it is looked up, by one that times it; what another part takes within it is that one's. cProfile
would slow small functions most, and so name the executor for what is the profiler's.
"""

import logging
import pkgutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from django.test import Client

from bench.seeding import Person

WARM, REQUESTS = 200, 600
REST_OF_IT = "middleware, routing, DRF's view"
PARTS = {
    "token and rate limit": ["accounts.sessions.authentication.check"],
    "body: JSON decoded": ["config.graphql.variables.MsgspecParser.parse"],
    "document: parsed and validated, from the cache": ["config.graphql.requests.checked_document"],
    "variables and cost": ["config.graphql.requests.check_variables", "config.graphql.documents.CheckedDocument.size"],
    "timeline read": ["feed.timelines.home._window_read", "feed.timelines.home._Home._read"],
    "hydration": ["feed.timelines.home.hydrated"],
    "connection and cursors": ["feed.doors.graphql.tweet_connection"],
    "execution": ["config.graphql.answers.execute"],
    "answer: JSON encoded": ["storage.web.rest.MsgspecRenderer.render"],
}


class _Clock:
    """Time by part; a part does not count what others take within it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = dict.fromkeys([*PARTS, REST_OF_IT], 0.0)
        self._within: list[float] = []

    def around(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            began = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                took = time.thread_time() - began
                self.spent[part] += took - self._within.pop()
                if self._within:
                    self._within[-1] += took

        return timed


def table(name: str, body: str, readers: Sequence[Person]) -> str:
    """Returns a line for the report: microseconds of processor time a request, by part, the greatest first."""
    client, clock = Client(), _Clock()

    def ask(number: int) -> None:
        token = readers[number % len(readers)].token
        answer = client.post(
            "/graphql", body, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
        )
        if answer.status_code != 200:
            raise RuntimeError(answer.content.decode())

    logging.disable()
    for number in range(WARM):
        ask(number)
    whole = clock.around(REST_OF_IT, ask)
    with _timed(clock):
        began = time.thread_time()
        for number in range(REQUESTS):
            whole(WARM + number)
        took = time.thread_time() - began
    per_request = {part: 1e6 * spent / REQUESTS for part, spent in clock.spent.items()}
    parts = sorted(per_request.items(), key=lambda part: -part[1])
    listed = "; ".join(f"{part} {micros:,.0f} µs ({micros * REQUESTS / took / 1e4:.0f} %)" for part, micros in parts)
    return f"{name}, {1e6 * took / REQUESTS:,.0f} µs a request of processor time in one process: {listed}"


@contextmanager
def _timed(clock: _Clock) -> Iterator[None]:
    with ExitStack() as patched:
        for part, places in PARTS.items():
            for place in places:
                patched.enter_context(patch(place, clock.around(part, pkgutil.resolve_name(place))))
        yield
