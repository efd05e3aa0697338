"""A real browser without a screen, told what to do over its debugging protocol (CDP): enough to open pages and hear it.

Whatever it calls an error is kept, as pages are to have none.
"""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.sync.client import ClientConnection, connect

from deploy.supervisor.processes import wait_until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
"""Without its sandbox, which needs rights that containers lack; it sees no page but the product's."""
START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
DOMAINS = ("Page", "Runtime", "Log", "Network", "Audits")


def program() -> str | None:
    """Returns where a browser is; None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def needed() -> None:
    """Skips the test where there is no browser; in CI that is an error."""
    if program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must try the pages in a browser: install chromium.")
        pytest.skip("no browser was found: install chromium")


class Tab:
    """One page at a time. `complaints` is what the browser has said against pages since it was emptied, `asked` are the
    addresses that it has asked for."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._loaded = False
        self.complaints: list[str] = []
        self.asked: list[str] = []
        for domain in DOMAINS:
            self._call(f"{domain}.enable")

    def open(self, url: str) -> Self:
        """Returns when the page and what it asks for are loaded."""
        self._loaded = False
        self._call("Page.navigate", url=url)
        return self.settle()

    def settle(self) -> Self:
        """Returns when a page that something has led to is loaded."""
        assert wait_until(lambda: self.run("1") == 1 and self._loaded, seconds=ANSWER_SECONDS), "it does not load"
        return self

    def run(self, script: str) -> Any:
        """Returns what the expression says, None if that cannot be written as JSON; a promise is awaited."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return answer.get("result", {}).get("value")

    def until(self, script: str) -> None:
        assert wait_until(lambda: self.run(f"Boolean({script})"), seconds=ANSWER_SECONDS), f"{script} stays false"

    def lift_policies(self) -> None:
        """Has pages that are opened from now on run whatever a test puts into them."""
        self._call("Page.setBypassCSP", enabled=True)

    def press(self, key: str, code: int) -> None:
        """As a person does: a key by its name and its virtual key code, 9 for Tab."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def leave(self, script: str) -> Self:
        """Does what leads to another page, and returns when that one is loaded."""
        self._loaded = False
        self.run(script)
        return self.settle()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            said = json.loads(self._socket.recv(timeout=deadline - time.monotonic()))
            if said.get("id") == self._number:
                return dict(said.get("result", {}))
            if "method" in said:
                self._hear(said["method"], said["params"])

    def _hear(self, event: str, said: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            self.asked.append(said["request"]["url"] if "request" in said else said["url"])
        elif event == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.complaints.append(said["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(said["exceptionDetails"].get("exception", said["exceptionDetails"])))
        elif event == "Runtime.consoleAPICalled" and said["type"] == "error":
            self.complaints.append(str([each.get("value") for each in said["args"]]))
        elif event == "Audits.issueAdded" and said["issue"]["code"] == "ContentSecurityPolicyIssue":
            self.complaints.append(json.dumps(said["issue"]["details"]["contentSecurityPolicyIssueDetails"]))


@contextmanager
def browser(directory: Path) -> Iterator[Tab]:
    """A browser with a profile of its own, and its one tab; it is gone afterwards."""
    argv = [str(program()), *OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={directory}", "about:blank"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = directory / "DevToolsActivePort"
        assert wait_until(lambda: port.exists() and port.read_text().count("\n") > 0, seconds=START_SECONDS)
        with connect(_tab(int(port.read_text().split()[0])), max_size=None, compression=None) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _tab(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=ANSWER_SECONDS) as answer:
        tabs = json.load(answer)
    address: str = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return address
