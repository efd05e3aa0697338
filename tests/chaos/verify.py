"""Afterwards: is everything there that was acknowledged, once, and every home as the oracle says?"""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.chaos.asking import LIMIT, Asker, NoAnswer, each_of, lines_of
from tests.chaos.doors import Doors
from tests.chaos.journal import Journal
from tests.chaos.oracle import Entry, Item, expected_home, paged
from tests.chaos.record import REQUEST, Fact, Key, Record
from tests.chaos.requests import username
from tests.chaos.social import SocialVerifier
from tests.chaos.stack import Stack
from tests.chaos.stream import Kind

RIGHT_SECONDS = 30.0
"""From the last return on: then everything has to be right."""
PATIENCE_SECONDS = 60.0
"""How much longer is looked, to tell late from never."""
SOCIAL_SECONDS = 60.0
"""For notifications and the search's index to catch up, once homes are right."""
CLEAN_AUDIT = re.compile(r"; 0 wrong \(0 differences\); 0 pending")
OLDEST_ORDER = re.compile(r"^outbox_oldest_open_seconds (\S+)", re.MULTILINE)


@dataclass
class Verdict:
    """`differences` must be empty; `seconds` from the last return until all was right, None for never."""

    differences: list[str] = field(default_factory=list)
    seconds: float | None = None
    entries: int = 0
    """Entries compared, over all homes."""
    groups: int = 0
    """Notifications compared, over all people, and tweets that were searched for, over all who did."""
    found: int = 0
    audit: str = ""


