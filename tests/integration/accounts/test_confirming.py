"""Confirming an e-mail address: a letter comes, its token is good for a day and for that address, and nobody is told
whether an address is anybody's."""

import logging
import re
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts import admin as people_admin
from accounts.letter_rows import AddressLetter, PasswordReset
from accounts.models import User
from accounts.people import confirming, leaving, letters, resets, services
from accounts.people.confirming import TOKEN_SECONDS, token_for
from accounts.people.erasing import SESSION_STEPS
from accounts.people.letters import GIVEN_UP_SECONDS, OTHERS_TURN, send_letters
from accounts.sessions.ending import end_all
from accounts.sessions.throttles import CHANGES_BY_EMAIL, CONFIRMATIONS_BY_EMAIL, CONFIRMATIONS_BY_PERSON
from accounts.staff.roles import Role
from storage.errors import Unavailable
from tests.backends import counted_round_trips
from tests.integration.accounts.admins import PEOPLE, post, signed_in
from tests.integration.accounts.resetting import seconds_go_by
from tests.integration.querying import Door
from tests.integration.speaking import Api, problem
from tests.people import PASSWORD, ApiClient, new_person, new_staff

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers", "nobody_waits")

CONFIRM, AGAIN = "/auth/email/confirm", "/me/email/confirmation"
TOKEN = re.compile(r"[1-9][0-9]+\.[0-9A-Za-z]+\.[0-9A-Za-z_-]{43}")


def confirm(token: str) -> Any:
    return Api().call("POST", CONFIRM, {"token": token})


def ask_again(person: User) -> Any:
    answer = Api(person).call("POST", AGAIN)
    assert (answer.status_code, answer.json()) == (202, {"data": {"accepted": True}})
    return answer


def sent() -> list[tuple[str, str]]:
    """To whom, and the subject, of each letter that is sent now."""
    mail.outbox.clear()
    send_letters()
    return [(to, str(each.subject)) for each in mail.outbox for to in each.to]


def token_in(letter: Any) -> str:
    [token] = TOKEN.findall(str(letter.body))
    return str(token)


def is_confirmed(person: User) -> bool:
    shown = Api(person).get("/me").json()["data"]["email_confirmed"]
    assert isinstance(shown, bool)
    return shown


def change_address(person: User, email: str) -> User:
    return services.update_profile(person.id, services.ProfileChange(email=email, current_password=PASSWORD))


ASKS, CHANGED, RESET = "Is this your address?", "Your e-mail address was changed", "A new password"
LET_GO = "An address was taken out of an account"


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


