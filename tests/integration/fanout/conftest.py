"""What the tests of fan-out share: timelines that are full soon, one shard, a worker that owes nothing."""

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from fanout.orders import attempts
from fanout.timelines import materialised
from storage.redis.generations import begin as begin_generation
from storage.redis.node import timeline_node
from tests.integration.fanout.materialising import CAP


@pytest.fixture
def small_timelines(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timelines of ten entries, trimmed when they are more than three above it."""
    settings.TIMELINE_CAP = CAP
    monkeypatch.setattr(materialised, "TRIM_SLACK", 3)


@pytest.fixture
def one_shard(settings: Settings) -> None:
    """So that each reader's recent lists are everybody's."""
    settings.TIMELINE_SHARDS = 1
    begin_generation(timeline_node())


@pytest.fixture
def nothing_to_take_back() -> Iterator[None]:
    """No attempt of another test waits to be taken back, and none of this one afterwards."""
    attempts._to_take_back.clear()
    yield
    attempts._to_take_back.clear()
