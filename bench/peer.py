"""A peer's own bench script beside ours: `PEER=script`, run in `PEER_PYTHON=` or in a venv made for it.

The script is a process of its own against a Valkey that is started for it and asks for no password:
`--port N --followers 10000`, with one JSON object a line on its output, of
which those with `"what": "fanout"` have `mode` and `deliveries_per_s`. Without PEER_PYTHON, what its text says to
`pip install` is installed into a private venv.
"""

import os
import re
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.results import Figure, Row
from deploy.errors import CannotStart
from deploy.valkey import Valkey

FOLLOWERS = 10_000
ARGUMENTS = ["--followers", str(FOLLOWERS), "--runs", "3", "--seconds", "2", "--feed-users", "50"]
GIVE_UP_SECONDS = 240.0


class Run(msgspec.Struct):
    """One line of its output, of which other kinds are left out."""

    what: str = ""
    mode: str = ""
    deliveries_per_s: float = 0.0


def rows(ours: Sequence[float]) -> list[Row]:
    """A row for each of the peer's modes; none without PEER. Raises `CannotStart` when it fails."""
    given = os.environ.get("PEER")
    if not given:
        return []
    script = Path(given).absolute()
    found = _runs(_output(script))
    figure = Figure("ours", "deliveries/s", list(ours))
    return [
        Row(f"{FOLLOWERS:,}, to {script.stem} ({mode})", figure, Figure(mode, "deliveries/s", rates))
        for mode, rates in found.items()
    ]


def _output(script: Path) -> str:
    with TemporaryDirectory(prefix="peer-") as directory, Valkey(name="peer", password="") as server:
        python = os.environ.get("PEER_PYTHON") or _installed(script, Path(directory))
        argv = [python, str(script), "--port", str(server.port), *ARGUMENTS]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=GIVE_UP_SECONDS)
    if done.returncode != 0:
        raise CannotStart(f"{script} failed:\n{done.stderr[-2_000:]}")
    return done.stdout


def _installed(script: Path, directory: Path) -> str:
    """The interpreter of a venv with what the script says to install."""
    wanted = requirements(script)
    venv.create(directory, with_pip=True)
    python = str(directory / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", *wanted]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=GIVE_UP_SECONDS)
    if done.returncode != 0:
        raise CannotStart(f"pip install {' '.join(wanted)} failed:\n{done.stderr[-2_000:]}")
    return python


def requirements(script: Path) -> list[str]:
    """What the script's text says to `pip install`. Raises `CannotStart` if it does not."""
    asked = re.search(r"pip install ([\w.=<> \[\]-]+)", script.read_text())
    if asked is None:
        raise CannotStart(f"{script} does not say what to `pip install`: set PEER_PYTHON.")
    return asked[1].split()


def _runs(output: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in output.splitlines():
        if line.startswith('{"what": "fanout"'):
            run = msgspec.json.decode(line, type=Run)
            found.setdefault(run.mode, []).append(run.deliveries_per_s)
    return found
