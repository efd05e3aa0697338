"""What tests share: no waiting between two looks for faults, and quick ones at watched tweets."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from feed.leaving import saga
from feed.live import listener as listener_module
from feed.operations import strays


@pytest.fixture
def no_moment() -> Iterator[None]:
    """What looks like a stray is looked at again at once."""
    with patch.object(strays, "MOMENT_SECONDS", 0.0):
        yield


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are looked at ten times a second, and blocks twice; no sweep makes good what was not published."""
    monkeypatch.setattr(listener_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(listener_module, "SIGHT_SECONDS", 0.5)
    monkeypatch.setattr(listener_module, "SWEEP_SECONDS", 600.0)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Erasing who has left is done in one run, however busy the machine is."""
    for name in ("BEGUN_SECONDS", "RUN_SECONDS", "A_TURN_SECONDS"):
        monkeypatch.setattr(saga, name, 60.0)
