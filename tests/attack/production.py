"""The product as `make run` starts it, but with the servers of docker-compose.yml: `python -m tests.attack.production`.

Web and live are apart, as in production, and behind a front: TRUSTED_PROXIES is 1, and whoever asks adds
X-Forwarded-For as a front does. Databases stay those of `make run`, and one of its workers: what is attacked here are
servers. LIVE_PORT is the live server's port.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import yaml

from deploy.plan import ROOT, Options, product
from deploy.run import main
from deploy.supervisor.ports import LOOPBACK
from deploy.supervisor.runner import Command, Plan

PROGRAMS = {"python": [sys.executable]}
"""What a container finds by its name; every other program is run as a module."""


def plan(options: Options, env: Mapping[str, str]) -> Plan:
    """Returns the plan of `make run` with production's web servers, and one worker."""
    usual = product(options, env)
    worker = next(each for each in usual.processes if each.name == "worker.1")
    ports = {"web": options.port, "live": int(env["LIVE_PORT"])}
    servers = [Command(name, served(name, port)) for name, port in ports.items()]
    return replace(usual, processes=[*servers, worker])


def served(service: str, port: int) -> list[str]:
    """Returns the command of a service of docker-compose.yml, on loopback and that port."""
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][service]["command"]
    program, *arguments = composed
    command = [*PROGRAMS.get(program, [sys.executable, "-m", program]), *arguments]
    return _with(_with(command, "--host", LOOPBACK), "--port", str(port))


def _with(command: Sequence[str], option: str, value: str) -> list[str]:
    place = command.index(option)
    return [*command[: place + 1], value, *command[place + 2 :]]


if __name__ == "__main__":
    os.environ["TRUSTED_PROXIES"] = "1"
    sys.exit(main(sys.argv[1:], plan))
