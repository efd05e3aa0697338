"""A suspension that stands: it is made shorter on the person's own page only, which says how long it lasts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.people import suspending
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from feed.models import Kind, Reason, Report
from feed.moderation.deciding import DECIDED
from feed.moderation.queue import Target
from tests.integration.accounts.admins import post, signed_in
from tests.integration.feed.desking import decide
from tests.integration.speaking import on_one_store
from tests.people import new_person, new_staff

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

SOON, LATER = (datetime.now(UTC).replace(microsecond=0, second=0) + timedelta(days=days) for days in (1, 30))
ENDS = [(None, SOON, None), (LATER, SOON, LATER), (SOON, LATER, LATER), (SOON, None, None), (LATER, LATER, LATER)]


@pytest.fixture
def moderator() -> User:
    return new_staff(Role.MODERATOR)


@pytest.fixture
def client(moderator: User) -> Client:
    return signed_in(moderator)


def suspended(until: datetime | None) -> User:
    person = new_person()
    suspending.suspend(person, by=new_person(staff=True), until=until, reason="the first")
    return person


def typed(until: datetime | None) -> str:
    return "" if until is None else f"{until:%Y-%m-%dT%H:%M}"


def reported(person: User) -> Target:
    Report.objects.create(reporter=new_person(), person=person, reason=Reason.SPAM)
    return Target(Kind.PERSON, person.pk)


@pytest.mark.parametrize(("before", "asked", "after"), ENDS)
def test_a_decision_and_a_list_keep_the_later_end(
    moderator: User, client: Client, before: datetime | None, asked: datetime | None, after: datetime | None
) -> None:
    decided, chosen = suspended(before), suspended(before)
    decide(reported(decided), by=moderator, verdict="suspend", note="the second", until=asked)
    form = {"action": "suspend", "confirmed": "yes", "reason": "the second", "until": typed(asked)}
    post(client, "/admin/accounts/user/", {**form, "_selected_action": [str(chosen.pk)]})
    for person, reason in ((decided, DECIDED), (chosen, "the second")):
        person.refresh_from_db()
        assert (person.suspended_at is not None, person.suspended_until) == (True, after)
        entries = StaffAction.objects.filter(subject_kind="person", subject_id=person.pk, action="suspend")
        assert [*entries.order_by("pk").values_list("reason", flat=True)] == ["the first", reason]


def test_on_the_person_s_page_it_is_what_was_asked_for(client: Client) -> None:
    for before in (None, LATER):
        person = suspended(before)
        form = {"act": "suspend", "reason": "milder", "until": typed(SOON)}
        post(client, f"/admin/desk/people/{person.pk}/", form)
        person.refresh_from_db()
        assert person.suspended_until == SOON


def test_how_long_it_lasts_is_said_where_it_is_decided(client: Client) -> None:
    person, lasting = suspended(LATER), suspended(None)
    chosen = {"action": "suspend", "_selected_action": [str(each.pk) for each in (person, lasting)]}
    pages = {
        each.pk: client.get(f"/admin/desk/moderation/person/{reported(each).id}/").content.decode()
        for each in (person, lasting)
    }
    said = f"suspended until {LATER:%Y-%m-%d %H:%M}"
    confirm = post(client, "/admin/accounts/user/", chosen).content.decode()
    assert (said in pages[person.pk], said in confirm) == (True, True)
    assert ("suspended without an end" in pages[lasting.pk], "suspended without an end" in confirm) == (True, True)
