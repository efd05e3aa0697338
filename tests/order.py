"""Another order for a test session, drawn from a seed: no test may need one that ran before it."""

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import TypeVar

import pytest

T = TypeVar("T")
STARTED_ONCE = "server"
"""The fixture of the whole product. Its tests stay together by store: it would start anew at each change."""


def shuffled(items: Sequence[pytest.Item], seed: int) -> list[pytest.Item]:
    """The same tests: groups that start one product each, in them files, and in those tests, all in other orders."""
    groups: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        groups[_product_of(item)][item.nodeid.split("::")[0]].append(item)
    dice = Random(seed)
    ordered: list[pytest.Item] = []
    for group in _in_other_order(list(groups.values()), dice):
        for tests in _in_other_order(list(group.values()), dice):
            ordered += _in_other_order(tests, dice)
    return ordered


def _product_of(item: pytest.Item) -> str:
    """The store of the product that the test shares with others; empty for one that shares none."""
    parameters: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    return str(parameters.get(STARTED_ONCE, ""))


def _in_other_order(things: list[T], dice: Random) -> list[T]:
    return dice.sample(things, len(things))
