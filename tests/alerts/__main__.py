"""`make alerts`: break a running product, and see by a real Prometheus that the alerts of that fire and end.

    make alerts STORE=embedded|cassandra

It starts a product of its own and Debian's Prometheus beside it, with the rules as they are. While somebody posts and
reads, the broker is stopped (SIGSTOP, as a machine that hangs), then the timelines' Redis, with `STORE=cassandra` the
store as well, beat, and the process that is scraped; and an order of
no known kind is written, which fails, and becomes a dead letter. What an
operator would see at each is printed. Exit status 1 if an alert does not fire, or does not end after its cause. It
takes half an hour, most of it waiting for windows of five minutes to pass.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx

from tests.alerts.prometheus import Prometheus
from tests.e2e.runs import ROOT, Run, own_environment

PASSWORD = "Engine-No-1843"
START_SECONDS = 180.0
FIRES_SECONDS, ENDS_SECONDS = 360.0, 120.0
WINDOW_SECONDS = 900.0
"""What alerts on five minutes, that have to have been so for five minutes, may take to fire, and to end."""
LOOK_SECONDS = 1.0
PAUSE_SECONDS = 0.5
LOGGED = ("breaker_opened", "backend_down", "order_failed", "order_given_up")

WRITE_AN_ORDER = """
from storage.ports.outbox import Order
from storage.stores import ids, outbox
order = Order(ids.next(), "of-no-kind", (1, 2))
outbox().add(order)
print(order.id)
"""


class Seen(NamedTuple):
    """One alert of one fault, and after how many seconds it fired and ended."""

    fault: str
    alert: str
    fired: float
    ended: float


class Failed(Exception):
    """An alert did not do what it is for."""


class Trial:
    """One running product, its Prometheus, and what was seen so far."""

    def __init__(self, run: Run, prometheus: Prometheus) -> None:
        self._run = run
        self._prometheus = prometheus
        self.seen: list[Seen] = []
        self._burning: list[Seen] = []
        """What has fired and ends some minutes after its cause."""

    def hang(self, name: str, backend: str, also: Sequence[str] = (), burns: Sequence[str] = ()) -> None:
        """Stops a process of the run; its backend's alerts, and those of no backend's that it leads to, have to fire,
        and to end once it goes on: those that it `burns` when `burnt_out` says so."""
        began, logged_from = time.monotonic(), len(self._run.output)
        with self._stopped(name):
            fired = {alert: self._fires(alert, began, backend=backend) for alert in ("BreakerOpen", "BackendDown")}
            led_to = {alert: self._fires(alert, began) for alert in also}
            self._show(logged_from)
        again = time.monotonic()
        for alert in burns:
            self._burning.append(Seen(f"{name} hung", alert, self._fires(alert, began), 0.0))
        for alert, seconds in fired.items():
            self.seen.append(Seen(f"{name} hung", alert, seconds, self._ends(alert, again, backend=backend)))
        for alert, seconds in led_to.items():
            self.seen.append(Seen(f"{name} hung", alert, seconds, self._ends(alert, again)))

    def stop(self, name: str, alert: str) -> None:
        """Stops a process that is no backend; that alert has to fire, and to end once it goes on."""
        began = time.monotonic()
        with self._stopped(name):
            fired = self._fires(alert, began, patience=WINDOW_SECONDS)
        ended = self._ends(alert, time.monotonic(), patience=WINDOW_SECONDS)
        self.seen.append(Seen(f"{name} hung", alert, fired, ended))

    def burnt_out(self) -> None:
        """What burnt has to end, now that nothing is broken any more."""
        began = time.monotonic()
        for each in self._burning:
            ended = self._ends(each.alert, began, patience=WINDOW_SECONDS)
            self.seen.append(each._replace(ended=ended))

    @contextmanager
    def _stopped(self, name: str) -> Iterator[None]:
        pid = self._pid_of(name)
        print(f"\n$ kill -STOP {pid}  # {name}", flush=True)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def poison(self) -> None:
        """Writes an order that no attempt can work off: a dead letter, until somebody drops it."""
        began, logged_from = time.monotonic(), len(self._run.output)
        order_id = self._manage("shell", "--no-imports", "-c", WRITE_AN_ORDER).split()[-1]
        print(f"\n# an order of no known kind: {order_id}")
        dead = self._fires("DeadLetters", began)
        self._show(logged_from)
        print(f"$ make manage DO='dead_letters list'\n{self._manage('dead_letters', 'list')}")
        print(f"$ make manage DO='dead_letters drop {order_id}'\n{self._manage('dead_letters', 'drop', order_id)}")
        ended = self._ends("DeadLetters", time.monotonic())
        self.seen.append(Seen("an order fails", "DeadLetters", dead, ended))

    def _fires(self, alert: str, since: float, *, patience: float = FIRES_SECONDS, **labels: str) -> float:
        _wait_for(lambda: self._prometheus.firing(alert, **labels) is not None, patience, f"{alert} did not fire")
        seconds = time.monotonic() - since
        found = self._prometheus.firing(alert, **labels)
        if found is not None:
            said = found["annotations"]
            severity = found["labels"]["severity"]
            print(f"{seconds:4.0f} s  {alert} ({severity}): {said['summary']} See {said['runbook']}", flush=True)
        return seconds

    def _ends(self, alert: str, since: float, *, patience: float = ENDS_SECONDS, **labels: str) -> float:
        _wait_for(lambda: self._prometheus.firing(alert, **labels) is None, patience, f"{alert} did not end")
        return time.monotonic() - since

    def _show(self, logged_from: int) -> None:
        """What an operator looks at next."""
        ready = httpx.get(f"{self._run.url}/readyz", timeout=30).json()
        print("$ curl /readyz")
        print(json.dumps({name: ready[name] for name in ("status", "breakers", "degraded")}, indent=2))
        lines = self._run.output[logged_from:].splitlines()
        shown = {event: next((line for line in lines if f'"{event}"' in line), None) for event in LOGGED}
        for line in filter(None, shown.values()):
            print(line[:400])

    def _pid_of(self, name: str) -> int:
        records = json.loads((self._run.data_dir / "run.json").read_text())
        return next(int(each["pid"]) for each in records if each["name"] == name)

    def _manage(self, *arguments: str) -> str:
        environment = own_environment() | {"DATA_DIR": str(self._run.data_dir), "LOG_FORMAT": "json"}
        argv = [sys.executable, "-m", "deploy.manage", *arguments]
        done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()


def _wait_for(condition: Callable[[], bool], seconds: float, why: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{why} within {seconds:.0f} s")
        time.sleep(LOOK_SECONDS)


@contextmanager
def traffic(url: str) -> Iterator[None]:
    """Somebody posts and reads all the time, whatever is answered."""
    ended = threading.Event()
    client = httpx.Client(base_url=f"{url}/api/v1", timeout=30)
    body = {"username": "somebody", "email": "somebody@example.org", "password": PASSWORD}
    client.headers["Authorization"] = f"Bearer {client.post('/auth/register', json=body).json()['data']['token']}"

    def go_on() -> None:
        while not ended.wait(PAUSE_SECONDS):
            with suppress(httpx.HTTPError):
                client.post("/tweets", json={"text": f"It is {time.time()}"})
                client.get("/feed/home")

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        client.close()


def table(seen: Sequence[Seen]) -> str:
    rows = ["| fault | alert | fired after | ended after |", "|---|---|---|---|"]
    return "\n".join([*rows, *(f"| {s.fault} | `{s.alert}` | {s.fired:.0f} s | {s.ended:.0f} s |" for s in seen)])


def main() -> int:
    if which("prometheus") is None:
        print("prometheus is missing: install Debian's package of that name.", file=sys.stderr)
        return 2
    store = os.environ.get("STORE") or "embedded"
    with TemporaryDirectory(prefix="feed-alerts-") as directory:
        run = Run(
            [sys.executable, "-m", "deploy.run"], Path(directory), STORE=store, RATE_LIMITS="off", LOG_FORMAT="json"
        )
        prometheus = None
        try:
            run.until("Feed is ready", START_SECONDS)
            prometheus = Prometheus(Path(directory) / "prometheus", run.url.removeprefix("http://"))
            trial = Trial(run, prometheus)
            with traffic(run.url):
                trial.hang("broker", "redis_broker", also=("FanoutLate",), burns=("FreshnessBurnsFast",))
                trial.hang("timelines", "redis_timelines")
                if store == "cassandra":
                    trial.hang("cassandra", "store", burns=("AvailabilityBurnsFast",))
                trial.poison()
                trial.stop("web", "ProcessNotScraped")
                trial.stop("beat", "NothingSweeps")
                trial.burnt_out()
        except Failed as failed:
            print(f"\n{failed}", file=sys.stderr)
            return 1
        finally:
            if prometheus is not None:
                prometheus.end()
            run.send(signal.SIGTERM).ended()
    print(f"\n{table(trial.seen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
