"""The two clients of docs/live.md, as they stand there, follow the product over a line that nobody can trust.

Both go through the same at once. All that they were told is looked at each time: no tweet comes twice later on either.
The one for browsers is run by a real one, and skipped where there is none; in CI that is an error.
"""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.supervisor.processes import wait_until
from tests.e2e.browser import Browser, Tab
from tests.e2e.conftest import Person, Server
from tests.e2e.live_sockets import FRAME_SECONDS, follower_of, on_one_store, opener
from tests.e2e.runs import ROOT, own_environment
from tests.proxies import Proxy

pytestmark = [pytest.mark.e2e, on_one_store]

FILE = re.compile(r"```(?:js|python)\n(?://|#) (\S+)\n(.*?)```", re.DOTALL)
QUICKER = {"PING_SECONDS = 20": "PING_SECONDS = 1", "SILENCE_MS = 20_000": "SILENCE_MS = 2_000"}
"""So that a half-open connection is found while a test waits."""
COME_BACK = b"\x88\x02" + (1012).to_bytes(2)
"""A closing frame, as a server says it that drains."""
FLOOD = 60
"""Tweets, of which the public stream tells some at most before it says that there are more."""
MOST_FLOODS = 10


@dataclass(frozen=True)
class Follower:
    """A client that follows one stream."""

    told: Callable[[], list[str]]
    """What it was told, such as `tweet 123`, in order."""
    end: Callable[[], None]
    """Ends it as a person does, and sees that it ends well."""

    def hears(self, *wanted: str) -> bool:
        """Whether it is told these in time."""
        return wait_until(lambda: {*wanted} <= {*self.told()}, seconds=FRAME_SECONDS)


Follow = Callable[[str, str], list[Follower]]
"""Has both clients follow a stream, given a token and its name."""


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    text = (ROOT / "docs" / "live.md").read_text()
    for slow, quick in QUICKER.items():
        assert text.count(slow) == 1
        text = text.replace(slow, quick)
    return dict(FILE.findall(text))


