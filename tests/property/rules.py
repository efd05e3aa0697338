"""Rules: the methods of a world that an interleaving is drawn from."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Rule:
    """How often a method is drawn, and from what its arguments; rules of a `group` come or stay away together."""

    def __init__(self, weight: int, group: str, choices: dict[str, Sequence[Any]]) -> None:
        self.weight = weight
        self.group = group
        self.choices = choices


RULES: dict[str, Rule] = {}


def rule(weight: int = 1, group: str = "", **choices: Sequence[Any]) -> Callable[[T], T]:
    def add(method: T) -> T:
        RULES[method.__name__] = Rule(weight, group, choices)  # type: ignore[attr-defined]
        return method

    return add
