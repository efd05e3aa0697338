import time

import pytest

from tests.property.interleaving import carry_out, steps_of
from tests.property.planted import BUGS
from tests.property.test_timelines import EXAMPLES, OFF


@pytest.mark.timeout(0)
@pytest.mark.parametrize("bug", list(BUGS), ids=lambda s: s.replace(" ", "_"))
def test_found(new_world, bug):
    began = time.monotonic()
    line = "NOT FOUND"
    with BUGS[bug]():
        for n in range(1, EXAMPLES + 1):
            try:
                carry_out(steps_of(n, without=OFF), new_world)
            except AssertionError as e:
                line = str(e).splitlines()[0][:150]
                break
    with open("/tmp/wt/prop_planted.txt", "a") as f:
        print(f"{bug:70} {n:4} {time.monotonic() - began:.1f}s {line}", file=f)
