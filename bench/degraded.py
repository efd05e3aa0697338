"""What requests cost while a backend is down: `make bench-degraded`.

    python -m bench.degraded [--requests 300] [--hung-seconds 30] [--without-cassandra]

Starts the real product (web, two workers, beat) on servers of its own, makes each backend dead
(killed) and hung (SIGSTOP) while clients post and read at a steady pace, and prints a table. A
row's requests begin once the breaker is open; what they cost until then is in a column of its
own. Afterwards every acknowledged tweet must be in its reader's home timeline.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.cassandra.node import CassandraNode
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import wait_until
from deploy.valkey import Valkey
from tests.outages import server_down

ROOT = Path(__file__).parents[1]
CLIENTS = 4
PAUSE_SECONDS = 0.1
"""Each client waits so long between requests: 40 a second at most, so that no queue is measured."""
PASSWORD = "Engine-No-1843"  # noqa: S105 - of people who live for a minute
KNOWN_SECONDS = 60.0
BACK_SECONDS = 60.0

Server = Valkey | CassandraNode
Call = Callable[[httpx.Client], int]


@dataclass
class Measured:
    """Milliseconds of requests by what they were, and their statuses."""

    times: list[float] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def cell(self) -> str:
        if not self.times:
            return "–"
        p99 = statistics.quantiles(self.times, n=100, method="inclusive")[98] if len(self.times) > 1 else self.times[0]
        codes = "/".join(map(str, sorted(self.statuses)))
        return f"{codes}: {statistics.median(self.times):.0f} · {p99:.0f} · {max(self.times):.0f}"


class Product:
    """The running product, one author and one reader who follows them."""

    def __init__(self, store: str, servers: dict[str, Server], directory: Path) -> None:
        self.url = f"http://{LOOPBACK}:{free_port()}"
        variables = {
            "STORE": store,
            "DATA_DIR": str(directory),
            "PORT": self.url.rsplit(":", 1)[1],
            "RATE_LIMITS": "off",
            "LOG_FORMAT": "json",
            "TIMELINE_REDIS_URL": _valkey(servers["redis_timelines"]).url,
            "BROKER_REDIS_URL": _valkey(servers["redis_broker"]).url,
        }
        if "store" in servers:
            variables |= {"CASSANDRA_HOSTS": LOOPBACK, "CASSANDRA_PORT": str(servers["store"].port)}
        with (directory / "product.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.run", "--end-with-parent"],
                cwd=ROOT,
                env=os.environ | variables,
                stdout=log,
                stderr=log,
            )
        self.acknowledged: list[str] = []
        self._lock = threading.Lock()

    def ready(self) -> None:
        if not wait_until(self._answers, seconds=120):
            raise SystemExit("the product did not start")
        self.author, self.reader = self._sign_up("author"), self._sign_up("reader")
        self.reader.put("/users/author/follow").raise_for_status()
        for _ in range(20):
            self.post(self.author)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=60)

    def post(self, client: httpx.Client) -> int:
        answer = client.post("/tweets", json={"text": "hello"})
        if answer.status_code == 201:
            with self._lock:
                self.acknowledged.append(answer.json()["data"]["id"])
        return answer.status_code

    def read(self, _: httpx.Client) -> int:
        return self.reader.get("/feed/home").status_code

    def sign_in(self, client: httpx.Client) -> int:
        given = {"username": "reader", "password": PASSWORD}
        return client.post("/auth/token", json=given, headers={"Authorization": ""}).status_code

    def breakers(self) -> dict[str, str]:
        found: dict[str, str] = httpx.get(f"{self.url}/readyz", timeout=30).json()["breakers"]
        return found

    def is_whole(self) -> bool:
        """Whether the reader's home has every acknowledged tweet, and nothing twice."""
        seen: list[str] = []
        path = "/feed/home?limit=100"
        while path:
            answer = self.reader.get(path.removeprefix("/api/v1"))
            if answer.status_code != 200:
                return False
            seen += [tweet["id"] for tweet in answer.json()["data"]]
            path = answer.json()["links"]["next"]
        return sorted(seen) == sorted(self.acknowledged)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def _sign_up(self, name: str) -> httpx.Client:
        client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=60)
        given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        answer = client.post("/auth/register", json=given).raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['data']['token']}"
        return client


def _valkey(server: Server) -> Valkey:
    assert isinstance(server, Valkey)  # noqa: S101 - for the type checker
    return server


