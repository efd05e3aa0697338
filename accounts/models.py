"""People, as rows of SQL. The graph between them lives in the association store."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.validators import URLValidator
from django.db import models
from django.db.models.functions import Lower

from accounts.entities import Account
from accounts.sql import ACCOUNT_COLUMNS, account_of_row
from storage import stores
from storage.characters import MOST_CODE_POINTS, opaque
from storage.ids.snowflakes import id_time

USERNAME_MAX = 30
DISPLAY_NAME_MAX = 50
BIO_MAX = 160
"""Both as a person counts; see storage/characters.py."""
EMAIL_MAX = 254
"""RFC 5321's longest path, less the angle brackets."""


class UserManager(BaseUserManager["User"]):
    """Finds people by name in any case, through the same indexes that keep names unique."""

    def with_username(self, username: str) -> models.QuerySet["User"]:
        return self.alias(username_key=Lower("username")).filter(username_key=username.lower())

    def with_usernames(self, usernames: Collection[str]) -> models.QuerySet["User"]:
        return self.alias(username_key=Lower("username")).filter(username_key__in={each.lower() for each in usernames})

    def with_email(self, email: str) -> models.QuerySet["User"]:
        return self.alias(email_key=Lower("email")).filter(email_key=email.lower())

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
    is_staff = models.BooleanField("staff", default=False, help_text="May sign in to the admin and delete any tweet.")
    suspended_at = models.DateTimeField(null=True, blank=True, editable=False)
    suspended_by = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

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

    def __str__(self) -> str:
        return f"@{self.username}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Gives a new person their snowflake; raises `Unavailable` when none can be made."""
        if not self.pk:
            self.id = stores.ids.next()
            kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def set_password(self, raw_password: str | None) -> None:
        """Hashes the password in one form for all keyboards (people/passwords.py); unsaved. One hash, or two for a
        password typed in another form: as many as refusing it takes."""
        if raw_password is None or (form := opaque(raw_password)) == raw_password:
            super().set_password(raw_password)
            return
        make_password(raw_password)
        super().set_password(form)

    def check_password(self, raw_password: str | None) -> bool:
        """Returns whether the password is this person's, on whatever keyboard. One hash, or two for a password typed
        in another form; where only the typed form is right, the hash is replaced by one of the form for all, unless
        it has been replaced meanwhile: then this object keeps a hash that opens no session."""
        form = opaque(raw_password or "")
        if super().check_password(form):
            return True
        if not raw_password or form == raw_password or not super().check_password(raw_password):
            return False
        before = self.password
        self.set_password(raw_password)
        User.objects.filter(pk=self.pk, password=before).update(password=self.password)
        return True

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.suspended_at is None

    @property
    def created_at(self) -> datetime:
        return id_time(self.id)

    @property
    def account(self) -> Account:
        """Returns the person's account, as of this row."""
        return account_of_row(tuple(getattr(self, name) for name in ACCOUNT_COLUMNS))
