"""Every test in four pytest runs at once, beside one Cassandra node that all share; lint as well, if asked.

    python -m tests.side_by_side [lint] -- [pytest's options]

A run that waits - for Cassandra, for a socket, for a product that starts - leaves its core to another one: two of
them used little more than half of two cores. Each run has servers and databases of its own, and in
Cassandra a keyspace. Its lines come as they are printed, behind its name. The last
lines say once more what failed, and add up what all counted.

Up to MOST_AGAIN tests that failed are run again, alone: one that then passes has been disturbed by what ran beside it.
It is named in the last lines, and is to be mended, but is no failure (docs/adr/038). `ONCE=1` runs nothing again.

Exit status 0 when everything passed. The first Ctrl-C (or SIGTERM) is handed on to all, which end what they
started; the second one kills.
"""

import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.cassandra.node import CassandraNode, why_unavailable
from deploy.errors import CannotStart
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import Child, Hooks, start, wait_until

ROOT = Path(__file__).parent.parent
RUNS = {
    "product": ["tests/e2e"],
    "doors": [f"tests/integration/{package}" for package in ("config", "accounts")],
    "stores": ["tests/contract", *(f"tests/integration/{p}" for p in ("storage", "fanout", "tweets")), "tests/unit"],
    "feeds": ["tests/property", "tests/integration/feed"],
}
"""What each pytest run takes, in this order: about as long as the others, for the last one has a core to itself.
Cassandra starts meanwhile; whoever needs it waits for it."""
TESTS_FAILED, NOTHING_COLLECTED = 1, 5
"""Exit statuses of pytest."""
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"
"""As in tests/settings.py, which says why."""
MAKES = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
"""Of a surrounding make, and nothing to the one that lints."""
END_SECONDS = 30.0
MOST_AGAIN = 3
"""Of more, something is broken."""
OUTCOMES = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "error", "errors", "warning", "warnings")
CLOSING = re.compile(rf"=* ?(\d+ (?:{'|'.join(OUTCOMES)})(?:, \d+ (?:{'|'.join(OUTCOMES)}))*) in \d.*")
COUNT = re.compile(r"(\d+) ([a-z]+)")
FAILURE = re.compile(r"(FAILED|ERROR) \S+\.py\b")
FAILURE_LENGTH = 300


class Interrupted(Exception):
    """Somebody has asked for the end."""


