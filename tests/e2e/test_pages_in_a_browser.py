"""The site's pages in a real browser: they work under their policy, and what is put into one does not."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.browser import Tab, browser, needed
from tests.e2e.conftest import OPERATOR, PASSWORD, Server
from tests.e2e.live_sockets import on_one_store

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared_tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    needed()
    with browser(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def tab(shared_tab: Tab) -> Tab:
    shared_tab.open("about:blank")
    shared_tab.complaints.clear()
    shared_tab.asked.clear()
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


@on_one_store
class TestGraphiQL:
    QUERY, RESULT = (f"document.querySelector('{place} .CodeMirror').CodeMirror" for place in (
        ".graphiql-query-editor", ".result-window"
    ))  # fmt: skip

    @pytest.fixture(autouse=True)
    def opened(self, tab: Tab, server: Server) -> None:
        tab.open(f"{server.url}/problems/refused")
        tab.run("sessionStorage.clear(), localStorage.clear()")
        tab.open(f"{server.url}/graphql")
        tab.until("document.querySelector('.graphiql-query-editor .CodeMirror')")

    def sign_in(self, tab: Tab, token: str) -> None:
        tab.run(f"document.querySelector('#token').value = {json.dumps(token)}")
        tab.run("document.querySelector('#token').dispatchEvent(new Event('change'))")

    def execute(self, tab: Tab, example: str, operation: str, **variables: str) -> None:
        tab.run(f"document.querySelector('#example').value = {json.dumps(example)}")
        tab.run("document.querySelector('#examples button').click()")
        if variables:
            tab.run(f"editor.variableEditor.setValue({json.dumps(json.dumps(variables))})")
        tab.until(f"document.querySelector('.graphiql-tab-active')?.textContent.startsWith('{operation}')")
        tab.run("document.querySelector('.graphiql-execute-button').click()")

    def test_examples_are_executed_for_who_is_signed_in_by_the_field(self, tab: Tab, server: Server) -> None:
        person = server.sign_up()
        text = f"by {person.username}"
        person.post(text)
        self.sign_in(tab, person.token)
        tab.until(f"document.querySelector('#who').textContent === '@{person.username}'")
        self.execute(tab, "Home timeline", "Home")
        tab.until(f"{self.RESULT}.getValue().includes({json.dumps(text)})")
        self.execute(tab, "Post a tweet", "Post")
        tab.until(f"{self.RESULT}.getValue().includes('createTweet')")
        assert "Hello from GraphiQL" in str(person.home()["data"])
        assert tab.run("Object.keys(localStorage)") == []
        assert person.token not in str(tab.asked)
        assert tab.complaints == []

    def test_a_subscription_is_shown_as_it_comes_in(self, tab: Tab, server: Server) -> None:
        person = server.sign_up()
        person.post("long ago")
        cursor = person.home()["meta"]["prev_cursor"]
        person.post("missed since")
        self.sign_in(tab, person.token)
        self.execute(tab, "Live home timeline", "LiveHome", after=cursor)
        tab.until(f"{self.RESULT}.getValue().includes('missed since')")
        person.post("just now")
        tab.until(f"{self.RESULT}.getValue().includes('just now')")
        tab.run("document.querySelector('.graphiql-execute-button').click()")
        tab.until("document.querySelector('.graphiql-execute-button').getAttribute('aria-label').startsWith('Execute')")
        assert person.token not in str(tab.asked)
        assert tab.complaints == []

    def test_it_works_with_the_keyboard_shows_the_schema_and_asks_no_other_host(self, tab: Tab, server: Server) -> None:
        tab.run(f"{self.QUERY}.focus()")
        tab.press("Tab", 9)
        assert "Execute" in tab.run("document.activeElement.getAttribute('aria-label')")
        tab.run("document.querySelector('[aria-label=\"Show Documentation Explorer\"]').click()")
        tab.until("document.querySelector('.graphiql-doc-explorer').textContent.includes('TweetConnection')")
        tab.run("document.querySelector('[aria-label=\"Open settings dialog\"]').click()")
        tab.until("document.querySelector('.graphiql-dialog')")
        tab.press("Escape", 27)
        tab.until("!document.querySelector('.graphiql-dialog')")
        assert {address.split("/")[2] for address in tab.asked} == {server.url.split("/")[2]}
        assert len(tab.asked) > 8
        assert tab.complaints == []

    def test_each_example_is_a_document_of_the_schema(self, tab: Tab) -> None:
        """As far as the schema has such operations."""
        mistakes = tab.run(
            """(async () => {
                const { getIntrospectionQuery, buildClientSchema, parse, validate } = GraphiQL.GraphQL;
                const answer = await ask({ query: getIntrospectionQuery() });
                const schema = buildClientSchema(answer.data);
                return Object.values(EXAMPLES).map(({ query }) => parse(query)).filter(
                    (document) => schema.getRootType(document.definitions[0].operation)
                ).map((document) => validate(schema, document).map(String));
            })()"""
        )
        assert len(mistakes) > 4
        assert mistakes == [[]] * len(mistakes)


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
