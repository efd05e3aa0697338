"""The page at / in a real browser: what is sent twice, whose answer is lost, and sessions of several tabs."""

import json
from collections.abc import Iterator, Sequence

import pytest

from tests.e2e.browser import Browser
from tests.e2e.client_page import NO_PAGE, User, anew, users
from tests.e2e.conftest import PASSWORD, Person, Server
from tests.e2e.live_sockets import on_one_store
from tests.e2e.page_line import line

pytestmark = [pytest.mark.e2e, on_one_store]

NEW_PASSWORD = "Engine-No-1844"


@pytest.fixture(scope="module")
def shared_pair(shared_browser: Browser) -> Iterator[Sequence[User]]:
    with users(shared_browser, "", 2) as pair:
        yield pair


@pytest.fixture
def pair(shared_pair: Sequence[User], server: Server) -> Iterator[Sequence[User]]:
    """Two people who are not signed in."""
    with anew(shared_pair, server) as two:
        yield two


@pytest.fixture
def one(pair: Sequence[User]) -> User:
    return pair[0]


def stay(one: User, person: Person) -> None:
    """Signs them in on the device, for every tab that has no session of its own."""
    user = {"id": person.id, "username": person.username, "display_name": person.username, "bio": ""}
    one.tab.open(f"{one.url}{NO_PAGE}")
    one.tab.run(f"localStorage.setItem('session', {json.dumps(json.dumps({'token': person.token, 'user': user}))})")


class TestSessions:
    def test_a_change_in_another_tab_is_no_sign_in(self, pair: Sequence[User], server: Server) -> None:
        ada, bob = pair
        stay(ada, server.sign_up())
        with line(bob.tab) as wire:
            bob.open("/").until_live().go("/public")
            ada.open("/settings")
            ada.tab.type("main [name=display_name]", "Another name")
            ada.click("Save", "main form").sees("Another name", ".account")
            bob.sees("Another name", ".account")
            assert bob.place() == "/public"
            assert wire.opened() == 1

    def test_signing_out_of_a_tab_leaves_the_device_be(self, pair: Sequence[User], server: Server) -> None:
        ada, bob = pair
        stay(bob, server.sign_up())
        bob.open("/").until_live()
        ada.become(server.sign_up())
        ada.go("/settings").click("Sign out", "main").sees("Welcome", "h1")
        assert bob.tab.run("localStorage.getItem('session') !== null")
        assert bob.open("/").sees("Home", "h1")


class TestLostAnswers:
    def test_a_password_is_changed_once(self, one: User, server: Server) -> None:
        person = server.sign_up()
        one.become(person)
        one.go("/settings")
        one.tab.type("main [name=current_password]", PASSWORD)
        one.tab.type("main [name=password]", NEW_PASSWORD)
        one.tab.lose_answer("*/api/v1/me")
        one.tab.asked.clear()
        one.click("Change password", "main").sees("The server does not answer", ".problem")
        one.forgive("ERR_CONNECTION_RESET")
        assert [url for url in one.tab.asked if url.endswith("/api/v1/me")] == [f"{one.url}/api/v1/me"]
        body = {"username": person.username, "password": NEW_PASSWORD}
        assert person.client.post("/auth/token", json=body).status_code == 200

    def test_a_tweet_that_is_deleted_is_deleted(self, one: User, server: Server) -> None:
        person = server.sign_up()
        tweet_id = person.post("to be deleted")
        one.become(person)
        one.tab.lose_answer(f"*/api/v1/tweets/{tweet_id}")
        one.click("More about", one.card("to be deleted")).click("Delete", ".menu-list").click("Delete", "dialog form")
        one.sees("Deleted", ".notices").sees_no_more("to be deleted")
        assert one.tab.run("document.querySelector('dialog') === null")
        one.forgive("ERR_CONNECTION_RESET", "404")

    def test_another_report_has_another_key(self, one: User, server: Server) -> None:
        other = server.sign_up()
        one.become(server.sign_up())
        one.go(f"/@{other.username}").click("More about @").click("Report", ".menu-list")
        one.tab.answer_instead("*/api/v1/reports", 500)
        one.click("Report", "dialog form").sees("500", "dialog .problem").forgive("500")
        one.tab.type("dialog [name=comment]", "and that is why")
        one.click("Report", "dialog form").sees("Thank you", ".notices")


def test_who_is_protected_is_asked_and_accepts(pair: Sequence[User], server: Server) -> None:
    author, reader = server.sign_up(), server.sign_up()
    author.post("for followers alone")
    ada, bob = pair
    ada.become(author).go("/settings").click("Protect my tweets").sees("Only your followers", ".panel")
    bob.become(reader).go(f"/@{author.username}").sees("Protected", ".profile").sees("No tweets yet")
    bob.click("Follow @").sees("Requested", "main .follow")
    ada.go("/follow-requests").click("Accept @", "article.person").sees("Nobody asks to follow you")
    bob.go("/").sees("for followers alone", "article.tweet")
    bob.go(f"/@{author.username}").sees("Following", "main .follow")
