"""Staff are superusers' business: a moderator, whatever their permissions, neither touches nor sees nor becomes one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User
from accounts.people import services, suspending
from accounts.sessions import tokens
from accounts.staff_rows import StaffAction
from feed.models import Reason, Report
from tests.integration.accounts.admins import NEW_PASSWORD, PEOPLE, act, is_in, new_moderator, post, signed_in
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

EVERYTHING = (
    *(
        f"{verb}_{model}"
        for verb in ("add", "change", "delete", "view")
        for model in ("user", "group", "permission", "report", "logentry", "session")
    ),
    *(right for right, _ in StaffAction._meta.permissions),
)
"""The most that a moderator can have been given."""
DONE = {"suspend": "Suspended", "restore": "Restored", "sign_out": "Signed out"}
GROUPS = "/admin/auth/group/"
REPORTS = "/admin/feed/report/"


def superuser() -> User:
    return new_person(staff=True)


def superuser_who_is_no_staff() -> User:
    person = new_person()
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    return person


def staff_without_rights() -> User:
    return new_moderator()


def weaker_moderator() -> User:
    return new_moderator("view_user")


def former_staff_with_permissions() -> User:
    person = new_moderator("change_user")
    User.objects.filter(pk=person.pk).update(is_staff=False)
    return person


def member_of_a_group() -> User:
    person = new_person()
    person.groups.add(Group.objects.create(name=f"group of {person.pk}"))
    return person


staff = pytest.mark.parametrize(
    "make",
    [
        superuser,
        superuser_who_is_no_staff,
        staff_without_rights,
        weaker_moderator,
        former_staff_with_permissions,
        member_of_a_group,
    ],
)
Make = Callable[[], User]


@pytest.fixture
def moderator() -> User:
    return new_moderator(*EVERYTHING)


@pytest.fixture
def client(moderator: User) -> Client:
    return signed_in(moderator)


def row(person: User) -> dict[str, Any]:
    """All that SQL has of a person, rights included."""
    [values] = User.objects.filter(pk=person.pk).values()
    rights = User.objects.get(pk=person.pk)
    return values | {"groups": [*rights.groups.all()], "permissions": [*rights.user_permissions.all()]}


@staff
def test_no_page_of_theirs_opens_or_changes_anything(client: Client, make: Make) -> None:
    person = make()
    before = row(person)
    password = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    profile = {"display_name": "Mallory", "email": "mallory@example.org", "bio": "", "avatar_url": ""}
    for page, form in (("change", profile), ("password", password), ("history", {}), ("delete", {"post": "yes"})):
        path = f"{PEOPLE}{person.pk}/{page}/"
        shown = client.get(path)
        assert shown.status_code == 403, page
        assert person.email not in shown.content.decode()
        assert post(client, path, form).status_code == 403, page
    assert row(person) == before
    assert services.sign_in(login=person.username, password=PASSWORD)


@staff
@pytest.mark.parametrize("action", DONE)
def test_no_action_reaches_them(client: Client, make: Make, action: str) -> None:
    person, ada = make(), new_person()
    if action == "restore":
        suspending.suspend(person, by=superuser())
    else:
        signed_in_there = ApiClient(person)
    before = row(person)
    assert f"{DONE[action]}: @{ada.username}." in act(client, action, person, ada)
    assert f"{DONE[action]}: nobody." in act(client, action, person)
    everyone = {"action": action, "_selected_action": [str(ada.pk)], "select_across": "1", "confirmed": "yes"}
    assert post(client, PEOPLE, {**everyone, "reason": "for a reason"}).status_code == 302
    assert row(person) == before
    if action != "restore":
        assert signed_in_there.get("/api/v1/me").status_code == 200


@staff
def test_they_are_neither_listed_nor_found_nor_suggested(client: Client, make: Make) -> None:
    person, ada = make(), new_person()
    suggested = "/admin/autocomplete/?app_label=accounts&model_name=user&field_name=suspended_by&term="
    queries = ["", f"q={person.username}", f"q={person.email}", f"q={person.pk}", "is_staff__exact=1"]
    for query in [*queries, f"email__startswith={person.email[:9]}", f"email={person.email}"]:
        page = client.get(f"{PEOPLE}?{query}")
        assert person not in page.context["cl"].result_list, query
    assert ada in client.get(PEOPLE).context["cl"].result_list
    answer = client.get(suggested + person.username)
    assert answer.status_code == 403 or not answer.json()["results"]


def test_superusers_touch_staff(moderator: User) -> None:
    boss, fellow = superuser(), signed_in(moderator)
    admin = signed_in(boss)
    assert moderator in admin.get(PEOPLE).context["cl"].result_list
    password = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert post(admin, f"{PEOPLE}{moderator.pk}/password/", password).status_code == 302
    assert not is_in(fellow)
    assert f"Suspended: @{moderator.username}." in act(admin, "suspend", moderator)
    assert f"Restored: @{moderator.username}." in act(admin, "restore", moderator)
    form = {"display_name": "Mod", "email": moderator.email, "bio": "", "avatar_url": "", "is_staff": "on"}
    assert post(admin, f"{PEOPLE}{moderator.pk}/change/", form).status_code == 302
    assert not User.objects.get(pk=moderator.pk).user_permissions.exists(), "which the form left empty"


def test_a_moderator_does_what_moderators_do_with_everybody_else(client: Client) -> None:
    ada = new_person()
    raw = tokens.issue(ada)
    form = {"display_name": "Ada", "email": ada.email, "bio": "", "avatar_url": "", "verified": "on"}
    assert post(client, f"{PEOPLE}{ada.pk}/change/", form).status_code == 302
    assert tokens.authenticate(raw).account.verified
    assert client.get(f"{PEOPLE}{ada.pk}/history/").status_code == 200
    password = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert post(client, f"{PEOPLE}{ada.pk}/password/", password).status_code == 302
    assert services.sign_in(login=ada.username, password=NEW_PASSWORD)


def test_a_moderator_changes_their_own_password_and_nothing_else_of_theirs(client: Client, moderator: User) -> None:
    assert client.get(f"{PEOPLE}{moderator.pk}/change/").status_code == 403
    assert "Suspended: nobody." in act(client, "suspend", moderator)
    form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert post(client, "/admin/password_change/", form).status_code == 302
    assert is_in(client)
    assert services.sign_in(login=moderator.username, password=NEW_PASSWORD)


@pytest.mark.parametrize("page", ["add/", "{}/change/"])
def test_no_field_makes_anybody_staff(client: Client, page: str) -> None:
    ada, group = new_person(), Group.objects.create(name="rulers")
    every = Permission.objects.values_list("pk", flat=True)[:3]
    rights = {"is_staff": "on", "is_superuser": "on", "groups": [group.pk], "user_permissions": [*every]}
    others = {"is_active": "on", "suspended_by": str(ada.pk), "id": str(ada.pk), "security_stamp": "x", "password": "x"}
    form = {"username": "grace", "email": "grace@example.org", "password1": PASSWORD, "password2": PASSWORD}
    profile = {"display_name": "Grace", "bio": "", "avatar_url": ""}
    before = row(ada)["password"]
    assert post(client, PEOPLE + page.format(ada.pk), form | profile | others | rights).status_code == 302
    person = User.objects.get(email="grace@example.org")
    assert not person.is_privileged
    assert person.security_stamp == ""
    assert row(ada)["password"] == before


def test_groups_are_superusers_to_see_and_to_change(client: Client, moderator: User) -> None:
    group = Group.objects.create(name="moderators")
    moderator.groups.add(group)
    rights = {"name": "moderators", "permissions": [*Permission.objects.values_list("pk", flat=True)]}
    assert "/admin/auth/" not in client.get("/admin/").content.decode()
    for path in (GROUPS, f"{GROUPS}add/", f"{GROUPS}{group.pk}/change/", f"{GROUPS}{group.pk}/delete/"):
        assert client.get(path).status_code == post(client, path, rights).status_code == 403, path
    assert client.get("/admin/auth/permission/").status_code == 404
    assert not group.permissions.exists()
    admin = signed_in(superuser())
    assert post(admin, f"{GROUPS}{group.pk}/change/", rights).status_code == 302
    assert group.permissions.exists()


def test_reports_about_staff_are_superusers_to_read_and_to_decide(client: Client, moderator: User) -> None:
    reporter, ada = new_person(), new_person()
    about = {
        each: Report.objects.create(reporter=reporter, person=each, reason=Reason.ABUSE) for each in (moderator, ada)
    }
    assert [report.person for report in client.get(REPORTS).context["cl"].result_list] == [ada]
    assert client.get(f"{REPORTS}{about[moderator].pk}/change/").status_code == 302
    assert client.get(f"{REPORTS}{about[ada].pk}/change/").status_code == 200
    for person, status in ((moderator, 404), (ada, 302)):
        assert post(client, f"/admin/desk/moderation/person/{person.pk}/", {"act": "claim"}).status_code == status
    assert signed_in(superuser()).get(f"{REPORTS}{about[moderator].pk}/change/").status_code == 200
