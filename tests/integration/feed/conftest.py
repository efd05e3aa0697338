"""What the tests of searching for faults share: no waiting between the two looks."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from feed.operations import strays


@pytest.fixture
def no_moment() -> Iterator[None]:
    """What looks like a stray is looked at again at once."""
    with patch.object(strays, "MOMENT_SECONDS", 0.0):
        yield
