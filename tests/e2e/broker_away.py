"""A broker dies, people go on posting, and it comes back: how soon after its return everything is delivered.

    make broker-away POSTS=2000 AWAY=60 STORE=cassandra

It starts a stack of its own: a web process, two workers, beat, and two sweepers as in
docker-compose.yml. The broker is killed as a power cut would, everything is posted over HTTP meanwhile, and when it has
been away for so long it is started again. Then the time runs until no order is open, and a follower's home is read to
its end. Meanwhile one order in ASKED_OF is asked for by its id: to count those that are open would read the whole
outbox, and take a good part of what is measured.
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import django
import httpx
import msgspec

from bench.stack import Size, Stack
from deploy.errors import CannotStart
from deploy.supervisor.runner import Command
from storage import stores

PROMISED_SECONDS = 8.0
SWEEPERS = 2
AT_ONCE = 4
LOOK_SECONDS = 0.2
ASKED_OF = 10
WARMING = 2_000
"""Posts before the broker dies: a node that has just been started compiles for minutes what it is asked for often."""
WAIT_SECONDS = 180.0
PASSWORD = "Engine-No-1843"


class Outcome(msgspec.Struct, frozen=True):
    posts: int
    away_seconds: float
    waited: int
    """Orders that were open when the broker came back."""
    first_seconds: float
    """From its return until the first of them was delivered."""
    delivered_seconds: float
    """From its return until all were."""
    missing: int
    """Posts that the follower's home does not have."""


class Person:
    """Somebody who has signed up, and what they ask over HTTP."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=30)
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        session = self._asked("POST", "/auth/register", 201, json=body)["data"]
        self._client.headers["Authorization"] = f"Bearer {session['token']}"

    def follow(self, other: "Person") -> None:
        self._asked("PUT", f"/users/{other.name}/follow", 200)

    def post(self, text: str) -> str:
        return str(self._asked("POST", "/tweets", 201, json={"text": text})["data"]["id"])

    def home(self, count: int) -> set[str]:
        """The newest so many ids of the home timeline."""
        found: list[str] = []
        query: dict[str, str] = {"limit": "100"}
        while len(found) < count:
            page = self._asked("GET", "/feed/home", 200, params=query)
            found += [each["id"] for each in page["data"]]
            if page["meta"]["next_cursor"] is None:
                break
            query["cursor"] = page["meta"]["next_cursor"]
        return set(found)

    def close(self) -> None:
        self._client.close()

    def _asked(self, method: str, path: str, status: int, **options: Any) -> Any:
        answer = self._client.request(method, path, **options)
        if answer.status_code != status:
            raise CannotStart(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()


def broker_away(store: str, posts: int, away_seconds: float) -> Outcome:
    """Does as above. Raises `CannotStart` when the stack does not start, or a post is not taken."""
    size = Size(web=1, workers=2, beat=True, env={"RATE_LIMITS": "off"})
    with Stack(store, size) as stack:
        os.environ.update(stack.env, DJANGO_SETTINGS_MODULE="config.settings")
        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        sweepers = [
            stack.start(Command(f"sweeper.{number}", [sys.executable, "manage.py", "sweep"]))
            for number in range(SWEEPERS)
        ]
        people = [Person(stack.url, name) for name in ("author_of_many", "reader_of_all")]
        try:
            return _measured(stack, *people, posts=posts, away_seconds=away_seconds)
        finally:
            for each in sweepers:
                each.kill()
            for person in people:
                person.close()


def _measured(stack: Stack, author: Person, reader: Person, *, posts: int, away_seconds: float) -> Outcome:
    reader.follow(author)
    reader.home(1)
    _post(author, "before", WARMING)
    _until(lambda: _open_orders() == 0)
    broker = stack.servers["broker"]
    broker.kill()
    killed_at = time.monotonic()
    ids = _post(author, "number", posts)
    time.sleep(max(0.0, away_seconds - (time.monotonic() - killed_at)))
    waited = _open_orders()
    away = time.monotonic() - killed_at
    broker.start()
    came_back_at = time.monotonic()
    asked = sorted(int(each) for each in ids)[::ASKED_OF]
    _until(lambda: any(map(_is_done, asked[:ASKED_OF])))
    first = time.monotonic() - came_back_at
    for each in asked:
        _until(partial(_is_done, each))
    _until(lambda: _open_orders() == 0)
    took = time.monotonic() - came_back_at
    return Outcome(len(ids), away, waited, first, took, len(set(ids) - reader.home(posts)))


def _post(author: Person, text: str, count: int) -> list[str]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda number: author.post(f"{text} {number}"), range(count)))


def _open_orders() -> int:
    return stores.outbox().count_open(limit=1_000_000)


def _is_done(order_id: int) -> bool:
    return stores.outbox().open_order(order_id) is None


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise CannotStart("The orders are not worked off.")
        time.sleep(LOOK_SECONDS)


def main() -> None:
    """Prints the outcome in words and as JSON; fails above PROMISED_SECONDS, and for a post that is missing."""
    store = os.environ.get("STORE") or "embedded"
    found = broker_away(store, int(os.environ.get("POSTS", "2000")), float(os.environ.get("AWAY", "60")))
    print(
        f"{store}: {found.posts:,} posts while the broker was away for {found.away_seconds:.0f} s, {found.waited:,} "
        f"orders open at its return; the first delivered {found.first_seconds:.1f} s after it, "
        f"all {found.delivered_seconds:.1f} s; {found.missing} missing in a home"
    )
    print(msgspec.json.encode(found).decode())
    sys.exit(found.missing > 0 or found.delivered_seconds > PROMISED_SECONDS)


if __name__ == "__main__":
    main()
