"""One interleaving: a seed makes its steps, which can be carried out, and made fewer while they still fail.

Steps are drawn here and not by Hypothesis' state machines: those spend much of a small budget on
sequences that are nearly the same, or nearly empty, and races need many steps of the right kinds.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from tests.property.acting import PEOPLE
from tests.property.machine import Timelines
from tests.property.rules import RULES

STEPS = 30
STAYS_AWAY = 0.4
"""How often a group of rules is left out: without noise, some faults last until they are seen."""
ATTEMPTS = 300
"""To make a failure smaller."""


class Step(NamedTuple):
    rule: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"world.{self.rule}({arguments})"


def steps_of(seed: int) -> list[Step]:
    """The steps that the seed means."""
    dice = Random(seed)
    groups = sorted({each.group for each in RULES.values()} - {""})
    away = {group for group in groups if dice.random() < STAYS_AWAY}
    rules = {name: each for name, each in RULES.items() if each.group not in away}
    drawn = dice.choices(list(rules), [each.weight for each in rules.values()], k=STEPS)
    return [_meeting(dice), *(Step(name, _arguments(dice, rules[name].choices)) for name in drawn)]


def run_steps(steps: Sequence[Step], new_world: Callable[[], Timelines]) -> None:
    """Raises AssertionError where somebody sees what they must not, or not what they must."""
    timelines = new_world()
    try:
        for step in steps:
            getattr(timelines, step.rule)(**step.arguments)
            timelines.after_each_step()
        timelines.end_well()
    finally:
        timelines.world.close()


def fewer(steps: list[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """Steps of which none can be left out any more, or that ATTEMPTS have not made fewer."""
    attempts, size = 0, len(steps) // 2
    while size and attempts < ATTEMPTS:
        start = 1
        while start < len(steps) and attempts < ATTEMPTS:
            attempts += 1
            without = steps[:start] + steps[start + size :]
            if fails(without):
                steps = without
            else:
                start += size
        size //= 2
    return steps


def _meeting(dice: Random) -> Step:
    pairs = [(one, two) for one in range(PEOPLE) for two in range(PEOPLE) if one != two]
    strangers = set(dice.sample(pairs, dice.randrange(4)))
    active = {each for each in range(PEOPLE) if dice.random() < 0.5}
    return Step("people_meet", {"strangers": strangers, "active": active, "tweets": dice.randrange(3)})


def _arguments(dice: Random, choices: dict[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: dice.choice(among) for name, among in choices.items()}
