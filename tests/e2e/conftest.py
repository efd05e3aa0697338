"""The whole product, started once for each store, and people who use it from outside; and runs of a test of its own."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from storage.cassandra import session as cassandra_session
from tests.e2e.browser import Browser, browser, needed
from tests.e2e.main_job import KEPT_ALIVE, data
from tests.e2e.runs import PATIENT, ROOT, Run, Starter, own_environment, processes_of
from tests.e2e.stand_ins import STAND_INS
from tests.settings import EXTERNAL_CASSANDRA

START_SECONDS = 180.0
PASSWORD = "Engine-No-1843"
OPERATOR = "operator"
_numbers = itertools.count(1)


@dataclass
class Server:
    """A running product; `url` is all that its users know of it."""

    url: str
    data_dir: Path
    variables: dict[str, str]
    output: Callable[[], str]
    """All that its processes have written so far."""
    clients: list[httpx.Client] = field(default_factory=list)
    has_operator: bool = False

    def sign_up(self) -> "Person":
        name = f"person_{next(_numbers)}"
        client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=30, limits=KEPT_ALIVE)
        self.clients.append(client)
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        session = data(client.post("/auth/register", json=body), 201)
        client.headers["Authorization"] = f"Bearer {session['token']}"
        return Person(name, session["user"]["id"], session["token"], client)

    def suspend(self, person: "Person") -> None:
        """As an operator does it, in the admin."""
        self.make_operator()
        with httpx.Client(base_url=self.url, follow_redirects=True, timeout=30) as browser:
            browser.get("/admin/login/")
            self._submit(browser, "/admin/login/", username=OPERATOR, password=PASSWORD, next="/admin/")
            chosen = {"action": "suspend", "_selected_action": person.id, "confirmed": "yes", "reason": "a test"}
            done = self._submit(browser, "/admin/accounts/user/", **chosen)
            assert f"Suspended: @{person.username}" in done.text

    def manage(self, code: str) -> None:
        """Runs Python in a process of the product's own, beside those that serve."""
        subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            cwd=ROOT,
            env=own_environment() | self.variables | {"DATA_DIR": str(self.data_dir)},
            capture_output=True,
            check=True,
        )

    def _submit(self, browser: httpx.Client, path: str, **fields: str) -> httpx.Response:
        answer = browser.post(path, data={**fields, "csrfmiddlewaretoken": browser.cookies["csrftoken"]})
        assert answer.status_code == 200, answer.text
        return answer

    def make_operator(self) -> None:
        """Makes the operator, once for whoever asks."""
        if self.has_operator:
            return
        self.has_operator = True
        names = {"DJANGO_SUPERUSER_USERNAME": OPERATOR, "DJANGO_SUPERUSER_EMAIL": "operator@example.org"}
        subprocess.run(
            [sys.executable, "manage.py", "createsuperuser", "--noinput"],
            cwd=ROOT,
            env=own_environment()
            | self.variables
            | names
            | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DATA_DIR": str(self.data_dir)},
            capture_output=True,
            check=True,
        )


@dataclass
class Person:
    username: str
    id: str
    token: str
    client: httpx.Client

    def post(self, text: str, **target: str) -> str:
        """The id of the tweet."""
        tweet_id: str = data(self.client.post("/tweets", json={"text": text, **target}), 201)["id"]
        return tweet_id

    def delete(self, tweet_id: str) -> None:
        assert self.client.delete(f"/tweets/{tweet_id}").status_code == 204

    def retweet(self, tweet_id: str) -> None:
        assert self.client.put(f"/tweets/{tweet_id}/retweet").status_code == 200

    def follow(self, other: "Person") -> None:
        assert data(self.client.put(f"/users/{other.username}/follow"))["following"] is True

    def home(self, **query: Any) -> dict[str, Any]:
        """One page, as it came."""
        answer = self.client.get("/feed/home", params=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page


@pytest.fixture(scope="session", params=["embedded", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`python -m deploy.run` with its own port and directory; ended by SIGINT, and well."""
    variables = {"STORE": request.param, "RATE_LIMITS": "off", "LOG_FORMAT": "json", **PATIENT}
    if request.param == "cassandra":
        request.getfixturevalue("cassandra")
        variables |= {
            "CASSANDRA_HOSTS": ",".join(settings.CASSANDRA_HOSTS),
            "CASSANDRA_PORT": str(settings.CASSANDRA_PORT),
            "CASSANDRA_KEYSPACE": f"e2e_{os.getpid()}",
        }
    run = Run([sys.executable, "-m", "deploy.run"], tmp_path_factory.mktemp(f"product_{request.param}"), **variables)
    served = Server(run.url, run.data_dir, variables, lambda: run.output)
    try:
        run.until("Feed is ready", START_SECONDS)
        yield served
    finally:
        for client in served.clients:
            client.close()
        status = run.send(signal.SIGINT).ended()
        if request.param == "cassandra" and EXTERNAL_CASSANDRA:
            cassandra_session.execute(f"DROP KEYSPACE IF EXISTS e2e_{os.getpid()}")
    assert status == 0, run.output
    assert run.leaves_nothing()
    assert "Traceback" not in run.output


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Started once for all tests of pages, if one is there; in CI it has to be."""
    needed()
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "stand_ins.py"
    path.write_text(STAND_INS)
    return path


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts runs; ends what a failed test left."""
    runs: list[Run] = []

    def begin(argv: list[str], directory: Path = tmp_path, **variables: str) -> Run:
        directory.mkdir(exist_ok=True)
        runs.append(Run(argv, directory, **variables))
        return runs[-1]

    yield begin
    for run in runs:
        if run.popen.poll() is None:
            run.popen.kill()
            run.popen.wait()
        for pid in processes_of(run.data_dir):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def runner(started: Starter, script: Path) -> Starter:
    return lambda **options: started([sys.executable, str(script)], **options)


@pytest.fixture
def make(started: Starter, script: Path) -> Starter:
    command = f"RUNNER={sys.executable} {script} --end-with-parent"
    return lambda **options: started(["make", "run", command], **options)
