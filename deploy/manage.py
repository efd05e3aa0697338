"""`make manage DO=…`: manage.py with the environment of the run that DATA_DIR belongs to.

    python -m deploy.manage audit_timelines --sample 100

The ports of a run's servers are chosen when it starts; it notes them in DATA_DIR. Where no run is, and no address is
given, a command finds no Redis at all, rather than the usual ports, where somebody else's may be: the first connection
to the timelines' empties a server that is new to us.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.errors import CannotStart
from deploy.plan import ROOT, Options, environment
from deploy.supervisor.privacy import PRIVATE_UMASK
from deploy.supervisor.records import read_addresses

NOWHERE = {"TIMELINE_REDIS_URL": "redis://127.0.0.1:1/0", "BROKER_REDIS_URL": "redis://127.0.0.1:1/1"}
"""Where nobody listens."""
NEEDS_REDIS = ("empty_redis",)


def manage_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Returns what the environment says, and where it says nothing the run's own addresses. Raises `CannotStart`."""
    data_dir = Path(env.get("DATA_DIR") or "data").absolute()
    given = read_addresses(data_dir / "run.json") | {name: value for name, value in env.items() if value}
    merged = NOWHERE | given
    return environment(Options.read(merged), merged)


def main(arguments: list[str]) -> None:
    """Becomes manage.py."""
    os.umask(PRIVATE_UMASK)
    os.chdir(ROOT)
    try:
        env = manage_environment(os.environ)
        refuse_without_redis(arguments, env)
    except CannotStart as error:
        sys.exit(str(error))
    os.execve(sys.executable, [sys.executable, "manage.py", *arguments], env)  # noqa: S606


def refuse_without_redis(arguments: Sequence[str], env: Mapping[str, str]) -> None:
    """Raises `CannotStart` for a command that is about Redis while one of them is nowhere."""
    nowhere = [name for name, url in NOWHERE.items() if env[name] == url]
    if nowhere and arguments and arguments[0] in NEEDS_REDIS:
        raise CannotStart(
            f"{arguments[0]}: nothing runs with this DATA_DIR, and {nowhere[0]} is not given. "
            "After `restore` with `make run` there is nothing to empty."
        )


if __name__ == "__main__":
    main(sys.argv[1:])
