"""Forgetting a password, as a person and as the worker that sends letters."""

import re
from datetime import timedelta
from typing import Any

from django.core import mail

from accounts.letter_rows import AddressLetter, PasswordReset
from accounts.people.letters import TURN, send_letters
from storage.redis.node import broker_node
from tests.integration.speaking import Api

ASK, CONFIRM = "/auth/password-reset", "/auth/password-reset/confirm"
NEW_PASSWORD = "another-horse-42"
TOKEN = re.compile(r"[1-9][0-9]+\.[0-9a-z]+-[0-9a-f]{32}")


def ask(email: str) -> Any:
    answer = Api().call("POST", ASK, {"email": email})
    assert (answer.status_code, answer.json()) == (202, {"data": {"accepted": True}})
    return answer


def letters() -> list[tuple[str, str]]:
    """To whom, and the token, of each letter that is sent now."""
    mail.outbox.clear()
    send_letters()
    return [(to, TOKEN.findall(str(each.body))[0]) for each in mail.outbox for to in each.to]


def confirm(token: str, password: str = NEW_PASSWORD) -> Any:
    return Api().call("POST", CONFIRM, {"token": token, "password": password})


def seconds_go_by(seconds: int) -> None:
    """For what waits."""
    for asked in (*PasswordReset.objects.all(), *AddressLetter.objects.all()):
        asked.asked_at -= timedelta(seconds=seconds)
        asked.due_at -= timedelta(seconds=seconds)
        asked.save()


def turn_ends() -> None:
    """As if its time were over."""
    broker_node().round_trip(("DEL", TURN))
