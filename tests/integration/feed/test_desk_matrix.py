"""Who sees which page of the desk and does what there: every route of the URLconf, asked by every role.

MATRIX is the specification. `login` sends to the sign-in; `leads` to the page that the address stands for. On the
embedded store alone: rights decide, not stores.
"""

import re

import pytest
from django.test import Client

from accounts.models import User
from accounts.people import services, suspending
from accounts.staff.roles import TABLE, Right, Role
from accounts.staff_rows import StaffAction
from feed.desk.acts import ACTS
from feed.models import Report, Status
from tests.integration.accounts.admins import post
from tests.integration.feed.desking import CALLERS, Desk, carried_by, client_of, desk_routes
from tests.integration.speaking import on_one_store
from tests.people import ApiClient, new_person, new_staff

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

MATRIX = """
route                                             nobody person viewer moderator operator administrator superuser

/admin/                                           login  login  200    200       200      200           200
/admin/login/                                     200    200    leads  leads     leads    leads         leads
/admin/logout/                                    405    405    405    405       405      405           405
/admin/password_change/                           login  login  200    200       200      200           200
/admin/password_change/done/                      login  login  200    200       200      200           200
/admin/autocomplete/                              login  login  403    403       403      403           403
/admin/jsi18n/                                    login  login  200    200       200      200           200
/admin/r/{content_type_id}/{object_id}/           login  login  404    404       404      404           404
/admin/two-step/                                  login  login  leads  leads     leads    leads         leads
/admin/two-step/set-up/                           login  login  200    200       200      200           200
/admin/two-step/codes/                            login  login  leads  leads     leads    leads         leads

/admin/desk/moderation/                           login  login  403    200       403      200           200
/admin/desk/moderation/{kind}/{target_id}/        login  login  403    200       403      200           200
/admin/desk/people/{user_id}/                     login  login  200    200       200      200           200
/admin/desk/people/{user_id}/followers/           login  login  200    200       200      200           200
/admin/desk/people/{user_id}/following/           login  login  200    200       200      200           200
/admin/desk/leaving/                              login  login  200    200       200      200           200
/admin/desk/tweets/                               login  login  200    200       200      200           200
/admin/desk/tweets/{tweet_id}/                    login  login  200    200       200      200           200
/admin/desk/timelines/                            login  login  403    403       200      200           200
/admin/desk/timelines/{reader_id}/                login  login  403    403       200      200           200
/admin/desk/explain/                              login  login  403    403       200      200           200
/admin/desk/fan-out/                              login  login  200    200       200      200           200
/admin/desk/dead-letters/                         login  login  200    200       200      200           200

/admin/accounts/user/                             login  login  200    200       200      200           200
/admin/accounts/user/add/                         login  login  403    403       403      200           200
/admin/accounts/user/{id}/password/               login  login  403    403       403      200           200
/admin/accounts/user/{object_id}/                 login  login  leads  leads     leads    leads         leads
/admin/accounts/user/{object_id}/change/          login  login  200    200       200      200           200
/admin/accounts/user/{object_id}/history/         login  login  200    200       200      200           200
/admin/accounts/user/{object_id}/delete/          login  login  403    403       403      403           403
/admin/accounts/staffaction/                      login  login  403    403       200      200           200
/admin/accounts/staffaction/add/                  login  login  403    403       403      403           403
/admin/accounts/staffaction/{object_id}/          login  login  leads  leads     leads    leads         leads
/admin/accounts/staffaction/{object_id}/change/   login  login  403    403       200      200           200
/admin/accounts/staffaction/{object_id}/history/  login  login  403    403       200      200           200
/admin/accounts/staffaction/{object_id}/delete/   login  login  403    403       403      403           403
/admin/feed/report/                               login  login  403    200       403      200           200
/admin/feed/report/add/                           login  login  403    403       403      403           403
/admin/feed/report/{object_id}/                   login  login  leads  leads     leads    leads         leads
/admin/feed/report/{object_id}/change/            login  login  403    200       403      200           200
/admin/feed/report/{object_id}/history/           login  login  403    200       403      200           200
/admin/feed/report/{object_id}/delete/            login  login  403    403       403      403           403
/admin/auth/group/                                login  login  403    403       403      403           200
/admin/auth/group/add/                            login  login  403    403       403      403           200
/admin/auth/group/{object_id}/                    login  login  leads  leads     leads    leads         leads
/admin/auth/group/{object_id}/change/             login  login  403    403       403      403           200
/admin/auth/group/{object_id}/history/            login  login  403    403       403      403           200
/admin/auth/group/{object_id}/delete/             login  login  403    403       403      403           200
/admin/{app_label}/                               login  login  200    200       200      200           200
"""
HEAD, *ROWS = [line.split() for line in MATRIX.splitlines() if line]
STAFF = CALLERS[2:]


def test_every_route_of_the_desk_has_a_row() -> None:
    assert sorted(route for route, *_ in ROWS) == sorted(set(desk_routes()))
    assert HEAD[1:] == [*CALLERS]


