"""Afterwards: is everybody notified of what they must be, and finds and sees what they may, and nothing else?

Notifications and how many of them are new, what is found by searching, whom protected people are shown to, who follows
and asks whom, and that nobody who has left is named anywhere; each as the record says.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.asking import LIMIT, Asker, NoAnswer, lines_of
from tests.chaos.journal import Journal
from tests.chaos.notified import Shown, differences, expected_groups, names_in
from tests.chaos.oracle import number_in
from tests.chaos.record import REQUEST, Record
from tests.chaos.requests import MARK, PASSWORD, username
from tests.chaos.stream import Kind

PAUSE_SECONDS = 0.5
NOTIFICATIONS, FOUND = "notifications", "found"
SEARCHERS = 3
"""Besides nobody in particular one in so many searches for everything."""
LIKED_BY = 10
"""Tweets that somebody liked who has left, of which is looked who likes them."""


class SocialVerifier:
    """Of these people, who are all that are there."""

    def __init__(self, ask: Asker, record: Record, journal: Journal, people: Sequence[int]) -> None:
        self._counted: dict[tuple[str, int | None], int] = {}
        """How many notifications each has, and how many tweets they found, when it was looked last."""
        self._ask = ask
        self._record = record
        self._journal = journal
        self._people = people
        self._names = {username(each): each for each in people}
        self._left = [key[1] for key, fact in record.facts.items() if key[0] is Kind.LEAVE and fact.value]
        self._protected = [each for each in people if record.protected(each)]
        self._checks = (
            (self._notified, people),
            (self._unread, people),
            (self._finds, [None, *people[::SEARCHERS]]),
            (self._is_kept_from, self._protected),
            (self._lists, people),
            (self._is_gone, self._left),
        )

    @property
    def groups(self) -> int:
        return sum(count for (what, _), count in self._counted.items() if what == NOTIFICATIONS)

    @property
    def found(self) -> int:
        return sum(count for (what, _), count in self._counted.items() if what == FOUND)

    def differences(self, *, patience: float) -> list[str]:
        """What is still wrong when the patience is over; looks again at what was wrong only."""
        ends = time.time() + patience
        wrong: list[str] = []
        for check, whom in self._checks:
            while found := self._looked(check, whom):
                if time.time() > ends:
                    wrong += found
                    break
                self._journal.note("not right yet", first=found[0], count=len(found))
                time.sleep(PAUSE_SECONDS)
        return wrong

    def _looked(self, check: Any, whom: Sequence[int | None]) -> list[str]:
        try:
            return lines_of(check, whom)
        except NoAnswer as error:
            return [str(error)]

    def _notified(self, person: int) -> Iterator[str]:
        found = self._notifications(person)
        for line in differences(expected_groups(self._record, person), found, self._names):
            yield f"notifications of person {person}: {line}"

    def _notifications(self, person: int) -> list[Shown]:
        told = list(self._scroll(f"/me/notifications?limit={LIMIT}", person))
        self._counted[NOTIFICATIONS, person] = len(told)
        return [Shown.read_from(each) for each in told]

    def _unread(self, person: int) -> Iterator[str]:
        """Up to the one in the middle they are marked as read: so many above it, and each says which it is.

        Counted before, so that a count is kept which no longer holds.
        """
        found = self._notifications(person)
        if not found:
            return
        self._ask.get("/me/notifications/unread", person)
        mark = max([found[len(found) // 2].id, *(each.id for each in found if each.read)])
        counts = {
            self._ask.put("/me/notifications/read", person, {"up_to": str(mark)})["data"]["count"],
            self._ask.get("/me/notifications/unread", person)["data"]["count"],
        }
        new = sum(each.id > mark for each in found)
        if counts != {min(new, LIMIT)}:
            yield f"notifications of person {person}: {new} are new, and counted are {sorted(counts)}"
        if [each.read for each in self._notifications(person)] != [each.id <= mark for each in found]:
            yield f"notifications of person {person}: those read are not those up to {mark}"

    def _finds(self, person: int | None) -> Iterator[str]:
        """Every text has the mark in it."""
        path = f"/search/tweets?q={MARK}&limit={LIMIT}"
        found = [number_in(each["text"]) for each in self._scroll(path, person, may_be_short=True)]
        self._counted[FOUND, person] = len(found)
        tweets = sorted(self._record.tweets.values(), key=lambda each: each.id or 0, reverse=True)
        expected = [
            each.number
            for each in tweets
            if self._record.stands(each.number) and self._record.sees(person, each.author)
        ]
        yield from _compared(f"search by person {person}", found, expected)

    def _is_kept_from(self, author: int) -> Iterator[str]:
        """What somebody protected wrote and retweeted is there for their followers and themselves."""
        wrote = self._record.by_author.get(author, [])
        numbers = [each.number for each in sorted(wrote, key=lambda each: each.id or 0, reverse=True)]
        standing = [each for each in numbers if self._record.stands(each)]
        for viewer in (None, *self._people):
            listed = list(self._scroll(f"/users/{username(author)}/tweets?limit={LIMIT}", viewer))
            seen = self._record.sees(viewer, author)
            own = [number_in(each["text"]) for each in listed if each["retweet_of"] is None]
            told = f"tweets of person {author}, who is protected, by person {viewer}"
            yield from _compared(told, own, standing if seen else [])
            if listed and not seen:
                yield f"{told}: {len(listed)} are shown"

    def _lists(self, person: int) -> Iterator[str]:
        """Who follows them, as nobody in particular sees it, and who asks to."""
        facts = self._record.facts.items()
        follows = {key[1] for key, fact in facts if key[0] is Kind.FOLLOW and key[2] == person and fact.value}
        asks = {key[1] for key, fact in facts if key[0] == REQUEST and key[2] == person and fact.value}
        lists = {
            f"/users/{username(person)}/followers?limit={LIMIT}": (None, follows),
            f"/me/follow-requests?limit={LIMIT}": (person, asks),
        }
        for path, (viewer, people) in lists.items():
            found = [self._names.get(each["username"], -1) for each in self._scroll(path, viewer)]
            expected = [each for each in people if not self._record.gone(each)]
            yield from _compared(f"{path.split('?')[0]} of person {person}", sorted(found), sorted(expected))

    def _is_gone(self, person: int) -> Iterator[str]:
        """Nobody finds them by their name, and they cannot sign in."""
        for path in ("", "/tweets", "/likes", "/followers", "/following"):
            for viewer in (None, self._people[0]):
                status = self._ask.status(f"/users/{username(person)}{path}", viewer)
                if status != 404:
                    yield f"person {person} has left, and {path or 'their profile'} is answered {status}"
        if self._ask.signs_in(username(person), PASSWORD):
            yield f"person {person} has left, and can sign in"
        liked = [key[2] for key, fact in self._record.facts.items() if key[:2] == (Kind.LIKE, person) and fact.value]
        for tweet in [self._record.tweets[each] for each in liked if self._record.stands(each)][:LIKED_BY]:
            for verb in ("likes", "retweets"):
                list(self._scroll(f"/tweets/{tweet.id}/{verb}?limit={LIMIT}", None))

    def _scroll(self, path: str, person: int | None, *, may_be_short: bool = False) -> Iterator[Mapping[str, Any]]:
        """Raises `NoAnswer` also where somebody is named who has left."""
        left = {username(each) for each in self._left}
        for each in self._ask.scroll(path, person, may_be_short=may_be_short):
            if named := left.intersection(names_in(each)):
                raise NoAnswer(f"{path} by person {person} names {sorted(named)}, who has left")
            yield each


def _compared(what: str, found: Sequence[int], expected: Sequence[int]) -> Iterator[str]:
    """What stands there against what has to, in this order."""
    if lacking := sorted(set(expected) - set(found)):
        yield f"{what}: lacks {lacking}"
    if extra := sorted(set(found) - set(expected)):
        yield f"{what}: has {extra} too much"
    if len(set(found)) != len(found):
        yield f"{what}: has some twice"
    elif not lacking and not extra and list(found) != list(expected):
        yield f"{what}: is out of order"
