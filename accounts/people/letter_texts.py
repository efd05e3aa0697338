"""What letters say, and to whom each is written, as people and addresses stand when it is sent.

**Staff and superusers have no letter of a forgotten password**, nor has anybody else with power at the desk: who reads
their letters would have that. Their passwords are set by a superuser. What confirms an address gives nobody power.
"""

from typing import NamedTuple

from django.conf import settings
from django.core.mail import EmailMessage

from accounts.letter_rows import AddressLetter, LetterRow, PasswordReset
from accounts.models import User, privileged
from accounts.people import confirming, resets

RESET_SUBJECT = "A new password"
RESET = """\
Somebody, we hope you, asked for a new password for @{username}.

{way}

If it was not you, do nothing: the password stays as it is.
"""
RESET_BY_LINK = "Follow this within an hour to choose one:\n\n{url}#token={token}"
RESET_BY_CODE = "Enter this within an hour where you asked for it:\n\n{token}"

CONFIRM_SUBJECT = "Is this your address?"
CONFIRM = """\
Somebody, we hope you, gave this e-mail address for @{username}.

{way}

If it was not you, do nothing: the address stays unconfirmed.
"""
CONFIRM_BY_LINK = "Follow this within a day to confirm it:\n\n{url}#token={token}"
CONFIRM_BY_CODE = "Enter this within a day to confirm it:\n\n{token}"

CHANGED_SUBJECT = "Your e-mail address was changed"
CHANGED = """\
The e-mail address of @{username} was changed. It was this one until now; letters go to the new one from now on.

If it was not you, somebody knows your password: sign in and change it, and the address, at once. If you cannot sign in
any more, turn to whoever runs this site.
"""

LET_GO_SUBJECT = "An address was taken out of an account"
LET_GO = """\
Somebody gave this e-mail address for @{username}, which nobody has confirmed, and has given another one now. That
account sends no more letters here.

If you know of no such account, do nothing. If it is yours, and it was not you who changed the address, somebody knows
your password: sign in and change both.
"""


class Letter(NamedTuple):
    """`user_id` is whose account it is of, which may be logged; addresses are not."""

    user_id: int
    message: EmailMessage


def letter_of(row: LetterRow) -> Letter | None:
    """Returns the letter of a row; None if there is none to be written any more. At most one SQL query."""
    if not row.email:
        return None
    if isinstance(row, PasswordReset):
        return _reset(row)
    if isinstance(row, AddressLetter):
        return _confirm(row) if row.kind == AddressLetter.Kind.CONFIRM else _changed(row)
    raise TypeError(row)


def _reset(row: PasswordReset) -> Letter | None:
    person = User.objects.with_email(row.email).exclude(privileged()).first()
    if person is None or not person.is_active or not person.has_usable_password():
        return None
    way = _way(settings.PASSWORD_RESET_URL, resets.token_for(person), RESET_BY_LINK, RESET_BY_CODE)
    return _letter(person, person.email, RESET_SUBJECT, RESET.format(username=person.username, way=way))


def _confirm(row: AddressLetter) -> Letter | None:
    person = User.objects.with_email(row.email).filter(pk=row.user_id).first()
    if person is None or not person.is_active or person.confirmed_since is not None:
        return None
    way = _way(settings.EMAIL_CONFIRMATION_URL, confirming.token_for(person), CONFIRM_BY_LINK, CONFIRM_BY_CODE)
    return _letter(person, person.email, CONFIRM_SUBJECT, CONFIRM.format(username=person.username, way=way))


def _changed(row: AddressLetter) -> Letter | None:
    """To the address of before, whatever the account has become: who took it over may have left with it since."""
    person = User.objects.filter(pk=row.user_id).first()
    if person is None:
        return None
    is_theirs = row.kind == AddressLetter.Kind.CHANGED
    subject, text = (CHANGED_SUBJECT, CHANGED) if is_theirs else (LET_GO_SUBJECT, LET_GO)
    return _letter(person, row.email, subject, text.format(username=person.username))


def _way(url: str, token: str, by_link: str, by_code: str) -> str:
    return by_link.format(url=url, token=token) if url else by_code.format(token=token)


def _letter(person: User, to: str, subject: str, text: str) -> Letter:
    return Letter(person.pk, EmailMessage(subject, text, to=[to]))