def outcome(client: Client, path: str) -> str:
    answer = client.get(path)
    if answer.status_code != 302:
        return str(answer.status_code)
    return "login" if answer["Location"].startswith("/admin/login/") else "leads"


@pytest.mark.parametrize("name", CALLERS)
def test_each_role_opens_what_is_its_own(name: str) -> None:
    desk, client, column = Desk(), client_of(name), 1 + CALLERS.index(name)
    said = {row[0]: outcome(client, desk.path(row[0])) for row in ROWS}
    assert said == {row[0]: row[column] for row in ROWS}


@pytest.mark.parametrize("name", STAFF)
def test_what_a_role_may_not_open_leaves_no_trace_in_what_it_may(name: str) -> None:
    """No page links to one that is refused, and what is refused tells nothing of what is there. A link that many pages
    have is followed once: nothing is changed meanwhile."""
    desk, client, column = Desk(), client_of(name), 1 + CALLERS.index(name)
    followed = set[str]()
    for route, *_ in (row for row in ROWS if row[column] == "200"):
        page = client.get(desk.path(route)).content.decode()
        links = {each for each in re.findall(r'(?:href|action)="(/admin/[^"?#]*)', page) if "logout" not in each}
        for path in links - followed:
            assert client.get(path).status_code in (200, 302), f"{route} leads to {path}"
        followed |= links
    assert "/admin/" in followed
    for route, *_ in (row for row in ROWS if row[column] == "403"):
        refused = client.get(desk.path(route)).content.decode()
        assert "rude words" not in refused
        assert "loud_author" not in refused


def state_of(person: User) -> tuple[object, ...]:
    person.refresh_from_db()
    return person.suspended_at is None, person.verified, person.security_stamp


@pytest.mark.parametrize("name", STAFF)
@pytest.mark.parametrize("act", ACTS.values(), ids=lambda act: act.name)
def test_each_act_on_a_person_is_there_for_who_has_its_right(name: str, act: object) -> None:
    act = ACTS[getattr(act, "name", "")]
    desk, client = Desk(), client_of(name)
    person, allowed = desk.author, name == "superuser" or Role(name) in TABLE[act.right]
    if act.name == "restore":
        suspending.suspend(person, by=new_person(staff=True))
    if act.name == "unverify":
        services.set_verified(person, True, by=new_person(staff=True))
    before, logged = state_of(person), StaffAction.objects.count()
    path = f"/admin/desk/people/{person.pk}/"
    assert (f'value="{act.name}"' in client.get(path).content.decode()) is allowed
    people = client.get("/admin/accounts/user/").content.decode()
    assert (f'<option value="{act.name}"' in people) is allowed
    chosen = {"action": act.name, "_selected_action": [str(person.pk)], "confirmed": "yes", "reason": "for a reason"}
    if not allowed:
        post(client, "/admin/accounts/user/", chosen)
        assert state_of(person) == before, "from the list"
    answer = post(client, path, {"act": act.name, "reason": "for a reason"})
    assert answer.status_code == (302 if allowed else 403)
    assert (state_of(person) != before) is allowed
    assert StaffAction.objects.count() - logged == int(allowed)


@pytest.mark.parametrize("name", STAFF)
def test_staff_are_superusers_to_see_and_to_act_on(name: str) -> None:
    client, colleague = client_of(name), new_staff(Role.VIEWER)
    path = f"/admin/desk/people/{colleague.pk}/"
    allowed = name == "superuser"
    shown = client.get(path)
    assert (shown.status_code, colleague.email in shown.content.decode()) == ((200, True) if allowed else (403, False))
    for act in (*ACTS, "reset_two_step"):
        answer = post(client, path, {"act": act, "reason": "for a reason"})
        assert answer.status_code == (302 if allowed else 403), act
    assert StaffAction.objects.filter(subject_id=colleague.pk).exists() is allowed


@pytest.mark.parametrize("name", STAFF)
def test_reports_are_decided_by_who_handles_them(name: str) -> None:
    desk, client = Desk(), client_of(name)
    allowed = name == "superuser" or Role(name) in TABLE[Right.HANDLE_REPORTS]
    path = f"/admin/desk/moderation/tweet/{desk.tweet}/"
    decision = {"act": "decide", "verdict": "delete", "reason": "rude"}
    for form in ({"act": "claim"}, decision):
        carried = carried_by(client.get(path).content.decode())
        assert post(client, path, {**form, **carried}).status_code == (302 if allowed else 403)
    assert Report.objects.filter(status=Status.CLOSED, tweet_id=desk.tweet).exists() is allowed
    assert (ApiClient().get(f"/api/v1/tweets/{desk.tweet}").status_code == 404) is allowed
    for path in ("/admin/", f"/admin/desk/people/{desk.author.pk}/"):
        page = client.get(path).content.decode()
        assert ("eports" in page) is allowed, "neither in the menu nor on a person's page"


def test_without_a_csrf_token_nothing_is_done() -> None:
    desk, client = Desk(), client_of("superuser")
    answer = client.post(f"/admin/desk/people/{desk.author.pk}/", {"act": "suspend", "reason": "for a reason"})
    assert answer.status_code == 403
    assert state_of(desk.author)[0] is True
