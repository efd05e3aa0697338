"""Tweets, timelines and fan-out on the desk, in a real browser and on a running product.

With PICTURES=docs/images it writes the pictures of docs/desk.md anew.
"""

import json
from functools import partial

import pytest

from accounts.staff.roles import Role
from deploy.supervisor.processes import wait_until
from tests.e2e.browser import Tab
from tests.e2e.conftest import Person, Server
from tests.e2e.live_sockets import on_one_store
from tests.e2e.test_the_desk_in_a_browser import NARROW, WIDE, fits, keep, sign_in, staff, tab

__all__ = ["staff", "tab"]

pytestmark = [pytest.mark.e2e, on_one_store]

SECONDS = 60.0
"""Within which what workers do is seen. Figures are taken each ten seconds, of what was twenty seconds ago."""


DELETE_AS_STAFF = """
from accounts.entities import Viewer; from accounts.models import User; from tweets.writing.posting import delete_tweet
by = User.objects.get(username="{name}")
delete_tweet(tweet_id={tweet}, viewer=Viewer(by.id, by.account, ""), reason="Nobody should walk there.")
"""
SENT = """
fetch("{page}", {{method: "POST", body: new URLSearchParams({{action: "restore", reason: "x",
    csrfmiddlewaretoken: document.querySelector("[name=csrfmiddlewaretoken]").value}})}}).then(answer => answer.status)
"""


class Scene:
    """Somebody who is read by others, and what they wrote."""

    def __init__(self, server: Server) -> None:
        self.author, self.reader, stranger = (server.sign_up() for _ in range(3))
        self.reader.follow(self.author)
        self.home()
        self.started = self.author.post("The lake is frozen. Who comes along on Sunday?")
        self.tweet = self.author.post("It holds. We walked to the island and back.", reply_to=self.started)
        self.reader.post("I am in, and bring tea for everybody.", reply_to=self.tweet)
        for mark in ("like", "retweet"):
            assert stranger.client.put(f"/tweets/{self.tweet}/{mark}").status_code == 200

    def home(self) -> list[str]:
        answer = self.reader.client.get("/feed/home")
        assert answer.status_code == 200
        return [tweet["id"] for tweet in answer.json()["data"]]

    def is_read(self, wanted: bool = True) -> bool:
        return (str(self.tweet) in self.home()) is wanted


@pytest.fixture
def scene(server: Server) -> Scene:
    return Scene(server)


def text_of(tab: Tab, place: str = "#content") -> str:
    return str(tab.run(f"document.querySelector({json.dumps(place)}).textContent"))


def test_a_tweet_is_found_deleted_and_restored(
    tab: Tab, server: Server, staff: dict[Role, Person], scene: Scene
) -> None:
    assert wait_until(scene.is_read, seconds=SECONDS)
    sign_in(tab, server, staff[Role.MODERATOR])
    tab.open(f"{server.url}/admin/desk/tweets/")
    tab.type("input[name=q]", f"{server.url}/@{scene.author.username}/{scene.tweet}")
    tab.leave("document.querySelector('input[name=q]').form.submit()")
    assert tab.run("location.pathname") == f"/admin/desk/tweets/{scene.tweet}/"
    for said in ("The lake is frozen.", "It holds.", "I am in,", "1 reply · 1 retweet", "trace id"):
        assert said in text_of(tab), said
    keep(tab, "desk-tweet")
    acted = (("delete", "Deleted.", False), ("restore", "Restored.", True))
    for action, said, is_there in acted:
        tab.type("form.act input[name=reason]", "The wrong one." if is_there else "Nobody should walk there.")
        tab.leave(f"document.querySelector('button[value={action}]').click()")
        assert said in text_of(tab, ".messagelist")
        assert wait_until(partial(scene.is_read, is_there), seconds=SECONDS), action
    assert tab.complaints == []


