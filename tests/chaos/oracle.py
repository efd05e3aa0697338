"""What a home timeline must show, from the contract and the record alone.

Entries are tweets, quotes and replies to oneself of those whom the reader follows and of the
reader, and their retweets; nothing that was deleted, nothing by or retweeted from someone muted,
blocked either way or gone, no retweet of somebody protected whom the reader does not follow; by
entry id, newest first; within one page each tweet once, the newest of the original and its
retweets; a page is full while there is more.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Self

from tests.chaos.record import Key, Record, Tweet, hiding
from tests.chaos.stream import Kind

NUMBER = re.compile(r"(\d+): ")


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as a page shows it: `number` is that of the tweet, of a retweet that of its original."""

    id: int
    author: str
    number: int
    retweet: bool
    quoted: int | None
    created: float

    @classmethod
    def read(cls, tweet: Mapping[str, Any]) -> Self:
        quote = tweet["quote_of"]
        return cls(
            id=int(tweet["id"]),
            author=tweet["author"]["username"],
            number=number_in(tweet["text"]),
            retweet=tweet["retweet_of"] is not None,
            quoted=number_in(quote["text"]) if quote is not None and tweet["retweet_of"] is None else None,
            created=datetime.fromisoformat(tweet["created_at"]).timestamp(),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that is in the store: who put it there, and the tweet it shows, of a retweet the original."""

    id: int
    author: int
    tweet: Tweet
    retweet: bool

    @property
    def in_home(self) -> bool:
        """A retweet of a reply is, though the reply is not."""
        return self.retweet or self.tweet.in_home


def number_in(text: str) -> int:
    """The number of the action that wrote the text."""
    found = NUMBER.match(text)
    return int(found[1]) if found else -1


def expected_home(record: Record, reader: int, entries: Iterable[Entry]) -> list[Entry]:
    """Everything that belongs into the reader's home now, newest first. `entries` are all there are."""
    found = [entry for entry in entries if entry.in_home and _belongs(record, reader, entry)]
    return sorted(found, key=lambda entry: entry.id, reverse=True)


def paged(entries: Sequence[Entry], limit: int) -> list[list[Entry]]:
    """As a reader finds them who scrolls from the first page to the last."""
    pages: list[list[Entry]] = [[]]
    shown: set[int] = set()
    for entry in entries:
        if len(pages[-1]) == limit:
            pages.append([])
            shown.clear()
        if entry.tweet.number not in shown:
            pages[-1].append(entry)
            shown.add(entry.tweet.number)
    return pages


def _belongs(record: Record, reader: int, entry: Entry) -> bool:
    original = entry.tweet
    if not record.stands(original.number) or record.gone(entry.author) or not record.open_to(reader, original.author):
        return False
    if entry.author != reader and not record.holds((Kind.FOLLOW, reader, entry.author)):
        return False
    return not any(
        record.holds(key) for person in {entry.author, original.author} - {reader} for key in hiding(reader, person)
    )


class Reading:
    """One page of one reader's home, that was asked for at `begun`; `faults` are what it must not be.

    Of what changed meanwhile nothing is said. Call it at once, holding the record's lock.
    """

    def __init__(self, record: Record, people: Mapping[str, int], reader: int, begun: float) -> None:
        self._record = record
        self._people = people
        self._reader = reader
        self._begun = begun

    def faults(self, items: Sequence[Item], *, last: bool) -> list[str]:
        """`last`: the page says that there is no more below it."""
        return [*_disorder(items), *self._intruders(items), *self._lacking(items, last=last)]

    def _intruders(self, items: Sequence[Item]) -> Iterator[str]:
        for item in items:
            author = self._people.get(item.author, -1)
            tweet = self._record.tweets.get(item.number)
            if tweet is None or author < 0:
                yield f"shows entry {item.id}, which nobody wrote"
                continue
            yield from self._wrong_author(item, author, tweet)
            yield from self._gone(item, author, tweet)

    def _wrong_author(self, item: Item, author: int, tweet: Tweet) -> Iterator[str]:
        if author != self._reader and self._surely_not((Kind.FOLLOW, self._reader, author)):
            yield f"shows entry {item.id} by @{item.author}, who is not followed"
        for person in {author, tweet.author} - {self._reader}:
            if self._record.hides(self._reader, person, since=self._begun):
                yield f"shows entry {item.id} by or from person {person}, who is hidden"
            yield from self._hidden_author(item, person)
        if not tweet.in_home and not item.retweet:
            yield f"shows entry {item.id}, a reply to another"

    def _hidden_author(self, item: Item, person: int) -> Iterator[str]:
        if self._surely((Kind.LEAVE, person, -1)):
            yield f"shows entry {item.id} by or from person {person}, who has left"
        if self._surely((Kind.PROTECT, person, -1)) and self._surely_not((Kind.FOLLOW, self._reader, person)):
            yield f"shows entry {item.id} by or from person {person}, who is protected and not followed"

    def _gone(self, item: Item, author: int, tweet: Tweet) -> Iterator[str]:
        if self._deleted(tweet.number):
            yield f"shows entry {item.id} of tweet {tweet.number}, which was deleted"
        if item.retweet and self._surely_not((Kind.RETWEET, author, tweet.number)):
            yield f"shows entry {item.id}, an undone retweet of {tweet.number}"
        if item.quoted is not None and self._deleted(item.quoted):
            yield f"shows entry {item.id} with its quote of {item.quoted}, which was deleted"

    def _lacking(self, items: Sequence[Item], *, last: bool) -> Iterator[str]:
        """One's own are there at once."""
        lowest = 0 if last or not items else items[-1].id
        oldest = 0.0 if last or not items else items[-1].created
        shown = {item.number for item in items}
        for tweet in self._record.by_author.get(self._reader, []):
            if tweet.id is None or tweet.id < lowest or tweet.number in shown or not tweet.in_home:
                continue
            if self._surely((Kind.POST, self._reader, tweet.number)):
                yield f"lacks the reader's own tweet {tweet.number}"
        yield from self._lacking_retweets(shown, oldest)

    def _lacking_retweets(self, shown: set[int], oldest: float) -> Iterator[str]:
        for key, fact in self._record.facts.items():
            if key[0] is not Kind.RETWEET or key[1] != self._reader or key[2] in shown or fact.begun <= oldest:
                continue
            original = self._record.tweets[key[2]]
            there = self._record.visible(self._reader, original.number, since=self._begun)
            if there and self._surely(key) and self._record.shows(self._reader, original.author, since=self._begun):
                yield f"lacks the reader's own retweet of {original.number}"

    def _surely(self, key: Key) -> bool:
        return self._record.surely(key, since=self._begun, is_=True)

    def _surely_not(self, key: Key) -> bool:
        return self._record.surely(key, since=self._begun, is_=False)

    def _deleted(self, number: int) -> bool:
        """Certainly, and not merely not written yet."""
        tweet = self._record.tweets.get(number)
        if tweet is None or tweet.id is None:
            return False
        return self._surely_not((Kind.POST, tweet.author, number))


def _disorder(items: Sequence[Item]) -> Iterator[str]:
    for newer, older in pairwise(items):
        if newer.id <= older.id:
            yield f"shows entry {older.id} after {newer.id}"
    numbers = [item.number for item in items]
    for number in {each for each in numbers if numbers.count(each) > 1}:
        yield f"shows tweet {number} twice on a page"
