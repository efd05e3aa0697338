"""Injecting the faults of a schedule, ending them, and measuring how long the stack takes to recover.

**Recovered** after a round of faults: every web process answers, and a tweet posted after the last
return was acknowledged and stands in a follower's home.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deploy.supervisor.health import answers_200
from tests.chaos.clients import Crowd
from tests.chaos.journal import Journal
from tests.chaos.oracle import number_in
from tests.chaos.record import Outage, Record
from tests.chaos.schedule import Fault, Injection
from tests.chaos.stack import Stack
from tests.chaos.stream import Action, Kind

PROBE_SECONDS = 60.0
"""A stack that has not recovered by then has not recovered."""
PROBE_PAUSE_SECONDS = 0.1
PROBE_NUMBERS = 1_000_000
"""Actions of the probe are numbered from here on."""


@dataclass(slots=True)
class Injected:
    """What came of an injection; times as time.time() tells them."""

    injection: Injection
    begun: float
    victim: str
    """The process or server that was hit."""
    outage: Outage | None = None
    returned: float | None = None
    """When the process ran again or the server answered again."""
    recovery: float | None = None
    """Seconds from the last return of its round until `recovered`."""
    recovered: float | None = None

    @property
    def fault(self) -> Fault:
        return self.injection.fault


class Faults:
    """`tick` begins and ends what is due; call it from the main thread only."""

    def __init__(self, stack: Stack, record: Record, journal: Journal, plan: list[Injection], probe: "Probe") -> None:
        self.injected: list[Injected] = []
        self._stack = stack
        self._record = record
        self._journal = journal
        self._plan = deque(plan)
        self._open: list[Injected] = []
        self._probe = probe

    @property
    def over(self) -> bool:
        return not self._plan and not self._open

    @property
    def last_return(self) -> float:
        return max((each.returned or each.begun for each in self.injected), default=time.time())

    def tick(self) -> None:
        """Also while a server starts; what that start waits for is then already taken off the list."""
        self._stack.tick()
        now = time.time()
        while self._plan and self._plan[0].at <= now - self._journal.zero:
            self._begin(self._plan.popleft())
        for each in [each for each in self._open if now >= each.begun + each.injection.seconds]:
            if each in self._open:
                self._open.remove(each)
                self._finish(each)

    def _begin(self, injection: Injection) -> None:
        fault, target = injection.fault, injection.target
        if any(each.injection.target == target for each in self._open):
            return
        victim = self._stack.victim(target)
        if victim is None or any(each.victim == victim for each in self._open):
            return
        injected = Injected(injection, time.time(), victim)
        self._journal.note("fault", round=injection.round, fault=fault, target=target, seconds=injection.seconds)
        self.injected.append(injected)
        if fault in AT_ONCE:
            AT_ONCE[fault](self, injected)
            self._returned(injected)
            return
        if fault.victim == "timelines":
            injected.outage = self._record.timelines_are_down(injected.begun)
        (self._stack.hang if fault.endswith("hung") else self._stack.kill)(victim)
        self._open.append(injected)

    def _finish(self, injected: Injected) -> None:
        if injected.fault.endswith("hung"):
            self._stack.resume(injected.victim)
        else:
            self._stack.restart(injected.victim, while_waiting=self.tick)
        self._returned(injected)

    def _returned(self, injected: Injected) -> None:
        injected.returned = time.time()
        if injected.outage is not None:
            self._record.timelines_are_back(injected.outage, injected.returned)
        number = injected.injection.round
        self._journal.note("returned", round=number, fault=injected.fault, target=injected.injection.target)
        of_round = [each for each in self.injected if each.injection.round == number]
        coming = any(each.round == number for each in self._plan)
        if not coming and all(each.returned is not None for each in of_round):
            self._probe.after(of_round)

    def _flush(self, injected: Injected) -> None:
        self._stack.flush(injected.victim)

    def _move(self, injected: Injected) -> None:
        """Its readers may find it away as long as it takes: a generation is not begun amid a move."""
        injected.outage = self._record.timelines_are_down(injected.begun)
        done = self._stack.move_slots(injected.injection.target, while_waiting=self._stack.tick)
        self._journal.note("moved", target=injected.injection.target, done=done)

    def _promote(self, injected: Injected) -> None:
        injected.outage = self._record.timelines_are_down(injected.begun)
        done = self._stack.promote(injected.injection.target)
        self._journal.note("promoted", target=injected.injection.target, done=done)


AT_ONCE: Mapping[Fault, Callable[[Faults, Injected], None]] = {
    Fault.TIMELINES_FLUSHED: Faults._flush,
    Fault.TIMELINES_MOVED: Faults._move,
    Fault.TIMELINES_PROMOTED: Faults._promote,
}
"""Faults that are over when they have come."""


class Probe:
    """Two people of its own, in a thread of its own: one posts, the other, who follows, looks for it."""

    def __init__(self, crowd: Crowd, journal: Journal, urls: dict[str, str], people: tuple[int, int]) -> None:
        self._crowd = crowd
        self._journal = journal
        self._urls = urls
        self._author, self._reader = people
        self._number = PROBE_NUMBERS
        self._rounds: deque[list[Injected]] = deque()
        self._ready = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="probe", daemon=True)

    def start(self) -> None:
        """Both join. From then on `after` measures."""
        for kind, person in ((Kind.JOIN, self._author), (Kind.JOIN, self._reader), (Kind.FOLLOW, self._reader)):
            self._perform(person, kind, self._author if kind is Kind.FOLLOW else -1, time.time() + PROBE_SECONDS)
        self._thread.start()

    def after(self, faults: list[Injected]) -> None:
        """Measures how long it takes to recover from a round that has just ended."""
        with self._ready:
            self._rounds.append(faults)
            self._ready.notify()

    def stop(self) -> None:
        """Returns when everything was measured."""
        with self._ready:
            self._stopped = True
            self._ready.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._rounds and not self._stopped:
                    self._ready.wait()
                if not self._rounds:
                    return
                faults = self._rounds.popleft()
            self._measure(faults)

    def _measure(self, faults: list[Injected]) -> None:
        since = max(each.returned or each.begun for each in faults)
        ends = since + PROBE_SECONDS
        if not (self._serves(ends) and self._arrives(ends)):
            self._journal.find(f"not recovered {PROBE_SECONDS:.0f} s after {', '.join(each.fault for each in faults)}")
            return
        recovered = time.time()
        seconds = recovered - since
        self._journal.note("recovered", round=faults[0].injection.round, seconds=round(seconds, 3))
        for each in faults:
            each.recovery, each.recovered = seconds, recovered

    def _serves(self, ends: float) -> bool:
        return _until(lambda: all(answers_200(f"{url}/healthz") for url in self._urls.values()), ends)

    def _arrives(self, ends: float) -> bool:
        number = self._perform(self._author, Kind.POST, -1, ends)
        return number is not None and _until(lambda: self._sees(number), ends)

    def _sees(self, number: int) -> bool:
        answer = self._crowd.page(self._reader, turn=number)
        return answer.status == 200 and any(number_in(each["text"]) == number for each in answer.body["data"])

    def _perform(self, person: int, kind: Kind, target: int, ends: float) -> int | None:
        """The number of the action, if it was acknowledged."""
        self._number += 1
        acknowledged = self._crowd.perform(Action(self._number, 0.0, person, kind, target), ends)
        return self._number if acknowledged else None


def _until(condition: Callable[[], bool], ends: float) -> bool:
    while not condition():
        if time.time() > ends:
            return False
        time.sleep(PROBE_PAUSE_SECONDS)
    return True
