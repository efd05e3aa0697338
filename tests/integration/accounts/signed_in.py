"""Somebody who is signed in everywhere, and a change of their password."""

from django.contrib.auth.hashers import make_password

from accounts.models import User
from tests.integration.accounts.admins import NEW_PASSWORD, is_in, signed_in
from tests.people import PASSWORD, ApiClient, new_person

OLDER_HASHER = "django.contrib.auth.hashers.PBKDF2PasswordHasher"


class SignedIn:
    """Somebody of the staff who is signed in at the API twice and in the admin twice."""

    def __init__(self) -> None:
        self.person = new_person(staff=True)
        self.here, self.elsewhere = ApiClient(self.person), ApiClient(self.person)
        self.admin, self.other_admin = signed_in(self.person), signed_in(self.person)
        assert self.all() == [True] * 4

    def all(self) -> list[bool]:
        """Of each session whether it is good: here, elsewhere, admin, the other admin."""
        api = [client.get("/api/v1/me").status_code == 200 for client in (self.here, self.elsewhere)]
        return [*api, is_in(self.admin), is_in(self.other_admin)]

    def read_again(self) -> User:
        return User.objects.get(pk=self.person.pk)


def set_and_saved(person: User) -> None:
    person.set_password(NEW_PASSWORD)
    person.save()


def hashed_by_an_older_hasher(person: User) -> None:
    User.objects.filter(pk=person.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
