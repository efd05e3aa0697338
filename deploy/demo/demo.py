"""The demo itself: people sign up, follow each other, talk, and then meet one of them, who has everything to see."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from deploy.demo.api import Api, Failed, HasLeft
from deploy.demo.people import PASSWORD, Person, Society
from deploy.demo.scene import Scene, cast_of
from deploy.demo.stream import Action, Kind, Stream
from deploy.errors import CannotStart

IN_FLIGHT = 16
"""Requests at a time: enough to keep a laptop's server busy, few enough to be answered quickly."""
SHOWN_FAILURES = 10
SIGNED_UP, SIGNED_IN, FOLLOWS = "people signed up", "people signed in", "follows"
WRITES = (Kind.TWEET, Kind.REPLY, Kind.THREAD, Kind.QUOTE)

T = TypeVar("T")


class Bar(Protocol):
    """A progress bar."""

    def begin(self, title: str, total: int) -> None: ...
    def advance(self) -> None: ...


@dataclass
class Tally:
    """A tally of what was done and what failed, by kind, and the seconds that each kind's stage took."""

    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def fail(self, kind: str, error: Failed) -> None:
        self.failed[kind] += 1
        if len(self.failures) < SHOWN_FAILURES:
            self.failures.append(str(error))


class Demo:
    """One run. It may be repeated: whatever was done by an earlier one is found done."""

    def __init__(self, api: Api, society: Society, *, seed: int, tweets: int, bar: Bar) -> None:
        self.tally = Tally()
        self.tokens: dict[int, str] = {}
        self._api = api
        self._society = society
        self._stream = Stream(society, seed=seed, tweets=tweets)
        self._tweets = tweets
        self._bar = bar
        self._written: dict[int, asyncio.Future[str | None]] = {}
        plan = f"{seed} {society.people} {society.follows}"
        self.cast = cast_of(society)
        self._plan = hashlib.sha256(plan.encode()).hexdigest()[:16]

    async def run(self) -> None:
        """Raises `CannotStart` when the server is not there or limits rates for long; failures are tallied."""
        await self._api.require_ready()
        people, follows = self._society.people, self._society.follows
        await self.stage("Signing up", people, len(people), self._enter, (SIGNED_UP, SIGNED_IN))
        if not self.tokens:
            raise CannotStart(f"Nobody could sign up. {'; '.join(self.tally.failures[:1])}")
        await self.stage("Following", follows, len(follows), self._follow, (FOLLOWS,))
        await self.stage("Talking", self._stream, self._tweets, self._act, tuple(Kind))
        await Scene(self, self._society, self.cast, plan=self._plan).play()

    async def stage(
        self, title: str, items: Iterable[T], total: int, do: Callable[[T], Awaitable[None]], kinds: tuple[str, ...]
    ) -> None:
        """Does every item, a few at a time, in their order of beginning; `total` is what the bar counts."""
        self._bar.begin(title, total)
        started = time.monotonic()
        rest = iter(items)

        async def work() -> None:
            for item in rest:
                await do(item)

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(work())
        self.tally.seconds |= dict.fromkeys(kinds, time.monotonic() - started)

    async def _enter(self, person: Person) -> None:
        """Signs the person up; someone whom an earlier run made signs in, and is open to everybody until the
        scene comes again. Half of them then look at home."""
        try:
            self.tally.done[await self.sign_up_or_in(person)] += 1
            await self._api.call("PATCH", "/me", 200, token=self.tokens[person.number], body=_profile(person))
            if person.number % 2 == 0:
                await self._api.call("GET", "/feed/home", 200, token=self.tokens[person.number])
        except Failed as error:
            self.tally.fail(SIGNED_UP, error)
        self._bar.advance()

    async def sign_up_or_in(self, person: Person) -> str:
        """Returns which of the two it was. Raises `Failed`, and `HasLeft` for one of an earlier run who has."""
        body = {"username": person.username, "email": person.email, "password": PASSWORD}
        answer = await self._api.call("POST", "/auth/register", 201, 422, body=body)
        done = SIGNED_UP
        if answer.status_code == 422:
            if "username" not in answer.json().get("errors", {}):
                raise Failed(f"POST /auth/register: {answer.text[:200]}")
            credentials = {"username": person.username, "password": PASSWORD}
            answer = await self._api.call("POST", "/auth/token", 200, 401, body=credentials)
            done = SIGNED_IN
        if answer.status_code == 401:
            raise HasLeft(f"POST /auth/token: @{person.username} exists, and has another password or has left")
        self.tokens[person.number] = answer.json()["data"]["token"]
        return done

    async def _follow(self, pair: tuple[int, int]) -> None:
        reader, author = pair
        await self.attempt(FOLLOWS, reader, "PUT", f"/users/{self._society.people[author].username}/follow")
        self._bar.advance()

    async def _act(self, action: Action) -> None:
        if action.kind in WRITES:
            self._written[action.number] = asyncio.get_running_loop().create_future()
            self._written[action.number].set_result(await self._write(action))
            self._bar.advance()
        elif action.target is None:
            await self.attempt(action.kind, action.person, "GET", "/feed/home")
        else:
            await self._react(action, action.target)

    async def _write(self, action: Action) -> str | None:
        body = {"text": action.text}
        if action.target is not None:
            target = await self._written[action.target]
            if target is None:
                self.tally.fail(action.kind, Failed("what it is about could not be written"))
                return None
            body["quote_of" if action.kind is Kind.QUOTE else "reply_to"] = target
        key = f"demo-{self._plan}-{action.number}"
        return await self.attempt(action.kind, action.person, "POST", "/tweets", 201, body=body, key=key)

    async def _react(self, action: Action, target: int) -> None:
        tweet_id = await self._written[target]
        if tweet_id is None:
            self.tally.fail(action.kind, Failed("what it is about could not be written"))
            return
        verb = {Kind.LIKE: "like", Kind.RETWEET: "retweet", Kind.BOOKMARK: "bookmark"}[action.kind]
        await self.attempt(action.kind, action.person, "PUT", f"/tweets/{tweet_id}/{verb}")

    def advance(self) -> None:
        self._bar.advance()

    def note(self, kind: str, failure: Failed | None = None) -> None:
        """Tallies what was done without a call, or failed."""
        if failure is None:
            self.tally.done[kind] += 1
        else:
            self.tally.fail(kind, failure)

    async def attempt(
        self,
        kind: str,
        person: int,
        method: str,
        path: str,
        expected: int = 200,
        *,
        body: Mapping[str, object] | None = None,
        key: str | None = None,
    ) -> str | None:
        """Tallies the call; the id of what it answered with, if it has one."""
        try:
            if person not in self.tokens:
                raise Failed(f"{self._society.name_of(person)} is not signed in")
            answer = await self._api.call(method, path, expected, token=self.tokens[person], body=body, key=key)
        except Failed as error:
            self.tally.fail(kind, error)
            return None
        self.tally.done[kind] += 1
        data = answer.json()["data"] if answer.content else None
        return data.get("id") if isinstance(data, dict) else None


def _profile(person: Person) -> dict[str, object]:
    return {"display_name": person.display_name, "bio": person.bio, "protected": False}
