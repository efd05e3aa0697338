"""What of the product needs somebody now, for the start page of the desk: each line with where it is dealt with.

Bounded reads only: a count stops at COUNTED. A backend that does not answer is a line as well, and hides no other.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import msgspec
from django.urls import NoReverseMatch, reverse

from accounts.models import User
from accounts.sql import sql_or_unavailable
from accounts.staff.roles import Right
from feed.leaving import standing
from feed.models import Status
from feed.moderation.queue import reports_for
from feed.operations.breakers import breakers
from storage.breakers import State, worst_of
from storage.errors import Unavailable
from storage.ids.snowflakes import id_time
from storage.stores import dead_letters, outbox

COUNTED = 1_000
LATE_SECONDS = 30
"""As /readyz has it: an open order of this age was sent again several times."""

STILL_SECONDS = 3_600
"""As the alert has it: what fails is tried each minute."""

NAMES = {"redis_timelines": "timeline Redis", "redis_broker": "broker", "database_replica": "database's replica"}
"""Of backends, where they read better than those of /readyz."""


class Need(msgspec.Struct, frozen=True):
    """One line: what, how much of it, since when, and whether it waits for somebody."""

    what: str
    figure: str
    detail: str = ""
    urgent: bool = False
    url: str = ""


def needs_attention(operator: User, rights: Collection[Right]) -> list[Need]:
    """Returns the lines for who has these rights. A few reads of SQL and of the store; raises nothing."""
    looks: list[tuple[Right, str, Callable[[], Need]]] = [
        (Right.HANDLE_REPORTS, "Open reports", lambda: _open_reports(operator)),
        (Right.VIEW_PEOPLE, "Leaving", _leaving),
        (Right.VIEW_FANOUT, "Dead letters", _dead_letters),
        (Right.VIEW_FANOUT, "Orders that wait", _open_orders),
    ]
    needs = [_looked(what, look) for right, what, look in looks if right in rights]
    if Right.VIEW_FANOUT in rights:
        needs.append(_breakers())
    return needs


def _looked(what: str, look: Callable[[], Need]) -> Need:
    try:
        return look()
    except Unavailable as error:
        return Need(what, "unknown", f"{error.message}", urgent=True)


@sql_or_unavailable()
def _open_reports(operator: User) -> Need:
    waiting = reports_for(operator).filter(status=Status.OPEN)
    count = waiting.order_by()[:COUNTED].count()
    oldest = waiting.order_by("id").values_list("id", flat=True).first() if count else None
    detail = "" if oldest is None else f"the oldest for {age(id_time(oldest))}"
    return Need("Open reports", _figure(count), detail, urgent=count > 0, url=_url("admin:desk_queue"))


def _leaving() -> Need:
    found = standing.figures(counted=COUNTED)
    stands = found.still_seconds > STILL_SECONDS
    since = datetime.now(UTC) - timedelta(seconds=found.still_seconds)
    return Need(
        "People who left, not erased yet",
        _figure(found.people),
        f"nothing erased of one for {age(since)}" if stands else "",
        urgent=stands,
        url=_url("admin:desk_leaving"),
    )


def _dead_letters() -> Need:
    count = dead_letters().count(limit=COUNTED)
    return Need("Dead letters", _figure(count), urgent=count > 0, url=_url("admin:desk_dead_letters"))


def _open_orders() -> Need:
    count, oldest = outbox().count_open(limit=COUNTED), outbox().oldest_open()
    since = None if oldest is None else id_time(oldest)
    late = since is not None and (datetime.now(UTC) - since).total_seconds() > LATE_SECONDS
    detail = "" if since is None else f"the oldest for {age(since)}"
    return Need("Orders that wait", _figure(count), detail, urgent=late, url=_url("admin:desk_fanout"))


def _breakers() -> Need:
    opened = [NAMES.get(name, name) for name, some in breakers().items() if worst_of(some) is not State.CLOSED]
    detail = "" if not opened else f"{', '.join(opened)}, in this process"
    return Need("Breakers", f"{len(opened)} open" if opened else "all closed", detail, urgent=bool(opened))


def age(since: datetime) -> str:
    """Returns how long ago it was, in the largest unit that says something: "3 hours"."""
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return f"{seconds} second" + ("" if seconds == 1 else "s")


def _figure(count: int) -> str:
    return f"{count:,} or more" if count >= COUNTED else f"{count:,}"


def _url(name: str) -> str:
    """Returns where it is dealt with, if there is such a page."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
