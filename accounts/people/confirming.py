"""That an e-mail address is read by whoever gave it: a letter with a token, which is sent back.

**Nothing depends on it.** Who has not confirmed may do everything; their own account says so, to them alone. It is for
the person, who sees a slip of the pen before they need the address, and for staff, who see at the desk whether it was.

**An address is written to** when somebody signs up or changes theirs, and when they ask again. Each address is sent
CONFIRMATIONS_BY_EMAIL letters of this sort an hour, by whomever (sessions/throttles.py); who asks for one more is not
told, and it costs the same, as it does for an address that is confirmed: a row that is nobody's is written then, as
people/resets.py does. What comes to no row counts for nothing. So neither signing up nor asking says of an address
whether it is anybody's.

**The address of before a change is told so.** One that was confirmed is told each time: who has taken an account over
must not be able to use that up. One that was not may be a stranger's, whom whoever types it could have flooded: it is
told in other words, CHANGES_BY_EMAIL times an hour. What differs in its case alone is no other address: the same
mailbox reads it, and it stays confirmed.

**A token** is the person's id and the time, signed under a salt of the address: so it is good for TOKEN_SECONDS, for
that address alone, and none is once the address was changed. It may come again within that time, as a letter may be
opened twice. It stands in the letter and in no row, and nothing logs it.
"""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people.selectors import get_user
from accounts.sessions.throttles import (
    CHANGES_BY_EMAIL,
    CONFIRMATIONS_BY_EMAIL,
    may_be_written_to,
    were_not_written_to,
)
from accounts.sql import sql_or_unavailable
from storage.errors import Forbidden, Refused, Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.redis.rate_limits import Policy

TOKEN_SECONDS = 86_400
"""Who signs up at night looks at their letters in the morning."""
TOKEN = re.compile(r"([1-9][0-9]{0,18})\.[0-9A-Za-z]{1,12}\.[0-9A-Za-z_-]{43}", re.ASCII)
"""Whose it is, when it was made, and Django's signature."""
NOBODY = ""
"""The address in a row of a letter that is not to be sent."""
UNREACHABLE = ".invalid"
"""How addresses end that are nobody's (RFC 2606): of who stands in for a lost account, who has left, and the demo's."""

Kind = AddressLetter.Kind
LIMITED: Mapping[AddressLetter.Kind, Policy] = {Kind.CONFIRM: CONFIRMATIONS_BY_EMAIL, Kind.LET_GO: CHANGES_BY_EMAIL}

log = structlog.get_logger(__name__)


class Address(NamedTuple):
    """An account's address, and since when it is confirmed."""

    email: str
    confirmed_since: datetime | None

    def is_mailbox_of(self, email: str) -> bool:
        """Says whether this is the address, in any case."""
        return self.email.lower() == email.lower()


def token_for(person: User) -> str:
    """Returns what confirms the person's address as it is now, within TOKEN_SECONDS. Costs nothing."""
    return _signer(person).sign(str(person.pk))


@sql_or_unavailable()
def confirm(token: str) -> User:
    """Confirms the address of the token's person. Idempotent while the token is good.

    Two SQL statements. A change of the address at the same moment is not confirmed by it. Raises `Refused` for a token
    that is not good, `Forbidden` for somebody suspended, `Unavailable`.
    """
    person = _person_of(token)
    if person is None:
        raise _bad_token()
    if person.suspended_at is not None:
        raise Forbidden("This account is suspended.", code="suspended")
    since, is_new = person.confirmed_since or datetime.now(UTC), person.confirmed_since is None
    theirs = User.objects.with_email(person.email).filter(pk=person.pk, suspended_at=None)
    if not theirs.update(email_confirmed_at=since, confirmed_email=person.email.lower()):
        raise _bad_token()
    if is_new:
        log.info("email_confirmed", user_id=person.pk)
    person.email_confirmed_at, person.confirmed_email = since, person.email.lower()
    return person


@sql_or_unavailable()
def ask_again(user_id: int) -> None:
    """Has another letter sent to the person's address, unless it is confirmed, or has had enough of them.

    Two SQL statements and a round trip, whatever comes of it. Raises `Unavailable`, which does not count, also where
    letters cannot be sent at all.
    """
    if not settings.SENDS_LETTERS:
        raise Unavailable("email")
    person = get_user(user_id)
    to = person.email if person.confirmed_since is None else NOBODY
    with _counted([(Kind.CONFIRM, person.email)]) as [may]:
        _add(person, to if may else NOBODY, Kind.CONFIRM)


def address_of(person: User) -> Address:
    """Returns the person's address as it stands in the object. Costs nothing."""
    return Address(person.email, person.confirmed_since)


def unconfirm(person: User, before: Address) -> list[str]:
    """Makes the person's address, which was changed and is unsaved, one that is not confirmed; unless it is the one
    `before` in another case. Returns the fields to save. Costs nothing."""
    if before.is_mailbox_of(person.email):
        return []
    person.email_confirmed_at, person.confirmed_email = None, ""
    return ["email_confirmed_at", "confirmed_email"]


@contextmanager
def telling(person: User, before: Address | None = None) -> Generator[Callable[[], None]]:
    """Counts the letters of a new account, or of a change of its address, around the transaction of that; what it
    gives has them sent, and is to be called in there.

    If the block raises they are not counted. A round trip, and an SQL statement a letter; nothing where none is sent.
    """
    letters = _letters(person, before)
    with _counted(letters) as may:

        def tell() -> None:
            for (kind, email), may_have in zip(letters, may, strict=True):
                _add(person, email if may_have else NOBODY, kind)

        yield tell


def _letters(person: User, before: Address | None) -> list[tuple[AddressLetter.Kind, str]]:
    """The new address is asked, the one of before told. None is written to that is nobody's, or the same as before."""
    if not settings.SENDS_LETTERS or (before is not None and before.is_mailbox_of(person.email)):
        return []
    letters = [(Kind.CONFIRM, person.email)]
    if before is not None:
        letters.append((Kind.LET_GO if before.confirmed_since is None else Kind.CHANGED, before.email))
    return [(kind, email) for kind, email in letters if not email.endswith(UNREACHABLE)]


@contextmanager
def _counted(letters: Sequence[tuple[AddressLetter.Kind, str]]) -> Generator[list[bool]]:
    """Whether each may be sent; if the block raises they are not counted."""
    counted = [(LIMITED[kind], email) for kind, email in letters if kind in LIMITED]
    may = iter(may_be_written_to(*counted))
    try:
        yield [next(may) if kind in LIMITED else True for kind, _ in letters]
    except Exception:
        were_not_written_to(*counted)
        raise


def _add(person: User, email: str, kind: AddressLetter.Kind) -> None:
    now = datetime.now(UTC)
    AddressLetter.objects.create(user_id=person.pk, email=email, kind=kind, asked_at=now, due_at=now)


def _signer(person: User) -> TimestampSigner:
    return TimestampSigner(sep=".", salt=f"{__name__}:{person.email.lower()}")


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
