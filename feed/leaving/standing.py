"""How far erasing has come with whoever has left, for the desk and for metrics; and having it go on at once."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from django.db import transaction
from django.db.models import Min
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.people.leaving import is_leaving, order_erasing
from accounts.people.selectors import get_user
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from accounts.staff.roles import Right, may
from feed.leaving.saga import PROOF, registered_steps
from feed.models import Leaving
from storage.errors import Forbidden, Refused, Unavailable
from storage.ports.outbox import Order

SHOWN = 50


class Leaver(msgspec.Struct, frozen=True):
    """Somebody who has left and is not erased. `place` is that of their step among all, from 1 on."""

    person: User
    left_at: datetime
    moved_at: datetime
    step: str
    number: int
    steps: int
    rounds: int
    erased: Mapping[str, int]
    tries: int
    error: str


class Figures(msgspec.Struct, frozen=True):
    """How many have left and are not erased, counted up to a limit; for how many seconds the first of them, and since
    when at the longest nothing of one was erased. 0 where there is nobody."""

    people: int
    oldest_seconds: float
    still_seconds: float


@sql_or_unavailable()
def leavers() -> list[Leaver]:
    """Returns who is being erased, the longest gone first, SHOWN at most. One SQL query. Raises `Unavailable`."""
    people = is_leaving().select_related("leaving").order_by("left_at")
    return [_leaver(each) for each in people[:SHOWN]]


@sql_or_unavailable()
def leaver(person: User) -> Leaver | None:
    """Returns how far it has come with the person; None for who is here, or erased. One SQL query at most."""
    if person.left_at is None or person.erased_at is not None:
        return None
    return _leaver(is_leaving().select_related("leaving").get(pk=person.pk))


@sql_or_unavailable()
def figures(*, counted: int) -> Figures:
    """Two SQL queries, in an index of those people alone. Raises `Unavailable`."""
    people = is_leaving().order_by()[:counted].count()
    if not people:
        return Figures(0, 0.0, 0.0)
    moved = Coalesce("leaving__moved_at", "left_at")
    since = is_leaving().aggregate(left=Min("left_at"), moved=Min(moved))
    return Figures(people, _seconds(since["left"]), _seconds(since["moved"]))


def hasten(person_id: int, *, by: User, reason: str) -> Order:
    """Has erasing somebody go on at once, where it would be tried again later; returns the order of it.

    Raises `Forbidden`, `NotFound`, `Refused` for no reason and for who is not to be erased, `Unavailable`. Some SQL
    statements and a store write.
    """
    if not may(by, Right.HASTEN_LEAVING):
        raise Forbidden("You may not have that go on.")
    reason = staff_log.checked_reason(reason)
    with sql_or_unavailable(), transaction.atomic():
        person = get_user(person_id)
        if person.left_at is None or person.erased_at is not None:
            raise Refused("person", "There is nothing to be erased of them.", code="not_leaving")
        staff_log.record(by=by, action="hasten leaving", subject=staff_log.person(person_id), reason=reason)
    order = order_erasing(person_id)
    if order is None:
        raise Unavailable("store")
    return order


def _leaver(person: User) -> Leaver:
    left_at = person.left_at or datetime.now(UTC)
    row = getattr(person, "leaving", None) or Leaving(person=person, moved_at=left_at)
    names = [*(step.name for step in registered_steps()), PROOF]
    step = row.step if row.step in names else names[0]
    return Leaver(
        person=person,
        left_at=left_at,
        moved_at=row.moved_at,
        step=step,
        number=names.index(step) + 1,
        steps=len(names),
        rounds=row.rounds,
        erased=row.erased,
        tries=row.tries,
        error=row.error,
    )


def _seconds(since: datetime) -> float:
    return max((datetime.now(UTC) - since).total_seconds(), 0.0)
