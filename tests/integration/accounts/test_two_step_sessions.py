"""Whose an authenticator that is being set up is, what replacing one asks for and ends, and leaving half-way."""

import re

import pytest
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.sessions import ending, two_step
from accounts.staff.roles import Role
from feed.desk.people import RESET
from tests.integration.accounts.admins import NEW_PASSWORD, is_in, post, signed_in
from tests.integration.accounts.test_two_step import CODES, SET_UP, code_of, type_code, with_authenticator
from tests.people import ApiClient, new_person, new_staff

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


@pytest.fixture(autouse=True)
def enforced(settings: Settings) -> None:
    settings.STAFF_TWO_STEP = True


@pytest.fixture
def person() -> User:
    return new_staff(Role.OPERATOR)


def secret_shown(client: Client) -> str:
    found = re.search(r"secret=([A-Z2-7]+)", client.get(SET_UP).content.decode())
    assert found is not None
    return found[1]


def inside(person: User) -> tuple[Client, list[str]]:
    """A session that has made both steps, and recovery codes that are left."""
    first, *codes = with_authenticator(person)
    client = signed_in(person)
    assert type_code(client, first).status_code == 302
    return client, codes


def waited() -> None:
    """As if whoever typed a wrong code had waited, and an authenticator's codes were new."""
    for devices in (TOTPDevice.objects, StaticDevice.objects):
        devices.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    TOTPDevice.objects.update(last_t=-1)


def test_the_secret_of_one_session_is_no_other_s(person: User) -> None:
    one, other = signed_in(person), signed_in(person)
    noted = secret_shown(one)
    assert secret_shown(one) == noted, "looking again changes nothing"
    assert secret_shown(other) != noted
    assert TOTPDevice.objects.count() == 1
    assert type_code(one, code_of(person), SET_UP).status_code == 200
    assert not two_step.is_set_up(person), "what the other session reads is not this one's"


def test_a_new_password_forgets_a_secret_that_was_noted(person: User) -> None:
    noted = secret_shown(signed_in(person))
    person.refresh_from_db()
    person.set_password(NEW_PASSWORD)
    person.save()
    assert not TOTPDevice.objects.exists()
    assert secret_shown(signed_in(person, NEW_PASSWORD)) != noted


def test_signing_out_everywhere_keeps_what_has_proved_itself(person: User) -> None:
    with_authenticator(person)
    two_step.new_authenticator(person)
    ending.end_all(person.pk)
    assert [*TOTPDevice.objects.values_list("confirmed", flat=True)] == [True]


def test_a_session_that_stands_open_replaces_nothing(person: User) -> None:
    client, _ = inside(person)
    before = {*TOTPDevice.objects.filter(confirmed=True).values_list("key", flat=True)}
    client.get(SET_UP)
    assert b"<code>" not in type_code(client, code_of(person), SET_UP).content
    waited()
    assert b"<code>" not in type_code(client, code_of(person), SET_UP, current="000000").content
    assert {*TOTPDevice.objects.filter(confirmed=True).values_list("key", flat=True)} == before


def test_a_session_that_stands_open_makes_no_recovery_codes(person: User) -> None:
    client, codes = inside(person)
    for form in ({}, {"current": ""}, {"current": "000000"}):
        assert b"<code>" not in post(client, CODES, form).content
    waited()
    assert two_step.verify(person, codes[0]), "the older ones are good"


def test_a_current_code_makes_new_recovery_codes(person: User) -> None:
    client, codes = inside(person)
    waited()
    answer = post(client, CODES, {"current": code_of(person, later=1)})
    assert answer.content.count(b"<code>") == two_step.RECOVERY_CODES
    assert not two_step.verify(person, codes[0])


def test_replacing_one_ends_every_session_but_this(person: User) -> None:
    client, codes = inside(person)
    other, api = signed_in(person), ApiClient(person)
    assert type_code(other, codes[0]).status_code == 302
    assert is_in(other)
    client.get(SET_UP)
    before = TOTPDevice.objects.get(confirmed=True).key
    answer = type_code(client, code_of(person), SET_UP, current=codes[1])
    assert answer.content.count(b"<code>") == two_step.RECOVERY_CODES
    assert TOTPDevice.objects.get().key != before
    assert is_in(client)
    assert not is_in(other)
    assert api.get("/api/v1/me").status_code == 401


def test_who_has_made_one_step_can_leave(person: User) -> None:
    for _ in range(2):
        client = signed_in(person)
        assert Client().post("/admin/logout/").status_code in (200, 302)
        assert client.post("/admin/logout/").status_code == 403, "not from another site"
        assert "sessionid" in client.cookies
        post(client, "/admin/logout/", {})
        assert client.get(SET_UP)["Location"] == "/admin/login/"
        if not two_step.is_set_up(person):
            with_authenticator(person)


def test_nobody_takes_over_their_own_second_step_by_way_of_the_desk() -> None:
    """One's own password takes the old one, and one's own second step the command line or another superuser."""
    boss = new_person("boss", staff=True)
    client, _codes = inside(boss)
    answer = client.get(f"/admin/accounts/user/{boss.pk}/password/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/password_change/")
    page = f"/admin/desk/people/{boss.pk}/"
    assert "set up anew" not in client.get(page).content.decode()
    post(client, page, {"act": RESET, "reason": "I say so."})
    assert TOTPDevice.objects.filter(user=boss, confirmed=True).exists()
