"""`make attack`: attack a running product in every way, and see what others feel of it.

    make attack NAMES="slow-bodies replays" SECONDS=5 SERVERS=production STORE=cassandra

It starts a product of its own, in a directory and on ports of its own, and ends by itself: each attack goes on for
SECONDS and is bounded in number and in bytes. Everything is sent from loopback to loopback, from many addresses of
127.0.0.0/8, which takes Linux. For each attack it prints what the product's processes took of processors and memory,
and what ordinary readers and sockets felt, beside the quiet state. Exit status 1 if a bound was broken; which one an
attack has is what its docstring says. The directory, below DATA_DIR (default data/attack), goes with the run.
"""

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console

from deploy.errors import CannotStart
from tests.attack.catalogue import NAMES, chosen
from tests.attack.report import show
from tests.attack.run import Run
from tests.attack.settings import Settings


def main(env: Mapping[str, str]) -> int:
    """Returns the exit status: 0 when every bound held."""
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = directory_of_a_run(Path(env.get("DATA_DIR") or "data/attack").absolute())
    try:
        settings = Settings.read(env, NAMES)
        attacks = chosen(settings.names)
        measured = Run(
            settings, directory, attacks, lambda text: console.print(text, markup=False, highlight=False)
        ).go()
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 1
    except CannotStart as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(console, measured)
    broken = sum(len(each.faults) for each in measured)
    complete = len(measured) == 1 + len(attacks)
    console.print(f"{len(measured) - 1} of {len(attacks)} attacks, {broken} bounds broken.", highlight=False)
    return 0 if complete and not broken else 1


def directory_of_a_run(parent: Path) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    directory = parent / f"{stamp}-{os.getpid()}"
    directory.mkdir(parents=True)
    return directory


if __name__ == "__main__":
    sys.exit(main(os.environ))
