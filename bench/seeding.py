"""Filling an empty stack in bulk, through the ports and the models: people, follows, tweets, active timelines.

Nothing here goes around what the product writes: a follow is an association with all its indexes,
a tweet has its listings, a token its rows. Only the requests are left out, and for tweets the orders.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import msgspec
from knox.models import AuthToken

from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.session_rows import TokenUse
from fanout.timelines import builds
from fanout.timelines.settled import tell_settled
from storage import stores
from storage.errors import Unavailable
from storage.ports.associations import MAX_CHANGES, Change
from tweets.entities import Tweet
from tweets.stores.port import tweet_store
from tweets.writing import text

T = TypeVar("T")
THREADS = 16
ROWS = 2_000
PATIENCE = 30
"""Times that a write is tried again, a second apart."""
TEXT = "Fan-out is fast where it counts, and what it counts is proved: @ada said so #timelines https://example.org/{}"


class Person(msgspec.Struct, frozen=True):
    id: int
    token: str
    """Empty for people who do not sign in."""


def people(count: int, *, signed_in: int | None = None, prefix: str = "person") -> list[Person]:
    """New people; the first `signed_in` of them (all, if None) with a token. Ids ascend."""
    rows = [_row(prefix, number) for number in range(count)]
    User.objects.bulk_create(rows, batch_size=ROWS)
    with_token = rows if signed_in is None else rows[:signed_in]
    made = [AuthToken.objects.create(user=row, prefix=f"{row.pk}.") for row in with_token]
    uses = [TokenUse(token=row, user_id=row.user_id, last_used_at=row.created) for row, _ in made]
    TokenUse.objects.bulk_create(uses, batch_size=ROWS)
    return [Person(row.pk, made[place][1] if place < len(made) else "") for place, row in enumerate(rows)]


def follow(pairs: Iterable[tuple[int, int]]) -> None:
    """Makes each (reader, author) edge stand. Readers' graph versions stay: do this before they read."""
    changes = (Change(reader, FOLLOW, author, stores.ids.next(), present=True) for reader, author in pairs)
    _in_threads(_patiently(stores.associations().apply), chunks(changes, MAX_CHANGES))


def tweets(authors: Sequence[int], each: int) -> list[int]:
    """`each` tweets by each author, turn by turn, without orders; their ids, oldest first."""
    made = [_tweet(author, number) for number in range(each) for author in authors]
    add(made)
    return [tweet.id for tweet in made]


def add(made: Iterable[Tweet]) -> None:
    """Writes these tweets, without orders."""
    _in_threads(_patiently(lambda tweet: tweet_store().add(tweet, None)), made)


def make_active(readers: Sequence[int], ids: Sequence[int], *, floor: int = 0) -> None:
    """Gives each reader a ready timeline that holds `ids` (newest first), and says that all of them have settled.

    A sweep would say so once they are SETTLE_SECONDS old; most stacks here run none. Until then each read goes
    through all of them (fanout/timelines/lua/read.lua).
    """

    def build(reader: int) -> None:
        opened = builds.open_build(reader)
        if opened is None or not builds.finish_build(opened, ids, floor=floor):
            raise RuntimeError(f"the timeline of {reader} could not be made")

    _in_threads(build, readers)
    if ids:
        tell_settled(ids[0])


def _row(prefix: str, number: int) -> User:
    name = f"{prefix}{number}"
    person = User(id=stores.ids.next(), username=name, email=f"{name}@example.org", display_name=name.title())
    person.set_unusable_password()
    return person


def _tweet(author: int, number: int) -> Tweet:
    written = TEXT.format(number)
    tweet_id = stores.ids.next()
    entities = text.find_entities(written)
    return Tweet(tweet_id, author, written, conversation_id=tweet_id, in_home=True, entities=entities)


def _patiently(write: Callable[[T], object]) -> Callable[[T], object]:
    """Again while the store does not answer: it may be busy for long with what was seeded. For what may be repeated."""

    def write_until_answered(item: T) -> object:
        for _ in range(PATIENCE):
            try:
                return write(item)
            except Unavailable:
                time.sleep(1.0)
        return write(item)

    return write_until_answered


def chunks(items: Iterable[T], size: int) -> Iterable[list[T]]:
    """Yields them, `size` at a time."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _in_threads(do: Callable[[T], object], items: Iterable[T]) -> None:
    """Does it to each of them, THREADS at a time; raises what the first failure raised."""
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(do, items):
            pass
