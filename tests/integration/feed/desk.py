"""The desk as a browser speaks to it: signed in by role, reading pages and sending their forms."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from django.test import Client

from accounts.staff.roles import Role
from tests.integration.accounts.admins import post, signed_in
from tests.people import new_staff

DESK = "/admin/desk/"
XSS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "'-alert(1)-'",
    "</textarea><script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    "{{7*7}}<%= 7*7 %>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<b onmouseover=alert(1)>\u202ereversed",
)
"""Of OWASP's list of strings: what would run, or lead away, where it was not escaped."""
BAD_IDS = ("9" * 60, "0", "-1", "1e5", "０１２", "x", "9223372036854775808", "7.0", "%00", "' OR 1=1 --")


class Desk:
    """One member of staff's browser."""

    def __init__(self, role: Role) -> None:
        self.person = new_staff(role)
        self.client: Client = signed_in(self.person)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{DESK}{path}", query)

    def page(self, path: str, status: int = 200, **query: Any) -> str:
        """The page's text, which is one that was meant to be shown."""
        answer = self.get(path, **query)
        assert answer.status_code == status, (answer.status_code, path)
        return str(answer.content.decode())

    def send(self, path: str, **form: Any) -> str:
        """What the page says after its form was sent."""
        answer = post(self.client, f"{DESK}{path}", form)
        assert answer.status_code == 302, answer.status_code
        return said(self.client.get(answer["Location"]).content.decode())

    def refused(self, path: str, **form: Any) -> int:
        """The status of what sending the form is refused with."""
        return int(post(self.client, f"{DESK}{path}", form).status_code)


def said(page: str) -> str:
    """The messages at the head of a page."""
    return unescape(" ".join(re.findall(r'<li class="(?:success|error)">(.*?)</li>', page, re.DOTALL)))


def assert_harmless(page: str) -> None:
    """Nothing of what people wrote is markup of the page: no script, frame, handler, style or address that runs."""
    markup = Markup()
    markup.feed(page)
    assert markup.bad == []


class Markup(HTMLParser):
    """Reads a page as a browser does, and notes what a page of ours never has."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("iframe", "object", "embed", "base") or (tag == "script" and not is_of_the_admin(given)):
            self.bad.append(f"<{tag}> {given}")
        for name, value in given.items():
            runs = name in ("href", "src", "action", "formaction") and (value or "").strip().startswith("javascript:")
            if name.startswith("on") or name == "style" or runs:
                self.bad.append(f"{tag} {name}={value}")


def is_of_the_admin(script: dict[str, str | None]) -> bool:
    return (script.get("src") or "").startswith("/static/admin/") or script.get("type") == "application/json"
