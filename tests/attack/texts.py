"""Texts and documents that are cheap to send and dear to read."""

import itertools
import json
import time
from collections.abc import Iterator
from typing import ClassVar, TypeVar

from tests.attack.attack import Attack, Call, Seen, flood
from tests.attack.target import API, Person, Target, packed

T = TypeVar("T")

AT_ONCE = 4
PEOPLE = 3
BODY = 60_000
"""Bytes: just below the limit of a body, 64 KB."""


class Reading(Attack):
    """What makes the product read much, sent by people of the attack's own, by turns: so their quotas last longer."""

    async def prepare(self, target: Target) -> None:
        now = time.time_ns() % 10**9
        names = [f"{self.name}_{number}_{now}" for number in range(PEOPLE)]
        self._people = [await target.sign_up(name, self.source) for name in names]

    def _by_turns(self, things: Iterator[T]) -> Iterator[tuple[T, Person]]:
        return zip(things, itertools.cycle(self._people), strict=False)


class Texts(Reading):
    """Texts of 60 KB to POST /tweets, of families on which searches for links, mentions, tags and emoji take long.

    Each is refused, or taken, in time proportional to its length: others read and hear as usual.
    """

    name = "texts"
    expected = frozenset({"201", "422", "429"})

    async def strike(self, target: Target, seconds: float) -> Seen:
        bodies = itertools.cycle([packed({"text": text}) for text in hostile_texts()])
        calls = (
            _sending(target, self.source, f"{API}/tweets", body, person) for body, person in self._by_turns(bodies)
        )
        return await flood(calls, seconds=seconds, at_once=AT_ONCE)


class Documents(Reading):
    """GraphQL documents that nest, repeat, alias, spread fragments in circles, and count below zero.

    Each costs no more than a page to be refused, and is refused with 400; nothing says 500.
    """

    name = "documents"
    expected = frozenset({"200", "400", "429"})

    async def strike(self, target: Target, seconds: float) -> Seen:
        bodies = itertools.cycle([packed({"query": text}) for text in hostile_documents()])
        calls = (_sending(target, self.source, "/graphql", body, person) for body, person in self._by_turns(bodies))
        return await flood(calls, seconds=seconds, at_once=AT_ONCE)


class Json(Reading):
    """JSON that nests 30,000 deep, has 10,000 keys, or a number of 50,000 digits, at every kind of door.

    Each is refused in the time of reading it; nothing says 500, and memory stays.
    """

    name = "json"
    expected = frozenset({"400", "401", "422", "429"})
    DOORS: ClassVar[tuple[str, ...]] = (f"{API}/tweets", "/graphql", f"{API}/auth/token", f"{API}/auth/register")

    async def strike(self, target: Target, seconds: float) -> Seen:
        sent = itertools.cycle(itertools.product(hostile_json(), self.DOORS))
        calls = (
            _sending(target, self.source, path, body, person if path == self.DOORS[0] else None)
            for (body, path), person in self._by_turns(sent)
        )
        return await flood(calls, seconds=seconds, at_once=AT_ONCE)


def hostile_texts() -> list[str]:
    """Each near BODY bytes as UTF-8, whatever its letters are."""
    pieces = [
        "a.", "a@", "@a", "#a", "http://", "a.com/", "http://a.com/(", "(a)", "a-", "a_.", "//", "www.a",
        "\u0301", "é\u0301", "👩\u200d", "\ufe0f", "🇦", "漢", "。a", "@a/@b", "#a/#b", "ا\u0640", "\u200f", "&#",
    ]  # fmt: skip
    openings = ["", "http://a.com/", "@", "#", "a.com/?"]
    return [
        opening + piece * ((BODY - 200) // len(json.dumps(piece)[1:-1].encode()))
        for piece, opening in itertools.product(pieces, openings)
    ]


def hostile_documents() -> list[str]:
    page = "homeTimeline(first: 100) { edges { node { id text author { username } } } }"
    circle = "".join(f" fragment f{n} on Query {{ ...f{(n + 1) % 300} }}" for n in range(300))
    chain = "".join(f" fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(29))
    return [
        "{a" * 20_000,
        "{ " + "a { " * 5_000 + "}" * 5_001,
        "{ " + " ".join(f"a{n}: {page}" for n in range(400)) + " }",
        "{ " + " ".join(f"a{n}: homeTimeline(first: 1) {{ edges {{ cursor }} }}" for n in range(95)) + " }",
        "{ " + page.replace("100", "-2147483648") + " @include(if: false) }",
        "{ " + page.replace("100", "9" * 50_000) + " }",
        "{ " + page.replace("first: 100", "first: 1, after: " + "[" * 20_000) + " }",
        "{ ...f0 }" + circle,
        "{ ...f0 }" + chain + " fragment f29 on Query { __typename }",
        "{ __typename " + "@include(if: true) " * 3_000 + "}",
        "{ __typename " + "__typename " * 5_000 + "}",
        "query(" + " ".join(f"$v{n}: Int" for n in range(5_000)) + ") { __typename }",
        "{ __schema { types { " + "fields { type { " * 500 + "name" + " } }" * 500 + " } } }",
        "#" * BODY,
        '"""' + "\\" * 25_000,
        " ".join(f"query q{n} {{ __typename }}" for n in range(2_000)),
        "mutation { "
        + " ".join(f'a{n}: createTweet(input: {{text: "x"}}) {{ tweet {{ id }} }}' for n in range(500))
        + " }",
    ]


def hostile_json() -> list[bytes]:
    deep = BODY // 2
    keys = ",".join(f'"k{n}":1' for n in range(6_000))
    return [
        b"[" * BODY,
        b"[" * deep + b"]" * deep,
        b'{"a":' * (BODY // 6) + b"1" + b"}" * (BODY // 6),
        b'{"text":' + b"[" * (deep - 10) + b"]" * (deep - 10) + b"}",
        f"{{{keys}}}".encode(),
        b'{"text":' + b"9" * 50_000 + b"}",
        b'{"text":1' + b"0" * 5_000 + b"e" + b"9" * 5_000 + b"}",
        b'{"text":"' + b"\\ud800" * (BODY // 6 - 10) + b'"}',
        b'"' + b"\\u0000" * (BODY // 6 - 10) + b'"',
        b"\xff" * BODY,
        b" " * BODY,
    ]


def _sending(target: Target, source: str, path: str, body: bytes, person: Person | None) -> Call:
    async def send() -> str:
        return (await target.web(source).ask("POST", path, body, person.bearer if person is not None else {})).outcome

    return send