class TestAChangeOfTheAddress:
    def test_unconfirms_asks_the_new_one_and_tells_the_old_one(self) -> None:
        ada = new_person()
        old, before = token_for(ada), ada.email
        assert confirm(old).status_code == 200
        answer = Api(ada).call("PATCH", "/me", {"email": "later@example.org", "current_password": PASSWORD})
        assert answer.json()["data"]["email_confirmed"] is False
        assert not is_confirmed(ada)
        assert sorted(sent()) == sorted([(before, CHANGED), ("later@example.org", ASKS)])
        told = {to: str(each.body) for each in mail.outbox for to in each.to}
        assert f"@{ada.username}" in told[before]
        assert "later@example.org" not in told[before], "whose it is by now is not told"
        assert not TOKEN.search(told[before])
        problem(confirm(old), 422, "bad_token")
        [asked] = [each for each in mail.outbox if each.to == ["later@example.org"]]
        assert confirm(token_in(asked)).status_code == 200
        assert is_confirmed(ada)

    def test_of_its_case_alone_is_none(self) -> None:
        ada, ben = new_person("Cased"), new_person("Cased_too")
        confirming.confirm(token_for(ada))
        asked = token_for(ben)
        for each in (ada, ben):
            answer = Api(each).call("PATCH", "/me", {"email": each.email.lower(), "current_password": PASSWORD})
            assert answer.json()["data"]["email"] == f"{each.username.lower()}@example.org"
        assert (is_confirmed(ada), sent()) == (True, [])
        assert confirm(asked).status_code == 200, "the letter of before is good as well"
        confirming.ask_again(new_person("Otherwise").pk)
        change_address(User.objects.get(username="Otherwise"), "oTHERWISE@example.org")
        assert sent() == [("oTHERWISE@example.org", ASKS)]

    def test_by_a_process_that_knows_of_no_confirming_leaves_none_confirmed(self) -> None:
        ada = new_person()
        confirming.confirm(token_for(ada))
        User.objects.filter(pk=ada.pk).update(email="somewhere_else@example.org")
        assert not is_confirmed(ada)
        page = signed_in(new_person(staff=True)).get(f"{PEOPLE}{ada.pk}/change/").content.decode()
        assert "UTC" not in page.partition("Email confirmed at")[2].partition("</div>")[0]
        ask_again(ada)
        assert sent() == [("somewhere_else@example.org", ASKS)]
        assert confirm(token_in(mail.outbox[0])).status_code == 200
        assert is_confirmed(ada)

    def test_other_changes_leave_it(self) -> None:
        ada = new_person()
        confirming.confirm(token_for(ada))
        services.update_profile(ada.id, services.ProfileChange(bio="Hello."))
        change = services.ProfileChange(password="another-horse-42", current_password=PASSWORD)
        services.update_profile(ada.id, change)
        assert User.objects.get(pk=ada.pk).email_confirmed_at is not None
        assert sent() == []

    @pytest.mark.parametrize("before", [False, True])
    def test_at_the_very_moment_confirms_neither(self, *, before: bool) -> None:
        ada = new_person()
        if before:
            confirming.confirm(token_for(ada))
        token, person_of = token_for(ada), confirming._person_of

        def slowly(token: str) -> User | None:
            person = person_of(token)
            change_address(ada, f"{ada.username}@meanwhile.org")
            return person

        with patch.object(confirming, "_person_of", slowly):
            problem(confirm(token), 422, "bad_token")
        assert not is_confirmed(ada)

    def test_that_is_refused_tells_nobody(self) -> None:
        ada, taken = new_person(), new_person().email
        confirming.confirm(token_for(ada))
        body = {"email": taken, "current_password": PASSWORD}
        problem(Api(ada).call("PATCH", "/me", body), 422)
        problem(Api(ada).call("PATCH", "/me", {**body, "email": "x@example.org", "current_password": "no"}), 422)
        assert (is_confirmed(ada), AddressLetter.objects.count()) == (True, 0)

    def test_by_staff_as_well_who_see_whether_it_is(self) -> None:
        ada = new_person()
        confirming.confirm(token_for(ada))
        admin = signed_in(new_person(staff=True))
        page = f"{PEOPLE}{ada.pk}/change/"
        shown = admin.get(page).content.decode()
        assert "Email confirmed at" in shown
        assert 'name="email_confirmed_at' not in shown, "and cannot set it"
        old = ada.email
        form = {"email": "desk@example.org", "display_name": ada.display_name, "bio": "", "avatar_url": ""}
        assert post(admin, page, form | {"email_confirmed_at_0": "2020-01-01"}).status_code == 302
        ada.refresh_from_db()
        assert (ada.email, ada.email_confirmed_at) == ("desk@example.org", None)
        assert sorted(sent()) == sorted([(old, CHANGED), ("desk@example.org", ASKS)])
        assert post(admin, page, form | {"bio": "Only that."}).status_code == 302
        assert sent() == []

    def test_by_staff_tells_the_address_that_stood_there_at_that_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ada = new_person()
        locks = people_admin._lock_who_is_here

        def late(person_id: int) -> None:
            User.objects.filter(pk=person_id).update(email="in_between@example.org")
            locks(person_id)

        monkeypatch.setattr(people_admin, "_lock_who_is_here", late)
        form = {"email": "late_desk@example.org", "display_name": ada.display_name, "bio": "", "avatar_url": ""}
        assert post(signed_in(new_person(staff=True)), f"{PEOPLE}{ada.pk}/change/", form).status_code == 302
        assert sorted(sent()) == sorted([("in_between@example.org", LET_GO), ("late_desk@example.org", ASKS)])

    def test_reaches_the_owner_although_who_took_the_account_over_leaves_with_it(self) -> None:
        ada = new_person()
        owned = ada.email
        confirming.confirm(token_for(ada))
        change_address(ada, "taken@example.org")
        leaving.leave(ada.pk, PASSWORD)
        [letters] = [step for step in SESSION_STEPS if step.name == "letters"]
        letters.erase(ada.pk, 0)
        assert letters.has_traces(ada.pk), "the proof waits for it"
        assert sent() == [(owned, CHANGED)]
        assert not letters.has_traces(ada.pk)

    def test_whom_staff_add_is_asked(self) -> None:
        admin = signed_in(new_person(staff=True))
        form = {"username": "added", "email": "added@example.org", "password1": PASSWORD, "password2": PASSWORD}
        assert post(admin, f"{PEOPLE}add/", form).status_code == 302
        assert sent() == [("added@example.org", ASKS)]


