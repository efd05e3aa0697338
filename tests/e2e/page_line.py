"""The socket of the page at /, with a hand in it: what is said over it is heard, kept back or put in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.browser import Tab

SCRIPT = """
window.line = { opened: 0, said: [], begun: [], refusals: [], lost: 0, gaps: 0, isDeaf: false };
window.WebSocket = class extends WebSocket {
    constructor(...how) {
        super(...how);
        line.socket = this;
        line.opened += 1;
        this.addEventListener("message", (event) => {
            const { type, stream } = JSON.parse(event.data);
            if (event.isTrusted && line.isDeaf && stream && type !== "subscribed") event.stopImmediatePropagation();
            if (event.isTrusted && type === "subscribed") line.begun.push(stream);
            if (event.isTrusted && type === "subscribed" && line.gaps-- > 0)
                setTimeout(() => this.hear({ type: "gap", stream, after: "" }));
        });
        const refusal = line.refusals.shift();
        if (refusal) setTimeout(() => {
            this.hear(refusal.frame);
            this.end(refusal.code);
        });
    }
    send(text) {
        const frame = JSON.parse(text);
        line.said.push(frame);
        const isOfHome = frame.type === "subscribe" && frame.stream === "home";
        if (!isOfHome || line.lost-- <= 0) super.send(text);
        else setTimeout(() => this.hear({ type: "error", code: "unavailable", detail: "" }));
    }
    hear(frame) {
        this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
    }
    end(code) {
        this.dispatchEvent(new CloseEvent("close", { code }));
    }
};
"""
"""Its counts of what is to happen to what comes next: sockets are refused, subscribes to home lost, and any answered by
a gap."""


class Line:
    """The line of the page that a tab shows."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab

    def set(self, **what: Any) -> None:
        self._tab.run(f"Object.assign(line, {json.dumps(what)})")

    def until_begun(self, stream: str) -> None:
        """The page is subscribed to it, and has heard so."""
        self._tab.until(f"line.begun.includes({json.dumps(stream)})")

    def cut(self) -> None:
        """The connection is lost."""
        self._tab.run("line.socket.end(1006)")

    def gap(self, stream: str) -> None:
        """The server says, of a stream that has begun, that there is more than it tells."""
        self.until_begun(stream)
        frame = {"type": "gap", "stream": stream, "after": ""}
        self._tab.run(f"line.socket.hear({json.dumps(frame)})")

    def tweet(self, stream: str, *, cursor: str) -> None:
        """The server tells a tweet, which nobody is to see."""
        frame = {"type": "tweet", "stream": stream, "cursor": cursor, "tweet": {"id": "1"}}
        self._tab.run(f"line.socket.hear({json.dumps(frame)})")

    def opened(self) -> int:
        """How many connections the page has made."""
        number: int = self._tab.run("line.opened")
        return number

    def asked(self, stream: str) -> list[str]:
        """What the page has asked for about the stream, in order."""
        return [each["type"] for each in self._said(stream)]

    def places(self, stream: str) -> list[str]:
        """From where on the page has asked for it."""
        return [each["after"] for each in self._said(stream) if "after" in each]

    def _said(self, stream: str) -> list[dict[str, str]]:
        said: list[dict[str, str]] = self._tab.run("line.said")
        return [each for each in said if each.get("stream") == stream]


@contextmanager
def line(tab: Tab) -> Iterator[Line]:
    """Of the pages that are opened meanwhile."""
    with tab.before_pages(SCRIPT):
        yield Line(tab)
