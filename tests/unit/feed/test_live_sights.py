"""Whom Redis does not know is asked about alone, and holds up nobody who is told at the same moment."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.account_cache.accounts import UNHEARD
from accounts.entities import Account
from accounts.graph import exclusions, protection
from accounts.graph.exclusions import Exclusions
from accounts.graph.kinds import FOLLOW
from feed.live import sights as module
from feed.live.sights import Sights, hidden_of
from storage.errors import Unavailable
from storage.ports.associations import Association


def test_who_is_not_known_is_asked_about_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def hidden_of(authors: Mapping[int, Collection[int]]) -> dict[int, frozenset[int]]:
        return {1: frozenset({7}), 2: frozenset()}

    def hidden(viewer_id: int, authors: frozenset[int]) -> frozenset[int]:
        asked.append(viewer_id)
        return authors

    async def reading(ask: Callable[..., Any], *args: Any) -> Any:
        return ask(*args)

    for name, instead in (("hidden_of", hidden_of), ("_hidden", hidden), ("reading", reading)):
        monkeypatch.setattr(module, name, instead)

    async def scenario() -> None:
        sights = Sights()
        found = await asyncio.gather(*(sights.hidden(viewer, {7}) for viewer in (1, 2, 3)))
        assert found == [{7}, frozenset(), {7}]
        assert asked == [3]

    asyncio.run(scenario())


class Redis:
    """Knows some viewers' exclusions, and is asked by their ids."""

    def __init__(self, known: Mapping[int, Exclusions]) -> None:
        self._known = known

    def ask_all(self, asked: list[Any]) -> list[Any]:
        return [UNHEARD, *(self._known.get(each) for each in asked[1:])]


def test_where_the_store_is_down_those_are_told_whom_redis_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refreshed(viewer_id: int) -> Exclusions:
        asked.append(viewer_id)
        raise Unavailable("store")

    redis = Redis({2: Exclusions(hidden=frozenset({7})), 4: Exclusions()})
    monkeypatch.setattr(module, "timeline_node", lambda: redis)
    monkeypatch.setattr(exclusions, "read", lambda viewer_id: viewer_id)
    monkeypatch.setattr(module, "refreshed", refreshed)
    monkeypatch.setattr(module, "accounts_by_id", lambda ids, **_: {})
    found = hidden_of({each: {7, 8} for each in (1, 2, 3, 4)})
    assert found == {2: frozenset({7}), 4: frozenset()}
    assert asked == [1], "the others who are not known ask for themselves"


def account(user_id: int, *, protected: bool) -> Account:
    return Account(user_id, f"p{user_id}", "", "", None, False, False, False, protected)


@pytest.fixture
def seven_is_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis knows the viewers 1 to 4, of whom 3 blocks 8."""
    redis = Redis({each: Exclusions(hidden=frozenset({8} if each == 3 else ())) for each in (1, 2, 3, 4, 7)})
    monkeypatch.setattr(module, "timeline_node", lambda: redis)
    monkeypatch.setattr(exclusions, "read", lambda viewer_id: viewer_id)
    known = {7: account(7, protected=True), 8: account(8, protected=False)}
    monkeypatch.setattr(module, "accounts_by_id", lambda ids, **_: {each: known[each] for each in ids})


@pytest.mark.usefixtures("seven_is_protected")
def test_where_the_store_is_down_those_alone_are_not_told_who_have_somebody_protected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(pairs: object) -> list[Association]:
        raise Unavailable("store")

    async def reading(ask: Callable[..., Any], *args: Any) -> Any:
        return ask(*args)

    monkeypatch.setattr(protection, "associations", lambda: SimpleNamespace(find_pairs=silent))
    monkeypatch.setattr(module, "reading", reading)

    async def scenario() -> None:
        sights = Sights()
        asked = [sights.hidden(1, {7, 8}), sights.hidden(2, {8}), sights.hidden(3, {8}), sights.hidden(7, {7})]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(found[0], Unavailable)
        assert found[1:] == [frozenset(), {8}, frozenset()]

    asyncio.run(scenario())


@pytest.mark.usefixtures("seven_is_protected")
def test_the_store_is_asked_of_some_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def find_pairs(pairs: Collection[tuple[int, str, int]]) -> list[Association]:
        asked.append(len(pairs))
        return [Association(*each, 1) for each in pairs if each == (4, FOLLOW, 7)]

    monkeypatch.setattr(protection, "associations", lambda: SimpleNamespace(find_pairs=find_pairs))
    monkeypatch.setattr(protection, "PAIRS_AT_ONCE", 2)
    found = hidden_of({each: {7} for each in (1, 2, 4, 7)})
    assert found == {1: frozenset({7}), 2: frozenset({7}), 4: frozenset(), 7: frozenset()}
    assert asked == [2, 1]
