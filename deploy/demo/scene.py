"""One person who has something of everything to see, and those who see to it, after everybody has talked.

The lead is followed, liked, retweeted, answered, quoted and mentioned by friends, and by some who then leave. Then a
few people protect what they write, the lead among them; others ask to follow them, and every other one is accepted.

Whoever enters is open to everybody (demo.py), so that a run that is repeated finds the stage as it was.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from deploy.demo.api import Failed, HasLeft
from deploy.demo.people import PASSWORD, Person, Society

WORD = "lighthouse"
"""What all of it is about, and is found by in a search."""
FRIENDS, SHY, ASKERS = 5, 3, 4
"""How many meet the lead, how many others are protected, and how many ask each."""
MET, LEFT, PROTECTED, ASKED, ACCEPTED, KEPT = (
    "acts towards the lead", "people who left", "people protected", "follow requests", "requests accepted",
    "bookmarks of the lead",
)  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """`asker` asks to follow `asked`, both by number."""

    asker: int
    asked: int
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays what, by number; nobody is a friend and protected, and all of it is empty where there are too few."""

    lead: int
    friends: list[int]
    shy: list[int]
    asks: list[Ask]


class Troupe(Protocol):
    """What the scene needs of the demo."""

    async def stage(
        self, title: str, items: Iterable[T], total: int, do: Callable[[T], Awaitable[None]], kinds: tuple[str, ...]
    ) -> None: ...

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
    ) -> str | None: ...

    async def sign_up_or_in(self, person: Person) -> str: ...
    def advance(self) -> None: ...
    def note(self, kind: str, failure: Failed | None = None) -> None: ...


def cast_of(society: Society) -> Cast:
    """Returns the cast: the lead is the last who came, the shy came just before, friends are among the first."""
    lead = len(society.people) - 1
    shy = list(range(max(1, lead - SHY), lead))
    friends = [each for each in range(FRIENDS) if each < lead and each not in shy]
    follows = set(society.follows) | {(each, lead) for each in friends}
    asks = [ask for each in (*shy, lead) for ask in _asks(each, lead, follows)]
    return Cast(lead, friends, shy, asks)


def _asks(asked: int, lead: int, follows: set[tuple[int, int]]) -> list[Ask]:
    """Of those who do not follow them yet; the lead first."""
    strangers = [each for each in (lead, *range(lead)) if each != asked and (each, asked) not in follows]
    return [Ask(each, asked, place % 2 == 0) for place, each in enumerate(strangers[:ASKERS])]


class Scene:
    """`play` it once, when everybody has talked."""

    def __init__(self, troupe: Troupe, society: Society, cast: Cast, *, plan: str) -> None:
        self._troupe = troupe
        self._society = society
        self._cast = cast
        self._plan = plan
        self._name = society.people[cast.lead].username
        self._tweet: str | None = None
        self._about: list[str] = []
        """What friends have written about it."""

    async def play(self) -> None:
        cast, stage = self._cast, self._troupe.stage
        self._tweet = await self._write(MET, cast.lead, f"Good morning from the {WORD}! #{WORD}", "lead")
        await stage("Meeting", cast.friends, len(cast.friends), self._meet, (MET,))
        await stage("Leaving", self._society.leavers, len(self._society.leavers), self._come_and_go, (LEFT,))
        await stage("Keeping", self._about, len(self._about), self._keep, (KEPT,))
        protected = [*cast.shy, cast.lead]
        await stage("Protecting", protected, len(protected), self._protect, (PROTECTED,))
        await stage("Asking", cast.asks, len(cast.asks), self._ask, (ASKED, ACCEPTED))

    async def _meet(self, friend: int) -> None:
        """Each does what may be done by many; what they write differs."""
        await self._do(MET, friend, "PUT", f"/users/{self._name}/follow")
        for verb in ("like", "retweet"):
            await self._mark(friend, verb)
        for way, text in self._texts(friend):
            about = {} if way == "mention" else {way: self._tweet}
            written = await self._write(MET, friend, text, f"{way}-{friend}", **about)
            self._about += [written] if written is not None else []
        self._troupe.advance()

    def _texts(self, friend: int) -> list[tuple[str, str]]:
        """What the friend writes; of few friends each writes more."""
        lines = [
            ("reply_to", "I can see you from here."),
            ("quote_of", f"This {WORD} is worth the walk."),
            ("mention", f"Has anybody seen @{self._name} at the {WORD} today? #{WORD}"),
        ]
        friends = self._cast.friends
        return [line for place, line in enumerate(lines) if friends[place % len(friends)] == friend]

    async def _come_and_go(self, leaver: Person) -> None:
        """Whoever has left in an earlier run stays away."""
        try:
            await self._troupe.sign_up_or_in(leaver)
        except HasLeft:
            self._troupe.note(LEFT)
        except Failed as error:
            self._troupe.note(LEFT, error)
        else:
            await self._do(MET, leaver.number, "PUT", f"/users/{self._name}/follow")
            await self._mark(leaver.number, "like")
            await self._write(MET, leaver.number, f"Farewell, @{self._name}. #{WORD}", f"farewell-{leaver.number}")
            await self._do(LEFT, leaver.number, "DELETE", "/me", 202, body={"password": PASSWORD})
        self._troupe.advance()

    async def _keep(self, tweet_id: str) -> None:
        await self._do(KEPT, self._cast.lead, "PUT", f"/tweets/{tweet_id}/bookmark")
        self._troupe.advance()

    async def _protect(self, person: int) -> None:
        await self._do(PROTECTED, person, "PATCH", "/me", body={"protected": True})
        self._troupe.advance()

    async def _ask(self, ask: Ask) -> None:
        await self._do(ASKED, ask.asker, "PUT", f"/users/{self._society.name_of(ask.asked)}/follow")
        if ask.is_accepted:
            asker = self._society.name_of(ask.asker)
            await self._do(ACCEPTED, ask.asked, "PUT", f"/me/follow-requests/{asker}")
        self._troupe.advance()

    async def _mark(self, person: int, verb: str) -> None:
        if self._tweet is not None:
            await self._do(MET, person, "PUT", f"/tweets/{self._tweet}/{verb}")

    async def _write(self, kind: str, person: int, text: str, name: str, **about: str | None) -> str | None:
        body = {"text": text, **{way: tweet for way, tweet in about.items() if tweet is not None}}
        key = f"demo-{self._plan}-{name}"
        return await self._troupe.attempt(kind, person, "POST", "/tweets", 201, body=body, key=key)

    async def _do(
        self,
        kind: str,
        person: int,
        method: str,
        path: str,
        expected: int = 200,
        *,
        body: Mapping[str, object] | None = None,
    ) -> None:
        await self._troupe.attempt(kind, person, method, path, expected, body=body)
