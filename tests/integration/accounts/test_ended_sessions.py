"""Whoever changes a password, and however, ends the tokens and the admin's sessions of that person; so does signing
out everywhere. A session in which the password is changed goes on. The same on SQLite and on PostgreSQL."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.test import override_settings

from accounts.models import User
from accounts.people import services
from accounts.sessions.ending import end_all
from tests.integration.accounts.admins import NEW_PASSWORD, PEOPLE, act, is_in, new_moderator, post, signed_in
from tests.integration.accounts.signed_in import OLDER_HASHER, SignedIn, hashed_by_an_older_hasher, set_and_saved
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers")

Change = Callable[[User], None]


def set_and_saved_alone(person: User) -> None:
    person.set_password(NEW_PASSWORD)
    person.save(update_fields=["password"])


def disabled(person: User) -> None:
    person.set_unusable_password()
    person.save()


def a_hash_put_there(person: User) -> None:
    person.password = make_password(NEW_PASSWORD)
    person.save()


def set_on_one_who_was_read_in_part(person: User) -> None:
    part = User.objects.only("bio").get(pk=person.pk)
    part.set_password(NEW_PASSWORD)
    assert part.display_name, "which reads the rest"
    part.save()


def in_the_admin(person: User) -> None:
    form = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    operator = signed_in(new_person(staff=True))
    assert post(operator, f"{PEOPLE}{person.pk}/password/", form).status_code == 302
    assert is_in(operator)


def disabled_in_the_admin(person: User) -> None:
    form = {"usable_password": "false", "unset-password": "Disable", "password1": "", "password2": ""}
    assert post(signed_in(new_person(staff=True)), f"{PEOPLE}{person.pk}/password/", form).status_code == 302
    assert not User.objects.get(pk=person.pk).has_usable_password()


def by_another_token(person: User) -> None:
    change = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    assert ApiClient(person).patch("/api/v1/me", change, "application/json").status_code == 200


def signed_out_by_an_operator(person: User) -> None:
    operator = new_person(staff=True)
    assert f"Signed out: @{person.username}." in act(signed_in(operator), "sign_out", person)


def signed_out_at_the_api(person: User) -> None:
    assert ApiClient(person).delete("/api/v1/auth/token?all=true").status_code == 204


@pytest.mark.parametrize(
    "change",
    [
        set_and_saved,
        set_and_saved_alone,
        disabled,
        a_hash_put_there,
        set_on_one_who_was_read_in_part,
        in_the_admin,
        disabled_in_the_admin,
        by_another_token,
        signed_out_by_an_operator,
        signed_out_at_the_api,
    ],
)
def test_every_token_and_session_ends(ada: SignedIn, change: Change) -> None:
    change(ada.read_again())
    assert ada.all() == [False] * 4
    end_all(ada.person.pk)
    assert ada.all() == [False] * 4


def test_changepassword_ends_them(ada: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: NEW_PASSWORD)
    call_command("changepassword", ada.person.username)
    assert ada.all() == [False] * 4


def test_the_session_in_which_it_is_changed_goes_on(ada: SignedIn) -> None:
    change = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    assert ada.here.patch("/api/v1/me", change, "application/json").status_code == 200
    assert ada.all() == [True, False, False, False]
    ada.admin = signed_in(ada.person, NEW_PASSWORD)
    form = {"old_password": NEW_PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert post(ada.admin, "/admin/password_change/", form).status_code == 302
    assert ada.all() == [False, False, True, False]
    form = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    ada.other_admin = signed_in(ada.person)
    answer = post(ada.admin, f"{PEOPLE}{ada.person.pk}/password/", form)
    assert answer["Location"] == "/admin/password_change/", "where the old one is asked for"
    assert ada.all() == [False, False, True, True]


def sign_in_at_the_api(person: User) -> User:
    return services.sign_in(login=person.username, password=PASSWORD)


@override_settings(PASSWORD_HASHERS=[*settings.PASSWORD_HASHERS, OLDER_HASHER])
def test_a_hash_that_is_replaced_at_sign_in_ends_nothing(ada: SignedIn) -> None:
    for sign_in in (sign_in_at_the_api, signed_in):
        hashed_by_an_older_hasher(ada.person)
        before = ada.read_again().password
        sign_in(ada.person)
        assert ada.read_again().password != before
        assert ada.all() == [True] * 4


def test_what_is_no_change_of_the_password_ends_nothing(ada: SignedIn) -> None:
    person = ada.read_again()
    person.username, person.email, person.bio = "lovelace", "lovelace@example.org", "Engines."
    person.save()
    person.last_login = None
    person.save(update_fields=["last_login"])
    services.update_profile(person.pk, services.ProfileChange(bio="Notes."))
    person.set_password(NEW_PASSWORD)
    person.save(update_fields=["bio"])
    assert ada.all() == [True] * 4
    assert ada.read_again().check_password(PASSWORD)
    person.save()
    assert ada.all() == [False] * 4
    assert ada.read_again().check_password(NEW_PASSWORD)


def test_staff_who_are_suspended_or_no_longer_staff_are_out_with_the_next_click() -> None:
    moderator, operator = new_moderator("view_user"), new_person(staff=True)
    admin, superuser = signed_in(moderator), signed_in(operator)
    assert f"Suspended: @{moderator.username}." in act(superuser, "suspend", moderator)
    assert not is_in(admin)
    act(superuser, "restore", moderator)
    assert is_in(admin)
    form = {"display_name": "Mod", "email": moderator.email, "bio": "", "avatar_url": ""}
    assert post(superuser, f"{PEOPLE}{moderator.pk}/change/", form).status_code == 302
    assert not User.objects.get(pk=moderator.pk).is_staff
    assert not is_in(admin)
