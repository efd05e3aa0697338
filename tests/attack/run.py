"""The order of things: the quiet state, then attack after attack, each judged."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack.attack import Attack, Seen
from tests.attack.bystanders import CALM_MS, Bystanders, Felt
from tests.attack.product import Gauge, Product
from tests.attack.settings import Settings

FACTOR = 5.0
"""Times are within their bounds up to this many times the quiet state, too: on a slow machine everything is slow."""
STRIKE_SECONDS = 60.0
"""More than any attack takes by itself; one that does not end is a fault of this program."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen during a span: of the quiet state, or of an attack."""

    name: str
    gauge: Gauge
    """What the product's processes took."""
    felt: Felt
    """What ordinary people felt."""
    seen: Seen = field(default_factory=Seen)
    faults: Sequence[str] = ()


class Run:
    """One run against one product. `go` once; raises `CannotStart`."""

    def __init__(
        self, settings: Settings, directory: Path, attacks: Sequence[Attack], say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._attacks = attacks
        self._say = say

    def go(self) -> list[Measured]:
        """The quiet state first, then each attack."""
        self._say(f"Starting the product (SERVERS={self._settings.servers}) …")
        with Product(self._settings, self._directory) as product:
            target = product.target
            target.reader = asyncio.run(target.sign_up("reader_beside"))
            bystanders = Bystanders(target, self._directory / "bystanders.jsonl")
            try:
                bystanders.ready()
                self._settled(bystanders, time.monotonic())
                quiet = self._quiet(product, bystanders)
                return [quiet, *self._all(product, bystanders, quiet)]
            finally:
                bystanders.stop()

    def _quiet(self, product: Product, bystanders: Bystanders) -> Measured:
        self._say("Looking at the quiet state …")
        with Gauge(product) as gauge:
            time.sleep(self._settings.seconds)
        self._settled(bystanders, gauge.ended_at)
        return Measured("quiet", gauge, bystanders.felt(gauge.began_at, gauge.ended_at))

    def _all(self, product: Product, bystanders: Bystanders, quiet: Measured) -> list[Measured]:
        found = []
        for attack in self._attacks:
            found.append(self._attacked(attack, product, bystanders, quiet.felt))
            if product.ended:
                self._say(f"The product has ended:\n{product.output[-4_000:]}")
                break
        return found

    def _attacked(self, attack: Attack, product: Product, bystanders: Bystanders, quiet: Felt) -> Measured:
        target, seconds = product.target, self._settings.seconds
        asyncio.run(attack.prepare(target))
        self._settled(bystanders, time.monotonic())
        self._say(f"{attack.name} …")
        with Gauge(product) as gauge:
            seen = asyncio.run(asyncio.wait_for(attack.strike(target, seconds), STRIKE_SECONDS))
        calm = self._settled(bystanders, gauge.ended_at)
        felt = bystanders.felt(gauge.began_at, gauge.ended_at)
        faults = attack.faults(seen) + too_large(attack, gauge.growth_mb)
        if self._settings.timed:
            faults += too_slow(attack, felt, quiet)
        if product.ended:
            faults.append("the product has ended")
        elif not calm or not asyncio.run(target.answers()):
            faults.append("others are not answered as usual afterwards")
        return Measured(attack.name, gauge, felt, seen, faults)

    def _settled(self, bystanders: Bystanders, until: float) -> bool:
        """Where times are not judged, others need but be answered."""
        return bystanders.settle(until, CALM_MS if self._settings.timed else math.inf)


def too_large(attack: Attack, growth_mb: float) -> list[str]:
    """A fault if the product's processes have grown beyond the attack's bound."""
    over = growth_mb > attack.growth_mb
    return [f"the processes grew by {growth_mb:.0f} MB; {attack.growth_mb:.0f} are allowed"] if over else []


def too_slow(attack: Attack, felt: Felt, quiet: Felt) -> list[str]:
    """Faults for what ordinary people felt, beside the quiet state."""
    found = []
    for what, times, usual, bound in (
        ("GET /feed/home", felt.home, quiet.home, attack.home_ms),
        ("deliveries", felt.delivery, quiet.delivery, attack.delivery_ms),
    ):
        allowed = max(bound, FACTOR * percentile(usual, 99))
        if percentile(times, 99) > allowed:
            found.append(f"others' {what} took {percentile(times, 99):.0f} ms (p99); {allowed:.0f} are allowed")
    if felt.unanswered or felt.undelivered:
        found.append(f"{felt.unanswered} of others' reads and {felt.undelivered} deliveries failed")
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest of the values that so many per cent do not exceed; 0 of none."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)] if values else 0.0