@pytest.fixture(scope="module")
def line(server: Server) -> Iterator[Proxy]:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    with Proxy((parts.hostname, parts.port)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def tab(line: Proxy, files: dict[str, str], shared_browser: Browser) -> Iterator[Tab]:
    """A page of the product's, with the module in it."""
    with shared_browser.tab() as opened:
        opened.lift_policies()
        opened.open(f"http://127.0.0.1:{line.port}/problems/refused")
        module = f"URL.createObjectURL(new Blob([{json.dumps(files['live.js'])}], {{type: 'text/javascript'}}))"
        opened.run(
            f"import({module}).then((live) => {{ window.liveStream = live.liveStream; window.followers = []; }})"
        )
        yield opened


@pytest.fixture(scope="module")
def follow(line: Proxy, tab: Tab, files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Follow]:
    directory = tmp_path_factory.mktemp("followers")
    (directory / "live.py").write_text(files["live.py"])
    with ExitStack() as programs:
        yield lambda token, stream: [
            program(directory, line, token, stream, programs),
            in_browser(tab, token, stream),
        ]


def program(directory: Path, line: Proxy, token: str, stream: str, programs: ExitStack) -> Follower:
    output = directory / f"{stream}-{token[-8:]}"
    variables = {"SITE": f"http://127.0.0.1:{line.port}", "TOKEN": token}
    with output.open("wb") as file:
        popen = subprocess.Popen(
            [sys.executable, "live.py", stream],
            cwd=directory,
            env=own_environment() | variables,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    programs.callback(popen.wait)
    programs.callback(popen.kill)

    def end() -> None:
        popen.send_signal(signal.SIGINT)
        assert popen.wait(FRAME_SECONDS) == 0, output.read_text()
        assert "Traceback" not in output.read_text()

    return Follower(lambda: output.read_text().splitlines(), end)


def in_browser(tab: Tab, token: str, stream: str) -> Follower:
    options = {"token": token, "stream": stream}
    number = tab.run(
        f"""(() => {{
            const one = {{ told: [] }};
            one.live = liveStream({{
                ...{json.dumps(options)},
                onFrame: ({{ type, tweet, id }}) => one.told.push(`${{type}} ${{tweet?.id ?? id}}`),
                onEnd: (reason) => one.told.push(`ended: ${{reason}}`),
            }});
            return followers.push(one) - 1;
        }})()"""
    )
    return Follower(
        lambda: list(tab.run(f"followers[{number}].told")), lambda: tab.run(f"followers[{number}].live.close()")
    )


@pytest.fixture(scope="module")
def author(server: Server) -> Person:
    return server.sign_up()


@pytest.fixture(scope="module")
def reader(server: Server, author: Person) -> Person:
    return follower_of(server, author)


@pytest.fixture(scope="module")
def followers(follow: Follow, author: Person, reader: Person) -> Iterator[list[Follower]]:
    """Of the reader's home; each has been told what was there, and is live."""
    before = [author.post(f"before {number}") for number in range(3)]
    assert wait_until(lambda: len(reader.home()["data"]) == 3, seconds=FRAME_SECONDS)
    both = follow(reader.token, "home")
    have(both, *before, author.post("live"))
    yield both
    for each in both:
        each.end()


def have(followers: list[Follower], *tweets: str) -> None:
    """They are told of these tweets in time, and of none twice."""
    wanted = [f"tweet {each}" for each in tweets]
    for each in followers:
        assert each.hears(*wanted), (wanted, each.told())
        told = [said for said in each.told() if said.startswith("tweet ")]
        assert len(told) == len({*told})


def test_what_was_there_what_comes_and_what_leaves(followers: list[Follower], author: Person) -> None:
    tweet = author.post("soon gone")
    have(followers, tweet)
    author.delete(tweet)
    assert all(each.hears(f"delete {tweet}") for each in followers)


def test_what_was_missed_while_the_line_was_cut(followers: list[Follower], author: Person, line: Proxy) -> None:
    with line.dead():
        missed = [author.post(f"while it was cut {number}") for number in range(3)]
    have(followers, *missed, author.post("live again"))


def test_a_server_that_sends_them_away(followers: list[Follower], author: Person, line: Proxy) -> None:
    before = line.joined
    line.dismiss(COME_BACK)
    have(followers, *(author.post(f"after 1012, {number}") for number in range(3)))
    assert line.joined == before + len(followers)


def test_a_connection_that_is_half_open(followers: list[Follower], author: Person, line: Proxy) -> None:
    before = line.joined
    line.forsake()
    have(followers, *(author.post(f"to nobody {number}") for number in range(3)))
    assert line.joined == before + len(followers)


def test_a_gap(server: Server, follow: Follow, author: Person) -> None:
    """More than the public stream tells."""
    both = follow(server.sign_up().token, "public")
    have(both, author.post("in public"))
    posted: list[str] = []
    with ExitStack() as connections, ThreadPoolExecutor(8) as pool:
        watching = (
            opener(server, connections)(server.sign_up().token, ping_interval=None).ready().subscribe(stream="public")
        )
        for _ in range(MOST_FLOODS):
            posted += pool.map(author.post, [f"one of a flood {number}" for number in range(FLOOD)])
            last = author.post("the last of a flood")
            kinds = [(frame := watching.next())["type"]]
            while frame.get("tweet", {}).get("id") != last:
                kinds.append((frame := watching.next())["type"])
            if "gap" in kinds:
                break
    assert "gap" in kinds
    have(both, *posted, last)
    for each in both:
        each.end()


def test_who_has_signed_out_is_told_so(server: Server, follow: Follow, author: Person) -> None:
    reader = follower_of(server, author)
    of_python, of_page = both = follow(reader.token, "home")
    have(both, author.post("heard"))
    assert reader.client.delete("/auth/token").status_code == 204
    assert of_python.hears("Refused: sign in anew")
    assert of_page.hears("ended: sign in anew")
