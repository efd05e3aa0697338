"""The letters of forgotten passwords: each is sent once or given up aloud, and no mail server holds a worker up."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from pytest_django.fixtures import Settings

from accounts.letter_rows import AddressLetter, PasswordReset
from accounts.models import User
from accounts.people import letters as sending_letters
from accounts.people.letters import (
    DOUBTFUL_SECONDS,
    GIVEN_UP_SECONDS,
    MOST_PAUSE_SECONDS,
    MOST_REFUSALS,
    RETRY_SECONDS,
    SLOW_SECONDS,
    TURN,
    TURN_SECONDS,
    send_letters,
)
from accounts.sessions.ending_all import end_everybodys
from feed.tasks import send_letters as send_letters_task
from storage.redis.node import broker_node
from tests.integration.accounts.resetting import ASK, ask, confirm, letters, seconds_go_by, turn_ends
from tests.integration.speaking import Api, problem
from tests.mail_server import MailServer, mail_server
from tests.people import new_person
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers", "nobody_waits")


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    settings.EMAIL_TIMEOUT = 5
    with mail_server(settings) as server:
        yield server


@pytest.fixture
def sending(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What happens while a letter is sent."""
    happens: list[Callable[[], None]] = []
    sends = EmailBackend.send_messages

    def send(self: EmailBackend, messages: Any) -> int:
        for each in happens:
            each()
        return int(sends(self, messages))

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    return happens


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(sending_letters, "monotonic", lambda: now[0])
    return now


def people_ask(count: int) -> list[str]:
    """Their addresses, in the order in which they asked."""
    emails = [new_person().email for _ in range(count)]
    for email in emails:
        ask(email)
    return emails


def sent_to() -> list[str]:
    return [to for to, _ in letters()]


def waiting() -> list[str]:
    return sorted(PasswordReset.objects.values_list("email", flat=True))


def turn_lasts() -> int:
    """Seconds; -2 if nobody has it."""
    [seconds] = broker_node().round_trip(("TTL", TURN))
    return int(seconds)


class TestOneAtATime:
    def test_two_workers_send_one_letter(self) -> None:
        people_ask(1)
        mail.outbox.clear()
        run_together([send_letters_task] * 3)
        assert len(mail.outbox) == 1

    def test_nobody_begins_beside_another(self, sending: list[Callable[[], None]]) -> None:
        people_ask(2)
        beside: list[int] = []
        sending.append(lambda: beside.append(send_letters()))
        sending.append(lambda: beside.append(turn_lasts()))
        assert len(sent_to()) == 2
        assert beside == [0, TURN_SECONDS, 0, TURN_SECONDS]
        assert turn_lasts() == -2, "and the next may begin at once"

    def test_none_is_sent_twice_although_the_turn_was_lost(self, sending: list[Callable[[], None]]) -> None:
        def another_begins() -> None:
            sending.clear()
            turn_ends()
            send_letters()

        emails = people_ask(2)
        sending.append(another_begins)
        assert sorted(sent_to()) == sorted(emails)

    def test_a_row_is_claimed_for_longer_than_a_run_lasts(self, sending: list[Callable[[], None]]) -> None:
        people_ask(1)
        claimed: list[datetime] = []
        sending.append(lambda: claimed.extend(PasswordReset.objects.values_list("due_at", flat=True)))
        before = datetime.now(UTC)
        send_letters()
        assert claimed[0] >= before + timedelta(seconds=TURN_SECONDS)

    def test_so_many_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending_letters, "SENT_AT_ONCE", 4)
        people_ask(5)
        assert [len(letters()) for _ in range(3)] == [4, 1, 0]


