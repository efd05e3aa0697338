"""The audit: materialised home timelines against the pull oracle, entry by entry.

A timeline promises every entry above its floor, each once, in order (fanout/timelines/materialised.py).
What the store's pull answers for the same range is the oracle. Nothing is stopped for the
audit, so a difference counts only if it is seen twice, a moment apart, and if no open order
explains it:

    timelines and oracle ─► differences ─► a moment ─► open orders ─► timelines and oracle again

Open orders are read *before* the second look: an order that was open then explains an entry
that is late; one that was done by then has left its mark in the timeline that is looked at.
An entry that came after the first look cannot have differed in it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

import msgspec

from accounts.graph import exclusions
from accounts.graph.follows import GRAPH_ORDER
from fanout.orders.kinds import DELIVER, RESTORE, RETRACT
from fanout.timelines import materialised, recents
from fanout.timelines.materialised import Window
from feed.timelines.rebuild import home_authors, make_anew
from storage.ids.snowflakes import MAX_ID
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import outbox
from tweets.stores.port import tweet_store

CHUNK = 50
"""People looked at together: a round trip of 50 timelines of 7 KB stays well under Redis' timeout."""
ORACLE_PAGE = 1_000
"""Entries pulled at a time; a timeline has TIMELINE_CAP and a little more."""
EVERYTHING = 1_000_000
"""Entries asked of a timeline: also what a fault has let grow."""
MOMENT_SECONDS = 1.0
"""Between the two looks: longer than a request is between its writes, a push between its round trips."""
ORDERS_READ = 100_000
"""Open orders looked through, oldest first, to explain a difference."""
ORDERS_READ_BY_A_PAGE = 1_000
"""The same for who waits for a page: as many as one page of the store."""


class Fault(StrEnum):
    MISSING = "missing"
    EXTRA = "extra"
    OUT_OF_ORDER = "out of order"
    DUPLICATE = "duplicate"


class Difference(msgspec.Struct, frozen=True, order=True):
    entry_id: int
    fault: Fault


class Person(msgspec.Struct, frozen=True):
    id: int
    username: str


class Finding(msgspec.Struct, frozen=True):
    """What is wrong in one person's timeline, newest entry first, and what only waits for its order."""

    person: Person
    differences: list[Difference]
    pending: list[Difference]


class Report(msgspec.Struct):
    """Counts of what an audit has done so far."""

    people: int = 0
    inactive: int = 0
    """People without a materialised timeline: they read from the store, which is the oracle."""
    wrong: int = 0
    differences: int = 0
    pending: int = 0
    repaired: int = 0
    unread: bool = False
    """Whether there may have been more open orders than were looked through: a difference may wait for one of those."""

    @property
    def clean(self) -> bool:
        """Returns whether no fault is left."""
        return self.wrong == self.repaired


def audit(
    people: Iterable[Person],
    report: Report,
    *,
    repair: bool,
    sleep: Callable[[float], None] = time.sleep,
    orders_read: int = ORDERS_READ,
) -> Iterator[list[Finding]]:
    """Looks at everyone's timeline, CHUNK people at a time; yields the findings of each chunk.

    `report` is brought up to date before each is yielded. With `repair` a wrong timeline is
    made anew and looked at again; one that is still wrong is found again. Costs a round trip a
    chunk and the followees and a pull a person; a chunk with a difference costs MOMENT_SECONDS
    and the same again for those people. Memory is that of one chunk. Raises `Unavailable`.
    """
    rest = iter(people)
    while chunk := list(islice(rest, CHUNK)):
        findings = _findings(chunk, report, sleep, orders_read)
        wrong = [finding.person for finding in findings if finding.differences]
        report.people += len(chunk)
        report.wrong += len(wrong)
        report.differences += sum(len(finding.differences) for finding in findings)
        report.pending += sum(len(finding.pending) for finding in findings)
        if repair and wrong:
            findings += _repair(wrong, report, sleep, orders_read)
        yield findings


def differences_of(window: Window, expected: Sequence[int]) -> list[Difference]:
    """Returns how a timeline differs from what it should hold above its floor; newest entry first.

    Of a disordered pair the newer entry is out of order. What stands at or below the floor is extra.
    """
    wanted = set(expected)
    found: list[Difference] = []
    seen: set[int] = set()
    lowest = MAX_ID + 1
    for entry_id in window.ids:
        if entry_id in seen:
            found.append(Difference(entry_id, Fault.DUPLICATE))
        elif entry_id not in wanted:
            found.append(Difference(entry_id, Fault.EXTRA))
        else:
            if entry_id > lowest:
                found.append(Difference(entry_id, Fault.OUT_OF_ORDER))
            lowest = min(lowest, entry_id)
        seen.add(entry_id)
    found += [Difference(entry_id, Fault.MISSING) for entry_id in expected if entry_id not in seen]
    return sorted(found, reverse=True)


