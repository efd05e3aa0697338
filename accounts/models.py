"""People, as rows of SQL. The graph between them lives in the association store.

Other rows of the package: letter_rows.py, session_rows.py, staff_rows.py.
"""

from collections.abc import Collection, Iterable
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Self

from django.contrib.auth import hashers
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.validators import URLValidator
from django.db import models, transaction
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from accounts import session_rows, staff_rows  # noqa: F401 - here Django finds the rows of a package
from accounts.entities import BIO_MAX, DISPLAY_NAME_MAX, USERNAME_MAX, Account
from accounts.letter_rows import ADDRESS_MAX
from accounts.sql import ACCOUNT_COLUMNS, ByCodePoint, account_of_row
from storage import stores
from storage.characters import MOST_CODE_POINTS, opaque
from storage.ids.snowflakes import id_time

EMAIL_MAX = ADDRESS_MAX
LAST_CHARACTER = "\U0010ffff"
STAMP_MAX = 32
"""Of a security stamp: 128 random bits in hex, or none yet."""


class UserManager(BaseUserManager["User"]):
    """Finds people by name in any case, through the same indexes that keep names unique."""

    def with_username(self, username: str) -> models.QuerySet["User"]:
        return self.alias(username_key=Lower("username")).filter(username_key=username.lower())

    def with_usernames(self, usernames: Collection[str]) -> models.QuerySet["User"]:
        return self.alias(username_key=Lower("username")).filter(username_key__in={each.lower() for each in usernames})

    def with_email(self, email: str) -> models.QuerySet["User"]:
        return self.alias(email_key=Lower("email")).filter(email_key=email.lower())

    def beginning_with(self, field: str, text: str, *, behind: str | None = None) -> models.QuerySet["User"]:
        """Returns people whose `field`, "username" or "display_name", begins so in any case, in its order: by `key`.

        Those alone who stand `behind` a key, if there is one. Found and read in an index, which is entered where the
        first of them stands: of two bounds below, SQLite would take either. In any case as the database has it: SQLite
        knows that of A to Z alone, in names and in `text` alike.
        """
        key, begun, end = (ByCodePoint(Lower(each)) for each in (field, Value(text), Value(text + LAST_CHARACTER)))
        below = models.Q(key__gte=begun) if behind is None else models.Q(key__gt=behind)
        return self.alias(key=key).filter(below, key__lt=end).order_by("key")

    def ids_beginning_with(self, field: str, text: str, *, limit: int) -> list[int]:
        """Returns the ids of the first of `beginning_with`. One SQL query, which reads up to `limit`."""
        return list(self.beginning_with(field, text).values_list("pk", flat=True)[:limit])

    def get_by_natural_key(self, username: str | None) -> "User":
        """Finds people for Django's own sign-in (the admin's) and for `createsuperuser`."""
        return self.with_username(username or "").get()

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: object) -> "User":
        """Makes a superuser, by `manage.py createsuperuser`; may take a reserved name. Raises `ValidationError`."""
        person = self.model(username=username, display_name=username, email=email, is_staff=True, is_superuser=True)
        person.set_password(password)
        person.full_clean(exclude=["id"])
        person.save(using=self._db)
        return person


