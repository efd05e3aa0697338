"""A forgotten password: asking tells nothing, a letter comes, and what stands in it is good once and for an hour."""

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.letter_rows import PasswordReset
from accounts.models import User
from accounts.people import resets, services, suspending
from accounts.people.resets import token_for
from accounts.sessions.ending import end_all
from accounts.sessions.throttles import LETTERS_BY_EMAIL, RESETS_BY_ADDRESS
from accounts.staff.roles import Role
from tests.backends import counted_round_trips
from tests.integration.accounts.admins import is_in, signed_in
from tests.integration.accounts.resetting import ASK, NEW_PASSWORD, ask, confirm, letters
from tests.integration.querying import Door
from tests.integration.speaking import Api, problem
from tests.people import PASSWORD, ApiClient, new_person, new_staff
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers", "nobody_waits")


def can_sign_in(person: User, password: str) -> bool:
    login = {"username": person.username, "password": password}
    return bool(Api().call("POST", "/auth/token", login).status_code == 200)


def minutes_later(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    now = datetime.now() + timedelta(minutes=minutes)  # noqa: DTZ005 - as Django's generator counts
    monkeypatch.setattr(resets.ResetTokens, "_now", lambda _self: now)


def is_superuser(person: User, power: bool) -> None:
    User.objects.filter(pk=person.pk).update(is_staff=power, is_superuser=power)


def test_a_letter_comes_and_its_token_sets_another_password_and_ends_everything() -> None:
    ada = new_person("Forgetful", staff=True)
    api, admin = ApiClient(ada), signed_in(ada)
    is_superuser(ada, False)
    ask(" FORGETFUL@example.ORG ")
    [(to, token)] = letters()
    assert to == "Forgetful@example.org"
    assert f"@{ada.username}" in str(mail.outbox[0].body)
    answer = confirm(token)
    assert answer.status_code == 200
    assert answer.json()["data"]["username"] == "Forgetful"
    assert (can_sign_in(ada, PASSWORD), can_sign_in(ada, NEW_PASSWORD)) == (False, True)
    assert api.get("/api/v1/me").status_code == 401
    is_superuser(ada, True)
    assert not is_in(admin)
    assert "errors" in problem(confirm(token), 422, "bad_token"), "it is good once"
    assert letters() == [], "and one letter was asked for"


def test_graphql_does_the_same() -> None:
    ada = new_person()
    asking = "mutation($e: String!) { askForPasswordReset(input: {email: $e}) { ok errors { field code } } }"
    setting = """
    mutation($t: String!, $p: String!) {
      resetPassword(input: {token: $t, password: $p}) { user { username email } errors { field code } }
    }
    """
    for email in (ada.email, "nobody@example.org"):
        assert Door().data(asking, {"e": email})["askForPasswordReset"] == {"ok": True, "errors": []}
    wrong = Door().data(asking, {"e": "nowhere"})["askForPasswordReset"]
    assert (wrong["ok"], [each["field"] for each in wrong["errors"]]) == (False, ["email"])
    [(_, token)] = letters()
    bad = Door().data(setting, {"t": token, "p": "1234"})["resetPassword"]
    assert (bad["user"], {each["field"] for each in bad["errors"]}) == (None, {"password"})
    done = Door().data(setting, {"t": token, "p": NEW_PASSWORD})["resetPassword"]
    assert done == {"user": {"username": ada.username, "email": ada.email}, "errors": []}
    again = Door().data(setting, {"t": token, "p": NEW_PASSWORD})["resetPassword"]
    assert again == {"user": None, "errors": [{"field": "token", "code": "bad_token"}]}
    assert can_sign_in(ada, NEW_PASSWORD)


def asked_of(email: str) -> tuple[int, list[str]]:
    """Round trips, and the statements without their values, that asking about an address costs."""
    with counted_round_trips() as trips, CaptureQueriesContext(connection) as found:
        ask(email)
    return len(trips), [re.sub(r"'[^']*'|\d+", "?", each["sql"]) for each in found]


def test_asking_costs_and_answers_the_same_for_every_address(settings: Settings) -> None:
    settings.RATE_LIMITS = True
    known, suspended, without = new_person(), new_person(), new_person()
    suspending.suspend(suspended, by=new_person(staff=True))
    without.set_unusable_password()
    without.save()
    addresses = [known.email, suspended.email, without.email, "nobody@example.org"]
    costs = [asked_of(each) for each in addresses]
    assert all(each == costs[0] for each in costs)
    assert costs[0][0] == 2, "its address, and the e-mail's"
    assert [each for each in costs[0][1] if "accounts_user" in each] == [], "whose it is, is not looked up"
    assert [to for to, _ in letters()] == [known.email]
    assert PasswordReset.objects.count() == 0


def test_asking_too_often_costs_and_answers_the_same(settings: Settings) -> None:
    settings.RATE_LIMITS = True
    ada = new_person()
    costs = [asked_of(ada.email) for _ in range(LETTERS_BY_EMAIL.quota + 1)]
    assert all(each == costs[0] for each in costs)
    assert len(letters()) == LETTERS_BY_EMAIL.quota
    assert PasswordReset.objects.count() == 0, "nor does it wait any longer"


def test_what_could_not_be_noted_does_not_count(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS = True
    ada = new_person()

    def fail(**_: object) -> None:
        raise OperationalError

    with monkeypatch.context() as failing:
        failing.setattr(PasswordReset.objects, "create", fail)
        problem(Api().call("POST", ASK, {"email": ada.email}), 503, "unavailable")
    for _ in range(LETTERS_BY_EMAIL.quota + 1):
        ask(ada.email)
    assert len(letters()) == LETTERS_BY_EMAIL.quota


def test_what_is_no_address_is_refused() -> None:
    for email in ("", "nowhere", "a\0@example.org", "x" * 250 + "@example.org", "ada@example.org\nBcc: x@example.org"):
        assert "email" in problem(Api().call("POST", ASK, {"email": email}), 422)["errors"]
    assert PasswordReset.objects.count() == 0


class TestLimits:
    def test_an_address_that_asks_too_often_is_told_so(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        for number in range(RESETS_BY_ADDRESS.quota):
            ask(f"p{number}@example.org")
        answer = Api().call("POST", ASK, {"email": "one.more@example.org"})
        problem(answer, 429, "throttled")
        assert answer["Retry-After"]
        query = 'mutation { askForPasswordReset(input: {email: "x@example.org"}) { ok } }'
        assert Door().errors(query, status=200)[0]["extensions"]["code"] == "throttled", "at both doors together"

    def test_somebody_is_sent_so_many_letters_an_hour_and_nobody_is_told(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        ada = new_person()
        sent = []
        for _ in range(LETTERS_BY_EMAIL.quota + 2):
            answer = ask(ada.email.upper())
            assert "email" not in answer["RateLimit-Policy"]
            sent += letters()
        assert len(sent) == LETTERS_BY_EMAIL.quota
        assert confirm(sent[0][1]).status_code == 200, "what stands in them is good all the same"

    def test_tokens_cannot_be_tried_without_end(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        statuses = [confirm(f"1.abc-{number:032x}").status_code for number in range(31)]
        assert statuses == [422] * 30 + [429]


def other_password(ada: User) -> None:
    ada.set_password("a-third-horse-43")
    ada.save()


def other_address(ada: User) -> None:
    change = services.ProfileChange(email="other@example.org", current_password=PASSWORD)
    services.update_profile(ada.id, change)


def signed_out_everywhere(ada: User) -> None:
    end_all(ada.pk)


def suspended(ada: User) -> None:
    suspending.suspend(ada, by=new_staff(Role.MODERATOR))


def with_another_address(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(email="another@example.org")


class TestTokens:
    @pytest.mark.parametrize("end", [other_password, other_address, signed_out_everywhere])
    def test_what_ends_them(self, end: Callable[[User], None]) -> None:
        ada = new_person()
        token = token_for(ada)
        end(User.objects.get(pk=ada.pk))
        problem(confirm(token), 422, "bad_token")
        assert not can_sign_in(ada, NEW_PASSWORD)

    def test_they_are_good_for_an_hour(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ada = new_person()
        token = token_for(ada)
        minutes_later(monkeypatch, 60.5)
        problem(confirm(token), 422, "bad_token")
        minutes_later(monkeypatch, 59)
        assert confirm(token).status_code == 200

    def test_a_password_that_is_refused_leaves_it_good(self) -> None:
        ada = new_person()
        token = token_for(ada)
        for password in ("short", "12345678901", f"{ada.username}1"):
            assert "password" in problem(confirm(token, password), 422)["errors"]
        assert confirm(token).status_code == 200

    def test_nobody_else_s(self) -> None:
        ada, bob = new_person(), new_person()
        own = token_for(ada).partition(".")[2]
        for token in (f"{bob.pk}.{own}", f"0.{own}", f"{ada.pk}.", own, "", f"{ada.pk}.{own}x", "9" * 19 + f".{own}"):
            answer = confirm(token)
            assert answer.status_code == 422, token
        assert can_sign_in(ada, PASSWORD)
        assert can_sign_in(bob, PASSWORD)

    def test_somebody_suspended_is_told_so(self) -> None:
        ada = new_person()
        token = token_for(ada)
        suspending.suspend(ada, by=new_person(staff=True))
        problem(confirm(token), 403, "suspended")

    def test_who_has_got_power_at_the_desk_has_none_any_more(self) -> None:
        ada = new_person()
        token = token_for(ada)
        User.objects.filter(pk=ada.pk).update(is_staff=True)
        problem(confirm(token), 422, "bad_token")
        assert can_sign_in(ada, PASSWORD)

    @pytest.mark.parametrize("end", [signed_out_everywhere, suspended, with_another_address])
    def test_what_happens_while_it_is_hashed_ends_it(
        self, end: Callable[[User], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada = new_person()
        token, hashes = token_for(ada), User.set_password

        def slowly(self: User, raw: str | None) -> None:
            hashes(self, raw)
            if self.pk == ada.pk:
                end(ada)

        with monkeypatch.context() as patched:
            patched.setattr(User, "set_password", slowly)
            problem(confirm(token), 422, "bad_token")
        row = User.objects.get(pk=ada.pk)
        assert (row.check_password(NEW_PASSWORD), row.check_password(PASSWORD)) == (False, True)

    def test_of_two_at_once_one_is_done(self) -> None:
        ada = new_person()
        token = token_for(ada)
        statuses: list[int] = []

        def set_to(password: str) -> Callable[[], None]:
            return lambda: statuses.append(confirm(token, password).status_code)

        run_together([set_to("another-horse-42"), set_to("a-third-horse-43")])
        assert sorted(statuses) in ([200, 422], [200, 503])
        assert [can_sign_in(ada, each) for each in ("another-horse-42", "a-third-horse-43")].count(True) == 1


def test_nothing_logs_the_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ada = new_person()
        ask(ada.email)
        [(_, token)] = letters()
        confirm(token, "short")
        confirm(token)
        confirm(token)
    assert "password_reset" in caplog.text
    assert token not in caplog.text
    assert token.partition("-")[2] not in caplog.text
    assert ada.email not in caplog.text
