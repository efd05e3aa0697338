"""Which fault comes when, told from the seed alone: rounds of one to three faults, then a rest to recover in."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tests.chaos.settings import CLUSTER, Settings

FIRST_AT = 1.0
ROUND_SECONDS = 8.0
"""From the beginning of a round to that of the next; not all recover in that time, and need not."""
CASSANDRA_SECONDS = 15.0
"""So much longer is a round in which Cassandra starts anew."""
SPREAD_SECONDS = 2.0
"""Faults of one round begin within so many seconds of each other."""
LAST_SECONDS = 2.0
"""The last fault is over so long before the end."""


class Fault(StrEnum):
    WORKER_KILLED = "worker killed"
    WORKER_HUNG = "worker hung"
    WEB_KILLED = "web killed"
    WEB_HUNG = "web hung"
    LIVE_KILLED = "live killed"
    BEAT_KILLED = "beat killed"
    BROKER_KILLED = "broker killed"
    BROKER_HUNG = "broker hung"
    TIMELINES_KILLED = "timelines killed"
    TIMELINES_HUNG = "timelines hung"
    TIMELINES_FLUSHED = "timelines flushed"
    TIMELINES_MOVED = "timelines moved"
    TIMELINES_PROMOTED = "timelines promoted"
    CASSANDRA_KILLED = "cassandra killed"
    CASSANDRA_HUNG = "cassandra hung"

    @property
    def victim(self) -> str:
        """The name of what it hits, without the number of one of several."""
        return self.split()[0]

    @property
    def seconds(self) -> tuple[float, float]:
        """How long it lasts, at least and at most."""
        return {"killed": (0.2, 3.0), "hung": (1.0, 5.0)}.get(self.split()[1], (0.0, 0.0))


LIVE = "web.1"
"""The web process that serves sockets, as that of `make run` does: production has processes of their own for them."""
SEVERAL = {"worker": 2, "web": 3}
"""Processes that there are more of than one; "web" is counted by stack.py as well."""
THIRDS = 3
"""Of the slots of a cluster: "timelines.2" is whoever is the primary of the second third when the fault comes."""
OF_A_CLUSTER = {Fault.TIMELINES_MOVED, Fault.TIMELINES_PROMOTED}


@dataclass(frozen=True, slots=True)
class Injection:
    """From `at` on, for `seconds`, `fault` hits `target`."""

    round: int
    at: float
    fault: Fault
    target: str
    seconds: float


def schedule(settings: Settings) -> list[Injection]:
    """In the order of their beginnings; the last is over LAST_SECONDS before the end, as it is planned."""
    found = _rounds(settings)
    to_spare = settings.seconds - LAST_SECONDS - max(each.at + each.seconds for each in found)
    return [replace(each, at=round(each.at + max(0.0, to_spare), 2)) for each in found]


def _rounds(settings: Settings) -> list[Injection]:
    """As many as there is time for, from FIRST_AT on."""
    dice = random.Random(f"{settings.seed}:faults")
    deck = _deal(dice, settings)
    several = SEVERAL | ({"timelines": THIRDS} if settings.timelines == CLUSTER else {})
    found: list[Injection] = []
    begins, number = FIRST_AT, 0
    while True:
        number += 1
        faults = _a_round(dice, deck, several, number, begins)
        if max(each.at + each.seconds for each in faults) > settings.seconds - LAST_SECONDS:
            return found or faults[:1]
        found += faults
        begins += ROUND_SECONDS
        if any(each.fault is Fault.CASSANDRA_KILLED for each in faults):
            begins += CASSANDRA_SECONDS


def _deal(dice: random.Random, settings: Settings) -> Iterator[Fault]:
    """Every fault once, then again, in ever another order."""
    while True:
        faults = [each for each in Fault if settings.store == "cassandra" or each.victim != "cassandra"]
        faults = [each for each in faults if settings.timelines == CLUSTER or each not in OF_A_CLUSTER]
        dice.shuffle(faults)
        yield from faults


def _a_round(
    dice: random.Random, deck: Iterator[Fault], several: Mapping[str, int], number: int, begins: float
) -> list[Injection]:
    """No target is hit twice at a time."""
    hit: dict[str, Injection] = {}
    for _ in range(dice.choice([1, 2, 2, 3])):
        fault = next(deck)
        at, seconds = begins + dice.uniform(0, SPREAD_SECONDS), dice.uniform(*fault.seconds)
        place = dice.randint(1, several.get(fault.victim, 1))
        target = f"{fault.victim}.{place}" if fault.victim in several else fault.victim
        target = LIVE if fault is Fault.LIVE_KILLED else target
        hit.setdefault(target, Injection(number, round(at, 2), fault, target, round(seconds, 2)))
    return sorted(hit.values(), key=lambda each: each.at)
