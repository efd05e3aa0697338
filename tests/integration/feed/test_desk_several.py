"""What is done to several at once on the desk: how many is said before, and who was not done, after a failure."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.people import leaving, suspending
from accounts.people.withholding import order_withholding
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from feed.operations import letters
from feed.tasks import end_suspensions
from storage.errors import Unavailable
from storage.stores import dead_letters, outbox
from tests.integration.accounts.admins import act, signed_in
from tests.integration.feed.desk import BAD_IDS, Desk, said
from tests.integration.feed.test_desk_fan_out import buried
from tests.integration.speaking import on_one_store
from tests.people import PASSWORD, new_person, new_staff

pytestmark = pytest.mark.usefixtures("product")

FAULTS = [
    (Unavailable("store"), "tore does not answer"),
    (RuntimeError("secret words"), "It failed with @third"),
]


@pytest.fixture
def client() -> Client:
    return signed_in(new_staff(Role.MODERATOR))


def failing_with(person: User, fault: Exception, original: Any) -> Any:
    def call(each: User | int, *args: Any, **kwargs: Any) -> Any:
        if (each if isinstance(each, int) else each.pk) == person.pk:
            raise fault
        return original(each, *args, **kwargs)

    return call


@on_one_store
@pytest.mark.parametrize(("fault", "told"), FAULTS)
def test_of_an_act_that_fails_midway_it_is_said_with_whom_it_was_done(
    client: Client, fault: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [new_person(name) for name in ("first", "second", "third", "fourth")]
    # The list has the newest first.
    with monkeypatch.context() as patched:
        patched.setattr(suspending, "suspend", failing_with(people[2], fault, suspending.suspend))
        page = said(act(client, "suspend", *people))
    assert "Suspended: @fourth." in page
    assert told in page
    assert "Not suspended: @third, @second, @first." in page
    assert "secret" not in page
    assert [*User.objects.exclude(suspended_at=None)] == [people[3]]
    assert [entry.subject_id for entry in StaffAction.objects.all()] == [people[3].pk]
    assert "Suspended: @third, @second, @first." in said(act(client, "suspend", *people[:3]))


@on_one_store
def test_nobody_acts_on_who_has_left_and_others_are_acted_on(client: Client) -> None:
    gone, here = new_person("gone"), new_person("here")
    leaving.leave(gone.id, PASSWORD)
    page = said(act(client, "suspend", gone, here))
    assert "Suspended: @here. Nobody can act on who has left." in page
    assert "Suspended: nobody. Nobody can act on who has left." in said(act(client, "suspend", gone))


@on_one_store
@pytest.mark.parametrize(("fault", "_"), FAULTS)
def test_a_suspension_that_cannot_end_holds_up_no_other(
    fault: Exception, _: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = new_person(staff=True)
    people = [new_person() for _ in range(3)]
    for person in people:
        suspending.suspend(person, by=boss, until=datetime.now(UTC))
    with monkeypatch.context() as patched:
        patched.setattr(suspending, "order_withholding", failing_with(people[0], fault, order_withholding))
        end_suspensions()
    assert [*User.objects.exclude(suspended_at=None)] == [
        people[0],
    ]
    end_suspensions()
    assert not User.objects.exclude(suspended_at=None).exists()


class TestDeadLetters:
    @pytest.mark.parametrize("action", ["replay", "drop"])
    def test_how_many_is_said_before_and_then_it_is_done(self, action: str) -> None:
        desk, orders, left = Desk(Role.OPERATOR), [buried() for _ in range(3)], buried()
        path = "/admin/desk/dead-letters/"
        chosen = {"several": "chosen", "action": action, "order": [str(each) for each in orders]}
        answer = post_form(desk, path, chosen)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "<strong>3 orders</strong>: 3 deliver." in page
        assert str(left) not in page
        assert all(dead_letters().read(each) is not None for each in orders), "nothing was done yet"
        confirmed = {name: value for name, value in carried(page).items() if name != "reason"}
        told = desk.send("dead-letters/", **confirmed, action=action, reason="All of them.")
        assert ("Replayed" if action == "replay" else "Dropped") in told
        assert all(dead_letters().read(each) is None for each in orders)
        assert [outbox().open_order(each) is not None for each in orders] == [action == "replay"] * 3
        assert dead_letters().read(left) is not None
        entries = StaffAction.objects.filter(action=f"{action} dead letter", reason="All of them.")
        assert {entry.subject_id for entry in entries} == {*orders}

    @on_one_store
    def test_a_whole_page_at_once(self) -> None:
        desk, orders = Desk(Role.OPERATOR), [buried() for _ in range(2)]
        form = carried(desk.page("dead-letters/"))
        assert sorted(form["page"]) == sorted(map(str, orders))
        answer = post_form(desk, "/admin/desk/dead-letters/", {**form, "order": [], "all": "on", "action": "drop"})
        assert "<strong>2 orders</strong>" in answer.content.decode()

    @on_one_store
    def test_what_is_gone_meanwhile_is_said(self) -> None:
        desk, orders = Desk(Role.OPERATOR), [buried() for _ in range(2)]
        dead_letters().drop(orders[0])
        form = {"several": "chosen", "action": "replay", "order": [str(each) for each in orders]}
        page = post_form(desk, "/admin/desk/dead-letters/", form).content.decode()
        assert "<strong>1 order</strong>" in page
        assert "1 of those chosen is no dead letter any more" in page

    @on_one_store
    def test_of_several_that_fail_midway_it_is_said_which(self, monkeypatch: pytest.MonkeyPatch) -> None:
        desk, orders = Desk(Role.OPERATOR), [buried() for _ in range(3)]
        dead_letters().drop(orders[1])
        form = {"several": "confirmed", "action": "replay", "reason": "x", "order": [str(each) for each in orders]}
        told = desk.send("dead-letters/", **form)
        assert f"Replayed: the sweeper sends what is open within seconds. (order {orders[0]})" in told
        assert f"Left as they are: orders {orders[1]}, {orders[2]}." in told
        assert dead_letters().read(orders[2]) is not None

    @on_one_store
    def test_bad_choices_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(letters, "PAGE", 2)
        desk, orders = Desk(Role.OPERATOR), [buried() for _ in range(3)]
        choices: list[list[str]] = [[], [str(each) for each in orders], *([str(orders[0]), each] for each in BAD_IDS)]
        for several in ("chosen", "confirmed"):
            for choice in choices:
                form = {"several": several, "action": "drop", "reason": "x", "order": choice}
                assert "no such order" in desk.send("dead-letters/", **form), choice
        assert all(dead_letters().read(each) is not None for each in orders)

    @on_one_store
    @pytest.mark.parametrize("role", [Role.VIEWER, Role.MODERATOR])
    def test_who_may_not_is_asked_nothing(self, role: Role) -> None:
        desk, order = Desk(role), buried()
        assert "checkbox" not in desk.page("dead-letters/")
        for several in ("chosen", "confirmed"):
            form = {"several": several, "action": "drop", "reason": "x", "order": [str(order)]}
            assert desk.refused("dead-letters/", **form) == 403


def post_form(desk: Desk, path: str, form: dict[str, Any]) -> Any:
    token = desk.client.cookies["csrftoken"].value
    return desk.client.post(path, {**form, "csrfmiddlewaretoken": token})


def carried(page: str) -> dict[str, list[str]]:
    """The hidden fields of a page's forms."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page):
        if name != "csrfmiddlewaretoken":
            found.setdefault(name, []).append(value)
    return found
