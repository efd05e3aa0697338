"""Letters to addresses: where they lead, which are sent, and in what order beside those of forgotten passwords."""

import pytest
from django.core import mail
from pytest_django.fixtures import Settings

from accounts.letter_rows import AddressLetter, PasswordReset
from accounts.models import User
from accounts.people import confirming, letters, resets, services, suspending
from accounts.people.confirming import token_for
from accounts.people.letters import GIVEN_UP_SECONDS, OTHERS_TURN
from tests.integration.accounts.confirmed import ASKS, RESET, ask_again, change_address, sent, token_in
from tests.integration.accounts.resetting import seconds_go_by
from tests.people import PASSWORD, new_person

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers", "nobody_waits")


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
        suspending.suspend(suspended, by=new_person(staff=True))
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
