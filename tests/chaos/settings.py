"""What a run is told: by its environment, or by the log of an earlier one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from deploy.errors import CannotStart
from deploy.plan import STORES

ONE, CLUSTER = "one", "cluster"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the plan of a run is made from."""

    seconds: int = 60
    """SECONDS, default 60: how long there are faults."""
    seed: int = 1
    """SEED, default 1: who does what when, and which fault comes when."""
    store: str = "embedded"
    """STORE=embedded|cassandra."""
    people: int = 30
    """PEOPLE, default 30."""
    rate: int = 25
    """RATE, default 25: actions a second."""
    nodes: int = 1
    """NODES, default 1: of Cassandra. With more, one of them is lost, and nothing else (nodes.py)."""
    timelines: str = ONE
    """TIMELINES=one|cluster: one Redis for timelines, or three primaries and a replica of each."""
    slack: int = 0
    """SLACK, default 0: so many seconds more than promised, for a machine that is busy with something else."""

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """With REPLAY those of that log, whatever else is said. Raises `CannotStart`."""
        if env.get("REPLAY"):
            return cls(**_logged(Path(env["REPLAY"])))
        store = env.get("STORE") or "embedded"
        if store not in STORES:
            raise CannotStart(f"STORE={store}: must be one of {', '.join(STORES)}.")
        nodes = _number(env, "NODES", 1, at_least=1)
        timelines = env.get("TIMELINES") or ONE
        if timelines not in (ONE, CLUSTER):
            raise CannotStart(f"TIMELINES={timelines}: must be {ONE} or {CLUSTER}.")
        return cls(
            seconds=_number(env, "SECONDS", 60, at_least=10),
            seed=_number(env, "SEED", 1, at_least=0),
            store="cassandra" if nodes > 1 else store,
            nodes=nodes,
            timelines=timelines,
            people=_number(env, "PEOPLE", 30, at_least=4),
            rate=_number(env, "RATE", 25, at_least=1),
            slack=_number(env, "SLACK", 0, at_least=0),
        )

    def logged(self) -> dict[str, Any]:
        return asdict(self)


def _logged(path: Path) -> dict[str, Any]:
    try:
        first: dict[str, Any] = json.loads(path.read_text().split("\n", 1)[0])
        settings = {name: first["settings"][name] for name in ("seconds", "seed", "store", "people", "rate")}
        later = {"nodes": 1, "timelines": ONE}
        return settings | {name: first["settings"].get(name, default) for name, default in later.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotStart(f"REPLAY={path} is not the log of a run of make chaos.") from error


def _number(env: Mapping[str, str], name: str, default: int, *, at_least: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or int(text) < at_least:
        raise CannotStart(f"{name}={text}: a whole number from {at_least} on.")
    return int(text)
