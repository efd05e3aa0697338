"""Confirming an address as a client does it, and the letters of it."""

import re
from typing import Any

from django.core import mail

from accounts.models import User
from accounts.people import services
from accounts.people.letters import send_letters
from tests.integration.speaking import Api
from tests.people import PASSWORD

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
