"""Searching for tweets among SIZE (1,000,000) of them, embedded, over REST: p50 and p99 by kind of query; and how long
after the 201 of a post its tweet is found.

The texts are words of a vocabulary of 50,000 as often as Zipf's law has them, 12 a tweet, every tenth with a hashtag,
by AUTHORS people, a tweet a second before now. They are written as rows of the embedded store, many at a time, and into
the index through its port; everything that is found is there to be hydrated. The indexer runs beside the queries.

Each query of a kind is another one: of the words of one rank and its neighbours. The file stands in the machine's
memory, as it will where it is in use.
"""

import http.client
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from urllib.parse import quote, urlsplit

import msgspec

from bench import seeding
from bench.results import Figure, Result, Row, at_most, percentile
from bench.seeding import Person
from bench.stack import Stack
from storage.embedded.base import writing
from storage.ids.snowflakes import make_id, now_us
from tweets.entities import Tweet
from tweets.models import HashtagRow, TweetRow
from tweets.search.documents import document_of
from tweets.search.embedded import FILE
from tweets.search.guarded import search_index
from tweets.search.port import BATCH_MAX
from tweets.writing.text import find_entities

SIZE = int(os.environ.get("SIZE") or 1_000_000)
AUTHORS, VOCABULARY, WORDS = 1_000, 50_000, 12
REQUESTS, POSTS, WARM = 300, 150, 20
PAUSE_SECONDS = 1.0
"""Between posts at most, by chance: the indexer runs once a second."""
POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 30.0
FOUND, LAG = at_most(100), at_most(2_000)
LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


class _Tweet(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    data: list[_Tweet]


class _Answer(msgspec.Struct):
    data: _Tweet


def word(rank: int) -> str:
    """The word of a rank, from 0: five letters or more, no two alike."""
    letters = ""
    while rank or len(letters) < 4:
        rank, letter = divmod(rank, len(LETTERS))
        letters += LETTERS[letter]
    return f"q{letters}"


def measure(stack: Stack) -> Result:
    dice = random.Random(1)  # noqa: S311 - texts, no secrets
    people = seeding.people(AUTHORS, signed_in=4)
    began = time.monotonic()
    _write(people, dice)
    seeded = time.monotonic() - began
    with Door(stack.url, people[0]) as door:
        rows = [each for kind, query in _queries(people, dice).items() for each in _found(door, kind, query)]
        rows += _lag(door)
    size = sum(each.stat().st_size for each in stack.directory.glob(f"{FILE}*"))
    settings = {
        "tweets": f"{SIZE:,} of {AUTHORS:,} people",
        "requests": f"{REQUESTS} of each kind, one after the other",
        "index": f"{size / SIZE:,.0f} bytes a tweet",
        "seeded in": f"{seeded:.0f} s",
    }
    return Result("search", stack.env["STORE"], rows, settings)


def _write(people: Sequence[Person], dice: random.Random) -> None:
    for some in seeding.chunks(_tweets(people, dice), BATCH_MAX):
        with writing():
            TweetRow.objects.bulk_create([_row(tweet) for tweet in some])
            tags = [HashtagRow(tag=each.tag, tweet=tweet.id) for tweet in some for each in tweet.entities.hashtags]
            HashtagRow.objects.bulk_create(tags)
        search_index().put([document for tweet in some if (document := document_of(tweet)) is not None])


def _tweets(people: Sequence[Person], dice: random.Random) -> Iterator[Tweet]:
    vocabulary = [word(rank) for rank in range(VOCABULARY)]
    weights = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    now = now_us()
    for number in range(SIZE):
        text = " ".join(dice.choices(vocabulary, cum_weights=weights, k=WORDS))
        if number % 10 == 0:
            text += f" #tag{dice.randrange(1_000)}"
        tweet_id = make_id(now - (SIZE - number) * 1_000_000, 1)
        author = people[dice.randrange(len(people))].id
        yield Tweet(tweet_id, author, text, conversation_id=tweet_id, in_home=True, entities=find_entities(text))


def _row(tweet: Tweet) -> TweetRow:
    return TweetRow(
        id=tweet.id,
        author=tweet.author_id,
        text=tweet.text,
        conversation=tweet.conversation_id,
        in_home=True,
        entities=msgspec.json.encode(tweet.entities).decode(),
    )


def _queries(people: Sequence[Person], dice: random.Random) -> dict[str, Callable[[int], str]]:
    """Kinds, each with its n-th query."""
    first = datetime.now(UTC) - timedelta(seconds=SIZE)

    def day(number: int) -> str:
        return str((first + timedelta(days=1 + number % max(1, SIZE // 86_400 - 1))).date())

    def common(number: int) -> str:
        return word(number % 20)

    return {
        "a common word": common,
        "a rare word": lambda number: word(VOCABULARY - 1 - number),
        "two common words": lambda number: f"{common(number)} {word(20 + number % 30)}",
        "a common and a rare word": lambda number: f"{common(number)} {word(20_000 + number)}",
        "a phrase of common words": lambda number: f'"{common(number)} {common(number + 1)}"',
        "a phrase that nobody wrote": lambda number: f'"{common(number)} {word(9_000 + number)} {common(number)}"',
        "somebody's with a common word": lambda number: f"from:person{dice.randrange(len(people))} {common(number)}",
        "a common word of a day": lambda number: f"{common(number)} since:{day(number)} until:{day(number + 1)}",
        "a hashtag without a word": lambda number: f"#tag{number} -{common(number)}",
    }


def _found(door: "Door", kind: str, query: Callable[[int], str]) -> list[Row]:
    for number in range(WARM):
        door.search(query(number))
    taken, full = [], 0
    for number in range(REQUESTS):
        began = time.perf_counter()
        full += bool(door.search(query(number)))
        taken.append((time.perf_counter() - began) * 1_000)
    beside = [Figure("found something", "", [float(full)])]
    return [
        Row(f"{kind}, p50", Figure("page", "ms", [percentile(taken, 50)]), beside=beside),
        Row(f"{kind}, p99", Figure("page", "ms", [percentile(taken, 99)]), reach=FOUND),
    ]


def _lag(door: "Door") -> list[Row]:
    taken = []
    for number in range(POSTS):
        time.sleep(random.uniform(0, PAUSE_SECONDS))  # noqa: S311 - a pause, no secret
        name = f"fresh{number}x{os.urandom(8).hex()}"
        tweet = door.post(f"something {name}")
        began = time.perf_counter()
        while tweet not in door.search(name):
            if time.perf_counter() - began > GIVE_UP_SECONDS:
                raise RuntimeError(f"the tweet is not found after {GIVE_UP_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        taken.append((time.perf_counter() - began) * 1_000)
    return [
        Row("a new tweet, p50", Figure("found after", "ms", [percentile(taken, 50)])),
        Row("a new tweet, p99", Figure("found after", "ms", [percentile(taken, 99)]), reach=LAG),
    ]


class Door:
    """The REST API over one kept connection."""

    def __init__(self, url: str, person: Person) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=GIVE_UP_SECONDS)
        self._headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def search(self, query: str) -> list[str]:
        page = msgspec.json.decode(self._ask("GET", f"/api/v1/search/tweets?q={quote(query)}"), type=_Page)
        return [each.id for each in page.data]

    def post(self, text: str) -> str:
        return msgspec.json.decode(
            self._ask("POST", "/api/v1/tweets", msgspec.json.encode({"text": text})), type=_Answer
        ).data.id

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {read.decode()}")
        return read
