"""A new password for who has forgotten theirs, by a letter to their e-mail address.

**Asking tells nothing.** It writes a row of the address, whoever's it is, or nobody's; whose, is looked up by who sends
the letters, a worker (feed/tasks.py). So what is answered, what it costs and how long it takes are the same for every
address.

**Nothing that was asked for is lost silently.** The row stands until the letter was handed over. A server that does not
take it is asked again each RETRY_SECONDS; after GIVEN_UP_SECONDS that is logged, and the row goes. Who sends a letter
claims its row for that long: a worker that dies in between has the letter sent once more.

**A token** is Django's: a keyed digest of the person, the hash of their password, their address, their last sign-in to
the desk, and the time. The security stamp stands in it as well. So it is good for an hour from its letter on, and none
is any more once a password was set, the address was changed, or everything was signed out of. It stands in the letter
and in no row, and nothing logs it. Of somebody suspended, and of who has no password, there is none.
"""

import re
import time
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import EmailMessage
from django.db import transaction

from accounts.models import PasswordReset, User
from accounts.people import rules
from accounts.sessions.throttles import may_have_a_letter
from accounts.sql import sql_or_unavailable
from storage.errors import Forbidden, Refused, Unavailable
from storage.ids.snowflakes import MAX_ID

SENT_AT_ONCE = 20
"""Letters of one run; a worker looks every few seconds."""
SENDING_SECONDS = 5.0
"""Of one run, and one letter more: the same worker works orders off."""
RETRY_SECONDS = 60
"""Longer than a server may take (settings.EMAIL_TIMEOUT)."""
GIVEN_UP_SECONDS = 3600
"""Who has waited so long for a letter has asked again."""
TOKEN = re.compile(r"([1-9][0-9]{0,18})\.([0-9a-z]{1,12}-[0-9a-f]{1,64})", re.ASCII)
"""Whose it is, and what Django makes."""
SUBJECT = "A new password"
LETTER = """\
Somebody, we hope you, asked for a new password for @{username}.

{way}

If it was not you, do nothing: the password stays as it is.
"""
BY_LINK = "Follow this within an hour to choose one:\n\n{url}#token={token}"
BY_CODE = "Enter this within an hour where you asked for it:\n\n{token}"

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

    None where enough letters were sent to it in this hour: what stands in them is good. Raises `Refused` for what is no
    address, and `Unavailable`, also where letters cannot be sent at all.
    """
    faults, address = rules.Faults(), rules.clean_email(email)
    with faults.of("email"):
        rules.check_email(address)
    faults.refuse()
    if not settings.SENDS_LETTERS:
        raise Unavailable("email")
    if may_have_a_letter(address):
        now = datetime.now(UTC)
        PasswordReset.objects.create(email=address, asked_at=now, due_at=now)


@sql_or_unavailable()
def reset_password(token: str, password: str) -> User:
    """Gives the person of the token this password, and ends everything that they are signed in with.

    Three SQL statements and a hash besides what `end_all` costs; one for a token that is not good. Raises `Refused`
    for that, and for a password that will not do, which leaves the token good; `Forbidden` for somebody suspended,
    `Crowded` and `Unavailable`.
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
        if not person.lock_password():
            raise _bad_token()
        person.save(update_fields=["password"])
    log.info("password_reset", user_id=person.id)
    return person


def token_for(person: User) -> str:
    """Returns what the person may set another password with, once and within an hour. Costs nothing."""
    return f"{person.pk}.{_tokens.make_token(person)}"


def send_letters() -> int:
    """Sends the letters that are due, up to SENT_AT_ONCE; returns how many it is done with.

    Ends at the first that the server does not take, which comes last the next time: it may not answer at all; and
    after SENDING_SECONDS. Raises `Unavailable` for SQL.
    """
    done, until = 0, time.monotonic() + SENDING_SECONDS
    for asked in _due():
        if not _claim(asked):
            continue
        person = _person_with(asked.email)
        if person is not None and not _sent_or_given_up(asked, person):
            break
        _forget(asked)
        done += 1
        if time.monotonic() >= until:
            break
    return done


@sql_or_unavailable()
def _due() -> list[PasswordReset]:
    return list(PasswordReset.objects.filter(due_at__lte=datetime.now(UTC)).order_by("due_at")[:SENT_AT_ONCE])


@sql_or_unavailable()
def _claim(asked: PasswordReset) -> bool:
    """Whether nobody else is at it."""
    again = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS)
    return bool(PasswordReset.objects.filter(pk=asked.pk, due_at=asked.due_at).update(due_at=again))


@sql_or_unavailable()
def _person_with(email: str) -> User | None:
    """Whose the address is; None for who is to have no letter."""
    person = User.objects.with_email(email).first()
    return person if person is not None and person.is_active and person.has_usable_password() else None


@sql_or_unavailable()
def _forget(asked: PasswordReset) -> None:
    asked.delete()


def _sent_or_given_up(asked: PasswordReset, person: User) -> bool:
    """Whether there is nothing left to do. What the server says is not logged: it may name the address."""
    try:
        _letter(person).send()
    except Exception as error:
        failure = type(error).__name__
        if asked.asked_at + timedelta(seconds=GIVEN_UP_SECONDS) > datetime.now(UTC):
            log.warning("letter_waits", user_id=person.pk, error=failure)
            return False
        log.error("letter_given_up", user_id=person.pk, error=failure)
    return True


def _letter(person: User) -> EmailMessage:
    token = token_for(person)
    url = settings.PASSWORD_RESET_URL
    way = BY_LINK.format(url=url, token=token) if url else BY_CODE.format(token=token)
    return EmailMessage(SUBJECT, LETTER.format(username=person.username, way=way), to=[person.email])


def _person_of(token: str) -> User | None:
    """One SQL query, none for what looks like no token."""
    match = TOKEN.fullmatch(token)
    if match is None or int(match[1]) > MAX_ID:
        return None
    person = User.objects.filter(pk=int(match[1])).first()
    return person if person is not None and _tokens.check_token(person, match[2]) else None


def _bad_token() -> Refused:
    return Refused("token", "This is not, or no longer, good: ask for another letter.", code="bad_token")
