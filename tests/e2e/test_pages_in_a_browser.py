"""The site's pages in a real browser: they work under their policy, and what is put into one does not."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.browser import Browser, Tab
from tests.e2e.conftest import OPERATOR, PASSWORD, Server

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared_tab(shared_browser: Browser) -> Iterator[Tab]:
    with shared_browser.tab() as tab:
        yield tab


@pytest.fixture
def tab(shared_tab: Tab) -> Tab:
    shared_tab.open("about:blank")
    shared_tab.complaints.clear()
    return shared_tab


def sign_in(tab: Tab, server: Server) -> None:
    server.make_operator()
    tab.open(f"{server.url}/admin/login/?next=/admin/")
    tab.run(f"document.querySelector('#id_username').value = {json.dumps(OPERATOR)}")
    tab.run(f"document.querySelector('#id_password').value = {json.dumps(PASSWORD)}")
    tab.leave("document.querySelector('#login-form').submit()")
    assert tab.run("location.pathname") == "/admin/"


def test_the_api_s_documentation_works(tab: Tab, server: Server) -> None:
    """Swagger UI shows every operation, and carries one out."""
    tab.open(f"{server.url}/api/docs/")
    tab.until("document.querySelectorAll('.opblock').length > 30")
    assert tab.run("getComputedStyle(document.querySelector('.beside')).backgroundColor") == "rgb(238, 238, 238)"
    tab.run(
        """window.block = [...document.querySelectorAll(".opblock")].find(
            (each) => each.querySelector(".opblock-summary-path").dataset.path === "/api/v1/feed/public")"""
    )
    for step in (".opblock-summary-control", ".try-out__btn", ".execute"):
        tab.until(f"block.querySelector('{step}')")
        tab.run(f"block.querySelector('{step}').click()")
    tab.until("block.querySelector('.live-responses-table')?.textContent.includes('200')")
    assert tab.complaints == []


def test_what_is_to_be_read_is_shown_with_its_styles(tab: Tab, server: Server) -> None:
    for path in ("/api/docs/live/", "/problems/refused", "/problems/not-found"):
        tab.open(server.url + path)
        assert tab.run("getComputedStyle(document.body).maxWidth") == "800px"
    assert tab.complaints == []


def test_the_admin_works(tab: Tab, server: Server) -> None:
    person = server.sign_up()
    sign_in(tab, server)
    people = "/admin/accounts/user"
    places = [
        "/admin/", f"{people}/", f"{people}/add/", f"{people}/{person.id}/change/", f"{people}/{person.id}/password/",
        f"{people}/{person.id}/history/", "/admin/password_change/", "/admin/auth/group/", "/admin/auth/group/add/",
        "/admin/feed/report/", "/admin/nowhere/",
    ]  # fmt: skip
    for place in places:
        tab.open(server.url + place)
        tab.complaints = [said for said in tab.complaints if "404" not in said]
        assert tab.complaints == [], place
    tab.open(f"{server.url}/admin/auth/group/add/")
    tab.until("document.querySelector('.selector-available')")
    tab.open(f"{server.url}{people}/")
    tab.run("document.querySelector('#action-toggle').click()")
    assert tab.run("document.querySelectorAll('tr.selected').length") > 0
    assert tab.complaints == []


def test_a_page_may_open_a_socket_to_its_own_site(tab: Tab, server: Server) -> None:
    tab.open(f"{server.url}/api/docs/live/")
    token = server.sign_up().token
    said = tab.run(
        f"""new Promise((done) => {{
            const socket = new WebSocket(`ws://${{location.host}}/ws/feed`, ["feed.v1", "bearer", {json.dumps(token)}]);
            socket.onmessage = (message) => done(JSON.parse(message.data).type);
            socket.onerror = () => done("refused");
        }})"""
    )
    assert said == "ready"
    assert tab.complaints == []


@pytest.mark.parametrize(
    "markup",
    [
        "<img src=x onerror='window.hit = 1'>",
        "<a href='javascript:window.hit = 1' id=link>x</a>",
        "<iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
        "<svg onload='window.hit = 1'></svg>",
        "<base href='https://evil.example/'>",
        "<style>body { display: none }</style>",
        "<img src='https://evil.example/seen.png'>",
    ],
)
@pytest.mark.parametrize("path", ["/problems/refused", "/admin/login/"])
def test_what_is_put_into_a_page_is_dead(tab: Tab, server: Server, path: str, markup: str) -> None:
    """As if somebody's text had got there as markup."""
    tab.open(server.url + path)
    tab.run(f"document.body.insertAdjacentHTML('beforeend', {json.dumps(markup)})")
    tab.run("document.querySelector('#link')?.click()")
    tab.run("new Promise((done) => setTimeout(done, 200))")
    assert tab.run("window.hit") is None
    assert tab.run("document.baseURI").startswith(server.url)
    assert tab.run("getComputedStyle(document.body).display") != "none"
    assert any("ontent Security Policy" in said or "violat" in said.lower() for said in tab.complaints), tab.complaints


def test_neither_is_a_script_that_a_script_makes(tab: Tab, server: Server) -> None:
    tab.open(f"{server.url}/problems/refused")
    tab.run(
        """const inline = document.createElement("script");
        inline.textContent = "window.hit = 1";
        const elsewhere = document.createElement("script");
        elsewhere.src = "data:text/javascript,window.hit=2";
        document.body.append(inline, elsewhere);"""
    )
    tab.run("new Promise((done) => setTimeout(done, 200))")
    assert tab.run("window.hit") is None
    assert len(tab.complaints) >= 2
