"""Names lead to accounts without SQL, and prove themselves."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.account_cache import accounts
from accounts.models import User
from accounts.people import names, services, suspending
from accounts.people.names import NAMES, account_by_name, accounts_by_name, forget_names, ids_by_name
from accounts.people.services import ProfileChange
from storage.errors import NotFound, Unavailable
from storage.redis.node import timeline_node
from tests.backends import counted_round_trips, timeline_redis_down
from tests.integration.accounts.vouched import sql_away
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


@pytest.fixture(autouse=True)
def a_fresh_process() -> None:
    accounts.forget_all()
    forget_names()


def cost(username: str) -> tuple[int, int]:
    """Redis round trips and SQL statements."""
    with counted_round_trips() as trips, CaptureQueriesContext(connection) as queries:
        account_by_name(username)
    return len(trips), len(queries)


def test_a_name_costs_sql_once_and_then_a_round_trip() -> None:
    new_person("ada")
    assert cost("Ada") == (2, 1)
    assert cost("aDA") == (1, 0)
    forget_names()
    assert cost("ada") == (2, 0), "another process asks Redis whose it is"


def test_the_account_is_that_of_now() -> None:
    person = new_person("ada")
    account_by_name("ada")
    services.update_profile(person.id, ProfileChange(display_name="Countess"))
    assert account_by_name("ada").display_name == "Countess"
    suspending.suspend(person, by=person)
    assert account_by_name("ada").suspended


@pytest.mark.parametrize("remembered", ["memory", "redis"])
def test_what_is_remembered_wrongly_is_found_out(remembered: str) -> None:
    """Not that a name changes hands in the product: somebody would have to do that by hand."""
    first = new_person("ada")
    account_by_name("ada")
    User.objects.filter(pk=first.pk).update(username="first", email="first@example.org")
    second = new_person("ada")
    timeline_node().round_trip(("DEL", accounts.ACCOUNTS.key(first.pk)))
    if remembered == "redis":
        forget_names()
    assert account_by_name("ada").id == second.pk
    assert account_by_name("first").id == first.pk
    assert account_by_name("ada").id == second.pk


def test_who_is_not_there_is_not_found_and_may_come() -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            account_by_name("ada")
    with pytest.raises(NotFound):
        account_by_name("no name at all")
    assert account_by_name(new_person("ada").username).username == "ada"


def test_many_at_once() -> None:
    people = [new_person() for _ in range(20)]
    asked = [person.username for person in people]
    assert accounts_by_name(asked) == {person.username: person.account for person in people}
    forget_names()
    with counted_round_trips() as trips, CaptureQueriesContext(connection) as queries:
        assert len(accounts_by_name([*asked, asked[0].upper()])) == 20
    assert (len(trips), len(queries)) == (2, 0)


def test_without_sql_known_names_are_known_and_others_not_refuted() -> None:
    new_person("ada")
    new_person("bob")
    account_by_name("ada")
    with sql_away():
        assert account_by_name("ada").username == "ada"
        with pytest.raises(Unavailable):
            account_by_name("bob")


def test_who_can_do_without_some_is_told_of_those_whom_caches_know() -> None:
    ada, bob = new_person("ada"), new_person("bob")
    assert ids_by_name(["Ada", "BOB", "nobody", "no name"]) == {"ada": ada.id, "bob": bob.id}
    cid = new_person("cid")
    with sql_away():
        assert ids_by_name(["ada", "cid"]) == {"ada": ada.id}
        timeline_node().round_trip(("DEL", accounts.ACCOUNTS.key(bob.pk)))
        assert ids_by_name(["ada", "bob"]) == {"ada": ada.id, "bob": bob.id}, "its account is in no cache"
    assert ids_by_name(["cid"]) == {"cid": cid.id}


@pytest.mark.parametrize("others", [[], ["bob"]])
def test_without_sql_nobody_is_named_whom_caches_know_by_another_name(others: list[str]) -> None:
    first, bob = new_person("ada"), new_person("bob")
    ids_by_name(["ada", "bob"])
    User.objects.filter(pk=first.pk).update(username="first", email="first@example.org")
    timeline_node().round_trip(("DEL", *map(accounts.ACCOUNTS.key, (first.pk, bob.pk))))
    assert account_by_name("first").id == first.pk
    with sql_away(), counted_round_trips() as trips:
        assert ids_by_name(["ada", *others]) == dict.fromkeys(others, bob.pk), "bob's account is in no cache"
    assert len(trips) == 2


def test_without_redis_sql_tells() -> None:
    new_person("ada")
    with timeline_redis_down():
        assert account_by_name("ada").username == "ada"
        accounts.forget_all()
        assert account_by_name("ada").username == "ada"


def test_a_process_remembers_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "REMEMBERED", 3)
    for _ in range(5):
        account_by_name(new_person().username)
        assert len(names._remembered) <= 3


def test_the_key_is_of_the_name_in_small_letters() -> None:
    new_person("ada")
    account_by_name("ADA")
    assert timeline_node().round_trip(("EXISTS", NAMES.key("ada"))) == [1]
