"""What a username, an e-mail address, a password and a profile may be: one truth for every door.

A username is 1–30 ASCII letters, digits and underscores, as on Mastodon. Letters of other
scripts that look alike, and invisible or direction-changing characters, therefore cannot
imitate anyone; a name is never an id, since ids and names are asked for at different places.
"""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import BIO_MAX, DISPLAY_NAME_MAX, EMAIL_MAX, USERNAME_MAX, User
from storage.errors import Refused

USERNAME = re.compile(rf"[A-Za-z0-9_]{{1,{USERNAME_MAX}}}")
EMAIL_CHARACTERS = re.compile(r"[\x21-\x7e]+")
"""Printable ASCII: Django's own check lets control characters and look-alike letters through."""
PASSWORD_MAX = 1_000
"""Any passphrase fits; a megabyte to hash does not."""

RESERVED_USERNAMES = frozenset(
    """
    about abuse account accounts admin administrator api app auth blog bookmarks contact docs explore feed graphql
    healthz help home hostmaster info legal login logout mail me media metrics moderator moderation mod news
    noreply notifications null official oauth owner password policy postmaster press privacy public readyz register
    reports root rules search security settings signin signout signup staff static status support system team
    terms timeline trending tweet tweets undefined user users verified webmaster ws www
    """.split()  # noqa: SIM905 - one name a line would hide the list
)
"""Names that read as part of the service, or that a path or mailbox of it may need."""

OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text after them, and so of the page around a name."""


class Invalid(Refused):
    """Several fields refused at once."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        field, messages = next(iter(errors.items()))
        super().__init__(field, messages[0])
        self._errors = errors

    @property
    def errors(self) -> dict[str, list[str]]:
        return self._errors


class Faults:
    """Collects what is wrong with each field, so that a client hears of all of it at once."""

    def __init__(self) -> None:
        self._errors: dict[str, list[str]] = {}

    @contextmanager
    def of(self, field: str) -> Iterator[None]:
        """Notes a `ValidationError` raised inside under `field`."""
        try:
            yield
        except ValidationError as error:
            self.note(field, *error.messages)

    def note(self, field: str, *messages: str) -> None:
        self._errors.setdefault(field, []).extend(messages)

    def refuse(self) -> None:
        """Raises `Invalid` if anything was wrong."""
        if self._errors:
            raise Invalid(self._errors)


def check_username(username: str) -> None:
    if not USERNAME.fullmatch(username):
        raise ValidationError(
            f"Use 1 to {USERNAME_MAX} characters: the letters a to z in either case, digits and underscores."
        )
    if username.lower() in RESERVED_USERNAMES:
        raise ValidationError("This username is reserved.")


def check_email(email: str) -> None:
    if len(email) > EMAIL_MAX:
        raise ValidationError(f"Use at most {EMAIL_MAX} characters.")
    if not EMAIL_CHARACTERS.fullmatch(email):
        raise ValidationError("Enter a valid email address.")
    validate_email(email)


def check_password(password: str, person: User) -> None:
    """Django's configured validators, which also compare with the person's own name and address."""
    if len(password) > PASSWORD_MAX:
        raise ValidationError(f"Use at most {PASSWORD_MAX} characters.")
    validate_password(password, person)


def clean_display_name(text: str) -> str:
    """On one line, without control characters and direction overrides. Raises `ValidationError`."""
    return _clean(" ".join(_refuse_nul(text).split()), DISPLAY_NAME_MAX, keep="")


def clean_bio(text: str) -> str:
    """Lines are kept; the rest as for a display name. Raises `ValidationError`."""
    return _clean(_refuse_nul(text).replace("\r\n", "\n"), BIO_MAX, keep="\n")


def _refuse_nul(text: str) -> str:
    if "\x00" in text:
        raise ValidationError("Null characters are not allowed.")
    return text


def _clean(text: str, most: int, *, keep: str) -> str:
    cleaned = "".join(each for each in text if each in keep or _is_visible(each)).strip()
    if len(cleaned) > most:
        raise ValidationError(f"Use at most {most} characters.")
    return cleaned


def _is_visible(character: str) -> bool:
    """Joiners, which emoji and several scripts need, count as visible."""
    return unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") and character not in OVERRIDES
