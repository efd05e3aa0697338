"""`make manage DO=…`: manage.py with the environment of the run that DATA_DIR belongs to.

    python -m deploy.manage audit_timelines --sample 100

The ports of a run's servers are chosen when it starts; it notes them in DATA_DIR.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.plan import ROOT, Options, environment
from deploy.supervisor.privacy import PRIVATE_UMASK
from deploy.supervisor.records import read_addresses


def manage_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Returns what the environment says, and where it says nothing the run's own addresses. Raises `CannotStart`."""
    data_dir = Path(env.get("DATA_DIR") or "data").absolute()
    merged = read_addresses(data_dir / "run.json") | {name: value for name, value in env.items() if value}
    return environment(Options.read(merged), merged)


def main(arguments: list[str]) -> None:
    """Becomes manage.py."""
    os.umask(PRIVATE_UMASK)
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, "manage.py", *arguments], manage_environment(os.environ))  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
