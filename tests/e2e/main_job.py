"""The main job, from outside: people sign up, follow, post, and find their home timelines right.

    python -m tests.e2e.main_job --url http://127.0.0.1:8000 --people 200 --tweets 1000

Against a running server (RATE_LIMITS=off) and through its public HTTP API only. What every
timeline must hold is computed here, from the answers to the writes alone. Exit status 1 and
every difference on a line when one is wrong.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import networkx

THREADS = 8
SETTLE_SECONDS = 150.0
"""How long fan-out may take to catch up with the last post."""
KEPT_ALIVE = httpx.Limits(keepalive_expiry=2.0)
"""Less than the server's 5 s, so that no request goes into a connection that is just being closed."""
FRAGMENTS = [
    "plain words", "émigré naïve", "你好世界", "ありがとう", "👩‍👩‍👧‍👦", "🇩🇪", "e\u0301", "עברית", "العربية", "a\nb",
    "https://example.org/a?b=c#d", "example.com", "@someone", "#tag", "#日本語", "<b>&amp;</b>",
    "'; DROP TABLE --", "\\u0041",
]  # fmt: skip

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Person:
    username: str
    id: str
    client: httpx.Client
    follows: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Posted:
    id: int
    author: str
    in_home: bool


@dataclass
class Job:
    """One run against one server; `deleted` and `posted` are what the server has acknowledged."""

    url: str
    seed: int
    people: list[Person] = field(default_factory=list)
    posted: dict[int, Posted] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)

    def run(self, *, people: int, tweets: int) -> list[str]:
        """Does everything; the differences found, none if all is right."""
        dice = random.Random(self.seed)
        self._sign_up(people)
        self._follow(dice)
        self._make_some_active(dice)
        self._post(tweets, dice)
        self._change_minds(dice)
        return self._compare()

    def _sign_up(self, count: int) -> None:
        run = f"{int(time.time() * 1000) % 10**9:x}"

        def sign_up(number: int) -> Person:
            name = f"p{number}_{run}"
            client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=30, limits=KEPT_ALIVE)
            answer = client.post(
                "/auth/register", json={"username": name, "email": f"{name}@example.org", "password": "Engine-No-1843"}
            )
            session = data(answer, 201)
            client.headers["Authorization"] = f"Bearer {session['token']}"
            return Person(name, session["user"]["id"], client)

        self.people = each_of(sign_up, range(count))

    def _follow(self, dice: random.Random) -> None:
        """A directed power-law graph: a few are followed by nearly everybody."""
        graph = networkx.scale_free_graph(len(self.people), seed=self.seed)
        pairs = sorted({(reader, author) for reader, author, _ in graph.edges if reader != author})
        dice.shuffle(pairs)

        def follow(pair: tuple[int, int]) -> None:
            reader, author = (self.people[place] for place in pair)
            assert data(reader.client.put(f"/users/{author.username}/follow"))["following"] is True
            reader.follows.add(author.id)

        each_of(follow, pairs)

    def _make_some_active(self, dice: random.Random) -> None:
        """Half of the people read before anything is posted: theirs are pushed, the others' pulled."""
        each_of(lambda person: data(person.client.get("/feed/home")), dice.sample(self.people, len(self.people) // 2))

    def _post(self, count: int, dice: random.Random) -> None:
        plans = [(dice.choice(self.people), a_text(dice), dice.random(), dice.random()) for _ in range(count)]

        def post(plan: tuple[Person, str, float, float]) -> None:
            author, text, kind, choice = plan
            body: dict[str, Any] = {"text": text}
            parent = self._parent(author, kind, choice)
            if parent is not None:
                body["reply_to"] = str(parent.id)
            tweet = data(author.client.post("/tweets", json=body), 201)
            assert tweet["text"] == text
            in_home = parent is None or parent.author == author.id
            self.posted[int(tweet["id"])] = Posted(int(tweet["id"]), author.id, in_home)

        each_of(post, plans)

    def _parent(self, author: Person, kind: float, choice: float) -> Posted | None:
        """Every fifth tweet replies to somebody, every tenth continues a thread of its author's own."""
        known = list(self.posted.values())
        if kind < 0.1:
            known = [posted for posted in known if posted.author == author.id]
        return known[int(choice * len(known))] if kind < 0.3 and known else None

    def _change_minds(self, dice: random.Random) -> None:
        """Some tweets are deleted; some people unfollow someone, some follow someone new."""
        by_id = {person.id: person for person in self.people}

        def delete(posted: Posted) -> None:
            answer = by_id[posted.author].client.delete(f"/tweets/{posted.id}")
            assert answer.status_code == 204, answer.text
            self.deleted.add(posted.id)

        def change(pair: tuple[Person, Person]) -> None:
            reader, other = pair
            if other.id in reader.follows:
                data(reader.client.delete(f"/users/{other.username}/follow"))
                reader.follows.discard(other.id)
            elif other.id != reader.id:
                data(reader.client.put(f"/users/{other.username}/follow"))
                reader.follows.add(other.id)

        each_of(delete, dice.sample(list(self.posted.values()), len(self.posted) // 30))
        readers = dice.sample(self.people, len(self.people) // 4)
        each_of(change, [(reader, by_id[dice.choice(sorted(reader.follows or by_id))]) for reader in readers])
        each_of(change, [(reader, dice.choice(self.people)) for reader in readers])

    def _compare(self) -> list[str]:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            differences = [line for lines in each_of(self._differences, self.people) for line in lines]
            if not differences or time.monotonic() > deadline:
                return differences
            time.sleep(1)

    def _differences(self, person: Person) -> list[str]:
        shown = {*person.follows, person.id}
        expected = sorted(
            (
                posted.id
                for posted in self.posted.values()
                if posted.author in shown and posted.in_home and posted.id not in self.deleted
            ),
            reverse=True,
        )
        found = whole_home(person)
        if found == expected:
            return []
        lacking, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        order = "" if lacking or extra else " wrong order or repeated"
        return [f"{person.username}: lacks {lacking}, has too much {extra}{order}"]


def whole_home(person: Person) -> list[int]:
    """Every page of the home timeline, down to the first tweet; no page short while there is more."""
    found: list[int] = []
    path: str | None = "/api/v1/feed/home?limit=37"
    while path is not None:
        answer = person.client.get(str(person.client.base_url.copy_with(path="/")).rstrip("/") + path)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [int(tweet["id"]) for tweet in page["data"]]
        path = page["links"]["next"]
        assert path is None or len(page["data"]) == 37
    return found


def a_text(dice: random.Random) -> str:
    return " ".join(dice.choice(FRAGMENTS) for _ in range(dice.randint(1, 6)))


def data(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json()["data"]


def each_of(call: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results in order, a few calls at a time. Raises the first error."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, items))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--tweets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    job = Job(given.url, given.seed)
    started = time.monotonic()
    differences = job.run(people=given.people, tweets=given.tweets)
    for line in differences:
        print(line)
    print(
        f"{len(job.people)} people, {sum(len(person.follows) for person in job.people)} follows, "
        f"{len(job.posted)} tweets, {len(job.deleted)} deleted: {len(differences)} wrong timelines, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
