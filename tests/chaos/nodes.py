"""`make chaos NODES=3`: a Cassandra node of three is killed while people post, and nobody notices.

    make chaos NODES=3 SECONDS=25 RATE=20 SEED=1

Three nodes on this machine with a copy of everything on each, asked at LOCAL_QUORUM; the stack of `make chaos` on them.
People post all the time; one node is killed (`kill -9`), comes back SECONDS later, and in the end everything that was
answered 201 has to be in its author's timeline and in every follower's home. Exit status 1 if a post failed that began
later than a second after the kill, if the slowest hundredth of the first second took a second or more, or if anything
is lost or doubled.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from rich.console import Console

from deploy.cassandra.nodes import cassandra_nodes, replicated
from deploy.errors import CannotStart
from deploy.supervisor.processes import wait_until
from deploy.supervisor.runner import Backend
from tests.chaos.doors import Doors
from tests.chaos.journal import Journal
from tests.chaos.requests import PASSWORD, username
from tests.chaos.settings import Settings
from tests.chaos.stack import Stack

HEAP_MB = 320
AUTHORS = 8
READERS = 4
BEFORE_SECONDS = 10.0
AFTER_RETURN_SECONDS = 10.0
FIRST_SECOND = 1.0
LIMIT_SECONDS = 1.0
"""The slowest hundredth of the first second takes less."""
POST_SECONDS = 10.0
DELIVERED_SECONDS = 60.0
TICK_SECONDS = 0.02
LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class Post:
    """`status` is 0 when no answer came. Times as time.time() tells them."""

    author: int
    begun: float
    seconds: float
    status: int
    tweet_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    posts: Sequence[Post]

    @property
    def failed(self) -> list[Post]:
        return [post for post in self.posts if post.status != 201]

    def slowest(self, share: float) -> float:
        """Seconds that so many of a hundred posts did not exceed."""
        times = [post.seconds for post in self.posts]
        return (
            quantiles(times, n=100, method="inclusive")[int(share) - 1] if len(times) > 1 else max(times, default=0.0)
        )


def with_nodes(stack: Stack, directory: Path, number: int) -> list[str]:
    """Puts so many nodes in the place of the stack's one; returns what they are called."""
    nodes = cassandra_nodes(directory / "cassandra", number, heap_mb=HEAP_MB)
    variables = {
        "CASSANDRA_HOSTS": ",".join(node.host for node in nodes),
        "CASSANDRA_REPLICATION": replicated(number),
        "CASSANDRA_CONSISTENCY": "LOCAL_QUORUM",
    }
    return stack.replace_servers(
        "cassandra",
        [Backend(f"Cassandra {place}", node, lambda: variables | {"CASSANDRA_PORT": str(nodes[0].port)})
         for place, node in enumerate(nodes, 1)],
    )  # fmt: skip


