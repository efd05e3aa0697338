"""People are found at the desk by how their usernames and names begin, through an index, on either database."""

import itertools

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import admin
from accounts.models import User
from tests.integration.accounts.admins import PEOPLE, signed_in
from tests.integration.accounts.plans import plan_of
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers")


_tags = itertools.count(10)


@pytest.fixture
def tag() -> str:
    """What names of this test begin with: PostgreSQL keeps people from one to the next."""
    return f"t{next(_tags)}"


@pytest.fixture
def client() -> Client:
    return signed_in(new_person(staff=True))


def named(username: str, display_name: str) -> User:
    person = new_person(username)
    User.objects.filter(pk=person.pk).update(display_name=display_name)
    return person


def found(client: Client, term: str, **narrowed: str) -> set[str]:
    answer = client.get(PEOPLE, {"q": term, **narrowed})
    assert answer.status_code == 200
    return {person.username.partition("_")[2] for person in answer.context["cl"].result_list}


def test_by_the_beginning_of_either_name_in_any_case(client: Client, tag: str) -> None:
    named(f"ada_{tag}", f"{tag}_Countess of Lovelace{tag}")
    named(f"{tag}_count_basie", "William")
    named(f"x_{tag}_sure", f"{tag}%_100 sure")
    named(f"w_{tag}_wide", f"{tag}漢字 and more")
    assert found(client, f"{tag}_COUNT") == {tag, "count_basie"}
    assert found(client, f"{tag}_countess OF l") == {tag}
    assert found(client, f"lovelace{tag}") == set(), "the middle of a name is none of its beginning"
    assert found(client, f"{tag}%_1") == {f"{tag}_sure"}
    assert found(client, f"{tag}%ount") == found(client, f"{tag}_c_unt") == set(), "no sign stands for others"
    assert found(client, f"{tag}漢字") == {f"{tag}_wide"}
    assert found(client, f"@ada_{tag}") == {tag}


def test_a_page_has_of_many_the_first_by_name(client: Client, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "LISTED", 3)
    for number in range(5):
        named(f"{tag}_{number}", f"Same {tag} name {9 - number}")
    assert found(client, tag) == {"0", "1", "2"}
    assert found(client, f"same {tag}") == {"4", "3", "2"}
    assert found(client, f"same {tag}", verified__exact="1") == set()


@pytest.mark.parametrize("field", ["username", "display_name"])
def test_a_beginning_is_looked_up_in_its_index(field: str, tag: str) -> None:
    for number in range(5):
        named(f"{tag}_{number}", f"Name {number}")
    with CaptureQueriesContext(connection) as captured:
        User.objects.ids_beginning_with(field, "me", limit=3)
    [sql] = [each["sql"] for each in captured if "LIMIT 3" in each["sql"]]
    assert "COUNT(" not in sql
    assert "people_by_" + field in " ".join(plan_of(sql))
