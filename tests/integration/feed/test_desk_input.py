"""What people wrote is shown and does nothing; what is no input is refused, and breaks no page."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.graph import follows
from accounts.models import User
from accounts.people import services
from accounts.staff import log
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from feed.models import Decision, Reason, Report, Status
from feed.moderation.queue import Target
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from tests.integration.accounts.admins import post, signed_in
from tests.integration.feed.desking import Desk, carried_by, decide
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post as post_tweet
from tests.people import ApiClient, new_person, new_staff

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

HUGE, MANY_DIGITS = "x" * 60_000, "9" * 60
SCRIPTS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "{{ person.email }}{% csrf_token %}",
    "javascript:alert(1)",
    "<a href=\"javascript:alert(1)\">x</a>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
    "<IMG SRC=&#106;avascript:alert(1)>",
    "\u202e<b>txet\u202c",
]  # fmt: skip
"""Of the OWASP cheat sheet's kinds: elements, attributes, ends of what surrounds them, URLs, comments, templates."""


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def moderator() -> User:
    return new_staff(Role.MODERATOR)


@pytest.fixture
def client(moderator: User) -> Client:
    return signed_in(moderator)


def harmless(page: str, script: str) -> bool:
    """Whether the text is there as text, and nowhere as it was written where that would be markup."""
    return html.escape(script) in page and (html.escape(script) == script or script not in page)


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_people_wrote_is_text(desk: Desk, moderator: User, script: str) -> None:
    author, target = desk.author, Target("tweet", desk.tweet)  # type: ignore[arg-type]
    User.objects.filter(pk=author.pk).update(display_name=script[:50], bio=script, avatar_url=script)
    answer = post_tweet(author, script, reply_to=desk.tweet)
    Report.objects.create(reporter=new_person(), person=author, tweet_id=answer, reason=Reason.SPAM, comment=script)
    services.set_verified(author, True, by=moderator, reason=script)
    decide(target, by=moderator, verdict="warn", note=script)
    admin = signed_in(new_person(staff=True))
    pages = {
        f"/admin/desk/people/{author.pk}/": 3,
        f"/admin/desk/moderation/tweet/{answer}/": 3,
        f"/admin/desk/moderation/tweet/{desk.tweet}/": 2,
        f"/admin/accounts/user/{author.pk}/change/": 1,
        "/admin/accounts/user/": 1,
        f"/admin/accounts/staffaction/?q={author.pk}": 1,
        f"/admin/feed/report/{Report.objects.latest('pk').pk}/change/": 1,
    }
    for path, at_least in pages.items():
        page = admin.get(path).content.decode()
        shown = script[:50] if path == "/admin/accounts/user/" else script
        assert harmless(page, shown), path
        assert page.count(html.escape(shown)) >= at_least, path
    chosen = {"action": "suspend", "_selected_action": [str(author.pk)]}
    confirmation = post(admin, "/admin/accounts/user/", chosen).content.decode()
    assert harmless(confirmation, script[:50])


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_staff_type_is_text_when_it_comes_back(desk: Desk, client: Client, script: str) -> None:
    chosen = {"action": "suspend", "_selected_action": [str(desk.author.pk)], "confirmed": "yes"}
    page = post(client, "/admin/accounts/user/", {**chosen, "reason": script, "until": script}).content.decode()
    assert harmless(page, script)
    answer = post(client, f"/admin/desk/people/{desk.author.pk}/", {"act": "suspend", "reason": "", "until": script})
    assert answer.status_code == 302
    assert script not in client.get(answer["Location"]).content.decode() or html.escape(script) == script
    assert User.objects.get(pk=desk.author.pk).suspended_at is None


@pytest.mark.parametrize(
    "path",
    [
        *(f"/admin/desk/people/{each}/" for each in (MANY_DIGITS, MAX_ID + 1, "-1", "abc", "1.5", "", "\u0661")),
        f"/admin/desk/people/{MAX_ID}/",
        *(f"/admin/desk/moderation/tweet/{each}/" for each in (MANY_DIGITS, "0", "abc")),
        "/admin/desk/moderation/nothing/1/",
        f"/admin/desk/moderation/{HUGE[:3_000]}/1/",
        f"/admin/accounts/staffaction/{MANY_DIGITS}/change/",
    ],
)
def test_what_is_no_address_is_not_found(path: str) -> None:
    admin = signed_in(new_person(staff=True))
    assert admin.get(path).status_code in (302, 404)
    assert post(admin, path, {"act": "suspend", "reason": "x"}).status_code in (302, 404, 403)
    assert not StaffAction.objects.exists()


@pytest.mark.parametrize("after", [MANY_DIGITS, "-1", "abc", "", "\u0661", HUGE[:3_000], "0x10", "\0"])
def test_a_place_that_is_none_is_the_beginning(desk: Desk, client: Client, after: str) -> None:
    answer = client.get("/admin/desk/moderation/", {"after": after})
    assert answer.status_code == 200
    assert "loud_author" in answer.content.decode()


