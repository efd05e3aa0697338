"""Guessing passwords, burning the processor with hashes, and locking people out."""

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlencode

from tests.attack.attack import Attack, Call, Seen, flood, tried
from tests.attack.target import API, PASSWORD, Person, Target, packed

AT_ONCE = 6
TRIES = 80
BY_ADDRESS = 30
"""Sign-ins that an address may try in a minute (accounts/sessions/throttles.py)."""
BY_PAIR, BY_ACCOUNT = 10, 30
"""Guesses at one account in five minutes, however it is spelled: from one address, and from all together."""
HASHES_MB = 64
"""A hash takes 19 MiB, one at a time in each process, and gives it back."""
BAD_TOKENS = 60
"""In a minute, from one address."""
ALL_REQUESTS = 300
"""In a minute, from one address."""
SLACK = 3
WRONG = "Nobody-Has-This-1"


class SignIns(Attack):
    """Sign-ins with names that nobody has, from one address until it is refused; tries at one person; then a flood.

    No more are hashed than the address's quota, the rest is refused with 429 before hashing; the person, whose name was
    only tried after the quota, signs in from elsewhere.
    """

    name = "sign-ins"
    growth_mb = HASHES_MB
    expected = frozenset({"401", "429", "503", "owner signs in"})

    async def prepare(self, target: Target) -> None:
        self._owner = await target.sign_up(f"owner_{time.time_ns() % 10**9}")

    async def strike(self, target: Target, seconds: float) -> Seen:
        strangers = (signing_in(target, self.source, f"nobody_{number}") for number in itertools.count())
        seen: Seen = Counter()
        for stranger in itertools.islice(strangers, TRIES):
            outcome = await stranger()
            seen[outcome] += 1
            if outcome == "429":
                break
        owners = [signing_in(target, self.source, self._owner.username)] * 2 * BY_PAIR
        seen += await flood(owners, seconds=seconds, at_once=1)
        own = signing_in(target, self.sources(1)[0], self._owner.username, PASSWORD)
        heard = await again_if_busy(own)
        seen["owner signs in" if heard in ("200", "201") else f"owner hears {heard}"] += 1
        return seen + await flood(strangers, seconds=seconds, at_once=AT_ONCE, at_least=TRIES)

    def faults(self, seen: Seen) -> list[str]:
        return super().faults(seen) + over(tried(seen) - 1, BY_ADDRESS, "sign-ins tried from one address")


class AdminSignIns(Attack):
    """The same at /admin/login/, with its form and its CSRF token.

    The same quota holds, counted before hashing; what is over it is refused with 429, or with 503 where hashes at a
    time are bounded.
    """

    name = "admin-sign-ins"
    growth_mb = HASHES_MB
    expected = frozenset({"200", "429", "503"})

    async def strike(self, target: Target, seconds: float) -> Seen:
        door = target.web(self.source)
        form = await door.ask("GET", "/admin/login/")
        found = re.search(r"csrftoken=(\w+)", form.head)
        csrf = found[1] if found is not None else ""
        headers = {"Cookie": f"csrftoken={csrf}", "Content-Type": "application/x-www-form-urlencoded"}

        def trying(name: str) -> Call:
            fields = {"csrfmiddlewaretoken": csrf, "username": name, "password": WRONG, "next": "/admin/"}
            body = urlencode(fields).encode()

            async def send() -> str:
                return (
                    await door.ask("POST", "/admin/login/", body, headers | {"Content-Length": str(len(body))})
                ).outcome

            return send

        names = itertools.cycle(["root", "admin", *(f"staff_{number}" for number in range(50))])
        return await flood(map(trying, names), seconds=seconds, at_once=AT_ONCE, at_least=TRIES)

    def faults(self, seen: Seen) -> list[str]:
        return super().faults(seen) + over(tried(seen), BY_ADDRESS, "sign-ins tried from one address")


class Guesses(Attack):
    """Guesses at one password, by name and e-mail address in several spellings: from one address, then from twelve.

    They count as one account's: 10 in five minutes from one address, 30 from all together.
    """

    name = "guesses"
    expected = frozenset({"401", "429", "503", "401 from one address"})
    growth_mb = HASHES_MB
    ADDRESSES: ClassVar[int] = 12

    async def prepare(self, target: Target) -> None:
        self._owner = await target.sign_up(f"guessed_{time.time_ns() % 10**9}")

    async def strike(self, target: Target, seconds: float) -> Seen:
        alone = [signing_in(target, self.source, name) for name in itertools.islice(spellings(self._owner), 28)]
        seen = await flood(alone, seconds=seconds, at_once=1, at_least=len(alone))
        seen["401 from one address"] = seen.pop("401", 0)
        turns = zip(itertools.cycle(self.sources(self.ADDRESSES)), spellings(self._owner), strict=False)
        joined = [signing_in(target, source, name) for source, name in itertools.islice(turns, 60)]
        return seen + await flood(joined, seconds=seconds, at_once=2, at_least=len(joined))

    def faults(self, seen: Seen) -> list[str]:
        alone = over(seen["401 from one address"], BY_PAIR, "guesses at one account from one address")
        return super().faults(seen) + alone + over(tried(seen), BY_ACCOUNT, "guesses at one account")


