"""`make bench`: every bench, or those named, with a table of what they found.

    make bench                  # all of them, under half an hour
    make bench-home             # one
    make bench NAMES="home post" STORE=embedded OUT=data/bench

Each starts servers and processes of its own, measures beside its reference in the same run, and
leaves `<name>-<store>.json` and its graphs in OUT (default data/bench). Exit status 1 if a bench
failed; a row that does not reach is no failure, and is marked.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench import report
from bench.catalogue import BENCHES
from bench.machine import machine
from bench.plots import draw
from bench.results import Result, load
from deploy.plan import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; default all")
    parser.add_argument("--store", choices=("embedded", "cassandra"), help="only on this one; default on those of each")
    parser.add_argument("--out", type=Path, default=Path("data/bench"), help="directory of the JSON and the graphs")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHES]
    if unknown:
        parser.error(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(report.of_machine(machine()), flush=True)
    found: list[Result] = []
    failed: list[str] = []
    began = time.monotonic()
    for name in given.names or BENCHES:
        stores = [each for each in BENCHES[name].stores if given.store in (None, each)] or [given.store]
        for store in stores:
            result = _run(name, store, given.out)
            if result is None:
                failed.append(f"{name} on {store}")
                continue
            found.append(result)
            draw(result, given.out)
            print(report.of_result(result), flush=True)
    print(report.summary(found, failed, time.monotonic() - began))
    return 1 if failed else 0


def _run(name: str, store: str, out: Path) -> Result | None:
    """None when it failed; it has said why."""
    print(f"\n{name} on {store}: {BENCHES[name].measures} …", file=sys.stderr, flush=True)
    path = out.absolute() / f"{name}-{store}.json"
    path.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "bench.one", name, store, str(path.parent)]
    done = subprocess.run(argv, cwd=ROOT, env=dict(os.environ), check=False)
    return load(path) if done.returncode == 0 and path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
