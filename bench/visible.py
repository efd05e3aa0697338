"""From the 201 of a post until the last of N active followers sees the tweet in their home over REST.

The last is known: workers read a bucket's followers in the order of their ids and push what they have read
shard after shard. So one reader is watched in each bucket, of those in the last shard the one with the
greatest id. Each is polled until the tweet is in their page; the last of them counts. A poll takes a few
milliseconds of the same cores and is part of the figure.
"""

import http.client
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from accounts.graph import following
from bench import crowds, seeding
from bench.results import Figure, Result, Row, percentile
from bench.seeding import Person
from bench.stack import Stack
from storage.ports.associations import bucket_of
from storage.redis.shards import timeline_shard

POSTS = {1_000: 40, 100_000: 10}
"""Followers, and posts."""
SIGNED_IN = 100
"""Of the followers, those who were made last: their ids are the greatest."""
PAUSE_SECONDS = 0.25
"""Between posts, so that each is alone."""
POLL_SECONDS = 0.002
GIVE_UP_SECONDS = 30.0
HOME = "/api/v1/feed/home?limit=5"


class _Tweet(msgspec.Struct):
    id: str


class _Answer(msgspec.Struct):
    data: _Tweet


class _Page(msgspec.Struct):
    data: list[_Tweet]


def measure(stack: Stack) -> Result:
    authors = seeding.people(len(POSTS), prefix="author")
    entries = seeding.tweets([author.id for author in authors], settings.TIMELINE_CAP // 2)[::-1]
    rows = []
    for author, (followers, posts) in zip(authors, POSTS.items(), strict=True):
        crowd = crowds.followers(followers - SIGNED_IN)
        seeding.follow((reader, author.id) for reader in crowd)
        people = seeding.people(SIGNED_IN, prefix=f"reader{followers}x")
        seeding.follow((person.id, author.id) for person in people)
        crowds.make_active([*crowd, *(person.id for person in people)], entries)
        last = _last(author.id, people)
        with Door(stack.url) as door:
            for _ in range(3):
                door.seconds_to(author, last)
            taken = [door.seconds_to(author, last) * 1_000 for _ in range(posts)]
        case = f"{followers:,} active followers, {len(last)} watched"
        rows += [Row(f"{case}, p{p}", Figure("seen by all after", "ms", [percentile(taken, p)])) for p in (50, 99)]
    settings_ = {"posts": ", ".join(f"{posts} to {size:,}" for size, posts in POSTS.items())}
    return Result("visible", stack.env["STORE"], rows, settings_)


def _last(author_id: int, people: Sequence[Person]) -> list[Person]:
    """Of each bucket of the author's followers, whom workers come to last."""
    level = len(following.follower_buckets(author_id)).bit_length() - 1
    found: dict[int, Person] = {}
    for person in sorted(people, key=lambda each: (timeline_shard(each.id), each.id)):
        found[bucket_of(person.id, level)] = person
    return list(found.values())


class Door:
    """The REST API over one kept connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=GIVE_UP_SECONDS)

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def seconds_to(self, author: Person, watched: Sequence[Person]) -> float:
        """Posts, and answers how long after the 201 each of the watched saw it. Raises after GIVE_UP_SECONDS."""
        time.sleep(PAUSE_SECONDS)
        body = self._ask("POST", "/api/v1/tweets", author, b'{"text": "Are you all there?"}')
        began = time.perf_counter()
        tweet = msgspec.json.decode(body, type=_Answer).data.id
        for person in watched:
            while not self._has(person, tweet):
                if time.perf_counter() - began > GIVE_UP_SECONDS:
                    raise RuntimeError(f"{person.id} has not got the tweet after {GIVE_UP_SECONDS:.0f} s")
                time.sleep(POLL_SECONDS)
        return time.perf_counter() - began

    def _has(self, person: Person, tweet: str) -> bool:
        page = msgspec.json.decode(self._ask("GET", HOME, person), type=_Page)
        return any(each.id == tweet for each in page.data)

    def _ask(self, method: str, path: str, person: Person, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {read.decode()}")
        return read
