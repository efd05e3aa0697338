"""`make bench`: every bench, or those named, with a table of what they found.

    make bench                  # all of them, in 35 minutes
    make bench-home             # one
    make bench NAMES="home post" STORE=embedded OUT=data/bench

Each starts servers and processes of its own, measures beside its reference in the same run, and
leaves `<name>-<store>.json` and its graphs in OUT (default data/bench); what is printed stands in
`report.md` there. Exit status 1 if a bench failed; a row that does not reach is no failure, and is
marked.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

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
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "report.md").open("w") as told:
        return _run_all(given.names or list(BENCHES), given.store, given.out, told)


def _run_all(names: Sequence[str], store: str | None, out: Path, told: TextIO) -> int:
    def tell(text: str) -> None:
        print(text, flush=True)
        print(text, file=told, flush=True)

    tell(report.of_machine(machine()))
    found: list[Result] = []
    failed: list[str] = []
    began = time.monotonic()
    for name in names:
        for each in _stores(name, store):
            result = _run(name, each, out)
            if result is None:
                failed.append(f"{name} on {each}")
                continue
            found.append(result)
            draw(result, out)
            tell(report.of_result(result))
    tell(report.summary(found, failed, time.monotonic() - began))
    return 1 if failed else 0


def _stores(name: str, asked: str | None) -> Sequence[str]:
    return BENCHES[name].stores if asked is None else [asked]


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
