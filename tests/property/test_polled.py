"""Whoever polls their home is shown all that comes into it, whatever happens in whatever order.

`EXAMPLES` and `SEED` are as in test_timelines.py, but of the examples a third is taken: these hold more reads.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest

from fanout.live import watermark
from storage.ids.settling import settled_place
from storage.web.paging import Unsettled
from tests.property.conftest import NewWorld
from tests.property.interleaving import run_steps, steps_of
from tests.property.test_timelines import SEED, examples, run

Bug = Callable[[], AbstractContextManager[object]]

BUGS: dict[str, Bug] = {
    "a poll does not look below its place": lambda: patch.object(Unsettled, "is_of", lambda self, places: True),
    "open orders do not hold the watermark": lambda: patch.object(watermark, "measured_watermark", settled_place),
}
FOUND_WITHIN = 60


@pytest.mark.timeout(0)
def test_no_poll_ever_misses_anything(store: str, new_polled_world: NewWorld) -> None:
    for seed in range(SEED, SEED + max(1, examples(store) // 3)):
        run(seed, new_polled_world)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.replace(" ", "_"))
def test_a_planted_bug_is_found(bug: str, new_polled_world: NewWorld) -> None:
    with BUGS[bug]():
        for seed in range(1, FOUND_WITHIN + 1):
            try:
                run_steps(steps_of(seed), new_polled_world)
            except AssertionError:
                return
    pytest.fail(f"not found in {FOUND_WITHIN} interleavings")
