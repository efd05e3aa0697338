"""People of whom the store knows and SQL does not, as after SQL was restored from an earlier moment.

What they wrote and whom they follow still stands. Nothing of it is deleted: somebody stands in for each, under their
id, suspended, so that it is hidden and not counted as anybody's is who is suspended. Who they were, SQL alone knew.
When it is known again, staff give the account its e-mail address and a password at the desk, and restore it.
"""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime

from django.db import IntegrityError, transaction

from accounts.account_cache.changes import note_change
from accounts.models import User
from accounts.people.rules import LOST
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log

REASON = "The account was lost when a backup was restored; this one stands in for it."

KNOWN_TO_THE_STORE = "Known to the store only: SQL is of before this suspension. Who, why and until when is lost."


@sql_or_unavailable()
def unknown_among(user_ids: Collection[int]) -> set[int]:
    """Returns those of whom there is no row. One SQL query, none for nobody."""
    known = User.objects.filter(pk__in=user_ids).values_list("pk", flat=True) if user_ids else ()
    return set(user_ids).difference(known)


@sql_or_unavailable()
def is_anybody_known() -> bool:
    """Returns whether SQL has any people. One SQL query."""
    return User.objects.exists()


@sql_or_unavailable()
def suspended_after(user_id: int, limit: int) -> list[int]:
    """Returns the ids of suspended people above that id, ascending. One SQL query."""
    suspended = User.objects.filter(pk__gt=user_id, suspended_at__isnull=False).order_by("pk")
    return list(suspended.values_list("pk", flat=True)[:limit])


@sql_or_unavailable()
def stand_in_for(user_id: int) -> User:
    """Returns a new, suspended account of that id, whose name says that it was lost; the log of staff tells of it.

    Nobody can sign in to it. Three SQL statements, and as many again where the name is taken, from before it was
    reserved. Returns whoever else made one of that id first. Whoever calls it orders that it be withheld from counts.
    """
    try:
        return _stand_in(user_id, name_of(user_id))
    except IntegrityError:
        first = User.objects.filter(pk=user_id).first()
        return first or _stand_in(user_id, f"{name_of(user_id)}_{secrets.token_hex(2)}")


def _stand_in(user_id: int, name: str) -> User:
    person = User(id=user_id, username=name, display_name=name, email=f"{name}@lost.invalid")
    person.suspended_at = datetime.now(UTC)
    person.set_unusable_password()
    with transaction.atomic():
        person.save(force_insert=True)
        staff_log.record(by=None, action="suspend", subject=staff_log.person(user_id), reason=REASON)
        note_change(user_id)
    return person


@sql_or_unavailable()
def suspend_again(user_id: int) -> None:
    """Suspends whom the store shows to be suspended, without an end; the log of staff tells of it.

    Idempotent; nothing is ordered. Up to four SQL statements.
    """
    with transaction.atomic():
        at_large = User.objects.filter(pk=user_id, suspended_at=None)
        if not at_large.update(suspended_at=datetime.now(UTC), suspended_until=None, suspended_by=None):
            return
        staff_log.record(by=None, action="suspend", subject=staff_log.person(user_id), reason=KNOWN_TO_THE_STORE)
        note_change(user_id)


def name_of(user_id: int) -> str:
    """Returns the username of who stands in for somebody; of two, were it taken, only the beginning."""
    return f"{LOST}{user_id}"