@pytest.mark.parametrize("term", [MANY_DIGITS, "-1", "%", "'", "\0", "\u0661", HUGE[:3_000], *SCRIPTS[:2]], ids=ascii)
@pytest.mark.parametrize("model", ["accounts/user", "accounts/staffaction", "feed/report", "auth/group"])
def test_a_search_for_what_is_none_finds_nothing(desk: Desk, model: str, term: str) -> None:
    admin = signed_in(new_person(staff=True))
    answer = admin.get(f"/admin/{model}/", {"q": term})
    assert answer.status_code in (200, 302)
    if term in SCRIPTS:
        assert harmless(answer.content.decode(), term)
    for field in ("p", "o", "id__exact", "e", "status__exact", "suspended"):
        assert admin.get(f"/admin/{model}/", {field: term}).status_code in (200, 302, 400), field


@pytest.mark.parametrize("model", ["accounts/user", "feed/report", "auth/group"])
@pytest.mark.parametrize("chosen", [MANY_DIGITS, "abc", "-1", "\0", HUGE], ids=lambda chosen: ascii(chosen)[:20])
def test_what_is_chosen_and_is_none_breaks_no_list(desk: Desk, model: str, chosen: str) -> None:
    admin = signed_in(new_person(staff=True))
    for action in ("suspend", "close", "delete_selected"):
        answer = post(admin, f"/admin/{model}/", {"action": action, "_selected_action": [chosen]})
        assert answer.status_code in (200, 302)


BAD_FORMS: list[dict[str, Any]] = [
    {},
    {"act": ""},
    {"act": "delete"},
    {"act": MANY_DIGITS},
    {"act": "reset_two_step"},
    {"act": "suspend"},
    {"act": "suspend", "reason": "   "},
    {"act": "suspend", "reason": "a\0b"},
    {"act": "suspend", "reason": HUGE},
    *(
        {"act": "suspend", "reason": "why", "until": until}
        for until in ("tomorrow", "2001-01-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00", MANY_DIGITS, "\0", HUGE)
    ),
]


@pytest.mark.parametrize("form", BAD_FORMS, ids=lambda form: str(form)[:60])
def test_a_form_that_is_none_does_nothing_to_anybody(desk: Desk, client: Client, form: dict[str, Any]) -> None:
    answer = post(client, f"/admin/desk/people/{desk.author.pk}/", form)
    assert answer.status_code == (403 if form.get("act") == "reset_two_step" else 302)
    assert User.objects.get(pk=desk.author.pk).suspended_at is None
    assert StaffAction.objects.exclude(action="look").count() == 0
    if answer.status_code == 302:
        assert "errornote" in (said := client.get(answer["Location"]).content.decode()) or 'class="error"' in said


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"act": "nothing"},
        {"act": "decide"},
        {"act": "decide", "verdict": "praise", "reason": "why"},
        {"act": "decide", "verdict": "dismiss"},
        {"act": "decide", "verdict": "dismiss", "reason": HUGE},
        {"act": "decide", "verdict": "dismiss", "reason": "\0"},
        {"act": "decide", "verdict": "suspend", "reason": "why", "until": "yesterday"},
        *(
            {"act": "decide", "verdict": "dismiss", "reason": "why", "token": token, "seen": seen}
            for token, seen in (("", "1"), ("\0", "1"), ("a" * 32, "1"), (HUGE, "1"), ("a", MANY_DIGITS), ("a", "-1"))
        ),
        {"act": "__class__"},
    ],
    ids=lambda form: str(form)[:60],
)
def test_a_form_that_is_no_decision_decides_nothing(desk: Desk, client: Client, form: dict[str, Any]) -> None:
    path = f"/admin/desk/moderation/tweet/{desk.tweet}/"
    post(client, path, {"act": "claim"})
    carried = carried_by(client.get(path).content.decode())
    assert post(client, path, {**carried, **form}).status_code == 302
    assert not Decision.objects.exists()
    assert Report.objects.filter(status=Status.OPEN).count() == 2


@pytest.mark.parametrize("ids", [[MANY_DIGITS], ["abc"], ["-1"], [], [str(MAX_ID)], ["\0"]], ids=str)
def test_a_choice_of_nobody_is_nobody(desk: Desk, client: Client, ids: list[str]) -> None:
    chosen = {"action": "suspend", "_selected_action": ids, "confirmed": "yes", "reason": "why"}
    assert post(client, "/admin/accounts/user/", chosen).status_code in (200, 302, 400)
    assert not User.objects.exclude(suspended_at=None).exists()


