"""People of whom the store knows and SQL does not, as after SQL was restored from an earlier moment.

What they wrote and whom they follow still stands. Nothing of it is deleted: somebody stands in for each, under their
id, suspended, so that it is hidden and not counted as anybody's is who is suspended. Who they were, SQL alone knew.
When it is known again, staff give the account its e-mail address and a password at the desk, and restore it.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from django.db import transaction

from accounts.account_cache.changes import note_change
from accounts.models import User
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log

REASON = "The account was lost when a backup was restored; this one stands in for it."


@sql_or_unavailable()
def unknown_among(user_ids: Collection[int]) -> set[int]:
    """Returns those of whom there is no row. One SQL query, none for nobody."""
    known = User.objects.filter(pk__in=user_ids).values_list("pk", flat=True) if user_ids else ()
    return set(user_ids).difference(known)


@sql_or_unavailable()
def suspended_after(user_id: int, limit: int) -> list[int]:
    """Returns the ids of suspended people above that id, ascending. One SQL query."""
    suspended = User.objects.filter(pk__gt=user_id, suspended_at__isnull=False).order_by("pk")
    return list(suspended.values_list("pk", flat=True)[:limit])


@sql_or_unavailable()
def stand_in_for(user_id: int) -> User:
    """Returns a new, suspended account of that id, whose name says that it was lost; the log of staff tells of it.

    Nobody can sign in to it. Three SQL statements. Whoever calls it orders that it be withheld from counts.
    """
    name = name_of(user_id)
    person = User(id=user_id, username=name, display_name=name, email=f"{name}@lost.invalid")
    person.suspended_at = datetime.now(UTC)
    person.set_unusable_password()
    with transaction.atomic():
        person.save(force_insert=True)
        staff_log.record(by=None, action="suspend", subject=staff_log.person(user_id), reason=REASON)
        note_change(user_id)
    return person


def name_of(user_id: int) -> str:
    """Returns the username of who stands in for somebody."""
    return f"lost_{user_id}"
