"""Whoever listens to their home is shown all that comes into it, and told what leaves it, however often they come back.

`EXAMPLES` and `SEED` are as in test_timelines.py.
"""

import os
import time

import pytest

from tests.property.conftest import NewWorld
from tests.property.listening import listening_steps_of
from tests.property.test_timelines import EXAMPLES, SEED, run

IN_PASSING = {"embedded": 10, "cassandra": 4}


@pytest.mark.timeout(0)
def test_whoever_comes_back_misses_nothing(
    store: str, new_listening_world: NewWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    for seed in range(SEED, SEED + int(EXAMPLES or IN_PASSING[store])):
        run(seed, new_listening_world, listening_steps_of)
        if os.environ.get("ONE"):
            with capsys.disabled():
                print(seed, time.monotonic() - began, flush=True)
