"""Anyone's home timeline as operators look at it: as its reader sees it, and where each entry comes from.

**Looking leaves no trace in it.** A timeline that was not read by its reader ends in its time, one that is cold stays
cold, and a recent list that is missing is not built: what Redis cannot answer is read from the store, as below the
floor. So an inactive reader does not become active by being looked at.

What the reader is shown of the ids is what hydration says: a page of theirs leaves the same ones out.
"""

import threading
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from accounts.entities import Account, Viewer
from accounts.graph.exclusions import Visibility
from accounts.models import User
from accounts.people.selectors import get_user
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from accounts.staff.roles import Right, may, may_touch
from fanout.timelines import inspection, materialised, recents
from fanout.timelines.inspection import Inspection
from fanout.timelines.materialised import Window
from feed.operations import audit
from feed.operations.audit import Finding, Person, Report
from feed.operations.lookup import StaffTweet, shown_of
from feed.timelines.rebuild import home_authors, make_anew
from storage.errors import Forbidden, Refused, Unavailable
from storage.ids.snowflakes import id_us
from storage.redis.node import timeline_node
from tweets.reading.hydration import TweetOut, hydrated
from tweets.stores.port import tweet_store

PAGE = 20
_AUDITING = threading.Lock()


class Way(StrEnum):
    """How an entry comes into the page."""

    PUSHED = "pushed"
    PULLED = "pulled when the timeline was made"
    MERGED = "merged from a recent list"
    STORE = "read from the store"


class Entry(msgspec.Struct, frozen=True):
    """One entry of a home timeline; `shown` says whether its reader's page has it."""

    entry: StaffTweet
    way: Way
    shown: bool


class Home(msgspec.Struct, frozen=True):
    """A page of somebody's home; `timeline` is None while Redis does not answer."""

    timeline: Inspection | None
    entries: list[Entry]
    older: int | None


def may_look_at(person: User, *, by: User) -> bool:
    """Says whether `by`, who has the right, may look at this person's home: of staff, superusers may, and they."""
    return person.pk == by.pk or may_touch(by, person)


def home_of(reader: Account, *, before: int | None = None) -> Home:
    """Returns a page of the reader's home. Two or three Redis round trips, and what hydration costs; from below the
    floor or without a timeline the followees and a pull as well. Raises `Unavailable` for the store.
    """
    found = _ids(reader.id, before)
    page = found[:PAGE]
    tweets = tweet_store().get_many([entry_id for entry_id, _ in page]) if page else {}
    shown = {int(tweet.id) for tweet in _seen([entry_id for entry_id, _ in page], reader)}
    entries = shown_of(tweets.values())
    return Home(
        timeline=_inspected(reader.id),
        entries=[Entry(entries[each], way, each in shown) for each, way in page if each in entries],
        older=page[-1][0] if len(found) > PAGE else None,
    )


def audited(reader: Account) -> tuple[Report, list[Finding]]:
    """Returns what an audit of this one timeline finds (audit.py), in at most a moment more than it costs there.

    It looks through ORDERS_READ_BY_A_PAGE open orders. Raises `Refused` while this process makes another: each holds a
    thread for a moment.
    """
    if not _AUDITING.acquire(blocking=False):
        raise Refused("audit", "Another audit is being made. Try again in a moment.", code="busy")
    try:
        report, people = Report(), [Person(reader.id, reader.username)]
        found = audit.audit(people, report, repair=False, orders_read=audit.ORDERS_READ_BY_A_PAGE)
        return report, [finding for findings in found for finding in findings]
    finally:
        _AUDITING.release()


@sql_or_unavailable()
def rebuild(reader: Account, *, by: User, reason: str) -> bool:
    """Makes the reader's timeline anew from the store, whereby they count as active; says whether that was done.

    False when it was overtaken again and again. The log of staff tells of it. Raises `Forbidden`, `Refused` for no
    reason, and `Unavailable`.
    """
    if not may(by, Right.REBUILD_TIMELINES) or not may_look_at(get_user(reader.id), by=by):
        raise Forbidden("You may not rebuild this timeline.")
    reason = staff_log.checked_reason(reason)
    staff_log.record(by=by, action="rebuild timeline", subject=staff_log.person(reader.id), reason=reason)
    return make_anew(reader.id)


def _seen(ids: Sequence[int], reader: Account) -> list[TweetOut]:
    viewer = Viewer(id=reader.id, account=reader, token_digest="")
    return hydrated(ids, viewer=viewer, visibility=Visibility(reader.id, home=True)).tweets


def _inspected(reader_id: int) -> Inspection | None:
    try:
        return timeline_node().ask(inspection.inspect(reader_id))[0]
    except Unavailable:
        return None


def _ids(reader_id: int, before: int | None) -> list[tuple[int, Way]]:
    """The ids of a page and one more, with how each comes there, newest first."""
    wanted = PAGE + 1
    found, floor = _from_redis(reader_id, before, wanted)
    if len(found) < wanted and floor != 0:
        lowest = found[-1][0] if found else before
        pulled = tweet_store().home_entries(home_authors(reader_id), before=lowest, limit=wanted - len(found))
        found += [(each, Way.STORE) for each in pulled]
    return found


def _from_redis(reader_id: int, before: int | None, count: int) -> tuple[list[tuple[int, Way]], int | None]:
    """What timeline and recent lists have, and down to where that is complete: 0 for all of it, None for nothing."""
    try:
        [own] = timeline_node().ask(materialised.read(reader_id, before=before, count=count))
        if own is None or not own.of_this_epoch:
            return [], None
        [merged] = timeline_node().ask(recents.read(reader_id, own.merge_set, before=before, count=count))
    except Unavailable as error:
        if error.backend != timeline_node().name:
            raise
        return [], None
    if merged.missing:
        return [], None
    floor = max(own.floor, merged.floor)
    way = _way_of(own)
    ids = sorted({each for each in (*own.ids, *merged.ids) if each > floor}, reverse=True)
    return [(each, way(each)) for each in ids[:count]], floor


def _way_of(own: Window) -> Callable[[int], Way]:
    standing = set(own.ids)

    def way(entry_id: int) -> Way:
        if entry_id not in standing:
            return Way.MERGED
        return Way.PULLED if id_us(entry_id) < own.opened_us else Way.PUSHED

    return way
