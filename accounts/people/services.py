"""What changes people: signing up and in, the profile; suspensions stand apart (suspending.py).

Each change is committed in SQL first; then what is cached of it is invalidated, and only
then the caller goes on: a change is in force for every request that starts later. Inside a
caller's transaction the invalidation waits for its commit.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import structlog
from django.db import IntegrityError, transaction

from accounts.account_cache.changes import note_change
from accounts.models import User
from accounts.people import confirming, rules
from accounts.people.selectors import find_login, get_user
from accounts.sessions.ending import end_all
from accounts.sessions.hashing_turns import TURNS
from accounts.sessions.throttles import PasswordTry
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from storage.errors import Crowded, Forbidden, NotSignedIn, Refused

log = structlog.get_logger(__name__)

PROFILE_RULES: Mapping[str, Callable[[str], str]] = {
    "display_name": rules.clean_display_name,
    "bio": rules.clean_bio,
}
"""What a person may change of what everyone sees, and what becomes of what they give."""


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; None leaves a field as it is. A new password or address needs `current_password`."""

    display_name: str | None = None
    bio: str | None = None
    protected: bool | None = None
    """Whether tweets are for accepted followers only. Requests to follow stay either way (graph/requests.py)."""
    email: str | None = None
    password: str | None = None
    current_password: str | None = None

    @property
    def asks_for_password(self) -> bool:
        """Says whether it may need the current password: then the door gives a try at it."""
        return self.password is not None or self.email is not None


@sql_or_unavailable()
def register(*, username: str, email: str, password: str) -> User:
    """Registers a new person, who goes by their username until they choose a display name.

    Four SQL statements, a round trip and a password hash; a letter asks whether the address is theirs (confirming.py).
    Raises `Refused` with all that is wrong; of several that ask for one name or address at once, one gets it. That an
    address is taken is told when nothing else is wrong: who asks about a free one has made an account with it.
    """
    email = rules.clean_email(email)
    person = User(username=username, email=email, display_name=username)
    faults = rules.Faults()
    with faults.of("username"):
        rules.check_username(username)
    with faults.of("email"):
        rules.check_email(email)
    with faults.of("password"):
        rules.check_password(password, person)
    faults.refuse()
    _refuse_taken(username=username)
    _refuse_taken(email=email)
    person.set_password(password)
    with confirming.telling(person) as tell, transaction.atomic():
        _save_unique(person, username=username, email=email)
        tell()
    return person


@sql_or_unavailable()
def sign_in(*, login: str, password: str, tried: PasswordTry | None = None) -> User:
    """Returns the person whose username or e-mail address, in any case, and password these are.

    Spaces around the login do not matter: registering trims an address in the same way. Every door says in `tried`
    where it is tried from (sessions/throttles.py), which is counted before anything is hashed; without it nothing is.

    Raises `NotSignedIn`, which tells neither which of the two was wrong nor, by its time,
    whether there is such a person; `Forbidden` for someone suspended; `TooMany`, and `Crowded`.
    """
    person = find_login(login)
    with _counted(tried, None if person is None else person.pk, login) as right:
        person = _proven(person, password[: rules.PASSWORD_MAX + 1])
        right()
    if person.suspended_at is not None:
        raise Forbidden("This account is suspended.", code="suspended")
    return person


@sql_or_unavailable()
def update_profile(
    user_id: int, change: ProfileChange, *, token_digest: str | None = None, tried: PasswordTry | None = None
) -> User:
    """Returns the person as changed; all of it or nothing.

    A new password ends every token but the one with `token_digest`, that of the session in
    which it was changed (as GitHub and Mastodon do), and the admin's sessions. Raises `Refused` with all that is
    wrong, but that an address is taken only to who gave the right password; `NotSignedIn` for who has left meanwhile,
    as every door answers them. Where a password or an address may change, a door gives `tried`, as to `sign_in`. An
    address that was changed is confirmed no more, and letters tell of it (people/confirming.py). One SQL query and, if
    anything changes, one to eight statements.
    """
    person = get_user(user_id)
    before = confirming.address_of(person)
    fields = _apply(person, change, tried)
    if change.password is not None:
        person.set_password(change.password)
    if "email" in fields:
        if tried is not None:
            tried.email_probe(person.id)
        _refuse_taken(email=person.email, but=person.id)
        fields += confirming.unconfirm(person, before)
    if change.password is not None:
        fields.append("password")
    if fields:
        with confirming.telling(person, before) as tell, transaction.atomic():
            if not _is_here(person.id):
                raise NotSignedIn("You have been signed out.", code="bad_token")
            if {"password", "email"} & set(fields):
                _refuse_changed(person, before.email if "email" in fields else None)
            person.keeps_token = token_digest
            _save_unique(person, email=person.email, update_fields=fields)
            tell()
            announce(person, fields)
    return person


@sql_or_unavailable()
def sign_out(person: User, *, by: User, reason: str = "") -> None:
    """Ends everything that the person is signed in with, as `end_all` does. Raises `Unavailable`."""
    with transaction.atomic():
        end_all(person.id)
        staff_log.record(by=by, action="sign out", subject=staff_log.person(person.id), reason=reason)
    log.info("account_signed_out", user_id=person.id, by_id=by.id)


