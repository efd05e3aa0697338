"""What a username, an e-mail address, a password and a profile may be: one truth for every door.

A username is 1–30 ASCII letters, digits and underscores, as on Mastodon. Letters of other
scripts that look alike, and invisible or direction-changing characters, therefore cannot
imitate anyone; a name is never an id, since ids and names are asked for at different places.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.contrib.auth.password_validation import get_password_validators, validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.entities import BIO_MAX, DISPLAY_NAME_MAX, USERNAME_MAX
from accounts.models import EMAIL_MAX, User
from storage.characters import MOST_CODE_POINTS, as_shown, is_overloaded, opaque, shows_more_than
from storage.errors import Refused

USERNAME = re.compile(rf"[A-Za-z0-9_]{{1,{USERNAME_MAX}}}")
EMAIL_CHARACTERS = re.compile(r"[\x21-\x7e]+")
"""Printable ASCII: Django's own check lets control characters and look-alike letters through."""
PASSWORD_MAX = 1_000
"""Any passphrase fits; a megabyte to hash does not."""

TYPED_SPACES = " \t\r\n"
"""A display name of nothing else was left empty; one of other spaces was made to show nothing."""

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
LOST = "lost_"
"""How the names begin of who stands in for an account that was lost (lost.py), before a number: reserved, too."""


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
    if username.lower() in RESERVED_USERNAMES or re.match(rf"{LOST}[0-9]", username.lower()):
        raise ValidationError("This username is reserved.")


def clean_email(text: str) -> str:
    """Returns the address as it is kept and looked for: without spaces around it, its host in small letters."""
    return User.objects.normalize_email(text.strip())


def check_email(email: str) -> None:
    if len(email) > EMAIL_MAX:
        raise ValidationError(f"Use at most {EMAIL_MAX} characters.")
    if not EMAIL_CHARACTERS.fullmatch(email):
        raise ValidationError("Enter a valid email address.")
    validate_email(email)


def check_password(password: str, person: User) -> None:
    """Asks the validators of the settings, of which `PasswordRule` is one. Raises `ValidationError`."""
    validate_password(password, person)


class PasswordRule:
    """The rule for passwords as a validator of Django's, so that its own forms and commands keep it as well.

    `validators` are Django's, which also compare with the person's own name and address. They look at the password as
    typed and as it is hashed, where that differs, and at none that is too long.
    """

    def __init__(self, validators: Sequence[Mapping[str, object]]) -> None:
        self._validators = get_password_validators(validators)

    def validate(self, password: str, user: User | None = None) -> None:
        """Raises `ValidationError` with all that is wrong, each once."""
        if len(password) > PASSWORD_MAX:
            raise ValidationError(f"Use at most {PASSWORD_MAX} characters.")
        faults: dict[str, None] = {}
        for form in {opaque(password), password}:
            try:
                validate_password(form, user, self._validators)
            except ValidationError as error:
                faults |= dict.fromkeys(error.messages)
        if faults:
            raise ValidationError(list(faults))

    def get_help_text(self) -> str:
        texts = [validator.get_help_text() for validator in self._validators]
        return " ".join([*texts, f"Your password must contain at most {PASSWORD_MAX} characters."])


def clean_display_name(text: str) -> str:
    """Returns the name on one line, as it shows; "" for one left empty. Raises `ValidationError`."""
    name = " ".join(_as_shown(text, DISPLAY_NAME_MAX).split())
    if not name and text.strip(TYPED_SPACES):
        raise ValidationError("A display name needs at least one visible character.")
    return name


def clean_bio(text: str) -> str:
    """Returns the bio as it shows, on as many lines as it has. Raises `ValidationError`."""
    return _as_shown(text, BIO_MAX, lines=True)


def _as_shown(text: str, most: int, *, lines: bool = False) -> str:
    """Bounds what is looked at before it looks."""
    if "\x00" in text:
        raise ValidationError("Null characters are not allowed.")
    if len(text) > most * MOST_CODE_POINTS:
        raise ValidationError(f"Use at most {most} characters.")
    shown = as_shown(text, lines=lines)
    if shows_more_than(most, shown):
        raise ValidationError(f"Use at most {most} characters.")
    if is_overloaded(shown):
        raise ValidationError("A character in it has more accents, or more joined to it, than can be shown.")
    return shown