def differences_together(sources: Sequence[Window], expected: Sequence[int]) -> list[Difference]:
    """Returns how sources that are merged differ from what they should hold together above the highest of their floors.

    An entry may be in several, since they overlap, but in each once and in order; it is missing if it is in none.
    """
    floor = max(source.floor for source in sources)
    found: set[Difference] = set()
    held: set[int] = set()
    for source in sources:
        ids = [entry_id for entry_id in source.ids if entry_id > floor or entry_id <= source.floor]
        found |= {each for each in differences_of(Window(ids, floor), expected) if each.fault is not Fault.MISSING}
        held |= set(ids)
    found |= {Difference(entry_id, Fault.MISSING) for entry_id in expected if entry_id not in held}
    return sorted(found, reverse=True)


def _findings(
    people: Sequence[Person], report: Report, sleep: Callable[[float], None], orders_read: int
) -> list[Finding]:
    """The differences of these people that are still there after a moment."""
    first = _look(people)
    report.inactive += sum(differences is None for differences in first.values())
    suspects = [person for person in people if first[person.id]]
    if not suspects:
        return []
    sleep(MOMENT_SECONDS)
    orders = outbox().open_orders(before=MAX_ID, limit=orders_read)
    report.unread |= len(orders) >= orders_read
    second = _look(suspects)
    findings = []
    for person in suspects:
        before = set(first[person.id] or ())
        lasting = [difference for difference in second[person.id] or () if difference in before]
        if lasting:
            findings.append(_explained(person, lasting, orders))
    return findings


def _look(people: Sequence[Person]) -> dict[int, list[Difference] | None]:
    """The differences of each person's timeline by id; None for one that is not materialised."""
    windows = timeline_node().ask_all([materialised.read(person.id, count=EVERYTHING) for person in people])
    return {
        person.id: _differences(person.id, window) if window is not None and window.of_this_epoch else None
        for person, window in zip(people, windows, strict=True)
    }


def _differences(reader_id: int, own: Window) -> list[Difference] | None:
    """Entries of people whom the reader mutes stand in the timeline, since they follow them, and are never shown.

    None when recent lists that the timeline goes with are missing.
    """
    [merged] = timeline_node().ask(recents.contents(reader_id, own.merge_set))
    if merged is None:
        return None
    sources = [own, *merged]
    floor = max(source.floor for source in sources)
    found = differences_together(sources, _expected(reader_id, floor))
    extra = [each.entry_id for each in found if each.fault is Fault.EXTRA]
    if not extra:
        return found
    authors = {tweet.id: tweet.author_id for tweet in tweet_store().get_many(extra).values()}
    excluded = exclusions.from_store(reader_id)
    hidden = exclusions.hidden_among(reader_id, excluded, set(authors.values()), home=True)
    return [each for each in found if each.fault is not Fault.EXTRA or authors.get(each.entry_id) not in hidden]


def _expected(reader_id: int, floor: int) -> list[int]:
    """Returns what the store pulls for the reader above the floor, newest first."""
    authors = home_authors(reader_id)
    expected: list[int] = []
    while True:
        before = expected[-1] if expected else None
        page = tweet_store().home_entries(authors, before=before, limit=ORACLE_PAGE)
        expected += [entry_id for entry_id in page if entry_id > floor]
        if len(page) < ORACLE_PAGE or page[-1] <= floor:
            return expected


def _explained(person: Person, differences: Sequence[Difference], orders: Sequence[Order]) -> Finding:
    """Sets apart what an open order explains; all of it, while the reader's graph is to be changed."""
    entries = {order.args[0] for order in orders if order.kind in (DELIVER, RETRACT, RESTORE)}
    readers = {reader_id for order in orders if order.kind == GRAPH_ORDER for reader_id in order.args}
    waits = {each for each in differences if person.id in readers or _explains(entries, each)}
    return Finding(person, [each for each in differences if each not in waits], sorted(waits, reverse=True))


def _explains(entries: set[int], difference: Difference) -> bool:
    """An order may be late in bringing or taking an entry; no order puts one in twice or in a wrong place."""
    return difference.entry_id in entries and difference.fault in (Fault.MISSING, Fault.EXTRA)


def _repair(
    people: Sequence[Person], report: Report, sleep: Callable[[float], None], orders_read: int
) -> list[Finding]:
    """Makes the timelines anew; what is wrong after that."""
    for person in people:
        make_anew(person.id)
    left = [finding for finding in _findings(people, Report(), sleep, orders_read) if finding.differences]
    report.repaired += len(people) - len(left)
    return left
