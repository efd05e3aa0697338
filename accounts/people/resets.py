"""A new password for who has forgotten theirs, by a letter to their e-mail address.

**Asking tells nothing.** It writes a row of the address, whoever's it is, or nobody's; whose, is looked up by who sends
the letters (people/letters.py). So what is answered, what it costs and how long it takes are the same for every
address.

**A token** is Django's: a keyed digest of the person, the hash of their password, their address, their last sign-in to
the desk, and the time. The security stamp stands in it as well. So it is good for an hour from its letter on, and none
is any more once a password was set, the address was changed, or everything was signed out of. It stands in the letter
and in no row, and nothing logs it. Nobody is sent one who is suspended, has no password, or has power at the desk
(letter_texts.py); of who has got that since it was sent, it is good no more.
"""

import re
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction

from accounts.letter_rows import PasswordReset
from accounts.models import User, privileged
from accounts.people import rules
from accounts.sessions.throttles import has_no_letter, may_have_a_letter
from accounts.sql import sql_or_unavailable
from storage.errors import Forbidden, Refused, Unavailable
from storage.ids.snowflakes import MAX_ID

TOKEN = re.compile(r"([1-9][0-9]{0,18})\.([0-9a-z]{1,12}-[0-9a-f]{1,64})", re.ASCII)
"""Whose it is, and what Django makes."""
NOBODY = ""
"""The address in a row of who asked too often: written, and looked at, as any other."""

log = structlog.get_logger(__name__)


class ResetTokens(PasswordResetTokenGenerator):
    """Django's, which signing out everywhere ends as well."""

    key_salt = "accounts.people.resets"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.security_stamp}"


_tokens = ResetTokens()


@sql_or_unavailable()
def ask(email: str) -> None:
    """Has a letter sent to the address, if it is somebody's. One round trip, and one SQL statement.

    None where enough were asked for within the hour, by whomever, which is not told, and has cost the same. What stands
    in those may have ended since, or they may have been given up: then the address has none until the hour is over.
    Raises `Refused` for what is no address, and `Unavailable`, which does not count, also where letters cannot be sent
    at all.
    """
    faults, address = rules.Faults(), rules.clean_email(email)
    with faults.of("email"):
        rules.check_email(address)
    faults.refuse()
    if not settings.SENDS_LETTERS:
        raise Unavailable("email")
    to, now = address if may_have_a_letter(address) else NOBODY, datetime.now(UTC)
    try:
        PasswordReset.objects.create(email=to, asked_at=now, due_at=now)
    except Exception:
        has_no_letter(address)
        raise


@sql_or_unavailable()
def reset_password(token: str, password: str) -> User:
    """Gives the person of the token this password, and ends everything that they are signed in with.

    Three SQL statements and a hash besides what `end_all` costs; one for a token that is not good. What ends a token,
    or suspends its person, is in force until the password is written: it is looked at again in the locked row, as
    hashing takes a while. Raises `Refused` for that, and for a password that will not do, which leaves the token good;
    `Forbidden` for somebody suspended, `Crowded` and `Unavailable`.
    """
    person = _person_of(token)
    if person is None:
        raise _bad_token()
    if person.suspended_at is not None:
        raise Forbidden("This account is suspended.", code="suspended")
    faults = rules.Faults()
    with faults.of("password"):
        rules.check_password(password, person)
    faults.refuse()
    person.set_password(password)
    with transaction.atomic():
        if not person.lock_password(security_stamp=person.security_stamp, email=person.email, suspended_at=None):
            raise _bad_token()
        person.save(update_fields=["password"])
    log.info("password_reset", user_id=person.id)
    return person


def token_for(person: User) -> str:
    """Returns what the person may set another password with, once and within an hour. Costs nothing."""
    return f"{person.pk}.{_tokens.make_token(person)}"


def _person_of(token: str) -> User | None:
    """One SQL query, none for what looks like no token."""
    match = TOKEN.fullmatch(token)
    if match is None or int(match[1]) > MAX_ID:
        return None
    person = User.objects.filter(pk=int(match[1])).exclude(privileged()).first()
    return person if person is not None and _tokens.check_token(person, match[2]) else None


def _bad_token() -> Refused:
    return Refused("token", "This is not, or no longer, good: ask for another letter.", code="bad_token")
