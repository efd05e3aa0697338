"""The desk in a real browser, as each role: its pages work under their policy, and a case is worked on from end to end.

With PICTURES=docs/images it writes the pictures of docs/desk.md anew.
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.staff.roles import Role
from tests.e2e.browser import Browser, Tab
from tests.e2e.conftest import PASSWORD, Person, Server
from tests.e2e.live_sockets import on_one_store

pytestmark = [pytest.mark.e2e, on_one_store]

WIDE, NARROW = (1200, 800), (390, 844)
OPENED = {
    Role.VIEWER: ["/admin/", "/admin/accounts/user/", "/admin/desk/people/{person}/"],
    Role.MODERATOR: [
        "/admin/",
        "/admin/desk/moderation/",
        "/admin/desk/moderation/tweet/{tweet}/",
        "/admin/desk/people/{person}/",
        "/admin/feed/report/",
    ],
    Role.OPERATOR: ["/admin/", "/admin/accounts/staffaction/", "/admin/desk/people/{person}/"],
    Role.ADMINISTRATOR: [
        "/admin/",
        "/admin/desk/moderation/",
        "/admin/accounts/user/{person}/change/",
        "/admin/accounts/user/add/",
        "/admin/accounts/staffaction/",
        "/admin/two-step/set-up/",
    ],
}
REFUSED = {
    Role.VIEWER: ["/admin/desk/moderation/", "/admin/accounts/staffaction/", "/admin/accounts/user/add/"],
    Role.MODERATOR: ["/admin/accounts/staffaction/", "/admin/accounts/user/{person}/password/"],
    Role.OPERATOR: ["/admin/desk/moderation/tweet/{tweet}/", "/admin/feed/report/"],
    Role.ADMINISTRATOR: ["/admin/auth/group/"],
}
MAKE_STAFF = """
from django.contrib.auth.models import Group
from accounts.models import User
person = User.objects.get(username={name!r})
User.objects.filter(pk=person.pk).update(is_staff=True)
person.groups.add(Group.objects.get(name={role!r}))
"""


@pytest.fixture
def tab(shared_browser: Browser) -> Iterator[Tab]:
    with shared_browser.tab() as opened:
        opened.look(*WIDE)
        yield opened


@pytest.fixture(scope="module")
def staff(server: Server) -> dict[Role, Person]:
    made = {role: server.sign_up() for role in Role}
    for role, person in made.items():
        server.manage(MAKE_STAFF.format(name=person.username, role=str(role)))
    return made


class Case:
    """Somebody's tweet in a conversation, that four people have reported."""

    def __init__(self, server: Server) -> None:
        self.author, friend = server.sign_up(), server.sign_up()
        started = friend.post("Who has a spare ticket for tonight?")
        self.tweet = self.author.post("Buy followers now, cheap! <script>alert(1)</script>", reply_to=started)
        friend.post("Please stop that.", reply_to=self.tweet)
        for reason in ("spam", "spam", "abuse", "other"):
            report = {"tweet_id": self.tweet, "reason": reason, "comment": "He writes this to everybody."}
            assert server.sign_up().client.post("/reports", json=report).status_code == 201
        friend.follow(self.author)

    def path(self, route: str) -> str:
        return route.format(person=self.author.id, tweet=self.tweet)


@pytest.fixture
def case(server: Server) -> Case:
    return Case(server)


def sign_in(tab: Tab, server: Server, person: Person) -> None:
    tab.run("document.querySelector('#logout-form') && 0")
    tab.open(f"{server.url}/admin/login/?next=/admin/")
    if tab.run("location.pathname") == "/admin/":
        tab.leave("document.querySelector('#logout-form').submit()")
        tab.open(f"{server.url}/admin/login/?next=/admin/")
    tab.run(f"document.querySelector('#id_username').value = {json.dumps(person.username)}")
    tab.run(f"document.querySelector('#id_password').value = {json.dumps(PASSWORD)}")
    tab.leave("document.querySelector('#login-form').submit()")
    assert tab.run("location.pathname") == "/admin/"


def keep(tab: Tab, name: str) -> None:
    """Keeps a picture of what is to be seen, if pictures are wanted."""
    if directory := os.environ.get("PICTURES"):
        tab.picture(Path(directory) / f"{name}.png")


