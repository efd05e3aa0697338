"""The page at / as people use it: one in each tab of a browser; and one more server of the run, which may be killed."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx

from deploy.manage import manage_environment
from deploy.plan import Options, product
from deploy.supervisor.ports import free_port
from tests.e2e.browser import Browser, Tab
from tests.e2e.conftest import PASSWORD, Person, Server
from tests.e2e.runs import ROOT, eventually, own_environment

READY_SECONDS = 60.0
DESKTOP = (1280, 900)
NO_PAGE = "/robots.txt"
"""Of the same origin, where nothing runs."""
CARD = "article.tweet"
WRITING = "main .composer textarea"


@dataclass
class User:
    """Somebody before a page; what they see is asked for by its text, as they read it."""

    tab: Tab
    url: str
    username: str = ""

    def open(self, place: str) -> Self:
        self.tab.open(self.url + place)
        self.tab.until("document.querySelector('main h1')")
        return self

    def go(self, place: str) -> Self:
        """Within the page, as its links lead."""
        self.tab.run(f"""import("/static/client/router.js").then(({{open}}) => open({json.dumps(place)}))""")
        self.tab.until("!document.querySelector('[aria-busy=true]')")
        return self

    def become(self, person: Person) -> Self:
        """As if they had signed in in this tab."""
        user = {"id": person.id, "username": person.username, "display_name": person.username, "bio": ""}
        session = json.dumps({"token": person.token, "user": user})
        self.tab.open(f"{self.url}{NO_PAGE}")
        self.tab.run(f"sessionStorage.setItem('session', {json.dumps(session)})")
        self.username = person.username
        return self.open("/").until_live()

    def sign_up(self, username: str) -> Self:
        """By the form."""
        self.open("/sign-up")
        for name, value in (("username", username), ("email", f"{username}@example.org"), ("password", PASSWORD)):
            self.tab.type(f"main [name={name}]", value)
        self.tab.run("document.querySelector('main form').requestSubmit()")
        self.username = username
        return self.sees("Home", "h1").until_live()

    def forgive(self, *words: str) -> None:
        """Takes what was said against the page on purpose off the list, once all of it has been said."""
        for word in words:
            self.tab.complaints.remove(self.tab.complaint(word))

    def until_live(self) -> Self:
        self.tab.until("document.querySelector('.light').dataset.state === 'live'")
        self.tab.until("document.querySelector('.list')?.getAttribute('aria-busy') === 'false'")
        return self

    def sees(self, text: str, where: str = "main") -> Self:
        self.tab.until(_shows(text, where))
        return self

    def sees_no_more(self, text: str, where: str = "main") -> Self:
        self.tab.until(f"!{_shows(text, where)}")
        return self

    def count(self, text: str, where: str = CARD) -> int:
        number: int = self.tab.run(
            f"{_all(where)}.filter((each) => each.innerText.includes({json.dumps(text)})).length"
        )
        return number

    def click(self, name: str, within: str = "body") -> Self:
        """What has that name for whoever hears the page: its label, or else its text."""
        named = f"""{_all(within)}.flatMap((each) => [...each.querySelectorAll('a, button, summary')]).find((each) =>
            (each.getAttribute('aria-label') ?? each.innerText).trim().startsWith({json.dumps(name)}))"""
        self.tab.until(f"{named} && !{named}.disabled")
        self.tab.run(f"({named}.focus(), {named}.click())")
        return self

    def card(self, text: str) -> str:
        """A selector of the tweet that has the text."""
        self.sees(text, CARD)
        mark = "".join(filter(str.isalnum, text))
        found = f"{_all(CARD)}.find((each) => each.innerText.includes({json.dumps(text)}))"
        self.tab.run(f"{found}.dataset.mark = '{mark}'")
        return f"{CARD}[data-mark='{mark}']"

    def write(self, text: str, place: str = WRITING) -> Self:
        self.tab.until(f"document.querySelector({json.dumps(place)})")
        self.tab.type(place, text)
        return self

    def post_until_posted(self, text: str) -> Self:
        """Presses the button again where the page has given up trying by itself."""
        self.tab.until(f"{_shows(text, CARD)} || {_shows('Not posted', '.problem')}")
        return self if self.count(text) else self.click("Post", "main form").sees(text, CARD)

    def place(self) -> str:
        place: str = self.tab.run("location.pathname")
        return place


def _all(where: str) -> str:
    return f"[...document.querySelectorAll({json.dumps(where)})]"


def _shows(text: str, where: str) -> str:
    return f"{_all(where)}.some((each) => each.innerText.includes({json.dumps(text)}))"


@contextmanager
def users(browser: Browser, url: str, number: int) -> Iterator[Sequence[User]]:
    """So many people, each in a tab of their own, none signed in."""
    if number == 0:
        yield ()
        return
    with browser.tab() as tab, users(browser, url, number - 1) as others:
        yield (User(tab, url), *others)


@contextmanager
def anew(shared: Sequence[User], server: Server) -> Iterator[Sequence[User]]:
    """Nobody is signed in. Whatever they do, nothing is said against the page, and nobody else is asked."""
    for user in shared:
        user.url = server.url
        user.tab.open(f"{server.url}{NO_PAGE}")
        user.tab.run("(sessionStorage.clear(), localStorage.clear())")
        user.tab.look(*DESKTOP)
        user.tab.complaints.clear()
        user.tab.asked.clear()
    yield shared
    for user in shared:
        assert user.tab.hosts() <= {server.url.removeprefix("http://")}
        assert user.tab.complaints == []


class AnotherServer:
    """A second web and live server of a run, on a port of its own: what a test may kill without ending the run."""

    def __init__(self, server: Server) -> None:
        given = own_environment() | server.variables | {"DATA_DIR": str(server.data_dir)}
        environment = manage_environment(given)
        options = replace(Options.read(environment), port=free_port())
        self.url = options.url
        self._environment: Mapping[str, str] = environment
        self._argv = next(each.argv for each in product(options, environment).processes if each.name == "web")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        self._process = subprocess.Popen(self._argv, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL)
        assert eventually(self._answers, READY_SECONDS), "it does not start"
        return self

    def kill(self) -> None:
        """By its number, as it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def axe(directory: Path) -> str:
    """Returns the script of axe-core, as an installed npm project has it."""
    return (directory / "node_modules/axe-core/axe.min.js").read_text()


def faults(user: User, script: str, options: str) -> list[Any]:
    """What axe finds in the page as it stands: the rule, and where."""
    if not user.tab.run("Boolean(window.axe)"):
        user.tab.run(script)
    found: list[Any] = user.tab.run(
        f"""axe.run(document, {{...{options}, resultTypes: ["violations"]}}).then(({{violations}}) =>
            violations.map((each) => [each.id, each.nodes.map((node) => [node.html, node.failureSummary])]))"""
    )
    assert isinstance(found, list), "axe did not run"
    return found
