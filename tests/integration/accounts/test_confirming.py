"""Confirming an e-mail address: a letter comes, its token is good for a day and for that address, and nobody is told
whether an address is anybody's."""

import logging
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.core import mail
from pytest_django.fixtures import Settings

from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people import confirming, leaving, resets, suspending
from accounts.people.confirming import TOKEN_SECONDS, token_for
from accounts.sessions.ending import end_all
from accounts.staff.roles import Role
from tests.integration.accounts.confirmed import (
    ASKS,
    ask_again,
    change_address,
    confirm,
    is_confirmed,
    sent,
    token_in,
)
from tests.integration.querying import Door
from tests.integration.speaking import Api, problem
from tests.people import PASSWORD, ApiClient, new_person, new_staff

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers", "nobody_waits")


def test_who_signs_up_has_a_letter_that_confirms_the_address_as_often_as_it_is_sent_back() -> None:
    body = {"username": "newcomer", "email": "Newcomer@Example.org", "password": PASSWORD}
    made = Api().call("POST", "/auth/register", body).json()["data"]
    assert made["user"]["email_confirmed"] is False
    person = User.objects.get(username="newcomer")
    assert sent() == [("Newcomer@example.org", ASKS)]
    letter = mail.outbox[0]
    assert "@newcomer" in str(letter.body)
    for _ in range(2):
        answer = confirm(token_in(letter))
        assert (answer.status_code, answer.json()) == (200, {"data": {"email_confirmed": True}})
        assert is_confirmed(person)
    assert sent() == [], "and one letter"
    signed_in_again = Api().call("POST", "/auth/token", {"username": "newcomer", "password": PASSWORD}).json()
    assert signed_in_again["data"]["user"]["email_confirmed"] is True


def test_signing_up_that_fails_sends_nothing_and_tells_of_addresses_what_it_did() -> None:
    taken = new_person().email
    both = {"username": "two_faults", "email": taken, "password": "short"}
    errors = problem(Api().call("POST", "/auth/register", both), 422)["errors"]
    assert [*errors] == ["password"], "whether it is taken is not told to who makes no account"
    problem(Api().call("POST", "/auth/register", {**both, "password": PASSWORD}), 422)
    assert (AddressLetter.objects.count(), sent()) == (0, [])


def test_graphql_does_the_same() -> None:
    ada, ben = new_person(), new_person()
    asking = (
        'mutation { requestEmailConfirmation(input: {clientMutationId: "7"}) { ok clientMutationId errors { code } } }'
    )
    assert Door(ada).data(asking)["requestEmailConfirmation"] == {"ok": True, "clientMutationId": "7", "errors": []}
    assert sent() == [(ada.email, ASKS)]
    confirming_it = "mutation($t: String!) { confirmEmail(input: {token: $t}) { ok errors { field code } } }"
    seen = "{ me { email emailConfirmed } }"
    assert Door(ada).data(seen)["me"] == {"email": ada.email, "emailConfirmed": False}
    token = token_in(mail.outbox[0])
    assert Door().data(confirming_it, {"t": token})["confirmEmail"] == {"ok": True, "errors": []}
    assert Door().data(confirming_it, {"t": "no"})["confirmEmail"] == {
        "ok": False,
        "errors": [{"field": "token", "code": "bad_token"}],
    }
    assert Door(ada).data(seen)["me"] == {"email": ada.email, "emailConfirmed": True}
    of_ada = f'{{ user(username: "{ada.username}") {{ email emailConfirmed }} }}'
    for other in (Door(ben), Door()):
        assert other.data(of_ada)["user"] == {"email": None, "emailConfirmed": None}
    assert Door(ada).data(of_ada)["user"]["emailConfirmed"] is True


def test_nobody_else_is_shown_it() -> None:
    ada, ben = new_person(), new_person()
    confirming.confirm(token_for(ada))
    for path in (f"/users/{ada.username}", f"/users?usernames={ada.username}"):
        assert "email" not in ApiClient(ben).get(f"/api/v1{path}").content.decode()


class TestTokens:
    @pytest.mark.parametrize("seconds", [0, TOKEN_SECONDS - 5])
    def test_are_good_for_a_day(self, seconds: int) -> None:
        token = token_for(new_person())
        with patch("django.core.signing.time.time", lambda: datetime.now(UTC).timestamp() + seconds):
            assert confirm(token).status_code == 200

    def test_and_no_longer(self) -> None:
        ada = new_person()
        token = token_for(ada)
        with patch("django.core.signing.time.time", lambda: datetime.now(UTC).timestamp() + TOKEN_SECONDS + 5):
            problem(confirm(token), 422, "bad_token")
        assert not is_confirmed(ada)

    def test_nobody_else_s_and_no_other_sort(self) -> None:
        ada, ben = new_person(), new_person()
        own = token_for(ada).partition(".")[2]
        others = [
            f"{ben.pk}.{own}",
            f"0.{own}",
            own,
            "",
            f"{ada.pk}.{own}x",
            "9" * 19 + f".{own}",
            f"{ada.pk}.{own[:-1]}",
        ]
        for token in (*others, resets.token_for(ada), "x" * 5_000, "1.a." + "a" * 43):
            assert confirm(token).status_code == 422, token
        problem(
            Api().call("POST", "/auth/password-reset/confirm", {"token": token_for(ada), "password": "x-y-z-4711"}), 422
        )
        assert (is_confirmed(ada), is_confirmed(ben)) == (False, False)

    def test_a_key_that_was_rotated_is_taken(self, settings: Settings) -> None:
        token = token_for(new_person())
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another-key-of-this-site"
        assert confirm(token).status_code == 200

    def test_signing_out_everywhere_ends_none(self) -> None:
        ada = new_person()
        token = token_for(ada)
        end_all(ada.pk)
        assert confirm(token).status_code == 200

    def test_somebody_suspended_is_told_so_and_who_left_has_none(self) -> None:
        ada, ben = new_person(), new_person()
        tokens = token_for(ada), token_for(ben)
        suspending.suspend(ada, by=new_person(staff=True))
        problem(confirm(tokens[0]), 403, "suspended")
        confirming.ask_again(ben.pk)
        leaving.leave(ben.pk, PASSWORD)
        problem(confirm(tokens[1]), 422, "bad_token")
        assert sent() == [], "nor a letter"

    def test_staff_confirm_theirs(self) -> None:
        staff = new_staff(Role.MODERATOR)
        ask_again(staff)
        assert sent() == [(staff.email, ASKS)]
        assert confirm(token_in(mail.outbox[0])).status_code == 200
        assert is_confirmed(staff)


def test_nothing_logs_the_token_or_the_address(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ada = new_person()
        before = ada.email
        change_address(ada, "unlogged@example.org")
        sent()
        token = token_for(User.objects.get(pk=ada.pk))
        confirm(f"{token}x")
        confirm(token)
    assert "email_confirmed" in caplog.text
    for said in (token, token.rpartition(".")[2], before, "unlogged@"):
        assert said not in caplog.text
