"""After a restore: SQL and the store, which were copied at different moments, made to agree again.

What one of them has and the other does not is found by walking both, and each finding is told. Nothing is deleted:

| one has | and the other | then |
|---|---|---|
| the store, somebody's tweets or edges | SQL no such account | one stands in, suspended (accounts/people/lost.py) |
| the store, an open order about an entry | the store no such tweet | the order is closed; its kind and args are told |
| the store, withheld marks | SQL no suspension, nor a restoration since | they are suspended, for staff to look at |
| the store, withheld marks | SQL a restoration since | they are ordered to be counted again |
| SQL, a suspended person | the store marks that are counted, perhaps | they are ordered to be withheld |
| SQL, an open report about a tweet | the store no such tweet | it is told, and stays open |
| the log of staff, a tweet's deletion | the store a tweet that is not deleted | it is told: staff delete it again |

Done again it finds only what is told and not mended; broken off, it is done again. An order younger than SETTLED_US may
be amid its own write, and is left alone, so traffic may run. Memory is that of one chunk.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import TypeVar

import msgspec

from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, FOLLOW_REQUEST, MUTE, SHUT_OUT
from accounts.people.lost import is_anybody_known, name_of, stand_in_for, suspend_again, suspended_after, unknown_among
from accounts.people.withholding import write_withholding_order
from accounts.sql import sql_or_unavailable
from accounts.staff_rows import StaffAction
from fanout.orders.kinds import DELIVER, RESTORE, RETRACT, TELL
from feed.models import Report, Status
from feed.operations.forgotten import MARKS, marked_at_large
from storage.ids.snowflakes import make_id, now_us
from storage.ports.associations import End
from storage.ports.outbox import SETTLED_US, Order
from storage.stores import associations, outbox
from tweets.kinds import BOOKMARK, LIKE, RETWEET, WITHHELD
from tweets.stores.port import tweet_store

T = TypeVar("T")

CHUNK = 500
"""Looked up together."""
LOOKED_AT_FIRST = 5_000
FEW = 20
"""Of fewer people most may well be lost."""
TOLD = 100_000
"""Ten megabytes."""
BY_PEOPLE = {FOLLOW, FOLLOW_REQUEST, BLOCK, BLOCKED_BY, MUTE, SHUT_OUT, LIKE, RETWEET, BOOKMARK, WITHHELD}
"""Kinds of edges whose source is a person."""
TO_PEOPLE = {FOLLOW, FOLLOW_REQUEST, BLOCK, BLOCKED_BY, MUTE, SHUT_OUT}
"""Kinds of edges whose target is a person."""
ABOUT_ENTRIES = (DELIVER, TELL, RETRACT, RESTORE)
DELETED, PUT_BACK = ("delete", "decide: delete"), "restore tweet"
"""What the log of staff calls it."""


class Sort(StrEnum):
    ACCOUNT = "account"
    ORDER = "order"
    SUSPENSION = "suspension"
    REPORT = "report"
    DELETION = "deletion"


class Finding(msgspec.Struct, frozen=True):
    """What was lost, or disagrees. One that is not `mended` stays as it is."""

    sort: Sort
    id: int
    text: str
    mended: bool

    def __str__(self) -> str:
        return f"{self.sort} {self.id}: {self.text}"


class Told:
    """What was told already, as far as is remembered: of more than TOLD some may be told twice."""

    def __init__(self) -> None:
        self._told: set[Hashable] = set()

    def is_new(self, what: Hashable) -> bool:
        """Returns whether it was not told, and remembers it."""
        if what in self._told:
            return False
        if len(self._told) >= TOLD:
            self._told.clear()
        self._told.add(what)
        return True


class Progress(msgspec.Struct):
    """Counts of what has been looked at so far."""

    looked_at: int = 0
    stage: str = ""


class Doubtful(Exception):
    """One sentence: why this SQL seems to be none that belongs to this store."""


def look_whether_they_belong_together() -> None:
    """Looks at whom the store names first, and changes nothing. Raises `Doubtful`, and `Unavailable`."""
    chunks = list(_chunks(islice(people_in_the_store(), LOOKED_AT_FIRST)))
    first = {each for chunk in chunks for each in chunk}
    unknown = {each for chunk in chunks for each in unknown_among(set(chunk))}
    if first and not is_anybody_known():
        raise Doubtful("SQL knows nobody at all, and the store does")
    if len(first) >= FEW and len(unknown) * 2 > len(first):
        raise Doubtful(f"SQL does not know {len(unknown):,} of the first {len(first):,} people in the store")


def reconcile(progress: Progress, *, dry_run: bool) -> Iterator[list[Finding]]:
    """Makes SQL and the store agree; yields the findings of each chunk, `progress` brought up to date before.

    With `dry_run` nothing is changed, and what would be is yielded. Raises `Unavailable`.
    """
    for stage, chunks in (
        ("people in the store", _lost_accounts(dry_run)),
        ("open orders", _lost_entries(dry_run)),
        ("withheld marks", _forgotten_suspensions(dry_run)),
        ("suspended people", _suspended(dry_run)),
        ("reports", _lost_reports()),
        ("deletions by staff", _lost_deletions()),
    ):
        progress.stage, progress.looked_at = stage, 0
        for looked_at, findings in chunks:
            progress.looked_at += looked_at
            yield findings


Chunks = Iterator[tuple[int, list[Finding]]]


def people_in_the_store() -> Iterator[int]:
    """Returns the ids of all of whom the store knows, some of them several times."""
    yield from tweet_store().authors()
    for owner, kind, end in associations().owners():
        if kind in (BY_PEOPLE if end is End.SOURCE else TO_PEOPLE):
            yield owner


def _lost_accounts(dry_run: bool) -> Chunks:
    told = Told()
    for chunk in _chunks(people_in_the_store()):
        lost = [each for each in sorted(unknown_among(set(chunk))) if told.is_new(each)]
        names = {each: name_of(each) if dry_run else stand_in_for(each).username for each in lost}
        yield len(chunk), [Finding(Sort.ACCOUNT, each, f"lost; @{names[each]} stands in", True) for each in lost]


def _lost_entries(dry_run: bool) -> Chunks:
    after, settled = 0, make_id(now_us() - SETTLED_US, 0)
    while orders := outbox().open_orders(after=after, before=settled, limit=CHUNK):
        after = orders[-1].id
        yield len(orders), [_lost_entry(order, dry_run) for order in _without_entry(orders, dry_run)]


def _without_entry(orders: Sequence[Order], dry_run: bool) -> list[Order]:
    """Orders about tweets that are not there, though what their orders owed has been written."""
    about = [order for order in orders if order.kind in ABOUT_ENTRIES and order.args]
    present = tweet_store().get_many([order.args[0] for order in about])
    missing = [order for order in about if order.args[0] not in present]
    if missing and not dry_run:
        for order in missing:
            outbox().finished_order(order.id)
        present = tweet_store().get_many([order.args[0] for order in missing])
    return [order for order in missing if order.args[0] not in present]


def _lost_entry(order: Order, dry_run: bool) -> Finding:
    if not dry_run:
        outbox().mark_done(order.id)
    entry = order.args[0]
    return Finding(Sort.ORDER, order.id, f"{order.kind} {list(order.args)} closed, tweet {entry} is lost", True)


def _suspended(dry_run: bool) -> Chunks:
    """Whoever is suspended is withheld by an order, done before or not: what it asks for is the present state."""
    after = 0
    while people := suspended_after(after, CHUNK):
        after = people[-1]
        if not dry_run:
            for person in people:
                write_withholding_order(person)
        yield len(people), []


def _forgotten_suspensions(dry_run: bool) -> Chunks:
    told = Told()
    owners = ((owner, kind) for owner, kind, end in associations().owners() if end is End.SOURCE and kind in MARKS)
    for chunk in _chunks(owners):
        found = [each for each in sorted(marked_at_large(chunk).items()) if told.is_new(each)]
        yield len(chunk), [_at_large(person, forgotten, dry_run) for person, forgotten in found]


def _at_large(person: int, forgotten: bool, dry_run: bool) -> Finding:
    """Nothing is ordered for whom SQL has forgotten: an order by a moment without the suspension removes its trace."""
    if not forgotten:
        if not dry_run:
            write_withholding_order(person)
        return Finding(Sort.SUSPENSION, person, "restored, as SQL knows, and withheld still; counted again", True)
    if not dry_run:
        suspend_again(person)
    return Finding(Sort.SUSPENSION, person, "known to the store only; suspended again, until staff restore them", False)


def _lost_reports() -> Chunks:
    after = 0
    while rows := _open_reports(after):
        after = rows[-1][0]
        present = tweet_store().get_many([tweet for _, tweet in rows])
        lost = [(report, tweet) for report, tweet in rows if tweet not in present]
        yield len(rows), [Finding(Sort.REPORT, report, f"its tweet {tweet} is lost", False) for report, tweet in lost]


def _lost_deletions() -> Chunks:
    """Tweets that staff deleted, by the log, and that are there all the same. What they tried in vain is among them."""
    after = 0
    while rows := _staff_deletions(after):
        after = rows[-1][0]
        there = {each.id for each in tweet_store().get_many([tweet for _, tweet in rows]).values() if not each.deleted}
        stands = _deleted_last(there)
        lost = [(entry, tweet) for entry, tweet in rows if stands.get(tweet) == entry]
        text = "staff have deleted it (entry {} of their log), and it is there: delete it again"
        yield len(rows), [Finding(Sort.DELETION, tweet, text.format(entry), False) for entry, tweet in lost]


@sql_or_unavailable()
def _open_reports(after: int) -> list[tuple[int, int]]:
    reports = Report.objects.filter(pk__gt=after, status=Status.OPEN, tweet_id__isnull=False).order_by("pk")
    return [(report, int(tweet or 0)) for report, tweet in reports.values_list("pk", "tweet_id")[:CHUNK]]


@sql_or_unavailable()
def _staff_deletions(after: int) -> list[tuple[int, int]]:
    entries = StaffAction.objects.filter(pk__gt=after, subject_kind="tweet", action__in=DELETED).order_by("pk")
    return list(entries.values_list("pk", "subject_id")[:CHUNK])


@sql_or_unavailable()
def _deleted_last(tweets: set[int]) -> dict[int, int]:
    """The last entry about each of these tweets: its deletion, or that it was put back."""
    actions = (*DELETED, PUT_BACK)
    entries = StaffAction.objects.filter(subject_kind="tweet", subject_id__in=tweets, action__in=actions)
    return {tweet: entry for entry, tweet in entries.order_by("pk").values_list("pk", "subject_id")}


def _chunks(ids: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(ids)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
