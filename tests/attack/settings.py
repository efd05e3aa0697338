"""What a run is told by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from deploy.errors import CannotStart
from deploy.plan import STORES

SERVERS = ("run", "production")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run is told."""

    seconds: float = 5.0
    """SECONDS, default 5: how long each attack goes on, and the look at the quiet state."""
    names: tuple[str, ...] = ()
    """NAMES="slow-bodies replays": these attacks alone; default all."""
    servers: str = "run"
    """SERVERS=run|production: the servers of `make run`, or those of docker-compose.yml."""
    store: str = "embedded"
    """STORE=embedded|cassandra."""
    timed: bool = True
    """TIMES=on|off, default on: whether others' times are judged. Off for a machine that is busy with something else;
    what is answered, memory, and whether the product still answers are judged all the same."""

    @classmethod
    def read(cls, env: Mapping[str, str], known: tuple[str, ...]) -> Self:
        """`known` are the attacks that there are. Raises `CannotStart` naming the variable that makes no sense."""
        names = tuple((env.get("NAMES") or "").replace(",", " ").split())
        unknown = [name for name in names if name not in known]
        if unknown:
            raise CannotStart(f"NAMES={' '.join(unknown)}: must be among {', '.join(known)}.")
        return cls(
            seconds=_seconds(env.get("SECONDS") or "5"),
            names=names,
            servers=_choice(env, "SERVERS", SERVERS),
            store=_choice(env, "STORE", STORES),
            timed=_choice(env, "TIMES", ("on", "off")) == "on",
        )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds <= 60:
        raise CannotStart(f"SECONDS={text}: must be a number from 0.5 to 60.")
    return seconds


def _choice(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """The variable's value; the first of `allowed` is its default."""
    value = env.get(name) or allowed[0]
    if value not in allowed:
        raise CannotStart(f"{name}={value}: must be one of {', '.join(allowed)}.")
    return value
