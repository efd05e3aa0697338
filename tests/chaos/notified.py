"""Of what somebody must be notified, and of what they may be, from the contract and the record alone.

A group is there while one of whom the reader may see does what it is about, if the reader was notified when they began
to. That is sure of who was never hidden from the reader: of others nobody is notified meanwhile, so either is right.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, Self

from tests.chaos.oracle import number_in
from tests.chaos.record import REQUEST, Fact, Key, Record, hiding
from tests.chaos.stream import Kind

SHOWN = 3
LOOKED_AT = 10
"""Of a larger group the newest so many are looked at, and who of them is hidden is not made up for."""
NO_TWEET = -1
TYPES = {Kind.LIKE: "like", Kind.RETWEET: "retweet", Kind.FOLLOW: "follow", REQUEST: "follow_request",
         Kind.REPLY: "reply", Kind.QUOTE: "quote", Kind.MENTION: "mention"}  # fmt: skip


class Name(NamedTuple):
    """What a group is told by: its type, and the number of its tweet."""

    type: str
    tweet: int = NO_TWEET


@dataclass
class Group:
    """Who is in it: surely, and perhaps. `must` is whether it has to be there; `size` counts those who are hidden."""

    sure: set[int] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)
    must: bool = False
    size: int = 0


@dataclass(frozen=True)
class Shown:
    """A group as the stack has it."""

    id: int
    name: Name
    people: list[str]
    read: bool

    @classmethod
    def read_from(cls, told: Mapping[str, Any]) -> Self:
        tweet = told["tweet"]
        name = Name(told["type"], NO_TWEET if tweet is None else number_in(tweet["text"]))
        return cls(int(told["id"]), name, [each["username"] for each in told["people"]], told["read"])


def expected_groups(record: Record, reader: int) -> dict[Name, Group]:
    """Everything that the reader is notified of now, as far as anybody is in it."""
    groups: dict[Name, Group] = defaultdict(Group)
    for key, fact in record.facts.items():
        if not (fact.value or fact.uncertain) or key[1] == reader:
            continue
        name = _name(record, reader, key)
        if name is None:
            continue
        group, actor = groups[name], key[1]
        group.size += 1
        if record.gone(actor) or any(record.holds(each) for each in hiding(reader, actor)):
            continue
        if name.tweet != NO_TWEET and not record.open_to(reader, actor):
            continue
        (group.perhaps if fact.uncertain else group.sure).add(actor)
        group.must = group.must or (not fact.uncertain and _was_told(record, reader, actor, fact))
    return {name: group for name, group in groups.items() if group.sure | group.perhaps}


def _was_told(record: Record, reader: int, actor: int, fact: Fact) -> bool:
    hidden = [record.facts.get(key) for key in hiding(reader, actor)]
    return fact.told and not any(each is not None and each.touched for each in hidden)


def _name(record: Record, reader: int, key: Key) -> Name | None:
    """The group of the reader's that the fact is in, if it is in one."""
    kind, _, target = key
    if kind in (Kind.FOLLOW, REQUEST):
        return Name(TYPES[kind]) if target == reader else None
    if kind in (Kind.LIKE, Kind.RETWEET):
        own = record.tweets[target].author == reader and record.stands(target)
        return Name(TYPES[kind], target) if own else None
    if kind is not Kind.POST:
        return None
    tweet = record.tweets[target]
    if tweet.kind is Kind.MENTION:
        return Name(TYPES[tweet.kind], target) if tweet.target == reader else None
    if tweet.kind in (Kind.REPLY, Kind.QUOTE) and record.tweets[tweet.target].author == reader:
        return Name(TYPES[tweet.kind], target)
    return None


def differences(expected: Mapping[Name, Group], found: Sequence[Shown], people: Mapping[str, int]) -> Iterator[str]:
    """What is lacking, too much, out of order, or of the wrong people; `people` are by their names."""
    for newer, older in pairwise(found):
        if newer.id <= older.id:
            yield f"{_told(older.name)} stands behind an older one"
    names = [each.name for each in found]
    yield from (f"{_told(each)} is there twice" for each in sorted(set(names)) if names.count(each) > 1)
    yield from (f"lacks {_told(name)}" for name, group in expected.items() if group.must and name not in names)
    for each in found:
        group = expected.get(each.name)
        if group is None:
            yield f"has {_told(each.name)} too much, by {', '.join(each.people)}"
        else:
            yield from (f"{_told(each.name)} {line}" for line in _of_people(group, each.people, people))


def _of_people(group: Group, shown: Sequence[str], people: Mapping[str, int]) -> Iterator[str]:
    numbers = [people.get(each, -1) for each in shown]
    yield from (f"names person {each}" for each in numbers if each not in group.sure | group.perhaps)
    lacking = group.sure - set(numbers)
    if not numbers or (group.size <= LOOKED_AT and len(numbers) < SHOWN and lacking):
        yield f"names {sorted(numbers)} and lacks {sorted(lacking)}"


def _told(name: Name) -> str:
    return f"the {name.type}" + ("" if name.tweet == NO_TWEET else f" of tweet {name.tweet}")


def names_in(value: Any) -> Iterator[str]:
    """Every username in an answer, but for whom a text mentions: these are its author's words."""
    if isinstance(value, Mapping):
        yield from ([value["username"]] if "username" in value else [])
        yield from (name for key, each in value.items() if key != "entities" for name in names_in(each))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        yield from (name for each in value for name in names_in(each))