def test_the_page_before_an_act_says_on_how_many_and_does_nothing(desk: Desk, client: Client, moderator: User) -> None:
    people = [new_person() for _ in range(24)]
    staff = new_staff(Role.VIEWER)
    ids = [str(each.pk) for each in [*people, staff, moderator]]
    page = post(client, "/admin/accounts/user/", {"action": "suspend", "_selected_action": ids}).content.decode()
    assert "<strong>24 people</strong>" in page
    assert "and 4 more" in page
    assert staff.username not in page
    assert not User.objects.exclude(suspended_at=None).exists()
    hidden = re.findall(r'name="_selected_action" value="(\d+)"', page)
    soon = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M}"
    form = {"action": "suspend", "_selected_action": hidden, "confirmed": "yes", "reason": "spam", "until": soon}
    assert post(client, "/admin/accounts/user/", form).status_code == 302
    suspended = User.objects.exclude(suspended_at=None)
    assert {*suspended} == {*people}
    assert {each.suspended_until is not None for each in suspended} == {True}
    assert {*StaffAction.objects.filter(action="suspend").values_list("reason", flat=True)} == {"spam"}


def test_so_many_at_once_and_no_more(desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.desk.bulk.AT_ONCE", 2)
    people = [new_person() for _ in range(3)]
    chosen = {"action": "verify", "_selected_action": [str(each.pk) for each in people], "confirmed": "yes"}
    assert post(client, "/admin/accounts/user/", {**chosen, "reason": "why"}).status_code == 302
    assert not User.objects.filter(verified=True).exists()


def test_a_page_of_somebody_shows_who_stands_around_them_but_no_staff(desk: Desk, client: Client) -> None:
    follower, staff = new_person("a_follower"), new_staff(Role.VIEWER, "a_colleague")
    for each in (follower, staff):
        follows.follow(each.id, desk.author.id)
    follows.follow(desk.author.id, new_person("a_followee").id)
    ApiClient(desk.author)
    page = client.get(f"/admin/desk/people/{desk.author.pk}/").content.decode()
    for there in ("a_follower", "a_followee", "rude words", "upset_reporter", "1 token"):
        assert there in page, there
    assert "a_colleague" not in page
    assert (
        "a_colleague" in signed_in(new_person(staff=True)).get(f"/admin/desk/people/{desk.author.pk}/").content.decode()
    )


def test_without_the_store_the_rest_is_there(desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unanswered(*_: object, **__: object) -> Any:
        raise Unavailable("store")

    for name in (
        "feed.desk.people.newest_tweets",
        "feed.desk.neighbours.associations",
        "feed.desk.moderation.context_of",
    ):
        monkeypatch.setattr(name, unanswered)
    for name in ("outbox", "dead_letters"):
        monkeypatch.setattr(f"feed.desk.attention.{name}", unanswered)
    for path in (f"/admin/desk/people/{desk.author.pk}/", f"/admin/desk/moderation/tweet/{desk.tweet}/"):
        page = client.get(path)
        assert page.status_code == 200
        assert "does not answer" in page.content.decode()
    assert "unknown" in client.get("/admin/").content.decode()


def test_the_log_is_read_and_nothing_else(desk: Desk) -> None:
    entry = StaffAction.objects.get()
    admin = signed_in(new_person(staff=True))
    path = f"/admin/accounts/staffaction/{entry.pk}"
    assert "look" in admin.get(f"{path}/change/").content.decode()
    for form in ({"reason": "another"}, {"_save": "Save", "by_name": "somebody"}):
        assert post(admin, f"{path}/change/", form).status_code == 403
    assert post(admin, f"{path}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(entry.pk)], "post": "yes"}
    post(admin, "/admin/accounts/staffaction/", chosen)
    assert StaffAction.objects.get(pk=entry.pk).reason == entry.reason


def test_what_superusers_change_of_staff_is_logged() -> None:
    admin, ada = signed_in(new_person("boss", staff=True)), new_person("ada")
    group = Group.objects.create(name="helpers")
    profile = {"display_name": "Ada", "email": ada.email, "bio": "", "avatar_url": "", "is_staff": "on"}
    assert post(admin, f"/admin/accounts/user/{ada.pk}/change/", {**profile, "groups": [group.pk]}).status_code == 302
    password = {"usable_password": "true", "password1": "another-horse-42", "password2": "another-horse-42"}
    assert post(admin, f"/admin/accounts/user/{ada.pk}/password/", password).status_code == 302
    assert (
        post(admin, f"/admin/auth/group/{group.pk}/change/", {"name": "rulers", "permissions": []}).status_code == 302
    )
    changed, set_password, of_group = StaffAction.objects.order_by("pk")
    assert (changed.action, changed.after["is_staff"], changed.after["groups"]) == ("change", True, ["helpers"])
    assert set_password.action == "set a password"
    assert (of_group.action, of_group.subject_kind, of_group.after["name"]) == ("change a group", "group", "rulers")
    assert "another-horse" not in str([*StaffAction.objects.values_list()])
    assert log.BY_ITSELF not in {entry.by_name for entry in (changed, set_password, of_group)}
