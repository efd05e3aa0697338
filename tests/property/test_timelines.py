"""Every home timeline is what the oracle says, whatever happens in whatever order.

`EXAMPLES` says how many interleavings; `make property EXAMPLES=2000` runs many. A failure says its
seed: `SEED=<seed> EXAMPLES=1` carries it out again.
"""

import os
import time
from collections.abc import Callable, Sequence

import pytest

from tests.property.conftest import NewWorld
from tests.property.interleaving import Step, fewer, run_steps, steps_of

EXAMPLES = os.environ.get("EXAMPLES")
IN_PASSING = {"embedded": 60, "cassandra": 20}
"""How many the suite carries out on each store. What is interleaved is calls of ports, and tests/contract proves of
both stores that each such call is seen by whoever comes after it; `make property` carries out as many on either."""
SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.timeout(0)
def test_every_home_is_what_the_oracle_says(
    store: str, new_world: NewWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    for seed in range(SEED, SEED + examples(store)):
        run(seed, new_world)
        if (seed - SEED) % 100 == 99:
            with capsys.disabled():
                print(f"{seed - SEED + 1} interleavings, {time.monotonic() - began:.0f} s", flush=True)


def examples(store: str) -> int:
    """How many interleavings are asked for."""
    return int(EXAMPLES or IN_PASSING[store])


def run(seed: int, new_world: NewWorld, steps_of: Callable[[int], list[Step]] = steps_of) -> None:
    """One interleaving; one that fails is made smaller and told."""
    steps = steps_of(seed)
    try:
        run_steps(steps, new_world)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error}\n{told(fewer(steps, failing(new_world)))}") from error


def failing(new_world: NewWorld) -> Callable[[Sequence[Step]], bool]:
    def fails(steps: Sequence[Step]) -> bool:
        try:
            run_steps(steps, new_world)
        except Exception:
            return True
        return False

    return fails


def told(steps: Sequence[Step]) -> str:
    return "\n".join(str(step) for step in steps)
