"""The README's walkthrough, pasted into bash as it stands, against the running product."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import free_port
from deploy.supervisor.processes import wait_until
from storage.cassandra import session as cassandra_session
from tests.e2e.runs import PATIENT
from tests.settings import EXTERNAL_CASSANDRA

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
WALK_SECONDS = 150.0
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME")
"""What a fresh terminal has; the rest of this process's environment is the test session's own."""

WALKTHROUGH = re.compile(r"^## A walkthrough\n(.*?)^## ", re.DOTALL | re.MULTILINE)
STEP = re.compile(r"^```bash\n(.*?)^```$\s*(?:^```(?:json|text)\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
VARYING = (
    (re.compile(r"\b\d{17,19}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<request id>"),
    (re.compile(r"\b(?:[A-Za-z0-9_-]{11}|[A-Za-z0-9_-]{32})\.[A-Za-z0-9_-]+"), "<cursor>"),
)
"""What differs from run to run, and how it is written for comparing."""
ANY_LINES, ANYTHING = "…\n", "…"


@dataclass(frozen=True)
class Step:
    commands: str
    answer: str
    """What the README says it prints; `…` stands for what was left out."""


@dataclass(frozen=True)
class Product:
    url: str
    environment: dict[str, str]
    """The variables that were given to it, and so belong into the walkthrough's terminal."""


def steps() -> list[Step]:
    text = (ROOT / "README.md").read_text()
    walkthrough = WALKTHROUGH.search(text)
    assert walkthrough is not None
    return [Step(commands, answer) for commands, answer in STEP.findall(walkthrough[1])]


@pytest.fixture(params=["embedded", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def product(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Product]:
    """The whole product, on a port and a directory of its own."""
    port = free_port()
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"PORT": str(port), "DATA_DIR": str(tmp_path / "data"), "STORE": request.param, **PATIENT}
    if request.param == "cassandra":
        request.getfixturevalue("cassandra")
        environment |= {
            "CASSANDRA_HOSTS": ",".join(settings.CASSANDRA_HOSTS),
            "CASSANDRA_PORT": str(settings.CASSANDRA_PORT),
            "CASSANDRA_KEYSPACE": f"readme_{os.getpid()}",
        }
    log = tmp_path / "output"
    with log.open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "deploy.run"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}"
    try:
        ready = wait_until(lambda: run.poll() is not None or answers_200(f"{url}/readyz"), seconds=START_SECONDS)
        assert ready, log.read_text()
        assert run.poll() is None, log.read_text()
        yield Product(url, environment)
    finally:
        run.send_signal(signal.SIGTERM)
        run.wait(START_SECONDS)
        if "CASSANDRA_KEYSPACE" in environment and EXTERNAL_CASSANDRA:
            cassandra_session.execute(f"DROP KEYSPACE IF EXISTS {environment['CASSANDRA_KEYSPACE']}")


def test_the_walkthrough_does_what_it_says(product: Product) -> None:
    walk = steps()
    mark = "== the next step =="
    script = f"echo; echo '{mark}'\n".join(step.commands for step in walk)
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        timeout=WALK_SECONDS,
        check=False,
    )
    assert done.stderr == ""
    answers = done.stdout.split(f"\n{mark}\n")
    assert len(answers) == len(walk) == 7
    for step, answer in zip(walk, answers, strict=True):
        assert pattern_of(step.answer).fullmatch(comparable(answer)), f"{step.commands}\n{answer}"
    operator_signs_in(product)


def operator_signs_in(product: Product) -> None:
    """The operator whom the walkthrough made sees the people in the admin."""
    with httpx.Client(base_url=product.url, follow_redirects=True, timeout=30) as browser:
        browser.get("/admin/login/")
        form = {"username": "root", "password": "Engine-No-1843", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post("/admin/login/", data=form)
        people = browser.get("/admin/accounts/user/")
    assert people.status_code == 200
    assert "@ada" in people.text or ">ada<" in people.text


def comparable(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE).strip() + "\n"


def pattern_of(answer: str) -> re.Pattern[str]:
    """Matches what the README shows, with anything where it has left something out."""
    lines = [
        r"(?:.*\n)*" if line == ANY_LINES else re.escape(line).replace(ANYTHING, ".*")
        for line in comparable(answer).splitlines(keepends=True)
    ]
    return re.compile("".join(lines))