class User(AbstractBaseUser, PermissionsMixin):
    """One person. `username` and `email` keep the case they were typed in and are unique in any.

    A suspended person is inactive in Django's sense, so that one column shuts every door:
    tokens, sign-in, and the admin's sessions.
    """

    id = models.BigIntegerField(primary_key=True, editable=False)
    username = models.CharField(max_length=USERNAME_MAX)
    email = models.EmailField(max_length=EMAIL_MAX)
    display_name = models.CharField(max_length=DISPLAY_NAME_MAX * MOST_CODE_POINTS)
    bio = models.CharField(max_length=BIO_MAX * MOST_CODE_POINTS, blank=True, default="")
    avatar_url = models.CharField(max_length=500, blank=True, default="", validators=[URLValidator(["https"])])
    verified = models.BooleanField(default=False)
    is_staff = models.BooleanField(
        "staff", default=False, help_text="May sign in to the desk, and do there what a role allows."
    )
    suspended_at = models.DateTimeField(null=True, blank=True, editable=False)
    suspended_until = models.DateTimeField(null=True, blank=True, editable=False)
    """When it ends by itself (people/suspending.py), None: when somebody ends it."""
    suspended_by = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    left_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When they left for good, suspended ever since (people/leaving.py)."""
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Of who has left: since when nothing else of them is kept (feed/leaving)."""
    protected_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Since when their tweets are for accepted followers only (graph/protection.py), None: for everybody."""
    email_confirmed_at = models.DateTimeField(null=True, blank=True, editable=False)
    confirmed_email = models.CharField(max_length=EMAIL_MAX, blank=True, default="", db_default="", editable=False)
    """Which address that was, in small letters: `confirmed_since` says whether it is still theirs."""
    muted_words_version = models.BigIntegerField(default=0, db_default=0, editable=False)
    """Another one, a snowflake, whenever the words that they have muted change (feed/notifications/muted_words.py)."""
    security_stamp = models.CharField(max_length=STAMP_MAX, blank=True, default="", db_default="", editable=False)
    """What the admin's sessions of this person are bound to: renewed, and none of them is good (sessions/ending.py)."""

    keeps_token: str | None = None
    """The digest of the one token that a change of the password leaves; for who changes it on this object."""
    _password: str | None
    _password_in_row: str | None = None
    """The hash as it was read or written last."""

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="username_any_case", violation_error_message="This username is taken."
            ),
            models.UniqueConstraint(
                Lower("email"), name="email_any_case", violation_error_message="This e-mail address is taken."
            ),
        ]
        indexes = [
            models.Index(
                fields=["suspended_until"],
                condition=models.Q(suspended_until__isnull=False),
                name="suspensions_that_end",
            ),
            models.Index(
                fields=["left_at"], condition=models.Q(left_at__isnull=False, erased_at=None), name="people_leaving"
            ),
            # What the desk's list of people can be narrowed to, which are few of many.
            models.Index(fields=["-id"], condition=models.Q(suspended_at__isnull=False), name="people_suspended"),
            models.Index(fields=["-id"], condition=models.Q(is_staff=True), name="people_of_staff"),
            models.Index(fields=["-id"], condition=models.Q(verified=True), name="people_verified"),
            models.Index(ByCodePoint(Lower("username")), name="people_by_username"),
            models.Index(ByCodePoint(Lower("display_name")), "id", name="people_by_display_name_id"),
        ]

    def __str__(self) -> str:
        return f"@{self.username}"

    @classmethod
    def from_db(cls, *row: Any, **options: Any) -> Self:
        person = super().from_db(*row, **options)
        person._remember_password()
        return person

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Self] | None = None,
    ) -> None:
        read = None if fields is None else list(fields)
        super().refresh_from_db(using, read, from_queryset)
        if read is None or "password" in read:
            self._remember_password()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Gives a new person their snowflake; raises `Unavailable` when none can be made.

        Of anybody else, a password hash that is not the row's ends every session and token in the same transaction,
        whoever has set it and however: Django then calls `password_changed` of the configured validators, one of
        which does it (sessions/ending.py). What is not changed here is not written either: an object read before
        somebody else's change brings back neither the old password nor the sessions that ended with it.
        """
        if not self.pk:
            self.id = stores.ids.next()
            kwargs["force_insert"] = True
            self._password = None
        if self._state.adding:
            super().save(*args, **kwargs)
        else:
            kwargs["update_fields"] = written = self._written(kwargs.get("update_fields"))
            changes = "password" in written and self.__dict__.get("password") != self._password_in_row
            self._password = self._password or "" if changes else None
            with transaction.atomic() if changes else nullcontext():
                super().save(*args, **kwargs)
            if "password" not in written:
                return
        self._remember_password()

    def _written(self, asked: Iterable[str] | None) -> set[str]:
        """Returns the fields to write: those asked for, or all that were read but what only a change of it writes."""
        if asked is not None:
            return set(asked)
        loaded = {field.attname for field in self._meta.concrete_fields if not field.primary_key}
        unchanged = {"password"} if self.__dict__.get("password") == self._password_in_row else set()
        return loaded - self.get_deferred_fields() - unchanged - {"security_stamp"}

    def _remember_password(self) -> None:
        self._password_in_row = self.__dict__.get("password")

    def set_password(self, raw_password: str | None) -> None:
        """Hashes the password in one form for all keyboards (people/passwords.py); unsaved. One hash, or two for a
        password typed in another form: as many as refusing it takes."""
        if raw_password is None or (form := opaque(raw_password)) == raw_password:
            super().set_password(raw_password)
            return
        hashers.make_password(raw_password)
        super().set_password(form)

    def check_password(self, raw_password: str | None) -> bool:
        """Returns whether the password is this person's, on whatever keyboard. One hash, or two for a password typed
        in another form; and one more where the hash is of what was typed or by an older hasher, and is replaced. That
        is no change of the password, and ends nothing."""
        form = opaque(raw_password or "")
        if hashers.check_password(form, self.password, self._rehash):
            return True
        if not raw_password or form == raw_password or not hashers.check_password(raw_password, self.password):
            return False
        self._rehash(form)
        return True

    def _rehash(self, form: str) -> None:
        """Replaces the hash unless another has meanwhile: then this object keeps one that opens no session."""
        before, self.password = self.password, hashers.make_password(form)
        User.objects.filter(pk=self.pk, password=before).update(password=self.password)
        self._remember_password()

    def lock_password(self, **columns: Any) -> bool:
        """Locks the row until the transaction ends; says whether its hash is still the one that this object read.

        And, of other columns, whether they are as given. One SQL statement. For who was let in by what stood there
        then, and must not write over what is newer.
        """
        row = User.objects.select_for_update().filter(pk=self.pk, password=self._password_in_row, **columns)
        return row.values_list("pk").first() is not None

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Returns what Django binds a session of the admin to; looked at with each of its requests.

        Of the security stamp, and not of the password's hash, which is replaced by a better one without a change of
        the password.
        """
        value = f"{self.pk}:{self.security_stamp}"
        return salted_hmac("accounts.session", value, secret=secret, algorithm="sha256").hexdigest()

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.suspended_at is None

    @property
    def is_privileged(self) -> bool:
        """Says whether only superusers may touch this person (`privileged`). At most one SQL query."""
        return self.is_staff or self.is_superuser or User.objects.filter(privileged(), pk=self.pk).exists()

    @property
    def created_at(self) -> datetime:
        return id_time(self.id)

    @property
    def confirmed_since(self) -> datetime | None:
        """Since when `email` is known to be read by them (people/confirming.py), None: it is not known to be.

        Of the address that was confirmed and no other: whoever changes `email` alone, as processes do that know of no
        confirming, leaves none confirmed. Its case does not matter, as nowhere else.
        """
        return self.email_confirmed_at if self.confirmed_email == self.email.lower() else None

    @property
    def account(self) -> Account:
        """Returns the person's account, as of this row."""
        return account_of_row(tuple(getattr(self, name) for name in ACCOUNT_COLUMNS))


def privileged(path: str = "") -> models.Q:
    """Returns the condition that somebody has, or can be given back, power in the admin; `path` leads to the person.

    Staff and superusers, and who has groups or permissions of their own: those wait for whoever makes them staff again.
    """
    groups, permissions = User.groups.through, User.user_permissions.through
    return (
        models.Q((f"{path}is_staff", True))
        | models.Q((f"{path}is_superuser", True))
        | models.Q((f"{path}pk__in", groups._default_manager.values("user_id")))
        | models.Q((f"{path}pk__in", permissions._default_manager.values("user_id")))
    )
