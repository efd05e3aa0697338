"""What docker-compose.yml says of a service, with its variables filled in as Compose fills them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from deploy.errors import CannotStart
from deploy.plan import ROOT

OPENING = re.compile(r"\$(?:\$|\{(\w+)(:-|:\?)?)")


@dataclass(frozen=True, slots=True)
class Service:
    """One, as it would run in its container."""

    name: str
    command: list[str]
    environment: dict[str, str]
    healthcheck: list[str]
    """A command; empty without one."""
    grace_seconds: float
    replicas: int


def services(variables: Mapping[str, str]) -> dict[str, Service]:
    """Every service by its name. Raises `CannotStart` naming a variable that has to be given and is not."""
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {name: _service(name, described, variables) for name, described in composed.items()}


def _service(name: str, described: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    environment = {}
    for key, value in described.get("environment", {}).items():
        if value is not None:
            environment[key] = filled(str(value), variables)
        elif key in variables:
            environment[key] = variables[key]
    kind, *test = [filled(word, variables) for word in described.get("healthcheck", {}).get("test", [""])]
    return Service(
        name=name,
        command=[filled(word, variables) for word in described.get("command", [])],
        environment=environment,
        healthcheck=["sh", "-c", *test] if kind == "CMD-SHELL" else test,
        grace_seconds=float(described.get("stop_grace_period", "10s").removesuffix("s")),
        replicas=int(filled(str(described.get("deploy", {}).get("replicas", 1)), variables)),
    )


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Fills in `${NAME}`, `${NAME:-otherwise}` and `${NAME:?what it is}`, which may stand in one another."""
    found = OPENING.search(text)
    if found is None:
        return text
    before, behind = text[: found.start()], text[found.end() :]
    if found[1] is None:
        return f"{before}${filled(behind, variables)}"
    inner, behind = _until_closed(behind)
    value = variables.get(found[1], "")
    if not value and found[2] == ":?":
        raise CannotStart(f"{found[1]} has to be given: {inner}")
    return f"{before}{value or filled(inner, variables)}{filled(behind, variables)}"


def _until_closed(text: str) -> tuple[str, str]:
    depth = 1
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return text[:place], text[place + 1 :]
    raise CannotStart(f"docker-compose.yml: a variable is not closed: {text}")
