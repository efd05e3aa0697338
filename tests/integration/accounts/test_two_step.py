"""The second step of staff's sign-in: what it asks for, what is refused, and what stays secret."""

import re
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.sessions import two_step
from accounts.sessions.throttles import SIGN_INS_BY_ADDRESS
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from tests.integration.accounts.admins import is_in, post, signed_in
from tests.people import new_person, new_staff

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

STEP, SET_UP, CODES = "/admin/two-step/", "/admin/two-step/set-up/", "/admin/two-step/codes/"


@pytest.fixture(autouse=True)
def enforced(settings: Settings) -> None:
    settings.STAFF_TWO_STEP = True


@pytest.fixture
def person() -> User:
    return new_staff(Role.OPERATOR)


def code_of(person: User, *, later: int = 0) -> str:
    """What the person's authenticator shows now, or some steps of 30 seconds later."""
    device = TOTPDevice.objects.filter(user=person).latest("pk")
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() + later * device.step
    return f"{totp.token():06}"


def with_authenticator(person: User) -> list[str]:
    """Sets one up; its recovery codes. The code that was used for it is not good again."""
    shown = two_step.new_authenticator(person)
    codes = two_step.confirm(person, shown.id, code_of(person))
    assert codes is not None
    return codes


def type_code(client: Client, code: str, path: str = STEP, **form: Any) -> Any:
    return post(client, path, {"code": code, **form})


def test_a_password_alone_opens_nothing(person: User) -> None:
    client = signed_in(person)
    for path in ("/admin/", "/admin/accounts/user/", "/admin/password_change/"):
        answer = client.get(path, follow=True)
        assert [place for place, _ in answer.redirect_chain][-1].startswith(SET_UP), path
    with_authenticator(person)
    for path in ("/admin/", SET_UP, CODES):
        assert client.get(path, follow=True).redirect_chain[-1][0].startswith(STEP), path


def test_setting_it_up_shows_recovery_codes_once_and_opens_the_desk(person: User) -> None:
    client = signed_in(person)
    page = client.get(SET_UP).content.decode()
    assert "data:image/svg+xml" in page
    answer = type_code(client, code_of(person), SET_UP)
    codes = re.findall(r"<code>([0-9a-f-]+)</code>", answer.content.decode())
    assert len(set(codes)) == two_step.RECOVERY_CODES
    assert "no-store" in answer["Cache-Control"]
    assert is_in(client)
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert not kept & {code.replace("-", "") for code in codes}, "digests only"
    assert codes[0] not in client.get(CODES).content.decode()


def test_a_code_lets_in_once_and_leads_to_where_one_was_going(person: User) -> None:
    with_authenticator(person)
    client = signed_in(person)
    key = client.session.session_key
    answer = type_code(client, code_of(person, later=1), next="/admin/accounts/user/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/accounts/user/")
    assert client.session.session_key != key
    assert is_in(client)
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    other = signed_in(person)
    assert type_code(other, code_of(person, later=1)).status_code == 200
    assert not is_in(other)


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"])
def test_it_leads_to_no_other_site(person: User, target: str) -> None:
    with_authenticator(person)
    client = signed_in(person)
    assert type_code(client, code_of(person, later=1), next=target)["Location"] == "/admin/"


def test_a_recovery_code_is_good_once_however_it_is_typed(person: User) -> None:
    first, second, *_ = with_authenticator(person)
    client = signed_in(person)
    assert type_code(client, first.upper().replace("-", " ")).status_code == 302
    assert is_in(client)
    again = signed_in(person)
    assert type_code(again, first).status_code == 200
    assert not is_in(again)
    assert StaffAction.objects.filter(action="use a recovery code", by=person).count() == 1
    assert StaticToken.objects.count() == two_step.RECOVERY_CODES - 1
    assert second not in str([*StaffAction.objects.values_list()])


@pytest.mark.parametrize(
    "code", ["", "000000", "0" * 60, "9" * 5_000, "abc", "\u0661\u0662\u0663\u0664\u0665\u0666", "\0", "-1"]
)
def test_what_is_no_code_opens_nothing(person: User, code: str) -> None:
    with_authenticator(person)
    client = signed_in(person)
    assert type_code(client, code).status_code == 200
    assert not is_in(client)


def test_after_a_wrong_code_the_right_one_waits(person: User) -> None:
    with_authenticator(person)
    client = signed_in(person)
    for _ in range(4):
        type_code(client, "000000")
    assert type_code(client, code_of(person, later=1)).status_code == 200, "eight seconds are not over"
    assert not is_in(client)
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert type_code(client, code_of(person, later=1)).status_code == 302


def test_codes_are_limited_by_address(person: User, settings: Settings) -> None:
    with_authenticator(person)
    client = signed_in(person)
    settings.RATE_LIMITS = True
    answers = [type_code(client, "000000") for _ in range(SIGN_INS_BY_ADDRESS.quota + 1)]
    assert answers[-1].status_code == 429
    assert answers[-1].has_header("Retry-After")


def test_a_password_replaces_no_authenticator(person: User) -> None:
    with_authenticator(person)
    before = TOTPDevice.objects.get()
    client = signed_in(person)
    assert type_code(client, "000000", SET_UP).status_code == 302
    assert post(client, CODES, {}).status_code == 302
    assert TOTPDevice.objects.get().key == before.key


def test_it_is_nobodys_who_is_no_staff(person: User) -> None:
    client = Client()
    for path in (STEP, SET_UP, CODES):
        assert client.get(path)["Location"] == "/admin/login/"
    client.force_login(new_person())
    for path in (STEP, SET_UP, CODES):
        assert client.get(path)["Location"] == "/admin/login/"


def test_a_second_step_is_that_persons_alone(person: User) -> None:
    with_authenticator(person)
    client = signed_in(person)
    assert type_code(client, code_of(person, later=1)).status_code == 302
    client.force_login(new_staff(Role.OPERATOR))
    assert not is_in(client)


def test_a_reset_ends_sessions_and_asks_anew(person: User) -> None:
    codes = with_authenticator(person)
    client = signed_in(person)
    assert type_code(client, codes[0]).status_code == 302
    two_step.reset(person, by=new_person(staff=True), reason="lost the telephone")
    assert not is_in(client)
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/admin/login/")
    assert signed_in(person).get("/admin/", follow=True).redirect_chain[-1][0].startswith(SET_UP)
    assert StaffAction.objects.latest("pk").reason == "lost the telephone"


def test_secrets_are_not_logged(
    person: User, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with_authenticator(person)
    secret = TOTPDevice.objects.get().key
    client = signed_in(person)
    for code in ("123456", "wrong-code-wrong-code"):
        type_code(client, code)
    said = "".join(capfd.readouterr()) + caplog.text
    assert secret not in said
    assert "123456" not in said
    assert "wrong-code" not in said


def test_where_it_is_off_a_password_is_enough(person: User, settings: Settings) -> None:
    settings.STAFF_TWO_STEP = False
    assert is_in(signed_in(person))


def test_the_command_line_resets_it(person: User) -> None:
    with_authenticator(person)
    call_command("reset_two_step", person.username, "--reason", "lost everything")
    assert not two_step.is_set_up(person)
    entry = StaffAction.objects.latest("pk")
    assert (entry.by, entry.subject_id, entry.reason) == (None, person.pk, "lost everything")
    with pytest.raises(CommandError, match="no such person"):
        call_command("reset_two_step", "nobody_here")