class TestTime:
    def test_no_letter_is_begun_after_seconds(self, sending: list[Callable[[], None]], clock: list[float]) -> None:
        def takes_a_while() -> None:
            clock[0] += 1.1

        people_ask(3)
        sending.append(takes_a_while)
        assert [len(letters()) for _ in range(3)] == [2, 1, 0]

    @pytest.mark.parametrize(("seconds", "rest"), [(SLOW_SECONDS, 4), (25.0, 50), (70.0, RETRY_SECONDS)])
    def test_after_a_slow_letter_nobody_sends_for_twice_as_long(
        self,
        seconds: float,
        rest: int,
        sending: list[Callable[[], None]],
        clock: list[float],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def is_slow() -> None:
            clock[0] += seconds

        emails = people_ask(2)
        sending.append(is_slow)
        assert sent_to() == emails[:1]
        assert turn_lasts() in (rest - 1, rest)
        assert "letters_are_slow" in caplog.text
        assert letters() == []
        turn_ends()
        assert sent_to() == emails[1:]

    def test_a_server_that_hangs_is_asked_once_a_minute(self, server: MailServer, settings: Settings) -> None:
        settings.EMAIL_TIMEOUT = 0.2
        server.hangs = True
        people_ask(2)
        assert [send_letters() for _ in range(3)] == [0, 0, 0]
        assert server.connections == 1
        assert turn_lasts() in (RETRY_SECONDS - 1, RETRY_SECONDS)
        server.hangs, settings.EMAIL_TIMEOUT = False, 5
        turn_ends()
        assert send_letters() == 1, "whose letter it was comes after the others"

    def test_a_run_is_one_connection(self, server: MailServer) -> None:
        emails = people_ask(3)
        assert send_letters() == 3
        assert (server.taken, server.connections) == (emails, 1)


def test_a_server_that_does_not_take_it_is_asked_again(
    server: MailServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    [email] = people_ask(1)
    server.answers["MAIL"] = f"451 not for {email}"
    assert send_letters() == 0
    other = new_person().email
    ask(other)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert letters() == [], "not at once, nobody's"
    turn_ends()
    assert sent_to() == [other]
    assert letters() == [], "nor theirs as soon as the server is asked again"
    seconds_go_by(RETRY_SECONDS)
    [(to, token)] = letters()
    assert to == email
    assert confirm(token).status_code == 200
    assert "letter_waits" in caplog.text
    assert email not in caplog.text, "whatever the server says"


class TestFaults:
    @pytest.mark.parametrize("place", ["recipient", "."])
    def test_what_is_refused_is_tried_again_and_holds_up_no_other(
        self, place: str, server: MailServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A server that lists our address as bad says so to each recipient: that is no fault of theirs."""
        bad, *good = people_ask(3)
        server.answers[bad if place == "recipient" else place] = f"550 no {bad}"
        assert send_letters() == (2 if place == "recipient" else 0)
        assert server.taken == (good if place == "recipient" else [])
        assert (bad in waiting(), turn_lasts(), server.connections) == (True, -2, 1)
        person = User.objects.get(email=bad)
        assert "letter_waits" in caplog.text
        assert str(person.pk) in caplog.text
        assert bad not in caplog.text
        server.answers.clear()
        seconds_go_by(RETRY_SECONDS)
        send_letters()
        assert (sorted(server.taken), waiting()) == (sorted([bad, *good]), [])

    def test_a_mailbox_that_does_not_exist_is_given_up(
        self, server: MailServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        nobody, other = people_ask(2)
        server.answers |= {nobody: "550 none", other: "452 full"}
        send_letters()
        for number in range(1, MOST_REFUSALS):
            assert waiting() == sorted([nobody, other])
            seconds_go_by((RETRY_SECONDS << (number - 1)) - 2)
            before = server.asked.count(nobody)
            send_letters()
            assert server.asked.count(nobody) == before, "the pause is as long as those before together"
            seconds_go_by(2)
            send_letters()
        assert server.asked.count(nobody) == server.asked.count(other) == MOST_REFUSALS
        assert waiting() == [other], "what may be taken later is not given up"
        [line] = [each for each in caplog.messages if "letter_given_up" in each]
        assert nobody not in line

    def test_a_mailbox_is_tried_each_hour_at_least(self, server: MailServer) -> None:
        ada = new_person()
        server.answers[ada.email] = "452 full"
        now = datetime.now(UTC)
        AddressLetter.objects.create(
            user_id=ada.pk, email=ada.email, kind="changed", asked_at=now, due_at=now, refusals=20
        )
        send_letters()
        [due_at] = AddressLetter.objects.values_list("due_at", flat=True)
        assert (due_at - now).total_seconds() == pytest.approx(MOST_PAUSE_SECONDS, abs=30)

    def test_a_server_that_was_away_does_not_make_a_letter_wait_for_longer(self, server: MailServer) -> None:
        people_ask(1)
        server.answers["MAIL"] = "451 later"
        for _ in range(MOST_REFUSALS + 1):
            send_letters()
            turn_ends()
            seconds_go_by(RETRY_SECONDS)
        server.answers.clear()
        assert send_letters() == 1

    def test_a_server_that_falls_silent_amid_a_letter_has_it_few_times(
        self, server: MailServer, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It may have taken the letter, and only be slow to say so."""
        settings.EMAIL_TIMEOUT = 0.2
        server.says_nothing_of_letters = True
        [email] = people_ask(1)
        for _ in range(2 * DOUBTFUL_SECONDS // RETRY_SECONDS):
            send_letters()
            turn_ends()
            seconds_go_by(RETRY_SECONDS)
        assert server.taken == [email] * (DOUBTFUL_SECONDS // RETRY_SECONDS + 1)
        assert waiting() == []
        assert (caplog.text.count("letter_waits"), caplog.text.count("letter_given_up")) == (3, 1)

    def test_an_address_that_no_letter_can_be_written_to(self, caplog: pytest.LogCaptureFixture) -> None:
        ada, bob = new_person(), new_person()
        bad = f"{ada.username}\n@example.org"
        User.objects.filter(pk=ada.pk).update(email=bad)
        now = datetime.now(UTC) - timedelta(seconds=1)
        PasswordReset.objects.create(email=bad, asked_at=now, due_at=now)
        ask(bob.email)
        assert sent_to() == [bob.email]
        assert waiting() == []
        assert "letter_given_up" in caplog.text

    def test_a_mailbox_that_takes_none_now_waits_alone(self, server: MailServer) -> None:
        full, *good = people_ask(3)
        server.answers[full] = "452 full"
        assert send_letters() == 2
        assert (server.taken, waiting(), turn_lasts()) == (good, [full], -2)
        assert send_letters() == 0, "for a minute"
        server.answers.clear()
        seconds_go_by(RETRY_SECONDS)
        assert send_letters() == 1
        assert server.taken == [*good, full]

    @pytest.mark.parametrize(("verb", "answer"), [("MAIL", "550 not you"), (".", "451 later"), ("EHLO", "550 not you")])
    def test_a_server_that_takes_nobody_s_is_left_alone(self, verb: str, answer: str, server: MailServer) -> None:
        emails = people_ask(3)
        server.answers[verb] = answer
        if verb == "EHLO":
            server.answers["HELO"] = answer
        assert [send_letters() for _ in range(2)] == [0, 0]
        assert (waiting(), server.connections) == (sorted(emails), 1)

    def test_nobody_there(self, settings: Settings) -> None:
        with mail_server(settings):
            emails = people_ask(2)
        assert send_letters() == 0
        assert (waiting(), turn_lasts()) == (sorted(emails), RETRY_SECONDS)


class TestForgetting:
    @pytest.mark.parametrize("sends", [True, False])
    def test_what_has_waited_for_an_hour_is_deleted_and_never_sent(
        self, sends: bool, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        old = people_ask(2)
        seconds_go_by(GIVEN_UP_SECONDS[PasswordReset])
        new = people_ask(1)
        settings.SENDS_LETTERS = sends
        with caplog.at_level(logging.ERROR):
            assert sent_to() == (new if sends else [])
        assert waiting() == ([] if sends else new)
        [line] = [each for each in caplog.messages if "letters_given_up" in each]
        assert "2" in line
        assert old[0] not in caplog.text

    def test_it_is_not_kept_while_the_server_is_left_alone_either(self, server: MailServer) -> None:
        people_ask(1)
        server.answers["MAIL"] = "451 later"
        send_letters()
        seconds_go_by(GIVEN_UP_SECONDS[PasswordReset])
        send_letters()
        assert waiting() == []

    def test_signing_everybody_out_forgets_whoever_asked(self) -> None:
        people_ask(2)
        end_everybodys()
        assert waiting() == []


class TestWhoHasNone:
    def test_where_no_letters_are_sent_everybody_is_told_so(self, settings: Settings) -> None:
        settings.SENDS_LETTERS = False
        for email in (new_person().email, "nobody@example.org"):
            problem(Api().call("POST", ASK, {"email": email}), 503, "unavailable")
        assert waiting() == []

    def test_nothing_is_written_to_anybody_where_none_are_sent(self, settings: Settings) -> None:
        emails = people_ask(1)
        settings.SENDS_LETTERS = False
        assert letters() == []
        assert waiting() == emails

    def test_nobody_with_power_at_the_desk(self, caplog: pytest.LogCaptureFixture) -> None:
        staff, superuser, former, ada = (new_person() for _ in range(4))
        User.objects.filter(pk=staff.pk).update(is_staff=True)
        User.objects.filter(pk=superuser.pk).update(is_superuser=True)
        former.groups.add(Group.objects.get_or_create(name="of-old")[0])
        for each in (staff, superuser, former, ada):
            ask(each.email)
        assert sent_to() == [ada.email]
        assert waiting() == []
        assert [each for each in caplog.messages if "letter" in each] == [], "and it is nowhere told"


def test_a_letter_leads_to_the_client_s_page(settings: Settings) -> None:
    settings.PASSWORD_RESET_URL = "https://feed.example.org/new-password"
    people_ask(1)
    [(_, token)] = letters()
    assert f"https://feed.example.org/new-password#token={token}\n" in str(mail.outbox[0].body)
