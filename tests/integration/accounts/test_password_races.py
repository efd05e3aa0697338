"""While a password changes: who signs in, who reads, who writes, and what fails. On SQLite and on PostgreSQL."""

from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import pytest
from django.conf import settings
from django.db import connections, transaction
from django.test import Client, override_settings

from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people import confirming, services
from accounts.sessions import tokens
from storage.errors import NotSignedIn, Refused
from tests.integration.accounts.admins import NEW_PASSWORD, is_in
from tests.integration.accounts.signed_in import OLDER_HASHER, SignedIn, hashed_by_an_older_hasher, set_and_saved
from tests.people import PASSWORD

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers")


def in_a_thread(act: Callable[[], None], fails_with: type[Exception] | None = None) -> Thread:
    """Starts it with a connection of its own."""

    def work() -> None:
        with suppress(*() if fails_with is None else (fails_with,)):
            act()
        connections.close_all()

    thread = Thread(target=work)
    thread.start()
    return thread


def test_an_object_read_before_a_change_brings_nothing_back(ada: SignedIn) -> None:
    before = ada.read_again()
    set_and_saved(ada.read_again())
    before.bio = "Engines."
    before.save()
    person = ada.read_again()
    assert (person.bio, person.check_password(NEW_PASSWORD)) == ("Engines.", True)
    assert ada.all() == [False] * 4


def test_who_signed_in_with_the_old_password_gets_neither_token_nor_session(ada: SignedIn) -> None:
    """The change comes between the check of the password and what follows from it."""
    checked = services.sign_in(login=ada.person.username, password=PASSWORD)
    late = Client()
    in_between = User.check_password

    def slow(self: User, raw: str | None) -> bool:
        good = in_between(self, raw)
        set_and_saved(ada.read_again())
        return good

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(User, "check_password", slow)
        late.post("/admin/login/?next=/admin/", {"username": ada.person.username, "password": PASSWORD})
    assert not is_in(late)
    with pytest.raises(NotSignedIn):
        tokens.issue(checked)


def test_of_two_changes_of_an_address_at_once_one_is_refused_and_the_right_one_is_told(
    ada: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other comes, on a connection of its own, between the reading and the lock."""
    before, unconfirms = ada.person.email, confirming.unconfirm

    def change(email: str) -> None:
        services.update_profile(ada.person.pk, services.ProfileChange(email=email, current_password=PASSWORD))

    def late(person: User, address: confirming.Address) -> list[str]:
        monkeypatch.undo()
        in_a_thread(lambda: change("faster@example.org")).join()
        return unconfirms(person, address)

    AddressLetter.objects.all().delete()
    monkeypatch.setattr(confirming, "unconfirm", late)
    with pytest.raises(Refused) as refused:
        change("slower@example.org")
    assert (refused.value.field, refused.value.code) == ("email", "changed_meanwhile")
    assert ada.read_again().email == "faster@example.org"
    assert {*AddressLetter.objects.values_list("email", "kind")} == {
        ("faster@example.org", "confirm"),
        (before, "let_go"),
    }


def test_a_token_that_is_being_issued_while_the_password_changes_is_none(ada: SignedIn) -> None:
    """Whichever comes first waits for the other: one is asked for inside the change, one changed inside the issue."""
    checked = services.sign_in(login=ada.person.username, password=PASSWORD)
    with transaction.atomic():
        before = tokens.issue(checked)
        changing = in_a_thread(lambda: set_and_saved(ada.read_again()))
    changing.join()
    with pytest.raises(NotSignedIn):
        tokens.authenticate(before)
    issued: list[str] = []
    checked = services.sign_in(login=ada.person.username, password=NEW_PASSWORD)
    with transaction.atomic():
        set_and_saved(ada.read_again())
        issuing = in_a_thread(lambda: issued.append(tokens.issue(checked)), fails_with=NotSignedIn)
    issuing.join()
    assert issued == []


def test_who_was_let_in_by_the_old_password_does_not_write_over_the_new_one(
    ada: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = User.check_password

    def slow(self: User, raw: str | None) -> bool:
        good = checks(self, raw)
        set_and_saved(ada.read_again())
        return good

    change = services.ProfileChange(password="mallory-horse-43", current_password=PASSWORD, bio="Mine.")
    with monkeypatch.context() as patched:
        patched.setattr(User, "check_password", slow)
        with pytest.raises(Refused) as refused:
            services.update_profile(ada.person.pk, change)
    assert [*refused.value.errors] == ["current_password"]
    person = ada.read_again()
    assert (person.check_password(NEW_PASSWORD), person.bio) == (True, "")


def test_nor_does_who_knew_the_old_password_move_the_account_to_their_address(
    ada: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be sent letters there, by which the new password is replaced."""
    checks, before = User.check_password, ada.person.email

    def slow(self: User, raw: str | None) -> bool:
        good = checks(self, raw)
        set_and_saved(ada.read_again())
        return good

    change = services.ProfileChange(email="mallory@example.org", current_password=PASSWORD)
    with monkeypatch.context() as patched:
        patched.setattr(User, "check_password", slow)
        with pytest.raises(Refused) as refused:
            services.update_profile(ada.person.pk, change)
    assert [*refused.value.errors] == ["current_password"]
    assert ada.read_again().email == before


@override_settings(PASSWORD_HASHERS=[*settings.PASSWORD_HASHERS, OLDER_HASHER])
def test_an_older_password_s_new_hash_does_not_replace_a_newer_password(ada: SignedIn) -> None:
    """Somebody signs in with the old password, whose hash is to be replaced, while another is set."""
    hashed_by_an_older_hasher(ada.person)
    signing_in = ada.read_again()
    set_and_saved(ada.read_again())
    assert signing_in.check_password(PASSWORD)
    signing_in.save()
    assert ada.read_again().check_password(NEW_PASSWORD)


def test_all_ends_or_the_password_stands(ada: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as failing:
        failing.setattr("accounts.sessions.ending.revoke_all", fail)
        with pytest.raises(RuntimeError):
            set_and_saved(ada.read_again())
    assert ada.read_again().check_password(PASSWORD)
    assert ada.all() == [True] * 4
