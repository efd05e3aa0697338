"""Whom Redis does not know is asked about alone, and holds up nobody who is told at the same moment."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from feed.live import sights as module
from feed.live.sights import Sights


def test_who_is_not_known_is_asked_about_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def hidden_of(authors: Mapping[int, Collection[int]]) -> dict[int, frozenset[int]]:
        return {1: frozenset({7}), 2: frozenset()}

    def hides(viewer_id: int, _: Any) -> bool:
        asked.append(viewer_id)
        return True

    async def reading(ask: Callable[..., Any], *args: Any) -> Any:
        return ask(*args)

    for name, instead in (("hidden_of", hidden_of), ("_hides", hides), ("reading", reading)):
        monkeypatch.setattr(module, name, instead)

    async def scenario() -> None:
        sights = Sights()
        found = await asyncio.gather(*(sights.hides(viewer, {7}) for viewer in (1, 2, 3)))
        assert found == [True, False, True]
        assert asked == [3]

    asyncio.run(scenario())
