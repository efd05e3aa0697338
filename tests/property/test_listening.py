"""Whoever listens to their home is shown all that comes into it, and told what leaves it, however often they come back.

`EXAMPLES` and `SEED` are as in test_timelines.py.
"""

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from fanout.live import watermark
from feed.live import subscription
from feed.live.queues import LiveQueue
from feed.live.streams.replaying import ReplayingStream
from feed.live.streams.stream import Signal, SignalKind
from feed.live.told import TweetCame
from storage.ids.settling import settled_place
from storage.web.paging import Page, encode_cursor
from tests.property.conftest import NewWorld
from tests.property.interleaving import run_steps
from tests.property.listening import MOVES, listening_steps_of
from tests.property.test_timelines import EXAMPLES, SEED, run
from tweets.reading.hydration import TweetOut

pytestmark = [pytest.mark.filterwarnings(f"ignore:{said}:ResourceWarning") for said in ("unclosed", "loop is closed")]
"""Processes die while they connect."""


@pytest.fixture(autouse=True)
def _swept_up() -> Iterator[None]:
    """What dead processes have left is collected here, and not in the next test."""
    yield
    gc.collect()


Bug = Callable[[], AbstractContextManager[object]]

IN_PASSING = {"embedded": 6, "cassandra": 2}
"""How many the suite carries out on each store: a socket takes longer than a page, and what it rests on is the same."""

_replayed = ReplayingStream._replayed
_put = LiveQueue.put


def _put_no_resync(self: LiveQueue, signal: Signal) -> None:
    if signal.kind is not SignalKind.RESYNC:
        _put(self, signal)


async def _send_with_its_own_id(self: ReplayingStream, tweet: TweetOut) -> None:
    await self._send(TweetCame(self.name, encode_cursor(int(tweet.id)), tweet))


def _one_short(self: ReplayingStream, place: int) -> Page[TweetOut]:
    page = _replayed(self, place)
    return msgspec.structs.replace(page, items=page.items[1:])


async def _nothing_missed(self: ReplayingStream) -> deque[Any]:
    await self._look_at_screen()
    return deque()


BUGS: dict[str, Bug] = {
    "a frame's cursor is the tweet's own id": lambda: patch.object(
        ReplayingStream, "_send_tweet", _send_with_its_own_id
    ),
    "resyncs are dropped": lambda: patch.object(LiveQueue, "put", _put_no_resync),
    "a replay ends one short": lambda: patch.object(ReplayingStream, "_replayed", _one_short),
    "open orders do not hold the watermark": lambda: patch.object(watermark, "measured_watermark", settled_place),
    "what has left meanwhile is not told": lambda: patch.object(ReplayingStream, "_missed", _nothing_missed),
}
FOUND_WITHIN = 60
LAST_FOUND_BY = {
    "a frame's cursor is the tweet's own id": 5,
    "resyncs are dropped": 5,
    "what has left meanwhile is not told": 4,
}
"""The interleavings that found them when they were looked for last, and are tried first."""
OF_WHO_STAYS = {"resyncs are dropped"}
"""Whoever comes back makes good themselves what such a bug has kept from them: one interleaving in fifty found it."""


@pytest.mark.timeout(0)
def test_whoever_comes_back_misses_nothing(
    store: str, new_listening_world: NewWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    for seed in range(SEED, SEED + int(EXAMPLES or IN_PASSING[store])):
        run(seed, new_listening_world, listening_steps_of)
        if (seed - SEED) % 100 == 99:
            with capsys.disabled():
                print(f"{seed - SEED + 1} interleavings, {time.monotonic() - began:.0f} s", flush=True)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.replace(" ", "_"))
def test_a_planted_bug_is_found(bug: str, new_listening_world: NewWorld) -> None:
    first = LAST_FOUND_BY.get(bug, 1)
    moves = 0.0 if bug in OF_WHO_STAYS else MOVES
    # In a cluster a cursor is older by as much, and would hide what an open order has to hold back.
    with BUGS[bug](), patch.object(subscription, "HOLD_SECONDS", 0.0):
        for seed in [*range(first, FOUND_WITHIN + 1), *range(1, first)]:
            try:
                run_steps(listening_steps_of(seed, moves), new_listening_world)
            except AssertionError:
                return
    pytest.fail(f"not found in {FOUND_WITHIN} interleavings")