def paced(product: Product, calls: Sequence[Call], number: int, until: Callable[[], bool]) -> list[Measured]:
    """`number` of each of the calls, or as many as there are until the condition holds; in step with nobody."""
    measured = [Measured() for _ in calls]

    def run(client_number: int) -> None:
        with httpx.Client(base_url=f"{product.url}/api/v1", headers=product.author.headers, timeout=60) as client:
            for _ in range(client_number, number, CLIENTS):
                for call, found in zip(calls, measured, strict=True):
                    began = time.perf_counter()
                    found.statuses.add(call(client))
                    found.times.append((time.perf_counter() - began) * 1000)
                    time.sleep(PAUSE_SECONDS)
                if until():
                    return

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run, range(CLIENTS)))
    return measured


def one_by_one(product: Product, calls: Sequence[Call], number: int) -> list[Measured]:
    """First all of one kind, then all of the next: pulled pages are work, and posts shall not wait behind them."""
    return [each for call in calls for each in paced(product, [call], number, lambda: False)]


def cells(measured: Sequence[Measured]) -> str:
    """Three of them: posting, reading, signing in (a password hash is work, and measured with Cassandra only)."""
    return " | ".join(each.cell() for each in [*measured, Measured()][:3])


def seconds_until(condition: Callable[[], bool]) -> str:
    began = time.monotonic()
    return f"{time.monotonic() - began:.1f}" if wait_until(condition, seconds=BACK_SECONDS) else f"> {BACK_SECONDS:.0f}"


def measure(product: Product, down_now: dict[str, Server], how: str, options: Any, calls: Sequence[Call]) -> str:
    """One row of the table."""

    def all_in(states: Sequence[str]) -> bool:
        found = product.breakers()
        return all(found[name] in states for name in down_now)

    with ExitStack() as stack:
        for server in down_now.values():
            stack.enter_context(server_down(server, how))
        began = time.monotonic()
        first = paced(product, calls, 10_000, lambda: all_in(["open", "half_open"]) or _late(began))
        known = time.monotonic() - began
        after = one_by_one(product, calls, options.requests)
        time.sleep(max(0.0, options.hung_seconds - (time.monotonic() - began)) if how == "hung" else 0)
    closed = seconds_until(lambda: all_in(["closed"]))
    whole = seconds_until(product.is_whole)
    worst = max(time for each in first for time in each.times)
    row = [f"{' + '.join(down_now)} {how}", f"{worst / 1000:.1f}", f"{known:.1f}", cells(after), closed, whole]
    return f"| {' | '.join(row)} |"


def _late(began: float) -> bool:
    return time.monotonic() > began + KNOWN_SECONDS


def bench(store: str, servers: dict[str, Server], options: Any) -> None:
    redis = [("redis_timelines",), ("redis_broker",), ("redis_timelines", "redis_broker")]
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        product = Product(store, servers, Path(directory))
        try:
            product.ready()
            print(f"\nSTORE={store}; ms as median · p99 · max\n", flush=True)
            print(
                "| down | s, the slowest before it is known | s until known | post | read home | sign in "
                "| s until the breakers close | then s until home is whole |\n|---|---|---|---|---|---|---|---|"
            )
            calls = [product.post, product.read, product.sign_in][: 2 if store == "embedded" else 3]
            nothing = one_by_one(product, calls, options.requests)
            print(f"| nothing | | | {cells(nothing)} | | |", flush=True)
            for names in redis if store == "embedded" else [("store",)]:
                for how in ("dead", "hung"):
                    print(measure(product, {name: servers[name] for name in names}, how, options, calls), flush=True)
        finally:
            product.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300, help="of each kind in a row")
    parser.add_argument("--hung-seconds", type=float, default=30.0, help="how long a hung backend hangs at least")
    parser.add_argument("--without-cassandra", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"{CLIENTS} clients, {PAUSE_SECONDS:.1f} s between requests; load average {os.getloadavg()[0]:.1f}")
    with ExitStack() as stack:
        servers: dict[str, Server] = {
            name: stack.enter_context(Valkey(name=name)) for name in ("redis_timelines", "redis_broker")
        }
        bench("embedded", servers, options)
        if not options.without_cassandra:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-cassandra-")))
            servers["store"] = stack.enter_context(CassandraNode(directory, heap_mb=512))
            bench("cassandra", servers, options)


if __name__ == "__main__":
    main()