def test_a_home_timeline_is_looked_at_explained_and_made_anew(
    tab: Tab, server: Server, staff: dict[Role, Person], scene: Scene
) -> None:
    assert wait_until(scene.is_read, seconds=SECONDS)
    sign_in(tab, server, staff[Role.OPERATOR])
    tab.open(f"{server.url}/admin/desk/timelines/")
    tab.type("input[name=reader]", f"@{scene.reader.username}")
    tab.leave("document.querySelector('input[name=reader]').form.submit()")
    assert tab.run("location.pathname") == f"/admin/desk/timelines/{scene.reader.id}/"
    assert "It holds." in text_of(tab)
    keep(tab, "desk-timeline")
    tab.leave("document.querySelector('button[name=audit]').click()")
    assert "Every entry above the floor is right." in text_of(tab)
    tab.type("input[name=tweet]", str(scene.tweet))
    tab.leave("document.querySelector('input[name=tweet]').form.submit()")
    assert "in the timeline" in text_of(tab, ".verdict")
    keep(tab, "desk-explain")
    tab.open(f"{server.url}/admin/desk/timelines/{scene.reader.id}/")
    tab.type("form.act input[name=reason]", "They said that something is missing.")
    tab.leave("document.querySelector('form.act button').click()")
    assert "made anew" in text_of(tab, ".messagelist")
    assert tab.complaints == []


def test_the_dashboard_shows_what_workers_do_and_refreshes_itself(
    tab: Tab, server: Server, staff: dict[Role, Person], scene: Scene
) -> None:
    sign_in(tab, server, staff[Role.OPERATOR])

    def has_deliveries() -> bool:
        scene.author.post("Still frozen.")
        tab.open(f"{server.url}/admin/desk/fan-out/?refresh=off")
        legend = text_of(tab, ".plots")
        return "p99 unknown" not in legend and "timelines unknown" not in legend and "deliveries unknown" not in legend

    assert wait_until(has_deliveries, seconds=2 * SECONDS)
    assert tab.run("document.querySelectorAll('.plot polyline').length") > 5
    keep(tab, "desk-fan-out")
    tab.open(f"{server.url}/admin/desk/fan-out/")
    tab.run("window.before = true")
    assert wait_until(lambda: tab.run("window.before") is None, seconds=SECONDS), "it has loaded itself anew"
    assert tab.complaints == []


def test_the_pages_fit_a_telephone_and_ask_no_other_host(
    tab: Tab, server: Server, staff: dict[Role, Person], scene: Scene
) -> None:
    sign_in(tab, server, staff[Role.ADMINISTRATOR])
    home, dashboard = f"timelines/{scene.reader.id}/", "fan-out/?refresh=off"
    explain = f"explain/?reader={scene.reader.username}&tweet={scene.tweet}"
    tweets = ["tweets/", f"tweets/?author={scene.author.username}", f"tweets/{scene.tweet}/"]
    for width in (NARROW, WIDE):
        tab.look(*width, dark=width is NARROW)
        for route in (*tweets, "timelines/", home, explain, dashboard, "dead-letters/"):
            tab.open(f"{server.url}/admin/desk/{route}")
            assert tab.run("document.querySelector('#site-name').textContent.trim()") == "Feed desk", route
            assert fits(tab), f"{route} at {width}"
    tab.look(*NARROW, dark=True)
    tab.open(f"{server.url}/admin/desk/{dashboard}")
    keep(tab, "desk-fan-out-narrow")
    assert tab.complaints == []
    assert tab.hosts() == {server.url.removeprefix("http://")}


@pytest.mark.parametrize("role", Role)
def test_a_deleted_tweet_is_offered_to_its_roles_to_restore(
    tab: Tab, server: Server, staff: dict[Role, Person], scene: Scene, role: Role
) -> None:
    """Nobody else has the form, and sending it is refused them."""
    server.manage(DELETE_AS_STAFF.format(name=staff[Role.MODERATOR].username, tweet=scene.tweet))
    sign_in(tab, server, staff[role])
    page = f"{server.url}/admin/desk/tweets/{scene.tweet}/"
    tab.open(page)
    assert f"Deleted by @{staff[Role.MODERATOR].username}, " in text_of(tab)
    may = role in (Role.MODERATOR, Role.ADMINISTRATOR)
    assert tab.run("document.querySelector('button[value=restore]') !== null") is may
    if not may:
        assert tab.run(SENT.format(page=page)) == 403
        return
    tab.type("form.act input[name=reason]", "The wrong one.")
    tab.leave("document.querySelector('button[value=restore]').click()")
    assert "Restored." in text_of(tab, ".messagelist")
    assert wait_until(scene.is_read, seconds=SECONDS)
    assert tab.complaints == []