class Verifier:
    """Asks over REST only, but for the audit. Nobody writes meanwhile."""

    def __init__(self, stack: Stack, doors: Doors, record: Record, journal: Journal, tokens: dict[int, str]) -> None:
        self._stack = stack
        self._ask = Asker(doors, tokens)
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
        verdict.differences = [*wrong, *self._people(), *self._edges(), *self._store(), *self._likes()]
        verdict.differences += [each for each in self._homes(sorted(self._tokens)) if each not in wrong]
        verdict.entries = self._compared
        social = SocialVerifier(self._ask, self._record, self._journal, sorted(self._tokens))
        verdict.differences += social.differences(patience=SOCIAL_SECONDS + self._record.slack)
        verdict.groups, verdict.found = social.groups, social.found
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
            people = [each for each in people if each in self._tokens]
            found = dict(zip(people, each_of(self._home, people), strict=True))
            wrong = [line for lines in found.values() for line in lines] or self._open_orders()
        except NoAnswer as error:
            return [str(error)], people
        return wrong, [person for person, lines in found.items() if lines]

    def _settle(self) -> None:
        """Asks the store for what the record cannot know: the ids of retweets, and what came of the uncertain.

        People first, then how they stand to each other: whose listings show what depends on it.
        """
        uncertain = any(fact.uncertain for fact in self._record.facts.values())
        if uncertain:
            self._people(only_uncertain=True)
            self._edges(only_uncertain=True)
        if uncertain or not self._entries:
            self._store()

    def _audit(self) -> str:
        """What audit_timelines says; of a failure the last words."""
        done = self._stack.manage("audit_timelines")
        return done.stdout.strip() or done.stderr.strip()[-300:]

    def _open_orders(self) -> list[str]:
        ages = OLDEST_ORDER.findall(str(self._ask.get("/metrics", None)))
        return [] if ages and float(ages[0]) == 0.0 else [f"orders are open: the oldest for {ages} s"]

    def _people(self, *, only_uncertain: bool = False) -> list[str]:
        """Who is protected, and who has left, of whom either was ever changed or is uncertain."""
        facts = [each for each in self._record.facts.items() if each[1].uncertain or not only_uncertain]
        found = [line for (kind, one, _), fact in facts if kind is Kind.LEAVE for line in self._left(one, fact)]
        return found + [
            line
            for (kind, one, _), fact in facts
            if kind is Kind.PROTECT and one in self._tokens
            for line in differences_of_fact(
                fact, int(self._ask.get("/me", one)["data"]["protected"]), f"protection of person {one}"
            )
        ]

    def _left(self, person: int, fact: Fact) -> list[str]:
        gone = self._ask.get(f"/users/{username(person)}", None, missing_is_none=True) is None
        found = differences_of_fact(fact, int(gone), f"the leaving of person {person}")
        if fact.value:
            self._tokens.pop(person, None)
        return found

    def _store(self) -> list[str]:
        """Every author's listing, as nobody in particular sees it and those who see more, against what was
        acknowledged."""
        people = sorted(self._tokens)
        viewers = {person: self._viewers(person) for person in people}
        listings = dict(zip(people, each_of(lambda each: self._listing(each, viewers[each]), people), strict=True))
        found = [line for person in people for line in self._tweets(person, listings[person])]
        found += [line for person in people for line in self._retweets(person, listings[person], viewers[person])]
        self._entries = [
            Entry(item.id, person, self._record.tweets[item.number], item.retweet)
            for person, items in listings.items()
            for item in items
            if item.number in self._record.tweets
        ]
        return found

    def _viewers(self, person: int) -> list[int | None]:
        """Nobody in particular; where something of the person's listing is by somebody protected, these and their
        followers."""
        by = {self._record.tweets[key[2]].author for key, _ in self._facts(Kind.RETWEET, person)} | {person}
        closed = {each for each in by if self._record.protected(each)}
        follows = {key[1] for key, fact in self._record.facts.items() if _is_follow(key, fact) and key[2] in closed}
        return [None, *sorted((closed | follows) & self._tokens.keys())]

    def _listing(self, person: int, viewers: Iterable[int | None]) -> list[Item]:
        """What any of them sees of it, each entry once; what one sees twice, twice."""
        found: dict[int, list[Item]] = {}
        for viewer in viewers:
            path = f"/users/{username(person)}/tweets?limit={LIMIT}"
            seen: dict[int, list[Item]] = {}
            for each in map(Item.read, self._ask.scroll(path, viewer)):
                seen.setdefault(each.id, []).append(each)
            found |= {each: items for each, items in seen.items() if len(items) > len(found.get(each, []))}
        return [item for items in found.values() for item in items]

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

    def _retweets(self, person: int, items: list[Item], viewers: Iterable[int | None]) -> Iterator[str]:
        listed = Counter(item.number for item in items if item.retweet)
        for key, fact in self._facts(Kind.RETWEET, person):
            author = self._record.tweets[key[2]].author
            shown = any(self._record.sees(each, author) and self._record.sees(each, person) for each in viewers)
            if shown and self._record.stands(key[2]):
                yield from differences_of_fact(fact, listed[key[2]], f"retweet of {key[2]} by person {person}")

    def _likes(self) -> list[str]:
        return lines_of(self._likes_of, sorted(self._tokens))

    def _likes_of(self, person: int) -> Iterator[str]:
        """As nobody in particular sees them; of somebody protected as they do."""
        viewer = person if self._record.protected(person) else None
        path = f"/users/{username(person)}/likes?limit={LIMIT}"
        liked = Counter(Item.read(each).number for each in self._ask.scroll(path, viewer))
        for key, fact in self._facts(Kind.LIKE, person):
            if self._record.stands(key[2]) and self._record.sees(viewer, self._record.tweets[key[2]].author):
                yield from differences_of_fact(fact, liked[key[2]], f"like of {key[2]} by person {person}")
            elif liked[key[2]]:
                yield f"likes of person {person}: tweet {key[2]} is shown, and must not be"

    def _edges(self, *, only_uncertain: bool = False) -> list[str]:
        """How any two stand who ever did anything to each other, or of whom that is uncertain."""
        kinds = (Kind.FOLLOW, REQUEST, Kind.BLOCK, Kind.MUTE)
        facts = self._record.facts.items()
        pairs = sorted({key[1:] for key, fact in facts if key[0] in kinds and (fact.uncertain or not only_uncertain)})
        return lines_of(self._edges_between, [each for each in pairs if each[0] in self._tokens])

    def _edges_between(self, pair: tuple[int, int]) -> list[str]:
        one, other = pair
        stands = self._ask.get(f"/users/{username(other)}", one, missing_is_none=True)
        blocked = self._record.fact((Kind.BLOCK, other, one))
        if stands is None:
            # Whether the other blocks is theirs to see; all that this one did to them counts for nothing.
            hidden = blocked.value or blocked.uncertain or self._record.left(other)
            return [] if hidden else [f"store: person {one} cannot see person {other}"]
        told = stands["data"]["relationship"]
        found: list[str] = []
        names = {Kind.FOLLOW: "following", REQUEST: "requested", Kind.BLOCK: "blocking", Kind.MUTE: "muting"}
        for kind, name in names.items():
            fact = self._record.facts.get((kind, one, other), Fact())
            found += differences_of_fact(fact, int(told[name]), f"{kind} of person {other} by person {one}")
        return found

    def _homes(self, people: Iterable[int]) -> list[str]:
        self._compared = 0
        return lines_of(self._home, people)

    def _home(self, person: int) -> list[str]:
        expected = [
            each.id for page in paged(expected_home(self._record, person, self._entries), LIMIT) for each in page
        ]
        found = [int(each["id"]) for each in self._ask.scroll(f"/feed/home?limit={LIMIT}", person)]
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


def _is_follow(key: Key, fact: Fact) -> bool:
    return key[0] is Kind.FOLLOW and (fact.value or fact.uncertain)


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
