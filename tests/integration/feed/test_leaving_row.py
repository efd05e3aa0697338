"""The row of who has left: emptied in one write, and by nobody filled again."""

from collections.abc import Callable
from contextlib import nullcontext, suppress

import pytest
from django.contrib.admin import site

from accounts.models import User
from accounts.people import selectors, services, suspending
from accounts.people.leaving import is_emptied
from storage.errors import Forbidden, NotSignedIn, Refused
from tests.integration.accounts.admins import post as admin_post
from tests.integration.accounts.admins import signed_in
from tests.integration.feed.lives import a_life, go_on, leave, long_gone, traces
from tests.integration.feed.reading import operator
from tests.integration.speaking import Api, on_one_store, problem
from tests.people import PASSWORD, new_person

pytestmark = pytest.mark.usefixtures("product", "no_moment")


def test_the_row_keeps_the_name_and_nothing_else() -> None:
    life = a_life()
    email = life.person.email
    leave(life.person)
    row = User.objects.get(pk=life.person.pk)
    assert (row.username, row.display_name, row.bio, row.avatar_url) == (life.person.username,) * 2 + ("", "")
    assert not User.objects.with_email(email).exists()
    assert row.email.endswith("@left.invalid")
    assert not row.has_usable_password()
    assert row.is_active is False
    new = services.register(username=f"{life.person.username}x"[:30], email=email, password="correct-horse-41")
    assert new.email == email, "the address is free again"


@pytest.mark.parametrize("changed", [{"bio": "Back."}, {"display_name": "Ada"}, {"email": "ada@example.org"}])
def test_what_was_written_into_the_row_all_the_same_is_found_and_emptied(changed: dict[str, str]) -> None:
    life = a_life()
    leave(life.person)
    assert "account" not in traces(life.person)
    User.objects.filter(pk=life.person.pk).update(**changed)
    assert "account" in traces(life.person)
    long_gone(life.person)
    assert go_on() == 1
    row = User.objects.get(pk=life.person.pk)
    assert is_emptied(row)
    assert row.left_at is not None


WRITERS: dict[str, Callable[[User, User], object]] = {
    "profile": lambda person, _: services.update_profile(person.id, services.ProfileChange(bio="Back.")),
    "address": lambda person, _: services.update_profile(
        person.id, services.ProfileChange(email="back@example.org", current_password=PASSWORD)
    ),
    "verified": lambda person, staff: services.set_verified(person, True, by=staff),
    "admin": lambda person, staff: admin_post(
        signed_in(staff),
        f"/admin/accounts/user/{person.pk}/change/",
        {"display_name": "Back", "email": "back@example.org", "bio": "Back."},
    ),
    "password": lambda person, staff: admin_post(
        signed_in(staff),
        f"/admin/accounts/user/{person.pk}/password/",
        {"password1": "another-horse-42", "password2": "another-horse-42", "usable_password": "true"},
    ),
}


@on_one_store
@pytest.mark.parametrize("writer", WRITERS)
def test_a_change_under_way_writes_nothing_into_the_row_of_who_left_meanwhile(
    writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They leave after the change has read them or looked whether they may be changed, and before it writes."""
    person, staff = new_person(), new_person(staff=True)
    reads = selectors.get_user

    def left_since(user_id: int) -> User:
        read = reads(user_id)
        leave(person)
        return read

    monkeypatch.setattr(services, "get_user", left_since)
    monkeypatch.setattr(site._registry[User], "has_change_permission", lambda *_: True)
    if writer not in {"profile", "address"}:
        leave(person)
    with suppress(Forbidden), pytest.raises(NotSignedIn) if writer in {"profile", "address"} else nullcontext():
        WRITERS[writer](person, staff)
    row = User.objects.get(pk=person.pk)
    assert row.left_at is not None
    assert is_emptied(row)


@on_one_store
def test_whose_own_change_was_under_way_is_told_what_every_door_says(monkeypatch: pytest.MonkeyPatch) -> None:
    person = new_person()
    api, reads = Api(person), selectors.get_user

    def left_since(user_id: int) -> User:
        read = reads(user_id)
        leave(person)
        return read

    with monkeypatch.context() as patched:
        patched.setattr(services, "get_user", left_since)
        problem(api.call("PATCH", "/me", {"bio": "Back."}), 401, "bad_token")
    problem(api.call("PATCH", "/me", {"bio": "Back."}), 401, "bad_token")


def test_no_column_of_the_row_says_what_a_new_one_does_not() -> None:
    life = a_life()
    services.update_profile(life.person.id, services.ProfileChange(protected=True))
    leave(life.person)
    new, row = new_person(), User.objects.get(pk=life.person.pk)
    of_their_own = {"id", "username", "display_name", "email", "password", "security_stamp"}
    of_leaving = {"left_at", "suspended_at"}
    columns = {each.attname for each in User._meta.concrete_fields}
    told = {each for each in columns if getattr(row, each) != getattr(new, each)}
    assert told <= of_their_own | of_leaving


def test_who_has_left_is_not_restored_and_a_suspension_changes_nothing() -> None:
    life = a_life()
    leave(life.person)
    person = User.objects.get(pk=life.person.pk)
    with pytest.raises(Forbidden):
        suspending.restore(person, by=operator())
    with pytest.raises(Refused):
        suspending.suspend(person, by=operator(), until=person.left_at, may_shorten=True)
    assert suspending.end_suspensions() == 0
    person.refresh_from_db()
    assert (person.suspended_at, person.suspended_until) == (person.left_at, None)
