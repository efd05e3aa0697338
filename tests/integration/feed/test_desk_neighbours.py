"""Followers and followees on the desk, a page after the other."""

import re
from typing import Any

import pytest

from accounts.graph import follows
from accounts.models import User
from accounts.people import suspending
from accounts.staff.roles import Role
from feed.desk import neighbours
from tests.backends import counted_sql
from tests.integration.feed.desk import BAD_IDS, Desk
from tests.integration.speaking import on_one_store
from tests.people import new_person, new_staff

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def desk() -> Desk:
    return Desk(Role.VIEWER)


def pages(desk: Desk, path: str) -> list[list[str]]:
    """The names on each page, from the first to the last."""
    found: list[list[str]] = []
    query: dict[str, Any] = {}
    while True:
        page = desk.page(path, **query)
        found.append(re.findall(r"@(person_\d+)</a>[^<]*(?:<span[^>]*>suspended</span>)?\s*·", page))
        place = re.search(r"before=(\d+)", page)
        if place is None:
            return found
        query = {"before": place[1]}


@pytest.mark.parametrize("page", ["followers", "following"])
def test_all_of_them_are_there_newest_first(desk: Desk, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PAGE", 2)
    person, others = new_person(), [new_person() for _ in range(5)]
    for each in others:
        ends = (each, person) if page == "followers" else (person, each)
        follows.follow(ends[0].id, ends[1].id)
    suspending.suspend(others[1], by=new_person(staff=True))
    names = [each.username for each in reversed(others)]
    assert pages(desk, f"people/{person.pk}/{page}/") == [names[:2], names[2:4], names[4:]]
    shown = desk.page(f"people/{person.pk}/")
    assert f'href="{page}/">All of them' in shown
    assert (names[0] in shown, names[2] in shown) == (True, False)


@on_one_store
def test_staff_among_them_are_superusers_to_see(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PAGE", 2)
    person, other, colleague = new_person(), new_person(), new_staff(Role.VIEWER)
    for each in (other, colleague):
        follows.follow(each.id, person.id)
    path = f"people/{person.pk}/followers/"
    assert colleague.username not in desk.page(path)
    assert other.username in desk.page(path)
    assert desk.get(f"people/{colleague.pk}/followers/").status_code == 403
    User.objects.filter(pk=desk.person.pk).update(is_superuser=True)
    assert colleague.username in desk.page(path)


@on_one_store
def test_a_page_costs_the_same_whatever_stands_on_it(desk: Desk) -> None:
    costs = []
    for count in (2, neighbours.PAGE + 1):
        person = new_person()
        for _ in range(count):
            follows.follow(new_person().id, person.id)
        with counted_sql("store") as store, counted_sql("default") as sql:
            desk.page(f"people/{person.pk}/followers/")
        assert not [each for each in (*store, *sql) if "COUNT(" in each]
        costs.append((len(store), len(sql)))
    assert costs[0] == costs[1]


@on_one_store
def test_what_is_no_place_and_nobody(desk: Desk) -> None:
    person = new_person()
    for place in BAD_IDS:
        assert desk.get(f"people/{person.pk}/followers/", before=place).status_code == 404
    assert desk.get("people/7/following/").status_code == 404
    assert "Nobody." in desk.page(f"people/{person.pk}/following/")