class Part:
    """One running command; its lines are printed by a thread of its own."""

    def __init__(self, name: str, argv: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self.again: Part | None = None
        """What failed in it, run once more."""
        self._argv = argv
        self._environment = environment
        self.child: Child = start(name, argv, env=environment, cwd=ROOT)
        self.counted: Counter[str] = Counter()
        self.failures: list[str] = []
        self._printer = threading.Thread(target=self._print, daemon=True)
        self._printer.start()

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self.child.returncode

    def run_again(self) -> None:
        """Starts what failed in it once more."""
        self.again = Part(
            self.name, [*self._argv, "--last-failed", "--last-failed-no-failures=none"], self._environment
        )

    def join(self) -> None:
        """Returns when its last line is printed."""
        self._printer.join(END_SECONDS)

    def interrupt(self) -> None:
        """Ctrl-C for it alone; whatever it started is its own to end."""
        if not self.child.ended():
            os.kill(self.child.pid, signal.SIGINT)

    def _print(self) -> None:
        for raw in self.child.output:
            line = raw.decode(errors="replace").rstrip("\n")
            self.counted += counted(line)
            self.failures += failures(line)
            print(f"{self.name:<8}| {line}", flush=True)


def counted(line: str) -> Counter[str]:
    """What pytest's closing line counts, by outcome; nothing of any other line."""
    closing = CLOSING.fullmatch(line.rstrip("= "))
    if closing is None:
        return Counter()
    return Counter({outcome.removesuffix("s"): int(number) for number, outcome in COUNT.findall(closing[1])})


def failures(line: str) -> list[str]:
    """The line, cut, where pytest's summary says with it what failed; nothing of any other line."""
    return [line[:FAILURE_LENGTH]] if FAILURE.match(line) else []


def closing_line(parts: Sequence[Part]) -> str:
    """`N failed, N passed, …` of all parts together; passed and failed are always said."""
    total = sum((part.counted for part in parts), Counter[str]())
    alone = 0
    for part in parts:
        if part.again is not None and is_well(part):
            alone += part.again.counted["passed"]
            total -= Counter({outcome: part.counted[outcome] for outcome in ("failed", "error")})
    total["passed"] += alone
    rest = [f"{total[outcome]} {outcome}" for outcome in ("error", "skipped", "deselected") if total[outcome]]
    rest += [f"{alone} of them only when alone"] if alone else []
    return ", ".join([f"{total['passed']} passed", f"{total['failed']} failed", *rest])


def is_well(part: Part) -> bool:
    """Whether it has ended as it should; options may leave nothing for one of the runs to do."""
    if part.again is not None:
        return part.again.status == 0
    return part.status == 0 or (part.name in RUNS and part.status == NOTHING_COLLECTED)


def disturbed(parts: Sequence[Part]) -> list[Part]:
    """Those of which something failed that may pass alone: tests, and few of them, in all parts together."""
    failing = [part for part in parts if not is_well(part)]
    few = sum(len(part.failures) for part in failing) <= MOST_AGAIN
    only_tests = all(part.name in RUNS and part.status == TESTS_FAILED and part.failures for part in failing)
    return failing if few and only_tests else []


def run(with_lint: bool, options: Sequence[str]) -> int:
    """Runs everything; the exit status."""
    interrupts = _catch_interrupts()
    parts: list[Part] = []
    with ExitStack() as servers:
        directory = Path(servers.enter_context(TemporaryDirectory(prefix="feed-tests-", ignore_cleanup_errors=True)))
        node = _node(directory / "cassandra")
        try:
            _start_parts(parts, with_lint, options, node, directory)
            if node is not None:
                servers.callback(node.stop)
                node.start(Hooks(while_waiting=lambda: _raise_if_asked(interrupts)))
            _wait_for(parts, interrupts)
            _run_disturbed_again(parts, interrupts)
        except CannotStart as error:
            print(error, flush=True)
            _end(parts, interrupts)
            return 1
        except Interrupted:
            _end(parts, interrupts)
            return 128 + signal.SIGINT
        finally:
            for part in _with_agains(parts):
                part.child.kill()
                part.join()
    for part in parts:
        if not is_well(part):
            print(f"{part.name} failed (exit status {part.status}); see its lines above.")
            print(*part.failures, sep="\n")
        elif part.again is not None:
            print(f"{part.name}: passed alone, and had failed beside others; to be mended:")
            print(*part.failures, sep="\n")
    print(closing_line(parts), flush=True)
    tested = any(part.counted["passed"] for part in parts)
    return 0 if tested and all(map(is_well, parts)) else 1


def _node(directory: Path) -> CassandraNode | None:
    """The node of all runs; None where there is one already, or none can be: then each run says so."""
    if "CASSANDRA_HOSTS" in os.environ or why_unavailable() is not None:
        return None
    return CassandraNode(data_dir=directory, port=free_port(), commitlog_sync="periodic", throwaway=True)


def _start_parts(
    parts: list[Part], with_lint: bool, options: Sequence[str], node: CassandraNode | None, directory: Path
) -> None:
    """Each pytest run gets a temporary directory of its own, which no other session tidies up meanwhile."""
    os.environ.setdefault("JAVA_TOOL_OPTIONS", JAVA_OPTIONS)
    environment = {name: value for name, value in os.environ.items() if name not in MAKES}
    environment["PYTHONUNBUFFERED"] = "1"
    if with_lint:
        parts.append(Part("lint", ["make", "--no-print-directory", "lint"], environment))
    if node is not None:
        environment |= {"CASSANDRA_HOSTS": LOOPBACK, "CASSANDRA_PORT": str(node.port)}
    for name, directories in RUNS.items():
        remembers = ["--override-ini", f"cache_dir={directory / f'{name}-cache'}"]
        pytest_run = [sys.executable, "-m", "pytest", f"--basetemp={directory / name}", *remembers]
        parts.append(Part(name, [*pytest_run, *directories, *options], environment))


def _wait_for(parts: Sequence[Part], interrupts: Sequence[int]) -> None:
    wait_until(
        lambda: all(part.status is not None for part in parts),
        seconds=float("inf"),
        while_waiting=lambda: _raise_if_asked(interrupts),
    )


def _run_disturbed_again(parts: Sequence[Part], interrupts: Sequence[int]) -> None:
    """One after the other, so that nothing runs beside a test that is run again."""
    for part in [] if os.environ.get("ONCE") else disturbed(parts):
        part.join()
        print(f"{part.name}: runs again what failed, alone", flush=True)
        part.run_again()
        _wait_for(_with_agains([part]), interrupts)


def _with_agains(parts: Sequence[Part]) -> list[Part]:
    return [*parts, *(part.again for part in parts if part.again is not None)]


def _catch_interrupts() -> list[int]:
    """The signals that come from now on. Whoever is started below has its own again, even where a shell
    ignored them for everything in its background."""
    caught: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: caught.append(number))
    return caught


def _raise_if_asked(interrupts: Sequence[int]) -> None:
    if interrupts:
        raise Interrupted


def _end(parts: Sequence[Part], interrupts: Sequence[int]) -> None:
    """Lets each end what it has started, for END_SECONDS or until asked once more."""
    asked = len(interrupts)
    running = _with_agains(parts)
    for part in running:
        part.interrupt()
    wait_until(lambda: len(interrupts) > asked or all(part.status is not None for part in running), seconds=END_SECONDS)


def main(arguments: Sequence[str]) -> int:
    """Parses `[lint] -- [options]`; options that name files are one ordinary run of pytest."""
    given = list(arguments)
    with_lint = given[:1] == ["lint"]
    options = given[given.index("--") + 1 :] if "--" in given else []
    if any((ROOT / option.split("::")[0]).exists() for option in options):
        return pytest.main([*options])
    return run(with_lint, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
