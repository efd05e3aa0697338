"""Operators in the admin, as their browsers speak to it."""

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from tests.people import PASSWORD, new_person

PEOPLE = "/admin/accounts/user/"
NEW_PASSWORD = "another-horse-42"


def signed_in(person: User, password: str = PASSWORD) -> Client:
    """An admin client that keeps Django's CSRF rule, as a browser does."""
    client = Client(enforce_csrf_checks=True)
    client.get("/admin/login/")
    answer = post(client, "/admin/login/?next=/admin/", {"username": person.username, "password": password})
    assert answer.status_code == 302
    return client


def is_in(client: Client) -> bool:
    """Whether the admin's front page opens, or sends to the sign-in."""
    return client.get("/admin/").status_code == 200


def post(client: Client, path: str, form: dict[str, Any]) -> Any:
    return client.post(path, {**form, "csrfmiddlewaretoken": client.cookies["csrftoken"].value})


def act(client: Client, action: str, *people: User) -> str:
    """Does so with all of them at once; the page that follows."""
    chosen = {"action": action, "_selected_action": [str(person.pk) for person in people]}
    answer = post(client, PEOPLE, {**chosen, "confirmed": "yes", "reason": "for a reason"})
    assert answer.status_code == 302
    return str(client.get(PEOPLE).content)


def new_moderator(*permissions: str) -> User:
    """Staff, but no superuser, with these permissions."""
    person = new_person()
    User.objects.filter(pk=person.pk).update(is_staff=True)
    granted = Permission.objects.filter(codename__in=permissions)
    assert len(granted) == len(permissions)
    person.user_permissions.set(granted)
    person.refresh_from_db()
    return person
