"""Load by `wrk`: as many requests as so many connections can make, each its next when it has its answer."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from deploy.errors import CannotStart

MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000}
SCRIPT = Path(__file__).parent / "lua" / "rotate.lua"


class Load(msgspec.Struct, frozen=True):
    """What a run of wrk measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    """Answers that were not 2xx, and connections that failed or timed out."""


def wrk(
    url: str,
    *,
    connections: int,
    seconds: float,
    tokens: Sequence[str] = (),
    bodies: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Load:
    """GETs `url`, in turn for each of the people whose `tokens` are given; with `bodies` (JSON, each one line)
    POSTs one of them, in turn as well.

    Raises `CannotStart` when wrk is not there or fails.
    """
    with TemporaryDirectory(prefix="wrk-") as directory:
        people, posted = Path(directory) / "tokens", Path(directory) / "bodies"
        people.write_text("\n".join(tokens))
        posted.write_text("\n".join(bodies))
        given = [part for name, value in (headers or {}).items() for part in ("-H", f"{name}: {value}")]
        threads = min(2, connections)
        size = ["-t", str(threads), "-c", str(connections), "-d", f"{seconds:.0f}s", "--latency", "--timeout", "10s"]
        script = ["-s", str(SCRIPT)] if tokens else []
        argv = [_program(), *size, *given, *script, url, *([str(people), str(posted)] if tokens else [])]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds + 60)
    if done.returncode != 0:
        raise CannotStart(f"wrk failed: {done.stderr or done.stdout}")
    return read(done.stdout)


def read(output: str) -> Load:
    """What wrk printed, as figures."""
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    return Load(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", output)[1]),
        p50_ms=_milliseconds(_found(r"50%\s+([\d.]+)([a-z]+)", output)),
        p99_ms=_milliseconds(_found(r"99%\s+([\d.]+)([a-z]+)", output)),
        errors=(int(bad[1]) if bad else 0) + (sum(map(int, sockets.groups())) if sockets else 0),
    )


def _found(pattern: str, output: str) -> "re.Match[str]":
    match = re.search(pattern, output)
    if match is None:
        raise CannotStart(f"wrk printed something else than expected:\n{output}")
    return match


def _milliseconds(match: "re.Match[str]") -> float:
    return float(match[1]) * MICROSECONDS[match[2]] / 1_000


def _program() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise CannotStart("This bench needs wrk: apt-get install wrk, or brew install wrk.")
    return found
