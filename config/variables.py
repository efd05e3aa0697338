"""Fields of a dataclass whose defaults are read from the environment, each checked as it is read.

    @dataclass
    class Environment:
        timeline_cap: int = positive("TIMELINE_CAP", 800)

`Environment()` then has what the environment says. A value that is none raises environs' EnvError or
`UnsafeEnvironment`, which name the variable.
"""

from dataclasses import field
from pathlib import Path
from typing import TypeVar

from environs import Env

ENV = Env()
Allowed = TypeVar("Allowed", bound=str)


class UnsafeEnvironment(Exception):
    """Settings that cannot work, or that production must not have; the message is for who starts the process."""


def text(name: str, default: str = "") -> str:
    return field(default_factory=lambda: read_text(name, default))


def words(name: str, *default: str) -> list[str]:
    """Reads comma-separated ones; spaces around them and empty ones are nothing."""
    return field(default_factory=lambda: [each.strip() for each in ENV.list(name, default) if each.strip()])


def flag(name: str, default: bool) -> bool:
    """Reads on|off, true|false, 1|0 and the like."""
    return field(default_factory=lambda: ENV.bool(name, default))


def optional_flag(name: str) -> bool | None:
    """Reads a `flag` that has a default elsewhere; None where nothing is said."""
    return field(default_factory=lambda: ENV.bool(name, None))


def choice(name: str, *allowed: Allowed) -> Allowed:
    """Reads one of `allowed`, of which the first is the default."""
    return field(default_factory=lambda: read_choice(name, *allowed))


def decimal(name: str, default: float) -> float:
    return field(default_factory=lambda: ENV.float(name, default))


def seconds(name: str, default: float) -> float:
    """Reads a finite time that is not negative."""
    return field(default_factory=lambda: _not_negative(name, ENV.float(name, default)))


def whole(name: str, default: int) -> int:
    """Reads a whole number that is not negative."""
    return field(default_factory=lambda: int(_not_negative(name, ENV.int(name, default))))


def positive(name: str, default: int, *, most: int | None = None) -> int:
    """Reads a whole number from 1 on, up to `most` if there is one."""
    return field(default_factory=lambda: _positive(name, ENV.int(name, default), most))


def read_text(name: str, default: str) -> str:
    return ENV.str(name, default)


def read_path(name: str, default: str) -> Path:
    return ENV.path(name, Path(default))


def read_choice(name: str, *allowed: Allowed) -> Allowed:
    """Returns the variable's value; the first of `allowed` is its default. Raises `UnsafeEnvironment` for another."""
    value = ENV.str(name, allowed[0])
    for each in allowed:
        if value == each:
            return each
    raise UnsafeEnvironment(f"{name}={value}: must be one of {', '.join(allowed)}")


def _not_negative(name: str, value: float) -> float:
    if value < 0:
        raise UnsafeEnvironment(f"{name}={value}: must not be negative")
    return value


def _positive(name: str, value: int, most: int | None) -> int:
    if value < 1:
        raise UnsafeEnvironment(f"{name}={value}: must be at least 1")
    if most is not None and value > most:
        raise UnsafeEnvironment(f"{name}={value}: must be at most {most}")
    return value
