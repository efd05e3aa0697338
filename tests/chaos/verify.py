"""Afterwards: is everything there that was acknowledged, once, and every home as the oracle says?"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.chaos.doors import Doors
from tests.chaos.journal import Journal
from tests.chaos.oracle import Entry, Item, expected_home, paged
from tests.chaos.record import Fact, Key, Record
from tests.chaos.requests import username
from tests.chaos.stack import Stack
from tests.chaos.stream import Kind

RIGHT_SECONDS = 30.0
"""From the last return on: then everything has to be right."""
PATIENCE_SECONDS = 60.0
"""How much longer is looked, to tell late from never."""
LIMIT = 100
PAGES_MAX = 1_000
THREADS = 4
TRIES = 5
CLEAN_AUDIT = re.compile(r"; 0 wrong \(0 differences\); 0 pending")
OLDEST_ORDER = re.compile(r"^outbox_oldest_open_seconds (\S+)", re.MULTILINE)

T = TypeVar("T")
R = TypeVar("R")


class NoAnswer(Exception):
    """A request that has to succeed by now did not."""


@dataclass
class Verdict:
    """`differences` must be empty; `seconds` from the last return until all was right, None for never."""

    differences: list[str] = field(default_factory=list)
    seconds: float | None = None
    entries: int = 0
    """Entries compared, over all homes."""
    audit: str = ""


class Verifier:
    """Asks over REST only, but for the audit. Nobody writes meanwhile."""

    def __init__(self, stack: Stack, doors: Doors, record: Record, journal: Journal, tokens: dict[int, str]) -> None:
        self._stack = stack
        self._doors = doors
        self._record = record
        self._journal = journal
        self._tokens = tokens
        self._entries: list[Entry] = []
        self._compared = 0

    def verdict(self, since: float) -> Verdict:
        """Waits until all is right, at most RIGHT_SECONDS + PATIENCE_SECONDS after `since`; then looks once more."""
        verdict = Verdict()
        wrong = self._until_right(verdict, since)
        if verdict.seconds is not None and verdict.seconds > RIGHT_SECONDS + self._record.slack:
            wrong = [f"all was right only {verdict.seconds:.1f} s after the last return"]
        verdict.differences = [*wrong, *self._store(), *self._edges(), *self._likes()]
        verdict.differences += [each for each in self._homes(sorted(self._tokens)) if each not in wrong]
        verdict.entries = self._compared
        return verdict

    @property
    def everything(self) -> list[Entry]:
        """The entries of every author's listing, as they were read last."""
        return self._entries

    def _until_right(self, verdict: Verdict, since: float) -> list[str]:
        """What is still wrong when the patience is over."""
        deadline = since + RIGHT_SECONDS + self._record.slack + PATIENCE_SECONDS
        people = sorted(self._tokens)
        while True:
            wrong, people = self._not_right(people)
            if not wrong:
                right_at = time.time()
                verdict.audit = self._audit()
                wrong = [] if CLEAN_AUDIT.search(verdict.audit) else [f"audit: {verdict.audit}"]
                if not wrong:
                    verdict.seconds = right_at - since
                    self._journal.note("right", seconds=round(verdict.seconds, 3))
                    return []
            if time.time() > deadline:
                verdict.audit = verdict.audit or self._audit()
                return wrong
            self._journal.note("not right yet", first=wrong[0], count=len(wrong))
            time.sleep(0.5)

    def _not_right(self, people: list[int]) -> tuple[list[str], list[int]]:
        """What is wrong with these people's homes or, if nothing is, with the outbox; and whom to look at again.

        Raises nothing: what does not answer is not right yet.
        """
        try:
            self._settle()
            found = dict(zip(people, _each(self._home, people), strict=True))
            wrong = [line for lines in found.values() for line in lines] or self._open_orders()
        except NoAnswer as error:
            return [str(error)], people
        return wrong, [person for person, lines in found.items() if lines]

    def _settle(self) -> None:
        """Asks the store for what the record cannot know: the ids of retweets, and what came of the uncertain."""
        uncertain = any(fact.uncertain for fact in self._record.facts.values())
        if uncertain or not self._entries:
            self._store()
        if uncertain:
            self._edges(only_uncertain=True)

    def _audit(self) -> str:
        """What audit_timelines says; of a failure the last words."""
        done = self._stack.manage("audit_timelines")
        return done.stdout.strip() or done.stderr.strip()[-300:]

    def _open_orders(self) -> list[str]:
        ages = OLDEST_ORDER.findall(str(self._get("/metrics", None)))
        return [] if ages and float(ages[0]) == 0.0 else [f"orders are open: the oldest for {ages} s"]

    def _store(self) -> list[str]:
        """Every author's listing, as nobody in particular sees it, against what was acknowledged."""
        people = sorted(self._tokens)
        listings = dict(zip(people, _each(self._listing, people), strict=True))
        found = [line for person in people for line in self._tweets(person, listings[person])]
        found += [line for person in people for line in self._retweets(person, listings[person])]
        self._entries = [
            Entry(item.id, person, self._record.tweets[item.number], item.retweet)
            for person, items in listings.items()
            for item in items
            if item.number in self._record.tweets
        ]
        return found

    def _listing(self, person: int) -> list[Item]:
        return [Item.read(each) for each in self._scroll(f"/users/{username(person)}/tweets?limit={LIMIT}", None)]

    def _tweets(self, person: int, items: list[Item]) -> Iterator[str]:
        listed = Counter(item.number for item in items if not item.retweet)
        ids = {item.number: item.id for item in items if not item.retweet}
        for number in sorted(listed.keys() - {each.number for each in self._record.by_author.get(person, [])}):
            yield f"store: person {person} has a tweet {number} that they never wrote"
        for tweet in self._record.by_author.get(person, []):
            fact = self._record.fact((Kind.POST, person, tweet.number))
            yield from differences_of_fact(fact, listed[tweet.number], f"tweet {tweet.number} of person {person}")
            there = ids.get(tweet.number)
            if tweet.id is not None and there is not None and there != tweet.id:
                yield f"store: tweet {tweet.number} was acknowledged as {tweet.id} and is {there}"
            tweet.id = tweet.id or there

    def _retweets(self, person: int, items: list[Item]) -> Iterator[str]:
        listed = Counter(item.number for item in items if item.retweet)
        for key, fact in self._facts(Kind.RETWEET, person):
            original = self._record.tweets[key[2]]
            if self._record.holds((Kind.POST, original.author, original.number)):
                yield from differences_of_fact(fact, listed[key[2]], f"retweet of {key[2]} by person {person}")

    def _likes(self) -> list[str]:
        return [line for lines in _each(self._likes_of, sorted(self._tokens)) for line in lines]

    def _likes_of(self, person: int) -> list[str]:
        liked = Counter(
            Item.read(each).number for each in self._scroll(f"/users/{username(person)}/likes?limit=100", None)
        )
        found: list[str] = []
        for key, fact in self._facts(Kind.LIKE, person):
            original = self._record.tweets[key[2]]
            if self._record.holds((Kind.POST, original.author, original.number)):
                found += differences_of_fact(fact, liked[key[2]], f"like of {key[2]} by person {person}")
        return found

    def _edges(self, *, only_uncertain: bool = False) -> list[str]:
        """How any two stand who ever did anything to each other, or of whom that is uncertain."""
        kinds = (Kind.FOLLOW, Kind.BLOCK, Kind.MUTE)
        facts = self._record.facts.items()
        pairs = sorted({key[1:] for key, fact in facts if key[0] in kinds and (fact.uncertain or not only_uncertain)})
        return [line for lines in _each(self._edges_between, pairs) for line in lines]

    def _edges_between(self, pair: tuple[int, int]) -> list[str]:
        one, other = pair
        stands = self._get(f"/users/{username(other)}", one, missing_is_none=True)
        blocked = self._record.fact((Kind.BLOCK, other, one))
        if stands is None:
            # Whether the other blocks is theirs to see; all that this one did to them counts for nothing.
            return [] if blocked.value or blocked.uncertain else [f"store: person {one} cannot see person {other}"]
        told = stands["data"]["relationship"]
        found: list[str] = []
        for kind, name in ((Kind.FOLLOW, "following"), (Kind.BLOCK, "blocking"), (Kind.MUTE, "muting")):
            fact = self._record.facts.get((kind, one, other), Fact())
            found += differences_of_fact(fact, int(told[name]), f"{kind} of person {other} by person {one}")
        return found

    def _homes(self, people: Iterable[int]) -> list[str]:
        self._compared = 0
        return [line for lines in _each(self._home, people) for line in lines]

    def _home(self, person: int) -> list[str]:
        expected = [
            each.id for page in paged(expected_home(self._record, person, self._entries), LIMIT) for each in page
        ]
        found = [int(each["id"]) for each in self._scroll(f"/feed/home?limit={LIMIT}", person)]
        self._compared += len(found)
        lacking, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        lines = [f"home of person {person}: lacks {self._told(each)}" for each in lacking]
        lines += [f"home of person {person}: has {self._told(each)} too much" for each in extra]
        lines += [f"home of person {person}: {each} is there {n} times" for each, n in Counter(found).items() if n > 1]
        return lines or ([] if found == expected else [f"home of person {person}: is out of order"])

    def _told(self, entry_id: int) -> str:
        """An entry in the words of the log."""
        entry = next((each for each in self._entries if each.id == entry_id), None)
        if entry is None:
            return f"entry {entry_id}"
        what = "retweet of tweet" if entry.retweet else "tweet"
        return f"entry {entry_id} ({what} {entry.tweet.number} by person {entry.author})"

    def _facts(self, kind: Kind, person: int) -> list[tuple[Key, Fact]]:
        return [(key, fact) for key, fact in self._record.facts.items() if key[0] is kind and key[1] == person]

    def _scroll(self, path: str | None, person: int | None) -> Iterator[Any]:
        """Every item of a collection, page by page. Raises `NoAnswer`."""
        for _ in range(PAGES_MAX):
            if path is None:
                return
            page = self._get(path, person)
            yield from page["data"]
            path = page["links"]["next"]
            if path is not None and len(page["data"]) < LIMIT:
                raise NoAnswer(f"a page of {path} is short")

    def _get(self, path: str, person: int | None, *, missing_is_none: bool = False) -> Any:
        token = None if person is None else self._tokens[person]
        for turn in range(TRIES):
            answer = self._doors.ask("GET", path, turn=turn, token=token, wait=15)
            if answer.status == 200:
                return answer.body
            if answer.status == 404 and missing_is_none:
                return None
            time.sleep(0.5)
        raise NoAnswer(f"GET {path} by person {person} is answered {answer.status} {answer.error}")


def differences_of_fact(fact: Fact, count: int, what: str) -> list[str]:
    """A fact against how many times the store has it; what is uncertain is as the store says."""
    if fact.uncertain and count <= 1:
        fact.value = bool(count)
        return []
    if count > 1:
        return [f"store: {what} is there {count} times"]
    if fact.value and not count:
        return [f"store: {what} was acknowledged and is lost"]
    if count and not fact.value:
        return [f"store: {what} is there, though it was taken back or never acknowledged"]
    return []


def _each(call: Callable[[T], R], items: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, items))
