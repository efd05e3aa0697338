"""Leaving: whoever proves it by their password is gone for everybody when that is answered, and for good.

**At once, in one SQL transaction**: they are suspended without an end, so that every door, page and count that leaves
suspended people out leaves them out (people/services.py), and `left_at` says that this suspension never ends. The name
they are called by, what they say of themselves, picture, e-mail address and password go. All sessions and tokens end
(sessions/ending.py), and so do letters that were asked for. What is left in the row is the username, which nobody may
have after them, and when they came and left.

**In the background**, a piece at a time, everything else: feed/leaving does that, from `left_at` on until `erased_at`.
An order has it begun at once. If the order is lost, it begins within seconds: the row says all there is to know.
"""

import secrets
from datetime import UTC, datetime

import structlog
from django.db import transaction

from accounts.account_cache.changes import note_change
from accounts.models import PasswordReset, User, privileged
from accounts.people.purge import purge_reading
from accounts.people.selectors import get_user
from accounts.people.services import knows_password
from accounts.people.withholding import order_withholding
from accounts.sessions.throttles import PasswordTry
from accounts.sql import sql_or_unavailable
from storage import stores
from storage.errors import Forbidden, NotSignedIn, Refused, Unavailable
from storage.ports.outbox import Order

LEAVE_ORDER = "leave"
"""The kind of order that has erasing somebody begun; its args are the person. Orders that wait carry this very word."""
EMPTY = ("bio", "avatar_url")
"""Of the row, besides what has to hold something."""
CHANGED = (
    *EMPTY,
    "left_at",
    "suspended_at",
    "suspended_until",
    "display_name",
    "email",
    "password",
    "verified",
    "last_login",
)

log = structlog.get_logger(__name__)


def leave(user_id: int, password: str, *, tried: PasswordTry | None = None) -> Order | None:
    """Has the person leave. Returns the order that erases what they leave, for who can announce it; None if the store
    did not take it, and then it begins a moment later.

    Raises `Refused` unless the password is theirs, `Forbidden` for staff and for who may be staff again, `NotSignedIn`
    for who has left at the same moment, `TooMany`, `Crowded`, `Unavailable`. A hash, some fifteen SQL statements, three
    store writes and a few Redis round trips.
    """
    with sql_or_unavailable():
        person = get_user(user_id)
        if not knows_password(person, password, tried):
            raise Refused("password", "This is not your password.", code="wrong_password")
        _refuse_staff(person)
        order_withholding(person.id)
        with transaction.atomic():
            _leave(person)
            transaction.on_commit(lambda: purge_reading(person.id))
    log.info("account_left", user_id=person.id)
    return order_erasing(person.id)


def order_erasing(user_id: int) -> Order | None:
    """Has erasing somebody who has left go on at once. One store write; None if the store does not answer."""
    order = Order(id=stores.ids.next(), kind=LEAVE_ORDER, args=(user_id,))
    try:
        stores.outbox().add(order)
    except Unavailable as error:
        log.warning("erasing_not_ordered", user_id=user_id, backend=error.backend)
        return None
    return order


def _leave(person: User) -> None:
    """In a transaction. A new hash ends all sessions: `User.save` sees to it."""
    if not person.lock_password(suspended_at=None):
        raise NotSignedIn("You have been signed out.", code="bad_token")
    _refuse_staff(person)
    PasswordReset.objects.filter(email__iexact=person.email).delete()
    person.left_at = person.suspended_at = datetime.now(UTC)
    person.suspended_until, person.last_login, person.verified = None, None, False
    person.display_name, person.email = person.username, placeholder()
    for field in EMPTY:
        setattr(person, field, "")
    person.set_unusable_password()
    person.save(update_fields=CHANGED)
    note_change(person.id)


def _refuse_staff(person: User) -> None:
    if User.objects.filter(privileged(), pk=person.pk).exists():
        raise Forbidden("Staff cannot leave: have your role taken away first.", code="staff")


def placeholder() -> str:
    """Returns an e-mail address that is nobody's, and that nobody can have taken before: the column takes no other."""
    return f"{secrets.token_hex(16)}@left.invalid"


@sql_or_unavailable()
def has_left(user_id: int) -> bool:
    """Says whether the person has left. One SQL query."""
    return User.objects.filter(pk=user_id, left_at__isnull=False).exists()


@sql_or_unavailable()
def to_be_erased(limit: int) -> list[int]:
    """Returns who has left and is not erased, the longest gone first. One SQL query."""
    leaving = User.objects.filter(left_at__isnull=False, erased_at=None).order_by("left_at")
    return list(leaving.values_list("pk", flat=True)[:limit])
