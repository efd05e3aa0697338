"""Who has left, on the desk and in metrics: how far erasing has come, and having it go on."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.people.erasing import Piece, Step
from accounts.staff.roles import Right, Role
from accounts.staff_rows import StaffAction
from config.observability.metrics import state
from feed.desk.attention import needs_attention
from feed.leaving import saga, standing
from feed.models import Leaving
from storage.errors import Unavailable
from tests.integration.accounts.admins import post, signed_in
from tests.integration.feed.lives import a_life, go_on, leave, long_gone
from tests.integration.speaking import on_one_store
from tests.people import new_person, new_staff
from tests.work import every_open_order, work_off_everything

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

PAGE = "/admin/desk/leaving/"


def page_of(staff: User) -> str:
    return signed_in(staff).get(PAGE).content.decode()


def test_it_says_where_erasing_stands_and_what_failed() -> None:
    life, operator = a_life(), new_staff(Role.OPERATOR)
    assert "Nobody is being erased" in page_of(operator)
    leave(life.person)
    assert "followers, step 1 of" in page_of(operator)

    def broken(_person: int, _place: int) -> Piece:
        raise ValueError("no such \0 thing")

    with patch.object(saga, "_steps", [Step("likes", broken, lambda _person: True)]):
        saga.erase(life.person.id, seconds=5)
        page = page_of(operator)
    assert f"@{life.person.username}" in page
    assert "likes, step 1 of 2" in page
    assert "ValueError: no such \\x00 thing (1 try)" in page
    Leaving.objects.all().delete()
    saga.erase(life.person.id, seconds=10)
    page = page_of(operator)
    assert "proof, step" in page
    assert "4 tweets" in page
    long_gone(life.person)
    go_on()
    assert "Nobody is being erased" in page_of(operator)


def test_it_goes_on_when_somebody_who_may_says_so_and_why() -> None:
    person, operator = new_person(), new_staff(Role.OPERATOR)
    leave(person)
    long_gone(person)
    now = timezone.now()
    Leaving.objects.create(person=person, moved_at=now, claimed_until=now, due_at=now + timedelta(minutes=1))
    assert saga._waiting() == []
    client = signed_in(operator)
    sent = {"person": str(person.pk), "reason": "They asked when it is done."}
    for wrong in ({**sent, "reason": " "}, {**sent, "person": "x"}, {**sent, "person": str(operator.pk)}):
        post(client, PAGE, wrong)
    assert not [each for each in every_open_order() if each.kind == "leave"]
    assert not StaffAction.objects.filter(action="hasten leaving").exists()
    assert post(client, PAGE, sent).status_code == 302
    entry = StaffAction.objects.get(action="hasten leaving")
    assert (entry.subject_id, entry.reason) == (person.pk, sent["reason"])
    work_off_everything()
    assert saga._waiting() == [person.pk]
    go_on()
    person.refresh_from_db()
    assert person.erased_at is not None
    post(client, PAGE, sent)
    assert StaffAction.objects.filter(action="hasten leaving").count() == 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MODERATOR])
def test_who_has_not_the_right_sees_it_and_no_button(role: Role) -> None:
    person, staff = new_person(), new_staff(role)
    leave(person)
    page = page_of(staff)
    assert f"@{person.username}" in page
    assert "Go on now" not in page
    sent = {"person": str(person.pk), "reason": "Why not?"}
    assert post(signed_in(staff), PAGE, sent).status_code == 403


def test_a_person_s_page_says_that_they_left_and_offers_no_way_back() -> None:
    person, moderator = new_person(), new_staff(Role.MODERATOR)
    leave(person)
    path = f"/admin/desk/people/{person.pk}/"
    page = signed_in(moderator).get(path).content.decode()
    assert "Left, and being erased" in page
    for act in ("restore", "suspend", "verify"):
        assert f'value="{act}"' not in page
    assert post(signed_in(moderator), path, {"act": "restore", "reason": "please"}).status_code == 403
    person.refresh_from_db()
    assert person.suspended_at is not None
    User.objects.filter(pk=person.pk).update(erased_at=timezone.now())
    assert "Left, and erased" in signed_in(moderator).get(path).content.decode()


def test_nobody_changes_a_profile_or_sets_a_password_of_who_has_left() -> None:
    person, admin = new_person(), new_person(staff=True)
    leave(person)
    client = signed_in(admin)
    changed = {"display_name": "Back again", "email": "back@example.org"}
    assert post(client, f"/admin/accounts/user/{person.pk}/change/", changed).status_code == 403
    passwords = {"password1": "another-horse-42", "password2": "another-horse-42", "usable_password": "true"}
    assert post(client, f"/admin/accounts/user/{person.pk}/password/", passwords).status_code == 403
    person.refresh_from_db()
    assert (person.display_name, person.has_usable_password()) == (person.username, False)


def told() -> dict[str, float]:
    state.forget()
    samples = [sample for each in state.collect() for sample in each.samples]
    return {each.name: each.value for each in samples if each.name.startswith("leaving_")}


def test_metrics_and_the_start_page_tell_who_waits_and_since_when() -> None:
    operator, first, second = new_staff(Role.OPERATOR), new_person(), new_person()
    assert told() == {"leaving_people": 0, "leaving_oldest_seconds": 0, "leaving_still_seconds": 0}
    for person in (first, second):
        leave(person)
    saga.erase(first.id, seconds=5)
    long_ago = timezone.now() - timedelta(hours=3)
    User.objects.filter(pk=first.pk).update(left_at=long_ago)
    figures = told()
    assert figures["leaving_people"] == 2
    assert figures["leaving_oldest_seconds"] == pytest.approx(3 * 3_600, abs=60)
    assert figures["leaving_still_seconds"] < 60, "a piece of the first was done just now"
    Leaving.objects.update(moved_at=long_ago)
    assert told()["leaving_still_seconds"] == pytest.approx(3 * 3_600, abs=60)
    [need] = [each for each in needs_attention(operator, [*Right]) if "left" in each.what]
    assert (need.figure, need.urgent, need.detail) == ("2", True, "nothing erased of one for 3 hours")


def test_without_sql_there_is_no_figure() -> None:
    with patch.object(standing, "is_leaving", side_effect=Unavailable("database")):
        assert told() == {}
