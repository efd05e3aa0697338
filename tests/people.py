"""People for tests, made through the same services as anywhere else."""

import itertools

from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people import services
from accounts.sessions import tokens
from accounts.staff.roles import TABLE, Role

PASSWORD = "correct-horse-41"
_numbers = itertools.count(1)


def new_person(username: str | None = None, *, staff: bool = False) -> User:
    """A signed-up person whose password is PASSWORD, and to whom the letter that confirms an address was sent."""
    name = username or f"person_{next(_numbers)}"
    person = services.register(username=name, email=f"{name}@example.org", password=PASSWORD)
    AddressLetter.objects.filter(user_id=person.pk).delete()
    if staff:
        User.objects.filter(pk=person.pk).update(is_staff=True, is_superuser=True)
        person.refresh_from_db()
    return person


def new_staff(role: Role, username: str | None = None) -> User:
    """Somebody of staff who has this role and no other right."""
    make_roles()
    person = new_person(username)
    User.objects.filter(pk=person.pk).update(is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    person.refresh_from_db()
    return person


def make_roles() -> None:
    """Makes the groups that are missing, as the migration did before a test emptied the database."""
    for role in Role:
        group, made = Group.objects.get_or_create(name=role)
        if made:
            rights = [str(right) for right, roles in TABLE.items() if role in roles]
            group.permissions.set(Permission.objects.filter(content_type__app_label="accounts", codename__in=rights))


class ApiClient(Client):
    """Speaks JSON, and for `person` if one is given, with a token of their own."""

    def __init__(self, person: User | None = None, *, token: str | None = None) -> None:
        self.token = tokens.issue(person) if person is not None else token
        super().__init__(
            raise_request_exception=False,
            headers={} if self.token is None else {"Authorization": f"Bearer {self.token}"},
        )
