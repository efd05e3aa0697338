"""`make chaos`: break a running stack in every way, and prove afterwards that nothing is lost, doubled or wrong.

    make chaos SECONDS=300 SEED=1 STORE=cassandra
    make chaos NODES=3 SECONDS=25
    make chaos TIMELINES=cluster SECONDS=120
    make chaos REPLAY=data/chaos/…/log.jsonl

Exit status 1 on any difference, lost write or duplicate. Who does what when, and which fault comes
when, is told from SEED, SECONDS, STORE, PEOPLE and RATE alone; REPLAY takes them from a log. So a
replay has the same faults at the same seconds and every person's actions in the same order. Which
process runs when is the machine's choice, and no replay repeats that: a rare race may need several.

State and logs are in a directory of the run's own below DATA_DIR (default data/chaos). It is kept when
something is wrong; otherwise only the log stays.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console

from deploy.errors import CannotStart
from tests.chaos.clients import Crowd
from tests.chaos.doors import Doors
from tests.chaos.faults import Faults, Probe
from tests.chaos.journal import Journal
from tests.chaos.listeners import Listeners
from tests.chaos.nodes import NodeLoss
from tests.chaos.record import Record
from tests.chaos.report import Listened, Result, show
from tests.chaos.schedule import schedule
from tests.chaos.settings import Settings
from tests.chaos.stack import Stack
from tests.chaos.stream import Stream, listening
from tests.chaos.verify import Verifier

OPENING_SECONDS = 120.0
GRACE_SECONDS = 5.0
"""After the end of the run, for what was under way; what is not answered by then stays uncertain."""
TICK_SECONDS = 0.02


class Run:
    """One run of one stack; `go` once."""

    def __init__(self, settings: Settings, directory: Path, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._journal = Journal(directory / "log.jsonl", settings)
        self._stack = Stack(settings, directory, self._journal)
        self._doors = Doors(self._stack.urls)
        self._record = Record(slack=settings.slack)
        people = settings.people
        self._crowd = Crowd(self._doors, self._record, self._journal, people=people + 2, seed=settings.seed)
        self._listeners = Listeners(self._doors, self._journal, seed=settings.seed)
        self._probe = Probe(self._crowd, self._journal, self._stack.urls, (people, people + 1))
        self._faults = Faults(self._stack, self._record, self._journal, schedule(settings), self._probe)

    def go(self) -> Result:
        """Raises `CannotStart`; nothing that was started is left."""
        try:
            self._say("Starting the stack …")
            self._stack.start()
            stream = Stream(self._settings)
            self._open(stream)
            actions = self._break(stream)
            return self._judge(actions)
        finally:
            self._listeners.stop()
            self._doors.close()
            self._stack.stop()
            self._journal.close()

    def _open(self, stream: Stream) -> None:
        """People join, follow one another and begin to listen before anything breaks."""
        self._crowd.start()
        self._crowd.admit(stream.opening())
        self._probe.start()
        deadline = time.time() + OPENING_SECONDS
        while not self._crowd.idle:
            self._tick()
            if time.time() > deadline:
                raise CannotStart("The people did not manage to join and follow one another.")
        self._listeners.start(self._crowd.tokens, listening(self._settings.people))

    def _break(self, stream: Stream) -> int:
        """Actions and faults, until SECONDS are over and every fault has ended; how many actions were due."""
        self._say(f"Breaking it for {self._settings.seconds} s …")
        self._doors.answers.clear()
        self._journal.start_clock()
        ends = self._journal.zero + self._settings.seconds
        talk = stream.talk()
        coming = next(talk, None)
        actions = 0
        while time.time() < ends or not self._faults.over:
            self._tick()
            self._faults.tick()
            due = []
            while coming is not None and coming.at <= time.time() - self._journal.zero:
                due.append(coming)
                coming = next(talk, None)
            self._crowd.admit(due)
            actions += len(due)
        return actions

    def _judge(self, actions: int) -> Result:
        self._say("Comparing everything …")
        unanswered = self._crowd.stop(GRACE_SECONDS)
        self._journal.note("stopped", unanswered=unanswered)
        answers = list(self._doors.answers)
        self._probe.stop()
        verifier = Verifier(self._stack, self._doors, self._record, self._journal, self._crowd.tokens)
        verdict = verifier.verdict(self._faults.last_return)
        screens = self._listeners.differences(self._record, verifier.everything, range(self._settings.people + 2))
        self._stack.tick()
        for difference in [*verdict.differences, *screens]:
            self._journal.note("difference", text=difference)
        return Result(
            injected=self._faults.injected,
            answers=answers,
            findings=self._journal.findings,
            verdict=verdict,
            actions=actions,
            uncertain=self._record.uncertain,
            tracebacks=self._stack.tracebacks(),
            listened=Listened(self._listeners.counts(), self._listeners.entries(), screens),
        )

    def _tick(self) -> None:
        self._stack.tick()
        time.sleep(TICK_SECONDS)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


def main(env: Mapping[str, str]) -> int:
    """The exit status: 0 when nothing is wrong."""
    console = Console()
    # Whatever is not ended by then dies with this process (deploy/supervisor/processes.py).
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = Settings.read(env)
        directory = _directory(Path(env.get("DATA_DIR") or "data/chaos").absolute(), settings)
        told = settings.logged().items()
        console.print(" ".join(f"{name.upper()}={value}" for name, value in told), markup=False, highlight=False)
        if settings.nodes > 1:
            return _lose_a_node(settings, directory, console)
        result = Run(settings, directory, console).go()
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 1
    except CannotStart as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
    show(console, result)
    log = directory / "log.jsonl"
    if result.differences:
        console.print(f"{result.differences} differences. Again: make chaos REPLAY={log}", markup=False, soft_wrap=True)
        return 1
    _tidy(directory, log)
    console.print(f"0 differences. Log: {log}", markup=False, soft_wrap=True)
    return 0


def _lose_a_node(settings: Settings, directory: Path, console: Console) -> int:
    found = NodeLoss(settings, directory, console).go()
    log = directory / "log.jsonl"
    for each in found:
        console.print(each, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if not found:
        _tidy(directory, log)
    console.print(f"{len(found)} differences. Log: {log}", markup=False, soft_wrap=True)
    return 1 if found else 0


def _directory(parent: Path, settings: Settings) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    directory = parent / f"{stamp}-{settings.store}-seed-{settings.seed}-{os.getpid()}"
    directory.mkdir(parents=True)
    return directory


def _tidy(directory: Path, log: Path) -> None:
    """Everything of the run but its log."""
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != log:
            path.unlink()


if __name__ == "__main__":
    sys.exit(main(os.environ))
