"""That an e-mail address is read by whoever gave it: a letter with a token, which is sent back.

**Nothing depends on it.** Who has not confirmed may do everything; their own account says so, to them alone. It is for
the person, who sees a slip of the pen before they need the address, and for staff, who see at the desk whether it was.

**An address is written to** when somebody signs up or changes theirs, and when they ask again. Each address is sent
CONFIRMATIONS_BY_EMAIL letters of this sort an hour, by whomever (sessions/throttles.py); who asks for one more is not
told, and it costs the same, as it does for an address that is confirmed: a row that is nobody's is written then, as
people/resets.py does. The address of before a change is told so, as often as it happens: who has taken an account over
must not be able to use that up. So neither signing up nor asking says of an address whether it is anybody's.

**A token** is the person's id and the time, signed under a salt of the address: so it is good for TOKEN_SECONDS, for
that address alone, and none is once the address was changed. It may come again within that time, as a letter may be
opened twice. It stands in the letter and in no row, and nothing logs it.
"""

import re
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people.selectors import get_user
from accounts.sessions.throttles import may_be_asked_to_confirm
from accounts.sql import sql_or_unavailable
from storage.errors import Forbidden, Refused, Unavailable
from storage.ids.snowflakes import MAX_ID

TOKEN_SECONDS = 86_400
"""Who signs up at night looks at their letters in the morning."""
TOKEN = re.compile(r"([1-9][0-9]{0,18})\.[0-9A-Za-z]{1,12}\.[0-9A-Za-z_-]{43}", re.ASCII)
"""Whose it is, when it was made, and Django's signature."""
NOBODY = ""
"""The address in a row of a letter that is not to be sent."""
UNREACHABLE = ".invalid"
"""How addresses end that are nobody's (RFC 2606): of who stands in for a lost account, who has left, and the demo's."""

log = structlog.get_logger(__name__)


def token_for(person: User) -> str:
    """Returns what confirms the person's address as it is now, within TOKEN_SECONDS. Costs nothing."""
    return _signer(person).sign(str(person.pk))


@sql_or_unavailable()
def confirm(token: str) -> User:
    """Confirms the address of the token's person. Idempotent while the token is good.

    Two SQL statements, one where there is nothing to change. A change of the address at the same moment is not
    confirmed by it. Raises `Refused` for a token that is not good, `Forbidden` for somebody suspended, `Unavailable`.
    """
    person = _person_of(token)
    if person is None:
        raise _bad_token()
    if person.suspended_at is not None:
        raise Forbidden("This account is suspended.", code="suspended")
    if person.email_confirmed_at is None:
        person.email_confirmed_at = datetime.now(UTC)
        theirs = User.objects.filter(pk=person.pk, email=person.email, suspended_at=None)
        if not theirs.update(email_confirmed_at=person.email_confirmed_at):
            raise _bad_token()
        log.info("email_confirmed", user_id=person.pk)
    return person


@sql_or_unavailable()
def ask_again(user_id: int) -> None:
    """Has another letter sent to the person's address, unless it is confirmed, or has had enough of them.

    Two SQL statements and a round trip, whatever comes of it. Raises `Unavailable`, also where letters cannot be sent
    at all.
    """
    if not settings.SENDS_LETTERS:
        raise Unavailable("email")
    person = get_user(user_id)
    may = may_ask(person.email)
    _add(person, person.email if may and person.email_confirmed_at is None else NOBODY, AddressLetter.Kind.CONFIRM)


def may_ask(email: str) -> bool:
    """Counts a letter that asks whether an address is the account's, before the transaction of `ask_to_confirm`; says
    whether it may be sent. A round trip."""
    return may_be_asked_to_confirm(email)


def ask_to_confirm(person: User, *, may: bool) -> None:
    """Has a letter sent to the address of somebody who is new, or has changed it, if it `may`. In the transaction of
    that. An SQL statement, which an address that has had enough costs as well."""
    if settings.SENDS_LETTERS:
        to = person.email if may and not person.email.endswith(UNREACHABLE) else NOBODY
        _add(person, to, AddressLetter.Kind.CONFIRM)


def tell_of_change(person: User, before: str, *, may: bool) -> None:
    """Has the address that was the person's told so, and the one that is asked to be confirmed, if it `may`. In the
    transaction that changes it. Two SQL statements."""
    if settings.SENDS_LETTERS and not before.endswith(UNREACHABLE):
        _add(person, before, AddressLetter.Kind.CHANGED)
    ask_to_confirm(person, may=may)


def _add(person: User, email: str, kind: AddressLetter.Kind) -> None:
    now = datetime.now(UTC)
    AddressLetter.objects.create(user_id=person.pk, email=email, kind=kind, asked_at=now, due_at=now)


def _signer(person: User) -> TimestampSigner:
    return TimestampSigner(sep=".", salt=f"{__name__}:{person.email}")


def _person_of(token: str) -> User | None:
    """One SQL query, none for what looks like no token."""
    match = TOKEN.fullmatch(token)
    if match is None or int(match[1]) > MAX_ID:
        return None
    person = User.objects.filter(pk=int(match[1])).first()
    if person is None:
        return None
    try:
        _signer(person).unsign(token, max_age=TOKEN_SECONDS)
    except BadSignature:
        return None
    return person


def _bad_token() -> Refused:
    return Refused("token", "This is not, or no longer, good: ask for another letter.", code="bad_token")