def fits(tab: Tab) -> bool:
    """Whether nothing makes the page wider than the window."""
    return bool(tab.run("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("role", Role)
def test_each_role_s_pages_work_and_others_are_refused(
    tab: Tab, server: Server, staff: dict[Role, Person], case: Case, role: Role
) -> None:
    sign_in(tab, server, staff[role])
    for width in (NARROW, WIDE):
        tab.look(*width, dark=width is NARROW)
        for route in OPENED[role]:
            tab.open(server.url + case.path(route))
            assert tab.run("document.querySelector('#site-name').textContent.trim()") == "Feed desk", route
            assert fits(tab), f"{route} at {width}"
            if width is NARROW and "{tweet}" in route:
                keep(tab, "desk-narrow")
    assert tab.complaints == []
    menu = tab.run("[...document.querySelectorAll('#nav-sidebar a, #content-main a')].map((each) => each.pathname)")
    for route in REFUSED[role]:
        tab.open(server.url + case.path(route))
        assert "403" in tab.run("document.title + document.body.textContent"), route
        assert case.path(route) not in (menu or [])
    assert tab.hosts() == {server.url.removeprefix("http://")}, "no other host is asked for anything"


def test_a_case_is_worked_on_from_end_to_end(tab: Tab, server: Server, staff: dict[Role, Person], case: Case) -> None:
    author = case.author.username
    sign_in(tab, server, staff[Role.MODERATOR])
    keep(tab, "desk-start")
    tab.open(f"{server.url}/admin/desk/moderation/")
    link = f"[...document.querySelectorAll('.queue a')].find((each) => each.textContent.endsWith('@{author}'))"
    assert tab.run(f"{link}.closest('tr').cells[2].textContent") == "4"
    keep(tab, "desk-queue")
    tab.leave(f"{link}.click()")
    assert "<script>alert(1)</script>" in tab.run("document.querySelector('tr.subject').textContent")
    assert "Please stop that." in tab.run("document.querySelector('.evidence').textContent")
    tab.leave("document.querySelector('form input[value=claim]').form.submit()")
    tab.look(WIDE[0], 1250)
    keep(tab, "desk-case")
    tab.look(*WIDE)
    tab.run("document.querySelector('input[value=suspend]').checked = true")
    tab.run("document.querySelector('textarea').value = 'Sells followers.'")
    tab.leave("document.querySelector('input[value=decide]').form.submit()")
    assert tab.run("location.pathname") == "/admin/desk/moderation/"
    assert "Decided" in tab.run("document.querySelector('.messagelist').textContent")
    assert not tab.run(f"Boolean({link})")
    assert case.author.client.get("/me").status_code == 403
    tab.open(f"{server.url}/admin/desk/people/{case.author.id}/")
    assert "Sells followers." in tab.run("document.querySelector('.decisions').textContent")
    keep(tab, "desk-person")
    tab.run("document.querySelector('details.act-restore').open = true")
    tab.run("document.querySelector('details.act-restore textarea').value = 'It was a mistake.'")
    tab.leave("document.querySelector('details.act-restore form').submit()")
    assert case.author.client.get("/me").status_code == 200
    assert tab.complaints == []


def test_several_are_acted_on_after_a_page_that_says_how_many(
    tab: Tab, server: Server, staff: dict[Role, Person]
) -> None:
    people = [server.sign_up() for _ in range(2)]
    sign_in(tab, server, staff[Role.MODERATOR])
    tab.open(f"{server.url}/admin/accounts/user/")
    for person in people:
        tab.run(f"document.querySelector('input[name=_selected_action][value=\"{person.id}\"]').click()")
    tab.run("document.querySelector('select[name=action]').value = 'suspend'")
    tab.leave("document.querySelector('button[name=index]').click()")
    assert "2 people" in tab.run("document.querySelector('.count').textContent")
    keep(tab, "desk-confirm")
    tab.run("document.querySelector('textarea').value = 'A farm of accounts.'")
    tab.leave("document.querySelector('#content form').submit()")
    assert [person.client.get("/me").status_code for person in people] == [403, 403]
    assert tab.complaints == []


def test_the_second_step_shows_its_picture_and_recovery_codes(
    tab: Tab, server: Server, staff: dict[Role, Person]
) -> None:
    sign_in(tab, server, staff[Role.VIEWER])
    tab.open(f"{server.url}/admin/two-step/set-up/")
    assert tab.run("document.querySelector('.picture img').naturalWidth") > 100
    secret = tab.run("new URLSearchParams(document.querySelector('.address').textContent.split('?')[1]).get('secret')")
    tab.run(f"document.querySelector('#id_code').value = {json.dumps(code_of(secret))}")
    keep(tab, "desk-two-step")
    tab.leave("document.querySelector('#login-form').submit()")
    assert tab.run("document.querySelectorAll('.codes li').length") == 10
    assert tab.complaints == []


def code_of(secret: str) -> str:
    """What an authenticator with this secret shows now, by RFC 6238, as any authenticator reckons it."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"
