"""Leaving: whoever proves it by their password is gone for everybody when that is answered, and for good.

**At once, in one SQL transaction**: they are suspended without an end, so that every door, page and count that leaves
suspended people out leaves them out (people/suspending.py), and `left_at` says that this suspension never ends. The
name they are called by, what they say of themselves, picture, e-mail address and password go. All sessions and tokens
end (sessions/ending.py), and so do letters that were asked for. Those that tell an address of before of its change do
not: who takes an account over could keep them from its owner by leaving. What is left in the row is the username, which
nobody may have after them, and when they came and left.

**In the background**, a piece at a time, everything else: feed/leaving does that, from `left_at` on until `erased_at`.
A task finds them by the row within seconds, which says all there is to know; an order puts them first.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts.account_cache.changes import note_change
from accounts.letter_rows import PasswordReset
from accounts.models import User, privileged
from accounts.people.erasing import Piece, Step, asking_them
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
EMPTIED: Mapping[str, object] = {
    "bio": "",
    "avatar_url": "",
    "verified": False,
    "protected_at": None,
    "last_login": None,
    "suspended_until": None,
    "email_confirmed_at": None,
    "confirmed_email": "",
    "muted_words_version": 0,
}
"""What stands in the row of who has left, besides a display name that is the username, an e-mail address that is
nobody's and a password that nobody has."""
CHANGED = (*EMPTIED, "display_name", "email", "password")
NOBODYS = "@left.invalid"

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
    asking_them(person.pk).delete()
    person.left_at = person.suspended_at = datetime.now(UTC)
    _empty(person, "left_at", "suspended_at")


def _empty(person: User, *others: str) -> None:
    """Writes a row that says nothing of the person but their username; and other columns as they are in the object."""
    for field, value in EMPTIED.items():
        setattr(person, field, value)
    person.display_name, person.email = person.username, placeholder()
    person.set_unusable_password()
    person.save(update_fields=(*CHANGED, *others))
    note_change(person.id)


@sql_or_unavailable()
def _empty_again(person_id: int, _place: int) -> Piece:
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=person_id)
        if is_emptied(person):
            return Piece()
        _empty(person)
    return Piece(1)


@sql_or_unavailable()
def _says_something(person_id: int) -> bool:
    return not is_emptied(User.objects.get(pk=person_id))


def is_emptied(person: User) -> bool:
    """Says whether the row says nothing of the person but their username, and when they came and left."""
    says_nothing = all(getattr(person, field) == value for field, value in EMPTIED.items())
    is_nobodys = person.email.endswith(NOBODYS) and person.display_name == person.username
    return says_nothing and is_nobodys and not person.has_usable_password()


def _refuse_staff(person: User) -> None:
    if User.objects.filter(privileged(), pk=person.pk).exists():
        raise Forbidden("Staff cannot leave: have your role taken away first.", code="staff")


def placeholder() -> str:
    """Returns an e-mail address that is nobody's, and that nobody can have taken before: the column takes no other."""
    return f"{secrets.token_hex(16)}{NOBODYS}"


@sql_or_unavailable()
def has_left(user_id: int) -> bool:
    """Says whether the person has left. One SQL query."""
    return User.objects.filter(pk=user_id, left_at__isnull=False).exists()


def is_leaving() -> QuerySet[User]:
    """Returns who has left and is not erased."""
    return User.objects.filter(left_at__isnull=False, erased_at=None)


ACCOUNT_STEP = Step("account", _empty_again, _says_something)
"""Their row, which was emptied when they left: once more, whatever has written into it since."""
