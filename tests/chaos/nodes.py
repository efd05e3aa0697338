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
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.errors import CannotStart
from deploy.supervisor.processes import wait_until
from tests.chaos.doors import Doors
from tests.chaos.journal import Journal
from tests.chaos.requests import PASSWORD, username
from tests.chaos.settings import Settings
from tests.chaos.stack import Stack

AUTHORS = 8
READERS = 4
READERS_NUMBERS = range(AUTHORS, AUTHORS + READERS)
BEFORE_SECONDS = 10.0
AFTER_RETURN_SECONDS = 10.0
FIRST_SECOND = 1.0
LIMIT_SECONDS = 1.0
"""The slowest hundredth of the first second takes less."""
JOIN_SECONDS = 60.0
"""Cold processes and nodes, side by side on a small machine."""
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
        times = sorted(post.seconds for post in self.posts)
        return times[min(len(times) - 1, int(len(times) * share / 100))] if times else 0.0


def phases_of(posts: Sequence[Post], killed: float, returned: float) -> list[Phase]:
    """By when they began: before, in the first second, while the node was away, and after its return."""
    bounds = [0.0, killed, killed + FIRST_SECOND, returned, float("inf")]
    names = ["before", "first second", "one node away", "after its return"]
    return [
        Phase(name, [post for post in posts if low <= post.begun < high])
        for name, low, high in zip(names, bounds, bounds[1:], strict=False)
    ]


def faults(phases: Sequence[Phase]) -> list[str]:
    """What the phases show that must not be."""
    first = phases[1]
    wrong = [
        f"{phase.name}: {len(phase.failed)} of {len(phase.posts)} posts failed, such as {phase.failed[0]}"
        for phase in phases
        if phase is not first and phase.failed
    ]
    if first.slowest(99) >= LIMIT_SECONDS:
        wrong.append(f"in the first second the slowest hundredth took {first.slowest(99):.2f} s")
    return wrong


def compared(name: str, wanted: set[str], found: Sequence[str]) -> list[str]:
    """What of these is not there, and what is there more than once."""
    missing = wanted - set(found)
    doubled = [tweet_id for tweet_id, times in Counter(found).items() if times > 1]
    return [f"{name} lacks {len(missing)} of {len(wanted)}: {sorted(missing)[:3]}"] * bool(missing) + [
        f"{name} holds {doubled[:3]} more than once"
    ] * bool(doubled)


def show(console: Console, phases: Sequence[Phase]) -> None:
    table = Table("posts that began", "number", "failed", "median ms", "p99 ms", "slowest ms")
    for column in table.columns[1:]:
        column.justify = "right"
    for phase in phases:
        times = [f"{phase.slowest(share) * 1000:.0f}" for share in (50, 99, 100)]
        table.add_row(phase.name, str(len(phase.posts)), str(len(phase.failed)), *times)
    console.print(table)


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
        self._doors = Doors(self._stack.urls)
        self._tokens: dict[int, str] = {}

    def go(self) -> list[str]:
        """What is wrong; nothing that was started is left. Raises `CannotStart`."""
        try:
            self._say("Starting the nodes and the stack …")
            self._stack.start()
            self._people_join()
            posting = Posting(self._doors, self._tokens, self._settings.rate)
            posting.start()
            try:
                killed, returned = self._lose_one()
            finally:
                posting.stop()
            return self._judge(posting.posts, killed, returned)
        finally:
            self._doors.close()
            self._stack.stop()
            self._journal.close()

    def _people_join(self) -> None:
        """Everybody registers, and readers follow every author."""
        for person in range(AUTHORS + READERS):
            name = username(person)
            body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
            answer = self._doors.ask("POST", "/auth/register", turn=person, body=body, wait=JOIN_SECONDS)
            if answer.status != 201:
                raise CannotStart(f"{name} could not join: {answer.status} {answer.error} {answer.body}")
            self._tokens[person] = answer.body["data"]["token"]
        for reader in READERS_NUMBERS:
            for author in range(AUTHORS):
                self._prepare("PUT", f"/users/{username(author)}/follow", reader)
            self._prepare("GET", "/feed/home", reader)

    def _prepare(self, method: str, path: str, person: int) -> None:
        answer = self._doors.ask(method, path, token=self._tokens[person], wait=JOIN_SECONDS)
        if answer.status not in (200, 201, 204):
            raise CannotStart(f"{method} {path} was answered {answer.status} {answer.error} {answer.body}")

    def _lose_one(self) -> tuple[float, float]:
        """When it was killed, and when it answered again."""
        self._pass(BEFORE_SECONDS)
        nodes = [name for name in self._stack.servers if name.startswith("cassandra")]
        victim = random.Random(self._settings.seed).choice(nodes)
        self._say(f"Killing {victim} of {', '.join(nodes)} …")
        killed = time.time()
        self._stack.kill(victim)
        self._journal.note("killed", target=victim)
        self._pass(self._settings.seconds)
        returned = time.time()
        try:
            self._stack.restart(victim, while_waiting=self._stack.tick)
        except CannotStart as error:
            self._journal.find(f"{victim} did not come back: {error}")
        self._journal.note("returned", target=victim, after=round(time.time() - returned, 1))
        self._pass(AFTER_RETURN_SECONDS)
        return killed, returned

    def _judge(self, posts: Sequence[Post], killed: float, returned: float) -> list[str]:
        phases = phases_of(posts, killed, returned)
        for post in posts:
            if post.status != 201:
                self._journal.note("failed", after=round(post.begun - killed, 3), status=post.status, error=post.error)
        show(self._console, phases)
        self._say("Looking for every post …")
        posted = {post.tweet_id: post.author for post in posts if post.status == 201}
        found = faults(phases) + [finding.text for finding in self._journal.findings] + self._missing(posted)
        for each in found:
            self._journal.note("difference", text=each)
        return found

    def _missing(self, posted: dict[str, int]) -> list[str]:
        """What is still not there when it should have been delivered."""
        found: list[str] = []

        def all_is_there() -> bool:
            self._stack.tick()
            found[:] = self._differences(posted)
            return not found

        wait_until(all_is_there, seconds=DELIVERED_SECONDS)
        return found

    def _differences(self, posted: dict[str, int]) -> list[str]:
        """What is not once in its author's timeline, or in a follower's home."""
        wrong = []
        for author in range(AUTHORS):
            own = {tweet_id for tweet_id, by in posted.items() if by == author}
            wrong += compared(
                f"the timeline of {username(author)}", own, self._all(f"/users/{username(author)}/tweets", 0)
            )
        for reader in READERS_NUMBERS:
            wrong += compared(f"the home of {username(reader)}", set(posted), self._all("/feed/home", reader))
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
            cursor = answer.body["meta"].get("next_cursor")
            if not cursor:
                return found
            query = f"?limit={LARGEST_PAGE}&cursor={cursor}"

    def _pass(self, seconds: float) -> None:
        ends = time.time() + seconds
        while time.time() < ends:
            self._stack.tick()
            time.sleep(TICK_SECONDS)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)
