"""A story for each test."""

import pytest

from tests.unit.chaos.story import Story


@pytest.fixture
def story() -> Story:
    return Story()
