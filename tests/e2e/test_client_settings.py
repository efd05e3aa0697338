"""The page at / in a real browser: an address that is confirmed by a letter's link, and muted words."""

import re
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.e2e.browser import Browser
from tests.e2e.client_page import User, anew, users
from tests.e2e.conftest import Server
from tests.e2e.live_sockets import on_one_store
from tests.e2e.runs import eventually

pytestmark = [pytest.mark.e2e, on_one_store]

LETTER_SECONDS = 60.0
"""Every 5 s somebody looks who waits for one."""
LINK = re.compile(r"(http://\S+/confirm-email)#token=([\w.-]+)")


@pytest.fixture(scope="module")
def shared_one(shared_browser: Browser) -> Iterator[Sequence[User]]:
    with users(shared_browser, "", 1) as one:
        yield one


@pytest.fixture
def one(shared_one: Sequence[User], server: Server) -> Iterator[User]:
    with anew(shared_one, server) as [user]:
        yield user


def links(server: Server, person_id: str) -> list[tuple[str, str]]:
    """In the letters to somebody that were printed by now."""
    return [(url, token) for url, token in LINK.findall(server.output()) if token.startswith(f"{person_id}.")]


def test_the_link_of_a_letter_confirms_the_address_and_another_letter_is_sent(one: User, server: Server) -> None:
    person = server.sign_up()
    assert eventually(lambda: len(links(server, person.id)) == 1, LETTER_SECONDS)
    one.become(person).go("/settings").sees(f"{person.username}@example.org is not confirmed yet", ".panel")
    one.click("Send the letter again", "main").sees("A letter is on its way", ".notices")
    assert eventually(lambda: len(links(server, person.id)) == 2, LETTER_SECONDS)
    url, token = links(server, person.id)[1]
    assert url == f"{server.url}/confirm-email"
    one.open("/confirm-email#token=no").click("Confirm", "main form").sees("ask for another letter", ".fault")
    one.forgive("422")
    one.open("/")
    one.open(f"/confirm-email#token={token}").sees("What the letter says", "main form")
    assert one.tab.run("document.querySelector('main [name=token]').value") == token
    time.sleep(1.0)
    assert person.client.get("/me").json()["data"]["email_confirmed"] is False, "programs open links as well"
    one.click("Confirm", "main form").sees("Your e-mail address is confirmed", "main [role=status]")
    assert one.tab.run("location.href") == f"{server.url}/confirm-email", "the token is not in the history"
    one.go("/settings").sees("@example.org is confirmed", ".panel")
    assert one.tab.run("[...document.querySelectorAll('button')].every((each) => !each.checkVisibility() || "
                       "each.innerText !== 'Send the letter again')")  # fmt: skip
    assert person.client.get("/me").json()["data"]["email_confirmed"] is True


def test_words_are_muted_and_let_go(one: User, server: Server) -> None:
    person, other = server.sign_up(), server.sign_up()
    tweet = person.post("to be answered")
    for text in ("a dreadful spoiler", "a kind answer"):
        other.post(text, reply_to=tweet)
    one.become(person).go("/notifications").sees("a dreadful spoiler").sees("a kind answer")
    one.go("/settings").click("Muted words", "main").sees("You mute no words")
    one.tab.type("main [name=word]", "!")
    one.click("Mute", "main form").sees("no letter, digit or emoji", ".fault").forgive("422")
    one.tab.run("(document.querySelector('main [name=word]').value = '', null)")
    one.tab.type("main [name=word]", "Spoiler and/or 50%")
    one.click("Mute", "main form").sees("spoiler and/or 50%", "article.person")
    one.tab.type("main [name=word]", "SPOILER")
    one.click("Mute", "main form").sees("“spoiler” is muted", ".notices")
    assert [each["word"] for each in person.client.get("/me/muted-words").json()["data"]] == [
        "spoiler",
        "spoiler and/or 50%",
    ]
    one.go("/notifications").sees("a kind answer")
    assert one.count("a dreadful spoiler", "article.notification") == 0
    one.go("/muted-words").click("Unmute spoiler and/or 50%", "main").sees_no_more("and/or", "article.person")
    one.click("Unmute spoiler", "main").sees("You mute no words")
    one.go("/notifications").sees("a dreadful spoiler")
