"""A real browser without a screen, told what to do over its debugging protocol (CDP): enough to open pages and hear it.

Whatever it calls an error is kept, as pages are to have none.
"""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from deploy.supervisor.processes import wait_until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-timer-throttling", "--disable-renderer-backgrounding"),
)
"""Without its sandbox, which needs rights that containers lack; it sees no page but the product's. Tabs that are not in
front go on as the one that is."""
START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
Instead = tuple[str, dict[str, Any]]
"""What becomes of an answer instead of what would: a command of the protocol, and how."""
HOLD: Instead = ("", {})
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
    """One page at a time. `complaints` is what the browser has said against pages since it was emptied, `asked` every
    address that a page has asked for, sockets included."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._loaded = False
        self._held: list[str] = []
        self._instead: Instead | None = None
        self._pending: dict[str, str] = {}
        """What was asked for and has not come, by the browser's ids."""
        self.complaints: list[str] = []
        self.asked: list[str] = []
        for domain in DOMAINS:
            self._call(f"{domain}.enable")
        # Each tab believes that it is looked at.
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)

    def open(self, url: str) -> Self:
        """Returns when the page and what it asks for are loaded."""
        self._loaded = False
        # What is behind another tab is not drawn, and hears of nothing that comes into view.
        self._call("Page.bringToFront")
        self._call("Page.navigate", url=url)
        return self.settle()

    def settle(self) -> Self:
        """Returns when a page that something has led to is loaded."""
        is_there = wait_until(lambda: self.run("1") == 1 and self._loaded, seconds=ANSWER_SECONDS)
        assert is_there, f"{self.run('location.href')} does not load; waits for {[*self._pending.values()]}"
        return self

    def run(self, script: str) -> Any:
        """Returns what the expression says, None if that cannot be written as JSON; a promise is awaited."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return answer.get("result", {}).get("value")

    def press(self, key: str) -> None:
        """Presses a key by its name, such as Tab or Enter."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"Enter": 13, "Tab": 9, "Escape": 27}[key]
        self._call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def type(self, place: str, text: str) -> None:
        """Writes into what the selector finds, in place of what is there."""
        self.run(f"(document.querySelector({json.dumps(place)}).focus(), document.activeElement.select())")
        self._call("Input.insertText", text=text)

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Gives the page that size, and a system that is dark or light."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce"}
        self._call("Emulation.setEmulatedMedia", features=[scheme, motion])

    def picture(self, place: Path) -> None:
        """Writes what is to be seen, as PNG."""
        place.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def cut_off(self, *, offline: bool) -> None:
        """Takes the network away from the page, or gives it back."""
        unbounded = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self._call("Network.emulateNetworkConditions", offline=offline, **unbounded)

    def lose_answer(self, to: str) -> None:
        """Loses the next answer to what the pattern matches: it was carried out, and the page hears of an error."""
        self._do_instead(to, ("Fetch.failRequest", {"errorReason": "ConnectionReset"}))

    def answer_instead(self, to: str, status: int) -> None:
        """Has the next answer to what the pattern matches say that status: it was carried out all the same."""
        self._do_instead(to, ("Fetch.fulfillRequest", {"responseCode": status}))

    def hold_answer(self, to: str) -> None:
        """Keeps the next answer to what the pattern matches from the page, until `release`."""
        self._do_instead(to, HOLD)

    def holds(self) -> bool:
        """Whether an answer is being kept from the page."""
        return self.run("1") == 1 and bool(self._held)

    def release(self) -> None:
        for each in self._held:
            self._call("Fetch.continueRequest", requestId=each)
        self._held = []

    def _do_instead(self, to: str, instead: Instead) -> None:
        self._instead = instead
        self._call("Fetch.enable", patterns=[{"urlPattern": to, "requestStage": "Response"}])

    @contextmanager
    def before_pages(self, script: str) -> Iterator[None]:
        """Each page that is opened meanwhile finds that the script has run."""
        made = self._call("Page.addScriptToEvaluateOnNewDocument", source=script)
        yield
        self._call("Page.removeScriptToEvaluateOnNewDocument", identifier=made["identifier"])

    def complaint(self, word: str) -> str:
        """Returns one that says the word, once the browser has made it."""
        assert wait_until(lambda: self.run("1") == 1 and any(word in said for said in self.complaints), seconds=20)
        return next(said for said in self.complaints if word in said)

    def hosts(self) -> set[str]:
        """Whom pages have asked for anything, since `asked` was emptied."""
        self.run("1")
        parts = map(urlsplit, self.asked)
        return {each.netloc for each in parts if each.scheme in ("http", "https", "ws", "wss")}

    def until(self, script: str) -> None:
        assert wait_until(lambda: self.run(f"Boolean({script})"), seconds=ANSWER_SECONDS), f"{script} stays false"

    def lift_policies(self) -> None:
        """Has pages that are opened from now on run whatever a test puts into them."""
        self._call("Page.setBypassCSP", enabled=True)

    def leave(self, script: str) -> Self:
        """Does what leads to another page, and returns when that one is loaded."""
        self._loaded = False
        self.run(script)
        return self.settle()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = self._send(method, **parameters)
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            said = json.loads(self._socket.recv(timeout=deadline - time.monotonic()))
            if said.get("id") == number:
                return dict(said.get("result", {}))
            if "method" in said:
                self._hear(said["method"], said["params"])

    def _send(self, method: str, **parameters: Any) -> int:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        return self._number

    def _hear(self, event: str, said: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Fetch.requestPaused":
            method, way = self._instead or ("Fetch.continueRequest", {})
            self._instead = None
            if (method, way) == HOLD:
                self._held.append(said["requestId"])
            else:
                self._send(method, requestId=said["requestId"], **way)
        elif event == "Network.requestWillBeSent":
            self.asked.append(said["request"]["url"])
            self._pending[said["requestId"]] = said["request"]["url"]
        elif event in ("Network.loadingFinished", "Network.loadingFailed"):
            self._pending.pop(said["requestId"], None)
        elif event == "Network.webSocketCreated":
            self.asked.append(said["url"])
        else:
            self._hear_complaint(event, said)

    def _hear_complaint(self, event: str, said: dict[str, Any]) -> None:
        if event == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.complaints.append(said["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(said["exceptionDetails"].get("exception", said["exceptionDetails"])))
        elif event == "Runtime.consoleAPICalled" and said["type"] == "error":
            self.complaints.append(str([each.get("value") for each in said["args"]]))
        elif event == "Audits.issueAdded" and said["issue"]["code"] == "ContentSecurityPolicyIssue":
            self.complaints.append(json.dumps(said["issue"]["details"]["contentSecurityPolicyIssueDetails"]))


class Browser:
    """Its tabs; each is another window to pages, with a sessionStorage of its own."""

    def __init__(self, port: int) -> None:
        self._port = port

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A new one; it is closed afterwards."""
        made = self._ask("new?about:blank")
        try:
            # While another tab is waited for nobody reads what this one says, and so no answer to a ping either.
            with connect(made["webSocketDebuggerUrl"], max_size=None, compression=None, ping_interval=None) as socket:
                yield Tab(socket)
        finally:
            self._ask(f"close/{made['id']}", as_json=False)

    def _ask(self, what: str, *, as_json: bool = True) -> Any:
        answer = httpx.put(f"http://127.0.0.1:{self._port}/json/{what}", timeout=ANSWER_SECONDS).raise_for_status()
        return answer.json() if as_json else answer.text


@contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """A browser with a profile of its own; it is gone afterwards."""
    argv = [str(program()), *OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={directory}", "about:blank"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = directory / "DevToolsActivePort"
        assert wait_until(lambda: port.exists() and port.read_text().count("\n") > 0, seconds=START_SECONDS)
        yield Browser(int(port.read_text().split()[0]))
    finally:
        process.terminate()
        process.wait(START_SECONDS)
