"""Suspending people, and what ends it: by hand, or by the time that was set.

Each change is committed in SQL first, and what is cached of it is invalidated before the caller goes on (services.py).
"""

from datetime import UTC, datetime

import structlog
from django.db import transaction

from accounts.account_cache.changes import note_change
from accounts.models import User
from accounts.people.purge import purge_reading
from accounts.people.selectors import suspensions_over
from accounts.people.withholding import order_withholding
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from storage.errors import Forbidden, Refused
from storage.ids.snowflakes import rfc3339

log = structlog.get_logger(__name__)

ENDED_AT_ONCE = 100
"""Suspensions; a task runs each minute, and the rest waits for the next."""


@sql_or_unavailable()
def suspend(
    person: User, *, by: User, until: datetime | None = None, reason: str = "", may_shorten: bool = False
) -> None:
    """Shuts the person out of every door from the next request on, and hides what they wrote.

    It ends by itself soon after `until` (`end_suspensions`), if given. Of one that stands the later end holds, none
    being the latest, unless `may_shorten`: who asks for that has seen how long it lasts. Again, it is logged again.
    What their reading left in Redis goes (people/purge.py); a reader who is restored finds it complete again. Counts
    leave them out within seconds (people/withholding.py). Raises `Refused` for who has left.
    """
    order_withholding(person.id)
    with transaction.atomic():
        at = datetime.now(UTC)
        _set_suspension(person, at=at, until=until, by=by, reason=reason, may_shorten=may_shorten)
        transaction.on_commit(lambda: purge_reading(person.id))
    log.info("account_suspended", user_id=person.id, by_id=by.id)


@sql_or_unavailable()
def restore(person: User, *, by: User | None, reason: str = "") -> None:
    """Undoes a suspension; tokens from before it are good again, and their marks are counted again. Idempotent.

    `by` is None when it ends by itself. Raises `Forbidden` for who has left.
    """
    order_withholding(person.id)
    with transaction.atomic():
        _set_suspension(person, at=None, until=None, by=by, reason=reason)
    log.info("account_restored", user_id=person.id, by_id=None if by is None else by.id)


def end_suspensions() -> int:
    """Restores up to ENDED_AT_ONCE people whose suspensions were to end by now, the longest over first; how many.

    Who was suspended anew meanwhile, or without an end, stays so. With whom it fails is logged, holds up none of the
    others, and is tried again the next time. A few SQL statements for each. Raises `Unavailable` if nobody can be read.
    """
    ended = 0
    for person in suspensions_over(datetime.now(UTC), ENDED_AT_ONCE):
        try:
            ended += _end_suspension(person)
        except Exception as error:
            log.exception("suspension_not_ended", user_id=person.id, error=type(error).__name__)
    return ended


@sql_or_unavailable()
def _end_suspension(person: User) -> bool:
    """Restores the person unless their suspension has changed since they were read; says whether it did."""
    order_withholding(person.id)
    with transaction.atomic():
        standing = User.objects.select_for_update().filter(pk=person.pk, suspended_until=person.suspended_until)
        if not standing.exists():
            return False
        _set_suspension(person, at=None, until=None, by=None, reason="It was to end now.")
    return True


def _set_suspension(
    person: User,
    *,
    at: datetime | None,
    until: datetime | None,
    by: User | None,
    reason: str,
    may_shorten: bool = False,
) -> None:
    """Changes it where it is not so already, of a suspension that stands its end, and logs that; a suspension also
    where it changed nothing. In a transaction. Of who has left it stands as it is; raises `Forbidden` if it is to end,
    `Refused` if it is to begin.
    """
    before, has_left = _locked_suspension(person)
    if has_left and at is None:
        raise Forbidden("Who has left is not restored.", code="left")
    if has_left:
        raise Refused("person", "Who has left is gone already.", code="left")
    lasts = at is not None and before[0] is not None
    if lasts and not may_shorten:
        until = None if before[1] is None or until is None else max(before[1], until)
    after = (before[0] if lasts else at, until)
    if before != after:
        person.suspended_at, person.suspended_until = after
        person.suspended_by = by if at is not None else None
        person.save(update_fields=["suspended_at", "suspended_until", "suspended_by"])
    if before != after or lasts:
        staff_log.record(
            by=by,
            action="restore" if at is None else "suspend",
            subject=staff_log.person(person.id),
            before=_as_told(*before),
            after=_as_told(*after),
            reason=reason,
        )
    note_change(person.id)


def _locked_suspension(person: User) -> tuple[tuple[datetime | None, datetime | None], bool]:
    """Since and until when the person is suspended, and whether they have left."""
    standing = User.objects.select_for_update().filter(pk=person.pk)
    row = standing.values_list("suspended_at", "suspended_until", "left_at").first()
    return ((None, None), False) if row is None else (row[:2], row[2] is not None)


def _as_told(suspended_at: datetime | None, until: datetime | None) -> dict[str, str | None]:
    """A suspension as the log has it."""
    told = {"suspended": suspended_at, "until": until}
    return {name: None if moment is None else rfc3339(moment) for name, moment in told.items()}
