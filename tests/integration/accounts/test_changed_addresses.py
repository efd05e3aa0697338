"""Changing an e-mail address: the new one is asked, the old one told, and neither is flooded."""

import re
from typing import Any
from unittest.mock import patch

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts import admin as people_admin
from accounts.letter_rows import AddressLetter
from accounts.models import User
from accounts.people import confirming, leaving, services
from accounts.people.confirming import token_for
from accounts.people.erasing import SESSION_STEPS
from accounts.sessions.throttles import CHANGES_BY_EMAIL, CONFIRMATIONS_BY_EMAIL, CONFIRMATIONS_BY_PERSON
from storage.errors import Unavailable
from tests.backends import counted_round_trips
from tests.integration.accounts.admins import PEOPLE, post, signed_in
from tests.integration.accounts.confirmed import (
    AGAIN,
    ASKS,
    CHANGED,
    LET_GO,
    TOKEN,
    ask_again,
    change_address,
    confirm,
    is_confirmed,
    sent,
    token_in,
)
from tests.integration.querying import Door
from tests.integration.speaking import Api, problem
from tests.people import PASSWORD, new_person

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers", "nobody_waits")


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