class Posting:
    """Authors who post, each in a thread, at a steady pace; `posts` is what came of it."""

    def __init__(self, doors: Doors, tokens: dict[int, str], rate: int) -> None:
        self.posts: list[Post] = []
        self._doors = doors
        self._tokens = tokens
        self._pause = AUTHORS / rate
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._post, args=(author,), name=f"author-{author}", daemon=True)
            for author in range(AUTHORS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _post(self, author: int) -> None:
        due = time.time() + self._pause * author / AUTHORS
        number = 0
        while not self._ended.wait(max(0.0, due - time.time())):
            due, number = due + self._pause, number + 1
            answer = self._doors.ask(
                "POST", "/tweets", turn=author + number, token=self._tokens[author],
                body={"text": f"{author} says {number}"}, wait=POST_SECONDS,
            )  # fmt: skip
            tweet_id = str(answer.body["data"]["id"]) if answer.status == 201 else ""
            error = answer.error or ("" if answer.status == 201 else str(answer.body)[:200])
            seconds = answer.ended - answer.begun
            self.posts.append(Post(author, answer.begun, seconds, answer.status, tweet_id, error))


class NodeLoss:
    """One run; `go` once."""

    def __init__(self, settings: Settings, directory: Path, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._journal = Journal(directory / "log.jsonl", settings)
        self._stack = Stack(settings, directory, self._journal)
        self._nodes = with_nodes(self._stack, directory, settings.nodes)
        self._doors = Doors(self._stack.urls)
        self._tokens: dict[int, str] = {}

    def go(self) -> list[str]:
        """What is wrong; nothing that was started is left. Raises `CannotStart`."""
        try:
            self._say(f"Starting {len(self._nodes)} nodes and the stack …")
            self._stack.start()
            self._people_join()
            posting = Posting(self._doors, self._tokens, self._settings.rate)
            posting.start()
            killed, returned = self._kill_one()
            posting.stop()
            return self._judge(posting.posts, killed, returned)
        finally:
            self._doors.close()
            self._stack.stop()
            self._journal.close()

    def _people_join(self) -> None:
        """Everybody registers, and readers follow every author. Repeated until it is answered: the stack is cold."""
        for person in range(AUTHORS + READERS):
            name = username(person)
            body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
            answer = self._doors.ask("POST", "/auth/register", body=body, wait=60)
            if answer.status != 201:
                raise CannotStart(f"{name} could not join: {answer.status} {answer.error} {answer.body}")
            self._tokens[person] = answer.body["data"]["token"]
        for reader in range(AUTHORS, AUTHORS + READERS):
            for author in range(AUTHORS):
                path = f"/users/{username(author)}/follow"
                self._until(lambda path=path, reader=reader: self._ask("PUT", path, reader) in (200, 204), path)
            self._until(lambda reader=reader: self._ask("GET", "/feed/home", reader) == 200, "home")

    def _kill_one(self) -> tuple[float, float]:
        """When it was killed, and when it answered again."""
        self._pass(BEFORE_SECONDS)
        victim = random.Random(self._settings.seed).choice(self._nodes)
        self._say(f"Killing {victim} …")
        killed = time.time()
        self._stack.kill(victim)
        self._journal.note("killed", target=victim)
        self._pass(self._settings.seconds)
        self._stack.restart(victim, while_waiting=self._stack.tick)
        returned = time.time()
        self._journal.note("returned", target=victim)
        self._pass(AFTER_RETURN_SECONDS)
        return killed, returned

    def _judge(self, posts: Sequence[Post], killed: float, returned: float) -> list[str]:
        phases = phases_of(posts, killed, returned)
        for post in posts:
            if post.status != 201:
                self._journal.note("failed", after=round(post.begun - killed, 3), status=post.status, error=post.error)
        show(self._console, phases)
        wrong = [f"{name}: {count} failed" for name, count in failures(phases).items()]
        slowest = phases[1].slowest(99)
        if slowest >= LIMIT_SECONDS:
            wrong.append(f"in the first second the slowest hundredth took {slowest:.2f} s")
        wrong += [finding.text for finding in self._journal.findings]
        self._say("Looking for every post …")
        return wrong + self._missing({post.tweet_id: post.author for post in posts if post.status == 201})

    def _missing(self, posted: dict[str, int]) -> list[str]:
        found: list[str] = []

        def nothing_is() -> bool:
            self._stack.tick()
            found[:] = self._differences(posted)
            return not found

        wait_until(nothing_is, seconds=DELIVERED_SECONDS)
        return found

    def _differences(self, posted: dict[str, int]) -> list[str]:
        """What is not once in its author's timeline, or in a follower's home."""
        wrong = []
        for author in range(AUTHORS):
            own = {tweet_id for tweet_id, by in posted.items() if by == author}
            wrong += _compared(f"{username(author)}'s timeline", own, self._all(f"/users/{username(author)}/tweets", 0))
        for reader in range(AUTHORS, AUTHORS + READERS):
            wrong += _compared(f"{username(reader)}'s home", set(posted), self._all("/feed/home", reader))
        return wrong

    def _all(self, path: str, person: int) -> list[str]:
        """The ids on all pages; of a page that is refused, and those after it, nothing."""
        found: list[str] = []
        query = f"?limit={LARGEST_PAGE}"
        while True:
            answer = self._doors.ask("GET", path + query, token=self._tokens[person], wait=POST_SECONDS)
            if answer.status != 200:
                return found
            found += [str(each["id"]) for each in answer.body["data"]]
            after = answer.body["meta"].get("next_cursor")
            if not after:
                return found
            query = f"?limit={LARGEST_PAGE}&cursor={after}"

    def _ask(self, method: str, path: str, person: int) -> int:
        return self._doors.ask(method, path, token=self._tokens[person], wait=POST_SECONDS).status

    def _until(self, condition: "object", what: str) -> None:
        assert callable(condition)
        if not wait_until(condition, seconds=60.0):
            raise CannotStart(f"The people did not manage to join and follow one another: {what}")

    def _pass(self, seconds: float) -> None:
        ends = time.time() + seconds
        while time.time() < ends:
            self._stack.tick()
            time.sleep(TICK_SECONDS)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)
