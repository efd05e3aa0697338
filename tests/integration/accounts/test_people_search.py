"""GET /search/users, and its twin in GraphQL: by the beginning of a name, whom one follows first."""

import itertools
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.graph import blocks, follows, people_search
from accounts.models import User
from accounts.people import search, suspending
from accounts.people.search import Found
from tests.ids import new_id
from tests.integration.accounts.plans import plan_of
from tests.integration.querying import Door
from tests.people import ApiClient, new_person

pytestmark = pytest.mark.usefixtures("product")
_tags = itertools.count(1)


@pytest.fixture
def tag() -> str:
    """What names of this test begin with: databases keep people from one to the next."""
    return f"seek{next(_tags)}q"


def named(username: str, display_name: str = "Somebody") -> User:
    person = new_person(username)
    User.objects.filter(pk=person.pk).update(display_name=display_name)
    return person


def found(q: str, reader: User | None = None, **query: str) -> list[str]:
    answer = ApiClient(reader).get("/api/v1/search/users", {"q": q, **query})
    assert answer.status_code == 200, answer.content
    return [each["username"] for each in answer.json()["data"]]


def scrolled(q: str, reader: User | None, limit: int) -> list[str]:
    """All, page by page; each page but the last is full."""
    return every_page(q, reader, limit, are_full=True)


def every_page(q: str, reader: User | None, limit: int, *, are_full: bool = False) -> list[str]:
    path: str | None = f"/api/v1/search/users?q={q}&limit={limit}"
    names: list[str] = []
    while path:
        page = ApiClient(reader).get(path).json()
        path = page["links"]["next"]
        assert len(page["data"]) == limit or path is None or not are_full
        assert page["meta"]["prev_cursor"] is None
        names += [each["username"] for each in page["data"]]
    return names


def test_whom_one_follows_come_first_then_by_username_then_by_display_name(tag: str) -> None:
    reader, stranger = new_person(), new_person()
    named(f"{tag}_c")
    friend, other_friend = named(f"{tag}_d"), named(f"z_{tag}", f"{tag.upper()} the second")
    named(f"{tag}_a", f"{tag} by both names")
    named(f"y_{tag}", f"{tag} again")
    named(f"x_{tag}", f"in the midst {tag}")
    for each in (friend, other_friend):
        follows.follow(reader.id, each.id)
    others = [f"{tag}_a", f"{tag}_c"]
    assert found(tag, reader) == [f"{tag}_d", f"z_{tag}", *others, f"y_{tag}"]
    assert found(f" @{tag.upper()}_") == [*others, f"{tag}_d"]
    by_name = [*others, f"{tag}_d", f"y_{tag}", f"z_{tag}"]
    assert found(tag, stranger) == found(tag) == by_name
    for limit in (1, 2, 3, 5):
        assert scrolled(tag, reader, limit) == found(tag, reader)
        assert scrolled(tag, None, limit) == by_name


def test_who_may_not_be_seen_is_made_up_for(tag: str) -> None:
    reader = new_person()
    people = [named(f"{tag}_{number}") for number in range(8)]
    suspending.suspend(people[0], by=new_person(staff=True))
    blocks.block(reader.id, people[1].id)
    blocks.block(people[2].id, reader.id)
    blocks.mute(reader.id, people[3].id)
    names = [each.username for each in people]
    assert found(tag, reader, limit="3") == names[3:6]
    assert scrolled(tag, reader, 3) == names[3:]
    assert found(tag) == names[1:]


def test_a_page_of_very_many_who_are_hidden_is_short_and_goes_on(tag: str) -> None:
    reader = new_person()
    people = [named(f"{tag}_{number}") for number in range(6)]
    for each in people[:5]:
        blocks.block(each.id, reader.id)
    with patch.object(people_search, "ROUNDS", 2):
        page = ApiClient(reader).get(f"/api/v1/search/users?q={tag}&limit=1").json()
        assert page["data"] == []
        names: list[str] = []
        while page["links"]["next"]:
            page = ApiClient(reader).get(page["links"]["next"]).json()
            names += [each["username"] for each in page["data"]]
    assert names == [people[5].username]


def test_people_of_one_display_name_are_all_found(tag: str) -> None:
    people = [named(f"{letter}_{tag}", f"{tag} same") for letter in "cab"]
    assert scrolled(tag, None, 1) == [each.username for each in people], "by id, where the name is the same"


def test_behind_somebody_who_is_called_otherwise_now_nobody_is_found(tag: str) -> None:
    people = [named(f"x{number}_{tag}", f"{tag} {number}") for number in range(3)]
    page = ApiClient().get(f"/api/v1/search/users?q={tag}&limit=1").json()
    User.objects.filter(pk=people[0].pk).update(display_name="Another")
    rest = ApiClient().get(page["links"]["next"]).json()
    assert (rest["data"], rest["links"]["next"]) == ([], None)


def test_behind_somebody_who_was_suspended_meanwhile_it_goes_on(tag: str) -> None:
    people = [named(f"{tag}_{number}") for number in range(3)]
    page = ApiClient().get(f"/api/v1/search/users?q={tag}&limit=1").json()
    suspending.suspend(people[0], by=new_person(staff=True))
    rest = ApiClient().get(page["links"]["next"]).json()
    assert [each["username"] for each in rest["data"]] == [people[1].username]


