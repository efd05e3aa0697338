"""A discrete-event simulation of fan-out through the peak hour: how long tweets take, how long queues get.

Orders arrive at random (Poisson) at a rate that swells and ebbs through the hour, and doubles while something
happens. Authors are drawn from the distribution, and an order is what fanout.py says: one task, or one and
parts, which go to the queue of bulk work and return to its end after each task. Of the workers a half takes
small orders first and the other half bulk first, as in production; a task is not interrupted.

**Scaled down**: one of SCALE orders, and one of SCALE workers, so each worker is as busy as in full size.
What is lost is pooling: of a few workers all are busy more often than of hundreds, and a large
order's parts find fewer hands. So lags here are upper bounds, at the same load.

Repeatable: the same seed gives the same hour, event by event.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Iterator

import msgspec

from bench.model import fanout
from bench.model.code import PAGE
from bench.model.costs import Costs
from bench.model.fanout import Work
from bench.model.site import DAY, Site

HOUR = 3_600.0
SCALE = 100
SEED = 1
WINDOW = 60.0
SMALL, LARGE = PAGE, 50_000
"""Authors of up to SMALL followers take one task; those above LARGE have several buckets."""
EVENT_AT, EVENT_SECONDS, EVENT_TIMES = 2_400.0, 60.0, 2.0
"""A goal: for a minute, at two thirds of the hour, so many times the tweets."""


class Order(msgspec.Struct):
    arrived: float
    followers: float
    left: int
    """Parts that are not done."""


class Task(msgspec.Struct, frozen=True):
    order: Order
    seconds: float
    after: int
    """Tasks of its part that follow it."""


class Done(msgspec.Struct, frozen=True):
    """An order that was worked off."""

    arrived: float
    followers: float
    lag: float


class Hour(msgspec.Struct, frozen=True):
    """What came of it; what is waiting or under way at the end is `unfinished`."""

    arrived: int
    done: list[Done]
    unfinished: int
    queues: list[tuple[float, int, int]]
    """Each second: the time, tasks waiting in the fan-out queue, and in the bulk queue."""
    workers: int
    busy: float
    """Share of the workers' time."""
    scale: int
    """Of the whole site's orders, one of so many is here."""

    def lags(self, low: float, high: float, *, begin: float = 0.0, end: float = HOUR) -> list[float]:
        """Of authors with more than `low` and up to `high` followers, who tweeted within these times; ascending."""
        return sorted(each.lag for each in self.done if low < each.followers <= high and begin <= each.arrived < end)


def rate(site: Site, second: float) -> float:
    """Orders a second of the whole site: from two thirds of the peak to the peak and back, and the event."""
    swell = site.peak * (2 + math.sin(math.pi * second / HOUR)) / 3
    event = EVENT_TIMES if EVENT_AT <= second < EVENT_AT + EVENT_SECONDS else 1.0
    return site.tweets / DAY * swell * event


def simulate(site: Site, costs: Costs, *, workers: float, scale: int = SCALE, seed: int = SEED) -> Hour:
    """`workers` are those of the whole site; at least one of each kind is simulated."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    count = max(2, round(workers / scale))
    return _Simulation(site, costs, count, scale).run(_arrivals(site, dice, scale))


def _arrivals(site: Site, dice: random.Random, scale: int) -> Iterator[tuple[float, float]]:
    """(time, followers): Poisson, a second at a time. Followers are whole: what they take is calculated once."""
    spread = site.followers
    for second in range(int(HOUR)):
        now, a_second = float(second), rate(site, second) / scale
        while (now := now + dice.expovariate(a_second)) < second + 1:
            yield now, float(round(spread.draw(dice)))


class _Simulation:
    """Workers are numbered; even ones take small orders first. Time is in seconds from the hour's beginning."""

    def __init__(self, site: Site, costs: Costs, workers: int, scale: int) -> None:
        self._site, self._costs, self._workers, self._scale = site, costs, workers, scale
        self._queues: tuple[deque[Task], deque[Task]] = (deque(), deque())
        self._idle: tuple[list[int], list[int]] = ([], [])
        for number in range(workers):
            self._idle[number % 2].append(number)
        self._ends: list[tuple[float, int, Task]] = []
        self._open = 0
        self._done: list[Done] = []
        self._depths: list[tuple[float, int, int]] = []
        self._busy = 0.0
        self._works: dict[float, Work] = {}

    def run(self, arrivals: Iterator[tuple[float, float]]) -> Hour:
        arrived, second = 0, 0.0
        coming = next(arrivals, None)
        while coming is not None or (self._ends and self._ends[0][0] < HOUR):
            now = min(coming[0] if coming is not None else HOUR, self._ends[0][0] if self._ends else HOUR)
            while second <= now:
                self._depths.append((second, len(self._queues[0]), len(self._queues[1])))
                second += 1
            if coming is not None and coming[0] == now:
                arrived += 1
                self._arrive(*coming)
                coming = next(arrivals, None)
            else:
                self._end(now)
        busy = self._busy / (self._workers * HOUR)
        return Hour(arrived, self._done, self._open, self._depths, self._workers, busy, self._scale)

    def _arrive(self, now: float, followers: float) -> None:
        self._open += 1
        work = self._work(followers)
        self._put(0, Task(Order(now, followers, work.parts), work.task_seconds, -1), now)

    def _work(self, followers: float) -> Work:
        if followers not in self._works:
            self._works[followers] = fanout.work(self._site, self._costs, followers)
        return self._works[followers]

    def _put(self, queue: int, task: Task, now: float) -> None:
        """An idle worker of the queue's own kind takes it, or else one of the other kind."""
        idle = self._idle[queue] or self._idle[1 - queue]
        if idle:
            self._begin(idle.pop(), task, now)
        else:
            self._queues[queue].append(task)

    def _begin(self, worker: int, task: Task, now: float) -> None:
        self._busy += min(task.seconds, HOUR - now)
        heapq.heappush(self._ends, (now + task.seconds, worker, task))

    def _end(self, now: float) -> None:
        _, worker, task = heapq.heappop(self._ends)
        self._after(task, now)
        own = self._queues[worker % 2] or self._queues[1 - worker % 2]
        if own:
            self._begin(worker, own.popleft(), now)
        else:
            self._idle[worker % 2].append(worker)

    def _after(self, task: Task, now: float) -> None:
        order = task.order
        if task.after > 0:
            self._put(1, Task(order, task.seconds, task.after - 1), now)
        elif task.after == 0:
            order.left -= 1
        elif order.left:
            work = self._work(order.followers)
            for _ in range(work.parts):
                self._put(1, Task(order, work.part_task_seconds, work.tasks_a_part - 1), now)
        if task.after <= 0 and not order.left:
            self._open -= 1
            self._done.append(Done(order.arrived, order.followers, now - order.arrived))