@sql_or_unavailable()
def set_verified(person: User, verified: bool, *, by: User, reason: str = "") -> None:
    """Marks the person as who they say they are, or takes the mark away. Idempotent.

    Raises `Forbidden` for who has left, `Unavailable`.
    """
    with transaction.atomic():
        lock_who_is_here(person.id)
        if not User.objects.filter(pk=person.pk).exclude(verified=verified).update(verified=verified):
            return
        person.verified = verified
        staff_log.record(
            by=by,
            action="verify" if verified else "unverify",
            subject=staff_log.person(person.id),
            before={"verified": not verified},
            after={"verified": verified},
            reason=reason,
        )
        announce(person, ["verified"])


def _refuse_changed(person: User, email_before: str | None) -> None:
    """Locks the row; refuses if its password is another one by now, or its address, where one is given. In a
    transaction, after `_is_here`. One SQL query, and another one to refuse."""
    if person.lock_password(**({} if email_before is None else {"email": email_before})):
        return
    if email_before is not None and person.lock_password():
        raise Refused("email", "The address was changed a moment ago: look at it first.", code="changed_meanwhile")
    raise rules.Invalid({"current_password": ["This is not the current password."]})


def lock_who_is_here(person_id: int) -> None:
    """Locks the person's row until the transaction ends; raises `Forbidden` if they have left.

    Before whatever writes into a row what was read before: it was emptied meanwhile, for good. One SQL query.
    """
    if not _is_here(person_id):
        raise Forbidden("Who has left is not changed any more.", code="left")


def _is_here(person_id: int) -> bool:
    """Locks the person's row until the transaction ends; says whether they have not left."""
    standing = User.objects.select_for_update().filter(pk=person_id).values_list("left_at", flat=True)
    return standing.first() is None


def announce(person: User, fields: list[str]) -> None:
    """Once committed, makes every reader see the person's new account, if any of `fields` shows on it.

    In the transaction that changes it. One SQL statement at most.
    """
    if set(fields) - {"password", "email", "email_confirmed_at", "confirmed_email", "last_login"}:
        note_change(person.id)


def _apply(person: User, change: ProfileChange, tried: PasswordTry | None) -> list[str]:
    """Puts what changes onto `person`, unsaved, but for the password; the names of those fields. Raises `Refused`."""
    before = {field: getattr(person, field) for field in (*PROFILE_RULES, "email", "protected_at")}
    faults = rules.Faults()
    for field, clean in PROFILE_RULES.items():
        given: str | None = getattr(change, field)
        if given is not None:
            with faults.of(field):
                setattr(person, field, clean(given))
    person.display_name = person.display_name or person.username
    if change.protected is not None and change.protected != (person.protected_at is not None):
        person.protected_at = datetime.now(UTC) if change.protected else None
    if change.email is not None:
        with faults.of("email"):
            email = rules.clean_email(change.email)
            rules.check_email(email)
            person.email = email
    fields = [field for field, value in before.items() if getattr(person, field) != value]
    if change.password is not None:
        with faults.of("password"):
            rules.check_password(change.password, person)
    if change.password is not None or "email" in fields:
        _prove(person, change.current_password, faults, tried)
    faults.refuse()
    return fields


def _prove(person: User, password: str | None, faults: rules.Faults, tried: PasswordTry | None) -> None:
    """Notes under `current_password` unless it is the person's."""
    if password is None:
        faults.note("current_password", "The current password is needed to set a new one, or a new e-mail address.")
        return
    if not knows_password(person, password, tried):
        faults.note("current_password", "This is not the current password.")


def knows_password(person: User, password: str, tried: PasswordTry | None) -> bool:
    """Returns whether the password is the person's, counted as a guess at it. Raises `TooMany` and `Crowded`."""
    with _counted(tried, person.id) as right:
        if is_right := person.check_password(password[: rules.PASSWORD_MAX + 1]):
            right()
    return is_right


def _proven(person: User | None, password: str) -> User:
    """The person, if the password is theirs; as many hashes for nobody. Raises `NotSignedIn`."""
    if person is None or not person.has_usable_password():
        User().set_password(password)
        raise _bad_credentials()
    if not person.check_password(password):
        raise _bad_credentials()
    return person


@contextmanager
def _counted(tried: PasswordTry | None, person_id: int | None, login: str = "") -> Generator[Callable[[], None]]:
    """Counts a guess before the block looks at it, which calls what it is given if the guess was right.

    A guess that had no turn to be hashed was none; one turn is for all of its hashes, so that none is half made.
    """
    if tried is None:
        yield lambda: None
        return
    tried.guess(person_id, login)
    try:
        with TURNS.turn():
            yield tried.was_right
    except Crowded:
        tried.was_not_made()
        raise


def _refuse_taken(*, username: str | None = None, email: str | None = None, but: int = 0) -> None:
    faults = rules.Faults()
    if username is not None and User.objects.with_username(username).exclude(pk=but).exists():
        faults.note("username", "This username is taken.")
    if email is not None and User.objects.with_email(email).exclude(pk=but).exists():
        faults.note("email", "This e-mail address is taken.")
    faults.refuse()


def _save_unique(
    person: User, *, update_fields: list[str] | None = None, username: str | None = None, email: str | None = None
) -> None:
    """Saves; if someone else was faster with this name or address, refuses it."""
    but = person.pk or 0
    try:
        with transaction.atomic():
            person.save(update_fields=update_fields)
    except IntegrityError:
        _refuse_taken(username=username, email=email, but=but)
        raise


def _bad_credentials() -> NotSignedIn:
    return NotSignedIn("The username, e-mail address or password is wrong.", code="bad_credentials")
