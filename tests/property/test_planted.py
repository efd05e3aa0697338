"""The suite finds planted bugs, each within a few dozen interleavings: it can fail."""

import pytest

from tests.property.conftest import NewWorld
from tests.property.interleaving import run_steps, steps_of
from tests.property.planted import BUGS, FOUND_WITHIN, LAST_FOUND_BY


@pytest.mark.timeout(0)
@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("bug", FOUND_WITHIN, ids=lambda bug: bug.replace(" ", "_"))
def test_a_planted_bug_is_found(bug: str, new_world: NewWorld) -> None:
    with BUGS[bug]():
        for seed in seeds(bug):
            try:
                run_steps(steps_of(seed), new_world)
            except AssertionError:
                return
    pytest.fail(f"not found in {FOUND_WITHIN[bug]} interleavings")


def seeds(bug: str) -> list[int]:
    """All of them, in a circle that begins where the bug was found last."""
    begin = LAST_FOUND_BY.get(bug, 1)
    return [*range(begin, FOUND_WITHIN[bug] + 1), *range(1, begin)]
