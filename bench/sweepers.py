"""Sending again after an outage: orders a second by 1, 2 and 4 sweepers side by side.

**Ours**: so many orders are due at one moment, of which the broker knows nothing, and so many processes of
`manage.py sweep` share them. The bench is the workers: it takes what is sent off the queue, counts it as they do, and
closes the orders. What is sent twice is counted.

**The reference** is the same number of processes on cores of their own, reckoned from the processor time that one
sweeper spends on an order: this machine's cores are shared by sweepers, broker, store and the bench.
"""

import base64
import json
import sys
import time
from collections import Counter

from bench import cpu
from bench.results import Figure, Result, Row
from bench.stack import Stack
from deploy.errors import CannotStart
from deploy.supervisor.processes import Child, stop, wait_until
from deploy.supervisor.runner import Command
from fanout.orders.figures import count_worked
from fanout.orders.kinds import DELIVER
from fanout.orders.queues import FANOUT
from fanout.orders.sweepers import KEY
from storage.ids.snowflakes import make_id, now_us
from storage.models import OutboxOrder
from storage.redis.node import broker_node

ORDERS = 8_000
COUNTS = (1, 2, 4)
RUNS = 3
AHEAD_SECONDS = 3.0
"""Planting is over by then, and nothing is due before."""
WAIT_SECONDS = 120.0
TAKEN_AT_ONCE = 500


def measure(stack: Stack) -> Result:
    rows = [_row(stack, count) for count in COUNTS]
    settings = {
        "orders": f"{ORDERS:,}, due at once",
        "runs": f"{RUNS} of each; sweepers, broker, SQLite and the bench share the machine's cores",
    }
    return Result("sweepers", stack.env["STORE"], rows, settings)


def _row(stack: Stack, count: int) -> Row:
    rates: list[float] = []
    costs: list[float] = []
    again: list[float] = []
    for _ in range(RUNS):
        sweepers = _gathered(stack, count)
        try:
            rate, cost, repeated = _run(sweepers)
        finally:
            stop(sweepers, grace_seconds=10.0)
        rates.append(rate)
        costs.append(cost)
        again.append(repeated)
    return Row(
        f"{count} sweeper{'s' if count > 1 else ''}",
        Figure("orders", "/s", rates),
        Figure("on cores of their own", "/s", [count * 1e6 / cost for cost in costs]),
        None,
        [Figure("a sweeper's time an order", "µs", costs), Figure("sent twice", "", again)],
    )


def _gathered(stack: Stack, count: int) -> list[Child]:
    """So many sweepers, who know of one another. Raises `CannotStart`."""
    argv = [sys.executable, "manage.py", "sweep"]
    found = [stack.start(Command(f"sweeper.{number}", argv)) for number in range(count)]
    if not wait_until(lambda: broker_node().round_trip(("ZCARD", KEY)) == [count], seconds=WAIT_SECONDS):
        raise CannotStart("The sweepers do not gather.")
    return found


def _run(sweepers: list[Child]) -> tuple[float, float, int]:
    """Orders a second, microseconds of a sweeper's time an order, and how many were sent twice."""
    due_us = now_us() + int(AHEAD_SECONDS * 1e6)
    OutboxOrder.objects.bulk_create(
        [OutboxOrder(id=make_id(due_us + n, n % 4096), kind=DELIVER, args=[n, n]) for n in range(ORDERS)]
    )
    pids = {child.name: child.pid for child in sweepers}
    time.sleep(max(0.0, (due_us - now_us()) / 1e6))
    before, began, sent = cpu.seconds(pids), time.monotonic(), Counter[int]()
    while len(sent) < ORDERS:
        if time.monotonic() - began > WAIT_SECONDS:
            raise CannotStart(f"{ORDERS - len(sent)} orders were not sent.")
        sent.update(_taken())
    took = time.monotonic() - began
    spent = cpu.between(before, cpu.seconds(pids))
    OutboxOrder.objects.all().delete()
    return ORDERS / took, sum(spent[name] for name in pids) / ORDERS * 1e6, sent.total() - len(sent)


def _taken() -> list[int]:
    """Takes some orders off the queue, and closes them."""
    [messages] = broker_node().round_trip(("RPOP", FANOUT, TAKEN_AT_ONCE))
    found = [int(json.loads(base64.b64decode(json.loads(each)["body"]))[0][0]) for each in messages or ()]
    for _ in found:
        count_worked(FANOUT)
    if found:
        OutboxOrder.objects.filter(id__in=found).update(done=True)
    else:
        time.sleep(0.01)
    return found
