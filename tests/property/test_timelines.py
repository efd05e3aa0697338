"""Every home timeline is what the oracle says, whatever happens in whatever order.

`EXAMPLES` says how many interleavings; `make property EXAMPLES=2000` runs many. A failure says its
seed: `SEED=<seed> EXAMPLES=1` carries it out again.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import override_settings

from accounts import cards
from deploy.valkey import Valkey
from tests.property.interleaving import Step, carry_out, fewer, steps_of
from tests.property.machine import Timelines

EXAMPLES = int(os.environ.get("EXAMPLES", "100"))
SEED = int(os.environ.get("SEED", "1"))
OFF = os.environ.get("OFF", "").split(",")
NewWorld = Callable[[], Timelines]
"""A cap that is soon reached, and shards that people share."""
SMALL = {"TIMELINE_CAP": 8, "TIMELINE_SHARDS": 2, "SWEEP_AFTER_SECONDS": 0}


@pytest.fixture
def new_world(store: str, empty_outbox: None, redis_servers: None, timeline_redis: Valkey) -> Iterator[NewWorld]:
    cards.forget_all()
    with ThreadPoolExecutor(8) as threads, override_settings(**SMALL):
        yield lambda: Timelines(timeline_redis, threads)


@pytest.mark.timeout(0)
def test_every_home_is_what_the_oracle_says(new_world: NewWorld, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    for seed in range(SEED, SEED + EXAMPLES):
        run(seed, new_world)
        if (seed - SEED) % 100 == 99:
            with capsys.disabled():
                print(f"{seed - SEED + 1} interleavings, {time.monotonic() - began:.0f} s", flush=True)


def run(seed: int, new_world: NewWorld) -> None:
    """One interleaving; one that fails is made smaller and told."""
    steps = steps_of(seed, without=OFF)
    try:
        carry_out(steps, new_world)
    except Exception as error:
        if "FAST" in os.environ:
            raise AssertionError(f"seed {seed}: {error}") from error
        raise AssertionError(f"seed {seed}: {error}\n{told(fewer(steps, failing(new_world)))}") from error


def failing(new_world: NewWorld) -> Callable[[Sequence[Step]], bool]:
    def fails(steps: Sequence[Step]) -> bool:
        try:
            carry_out(steps, new_world)
        except Exception:
            return True
        return False

    return fails


def told(steps: list[Step]) -> str:
    return "\n".join(str(step) for step in steps)