class TestAskingAgain:
    def test_costs_and_answers_the_same_confirmed_or_not_and_too_often(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        ada, ben = new_person(), new_person()
        confirming.confirm(token_for(ben))

        def cost(person: User) -> tuple[int, list[str]]:
            api = Api(person)
            api.get("/me")
            with counted_round_trips() as trips, CaptureQueriesContext(connection) as found:
                answer = api.call("POST", AGAIN)
            assert (answer.status_code, answer.json()) == (202, {"data": {"accepted": True}})
            return len(trips), [re.sub(r"'[^']*'|\d+", "?", each["sql"]) for each in found]

        costs = [cost(person) for person in (ada, ben, *[ada] * CONFIRMATIONS_BY_EMAIL.quota)]
        assert all(each == costs[0] for each in costs)
        assert [to for to, _ in sent()] == [ada.email] * (CONFIRMATIONS_BY_EMAIL.quota - 1), "signing up had one"
        assert AddressLetter.objects.count() == 0, "nor does any other wait"

    def test_one_who_asks_without_end_is_told_so(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        ada = new_person()
        for _ in range(CONFIRMATIONS_BY_PERSON.quota):
            ask_again(ada)
        problem(Api(ada).call("POST", AGAIN), 429, "throttled")
        query = "mutation { requestEmailConfirmation(input: {}) { ok } }"
        assert Door(ada).errors(query, status=200)[0]["extensions"]["code"] == "throttled", "at both doors together"
        ask_again(new_person())

    def test_an_address_that_nobody_confirmed_is_let_alone_whoever_gives_it(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        victim = "victim@example.org"
        for _ in range(2 * max(CONFIRMATIONS_BY_EMAIL.quota, CHANGES_BY_EMAIL.quota)):
            person = new_person()
            change_address(person, victim)
            change_address(person, "Victim@example.org")
            change_address(person, f"{person.username}@other.org")
        assert [subject for to, subject in sent() if to.lower() == victim] == [LET_GO] * CHANGES_BY_EMAIL.quota
        for _ in range(2):
            person = new_person()
            change_address(person, victim)
            assert victim not in [to for to, _ in sent()], "so many were asked for before"
            change_address(person, f"{person.username}@third.org")

    def test_one_that_was_confirmed_is_told_each_time(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True
        ada = new_person()
        for number in range(CHANGES_BY_EMAIL.quota + 2):
            before = ada.email
            confirming.confirm(token_for(ada))
            ada = change_address(ada, f"other_{number}@example.org")
            assert (before, CHANGED) in sent()
            ada = change_address(ada, before)
        body = {to: str(each.body) for each in mail.outbox for to in each.to}[before]
        assert "somebody knows your password" in body

    def test_only_what_comes_to_a_row_counts(self, settings: Settings) -> None:
        settings.RATE_LIMITS = True

        def fails(*_: Any, **__: Any) -> None:
            raise Unavailable("database")

        def registers(username: str) -> None:
            services.register(username=username, email="counted@example.org", password=PASSWORD)

        ada = new_person()
        for _ in range(CONFIRMATIONS_BY_EMAIL.quota + 1):
            with patch.object(services, "_save_unique", fails), pytest.raises(Unavailable):
                registers("counted")
            with patch.object(confirming, "_add", fails), pytest.raises(Unavailable):
                confirming.ask_again(ada.pk)
        settings.SENDS_LETTERS = False
        for _ in range(CONFIRMATIONS_BY_EMAIL.quota + 1):
            change_address(ada, "counted@example.org")
            change_address(ada, "uncounted@example.org")
        settings.SENDS_LETTERS = True
        registers("counted")
        ask_again(ada)
        assert sent() == [("counted@example.org", ASKS), ("uncounted@example.org", ASKS)]

    def test_where_no_letters_are_sent(self, settings: Settings) -> None:
        settings.SENDS_LETTERS = False
        ada = new_person()
        problem(Api(ada).call("POST", AGAIN), 503, "unavailable")
        change_address(ada, "quiet@example.org")
        services.register(username="quiet", email="quiet2@example.org", password=PASSWORD)
        assert AddressLetter.objects.count() == 0


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
        services.suspend(ada, by=new_person(staff=True))
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


class TestLetters:
    def test_lead_to_the_page_or_have_the_token_alone(self, settings: Settings) -> None:
        ada = new_person()
        for url, way in (("https://feed.example.org/confirm-email", "{url}#token={token}\n"), ("", "\n{token}\n")):
            settings.EMAIL_CONFIRMATION_URL = url
            ask_again(ada)
            sent()
            [letter] = mail.outbox
            assert way.format(url=url, token=token_in(letter)) in str(letter.body)

    def test_one_that_is_no_longer_wanted_is_not_sent(self) -> None:
        confirmed, moved, suspended = new_person(), new_person(), new_person()
        for each in (confirmed, moved, suspended):
            ask_again(each)
        confirming.confirm(token_for(confirmed))
        User.objects.filter(pk=moved.pk).update(email="moved@example.org")
        services.suspend(suspended, by=new_person(staff=True))
        assert sent() == []
        assert AddressLetter.objects.count() == 0

    @pytest.mark.parametrize("first", range(OTHERS_TURN))
    def test_go_behind_those_of_forgotten_passwords_but_for_their_share(
        self, first: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(letters, "randrange", lambda _: first)
        monkeypatch.setattr(letters, "SENT_AT_ONCE", 2 * OTHERS_TURN)
        people = [new_person() for _ in range(2 * OTHERS_TURN)]
        for each in people:
            ask_again(each)
        for each in people[:-1]:
            resets.ask(each.email)
        found = sent()
        share = [subject for _, subject in found].index(ASKS)
        assert share == (OTHERS_TURN - 1 - first) % OTHERS_TURN
        assert [subject for _, subject in found].count(ASKS) == 2, "of as many as two turns have"
        assert [to for to, subject in found if subject == ASKS] == [each.email for each in people[:2]]
        assert sorted(subject for _, subject in sent()) == [RESET, *[ASKS] * 6]

    def test_of_each_sort_begin_some_runs(self) -> None:
        """Of a server so slow that a run is one letter."""
        one, other = PasswordReset(), AddressLetter()
        firsts = {type(letters._shared([one], [other])[0]) for _ in range(500)}
        assert firsts == {PasswordReset, AddressLetter}

    def test_that_an_address_was_changed_waits_for_a_day_and_a_new_password_for_an_hour(self) -> None:
        ada = new_person()
        before = ada.email
        change_address(ada, "patient@example.org")
        resets.ask(new_person().email)
        seconds_go_by(GIVEN_UP_SECONDS[PasswordReset] + 1)
        assert {to for to, _ in sent()} == {before, "patient@example.org"}
        change_address(ada, "patient2@example.org")
        seconds_go_by(GIVEN_UP_SECONDS[AddressLetter] + 1)
        assert sent() == []
        assert AddressLetter.objects.count() == 0

    def test_addresses_of_nobody_s_are_not_written_to(self) -> None:
        ada = new_person()
        User.objects.filter(pk=ada.pk).update(email="lost_1@lost.invalid")
        change_address(ada, "found@example.org")
        assert sent() == [("found@example.org", ASKS)]
        services.register(username="demonstrated", email="demonstrated@demo.invalid", password=PASSWORD)
        assert sent() == []


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