@pytest.mark.parametrize("q", ["", " ", "@", "a" * 101])
def test_what_says_nothing_or_too_much_is_refused(q: str) -> None:
    answer = ApiClient().get("/api/v1/search/users", {"q": q})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
    assert ApiClient().get("/api/v1/search/users").status_code == 400


@pytest.mark.parametrize("q", ["%", "_%", "\0", "a\0b", "'; --", "👩\u200d👩", "\u0130", "\u202e", "*" * 100])
def test_any_text_is_looked_for_as_it_stands(q: str) -> None:
    assert found(q) == []


def test_it_is_read_downwards_only(tag: str) -> None:
    named(f"{tag}_a")
    named(f"{tag}_b")
    page = ApiClient().get(f"/api/v1/search/users?q={tag}&limit=1").json()
    answer = ApiClient().get(f"/api/v1/search/users?q={tag}&since={page['meta']['next_cursor']}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


def test_graphql_finds_the_same(tag: str) -> None:
    reader = new_person()
    people = [named(f"{tag}_{number}") for number in range(3)]
    follows.follow(reader.id, people[2].id)
    query = "query($q: String!, $after: String) { searchUsers(q: $q, first: 2, after: $after) "
    query += "{ edges { cursor node { username } } pageInfo { hasNextPage endCursor } } }"
    page = Door(reader).data(query, {"q": tag})["searchUsers"]
    rest = Door(reader).data(query, {"q": tag, "after": page["pageInfo"]["endCursor"]})["searchUsers"]
    assert page["pageInfo"]["hasNextPage"] is True
    assert rest["pageInfo"]["hasNextPage"] is False
    names = [edge["node"]["username"] for each in (page, rest) for edge in each["edges"]]
    assert names == found(tag, reader)
    assert Door(reader).data(query, {"q": "\0"})["searchUsers"]["edges"] == []


def test_of_many_who_are_left_out_a_read_looks_at_some_and_the_page_goes_on(tag: str) -> None:
    reader = new_person()
    people = [named(f"{tag}_{number}") for number in range(9)]
    for each in people[1:8]:
        suspending.suspend(each, by=new_person(staff=True))
    follows.follow(reader.id, people[8].id)
    with patch.object(search, "LOOKED_AT", 2), CaptureQueriesContext(connection) as captured:
        assert scrolled(tag, None, 2) == [people[0].username, people[8].username]
        assert all("LIMIT 2" in each["sql"] for each in captured if "is_suspended" in each["sql"])
        with patch.object(people_search, "ROUNDS", 1):
            assert every_page(tag, None, 2) == [people[0].username, people[8].username]
            assert every_page(tag, reader, 2) == [people[8].username, people[0].username]


def test_by_display_name_it_ends_where_very_many_have_both(tag: str) -> None:
    people = [named(f"{tag}_{number}", f"{tag} {number}") for number in range(4)]
    near, far = named(f"y_{tag}", f"{tag} 1 and a half"), named(f"z_{tag}", f"{tag}z")
    usernames = [each.username for each in people]
    with patch.object(search, "LOOKED_AT", 3):
        assert every_page(tag, None, 4) == [*usernames, near.username, far.username]
    with patch.object(search, "LOOKED_AT", 2):
        assert every_page(tag, None, 4) == usernames


@pytest.mark.parametrize("field", ["username", "display_name"])
def test_a_page_begins_in_the_index_where_the_one_before_ended(field: str, tag: str) -> None:
    names = [f"{tag}_{number}" if field == "username" else f"{number}_{tag}" for number in range(4)]
    people = [named(name, f"{tag} same") for name in names]
    with CaptureQueriesContext(connection) as captured:
        assert search.people_named(tag, [], after=people[1].id, limit=2).people == [people[2].id, people[3].id]
    [sql] = [each["sql"] for each in captured if f"LIMIT {search.LOOKED_AT}" in each["sql"]][:1]
    plan = " ".join(plan_of(sql))
    assert f"people_by_{field}" in plan


@pytest.mark.parametrize("field", ["username", "display_name"])
def test_a_page_far_down_costs_what_the_first_one_does(field: str, tag: str) -> None:
    """Counted in steps of SQLite's machine; PostgreSQL's plan is looked at in test_postgresql.py."""
    named_so = {"username": (f"{tag}_{{:04}}", "Somebody"), "display_name": (f"x{{:04}}_{tag}", f"{tag} same")}
    username, display_name = named_so[field]
    last = named(f"y_{tag}", f"{tag} same, but last")
    people = [
        User(id=new_id(), username=username.format(n), email=f"{n}@{tag}.example.org", display_name=display_name)
        for n in range(1_000)
    ]
    User.objects.bulk_create(people)
    with patch.object(search, "LOOKED_AT", 5):
        near = steps(lambda: search.people_named(tag, [], after=people[1].id, limit=3))
        far = steps(lambda: search.people_named(tag, [], after=people[-3].id, limit=3))
    assert field == "username" or search.people_named(tag, [], after=people[-3].id, limit=3).people[-1] == last.id
    assert 0 < far < 2 * near


def steps(read: Callable[[], Found]) -> int:
    """Of SQLite's machine, which the read takes, in tens."""
    counted = itertools.count()
    connection.ensure_connection()
    connection.connection.set_progress_handler(lambda: next(counted) and None, 10)
    try:
        assert len(read().people) == 3
    finally:
        connection.connection.set_progress_handler(None, 0)
    return next(counted)
