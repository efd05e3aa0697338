"""The page at / in a real browser: taking one's data along, and leaving."""

import json
from collections.abc import Iterator, Sequence

import pytest

from tests.e2e.browser import Browser
from tests.e2e.client_page import User, anew, users
from tests.e2e.conftest import PASSWORD, Server
from tests.e2e.live_sockets import on_one_store

pytestmark = [pytest.mark.e2e, on_one_store]

CAUGHT = """
(() => {
  window.saved = null;
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => { blob.text().then((text) => (window.saved = text)); return make.call(URL, blob); };
  addEventListener("click", (event) => event.target.download && (window.named = event.target.download), true);
})()
"""


AWAY_TWICE = """
(() => {
  window.refused = 0;
  const fetch = window.fetch;
  window.fetch = (url, options) => {
    if (!String(url).includes("/me/export") || window.refused === 2) return fetch(url, options);
    window.refused += 1;
    const headers = { "Retry-After": "1", "Content-Type": "application/problem+json" };
    return Promise.resolve(new Response(`{"status": STATUS, "code": "away"}`, { status: STATUS, headers }));
  };
})()
"""


@pytest.fixture(scope="module")
def shared_one(shared_browser: Browser) -> Iterator[Sequence[User]]:
    with users(shared_browser, "", 1) as one:
        yield one


@pytest.fixture
def one(shared_one: Sequence[User], server: Server) -> Iterator[User]:
    with anew(shared_one, server) as [user]:
        yield user


def test_one_s_data_is_a_file_of_all_lines(one: User, server: Server) -> None:
    person = server.sign_up()
    tweet_id = person.post("to be taken along")
    one.become(person)
    one.go("/settings")
    one.tab.run(CAUGHT)
    one.click("Download my data", "main")
    one.tab.until("window.saved !== null")
    lines = [json.loads(line) for line in one.tab.run("window.saved").splitlines()]
    assert one.tab.run("window.named") == f"{person.username}.ndjson"
    assert [line["data"]["id"] for line in lines if line["type"] == "tweet"] == [str(tweet_id)]
    assert {line["type"] for line in lines} == {"account", "session", "tweet"}


@pytest.mark.parametrize("status", [429, 503])
def test_what_does_not_answer_for_a_moment_is_waited_for(one: User, server: Server, status: int) -> None:
    """And the download goes on where it was: nothing is in it twice."""
    person = server.sign_up()
    one.become(person)
    one.go("/settings")
    one.tab.run(CAUGHT)
    one.tab.run(AWAY_TWICE.replace("STATUS", str(status)))
    one.click("Download my data", "main")
    one.tab.until("window.saved !== null")
    lines = [json.loads(line) for line in one.tab.run("window.saved").splitlines()]
    assert [line["type"] for line in lines] == ["account", "session"]
    assert one.tab.run("window.refused") == 2


def test_a_wrong_password_is_said_and_the_right_one_ends_it_all(one: User, server: Server) -> None:
    person, other = server.sign_up(), server.sign_up()
    tweet_id = person.post("gone with its author")
    one.become(person)
    one.go("/settings").click("Leave …", "main")
    one.tab.type("dialog [name=password]", "a-wrong-guess")
    one.click("Leave for good", "dialog form").sees("This is not your password", "dialog .fault")
    one.forgive("422")
    one.tab.run("(document.querySelector('dialog [name=password]').value = '', null)")
    one.tab.type("dialog [name=password]", PASSWORD)
    one.click("Leave for good", "dialog form").sees("You have left", ".notices")
    one.sees("Welcome", "h1")
    assert one.tab.run("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert other.client.get(f"/tweets/{tweet_id}").status_code == 404
    assert other.client.get(f"/users/{person.username}").status_code == 404
    body = {"username": person.username, "password": PASSWORD}
    assert person.client.post("/auth/token", json=body).status_code == 401