class BadTokens(Attack):
    """Requests with tokens that nobody has, made up anew each time, from one address.

    They are counted by address: 60 a minute, then 429.
    """

    name = "bad-tokens"
    expected = frozenset({"401", "429"})
    LEAST: ClassVar[int] = 120

    async def strike(self, target: Target, seconds: float) -> Seen:
        def trying(number: int) -> Call:
            kind = [f"{number}.{number:064x}", f"{number:x}", f"1.{number:0>64}", "." * (1 + number % 50)][number % 4]

            async def send() -> str:
                headers = {"Authorization": f"Bearer {kind}"}
                return (await target.web(self.source).ask("GET", f"{API}/feed/home", headers=headers)).outcome

            return send

        return await flood(map(trying, itertools.count(1)), seconds=seconds, at_once=AT_ONCE, at_least=self.LEAST)

    def faults(self, seen: Seen) -> list[str]:
        return super().faults(seen) + over(tried(seen), BAD_TOKENS, "bad tokens looked up from one address")


class Forwarded(Attack):
    """Requests that each claim another client's address: in X-Forwarded-For, its spellings, and its relatives.

    Without a proxy of ours no field is believed; behind one only what the proxy itself wrote. So they count as one
    address's: 300 a minute, then 429.
    """

    name = "forwarded"
    expected = frozenset({"404", "429"})
    LEAST: ClassVar[int] = 360

    def __init__(self, number: int) -> None:
        super().__init__(number)
        # From where a server believes such fields by itself, if it does.
        self.source = "127.0.0.1"

    async def strike(self, target: Target, seconds: float) -> Seen:
        calls = (self._claiming(target, number) for number in itertools.count())
        return await flood(calls, seconds=seconds, at_once=AT_ONCE, at_least=self.LEAST)

    def _claiming(self, target: Target, number: int) -> Call:
        claimed = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        said = dict.fromkeys(("X_Forwarded_For", "X-Real-IP", "True-Client-IP", "Client-IP"), claimed)
        said["Forwarded"] = f"for={claimed}"
        said["X-Forwarded-For"] = f"{claimed}, {self.source}" if target.fronted else claimed

        async def send() -> str:
            return (await target.web(self.source).ask("GET", f"{API}/users/nobody_here", headers=said)).outcome

        return send

    def faults(self, seen: Seen) -> list[str]:
        return super().faults(seen) + over(tried(seen), ALL_REQUESTS, "requests answered to one address")


class Probes(Attack):
    """/readyz, /healthz and /metrics, as often as one can ask.

    They cost no more than a page, and others read as usual. (A limit on them is seen as 429; /metrics may want its
    token.)
    """

    name = "probes"
    expected = frozenset({"200", "401", "403", "404", "429", "503"})

    async def strike(self, target: Target, seconds: float) -> Seen:
        def asking(path: str) -> Call:
            async def send() -> str:
                return (await target.web(self.source).ask("GET", path)).outcome

            return send

        paths = itertools.cycle(["/readyz", "/metrics", "/healthz"])
        return await flood(map(asking, paths), seconds=seconds, at_once=AT_ONCE)


def signing_in(target: Target, source: str, name: str, password: str = WRONG) -> Call:
    body = packed({"username": name, "password": password})

    async def send() -> str:
        return (await target.web(source).ask("POST", f"{API}/auth/token", body)).outcome

    return send


async def again_if_busy(call: Call) -> str:
    """What is answered at last to who comes again, a few times, when told to."""
    for _ in range(5):
        heard = await call()
        if heard != "503":
            return heard
        await asyncio.sleep(0.5)
    return heard


def spellings(person: Person) -> Iterator[str]:
    """The ways of naming one account, by turns, for ever."""
    name, email = person.username, person.email
    return itertools.cycle([name, name.upper(), f" {name}", email, email.upper(), f"{email} ", name.title()])


def over(count: int, bound: int, what: str) -> list[str]:
    """A fault if there were more, and more than a few that were under way at the same moment."""
    return [f"{count} {what}; {bound} are allowed"] if count > bound + SLACK else []
