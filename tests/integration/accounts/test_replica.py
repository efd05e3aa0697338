"""A replica is asked for what may be late, and for nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from accounts import sql
from accounts.people import names, selectors, services
from accounts.sessions import tokens
from config.sql_databases import sql_database
from deploy.supervisor.ports import LOOPBACK, free_port
from storage.breakers import State
from storage.embedded.router import StoreRouter
from storage.errors import Unavailable
from tests.backends import sql_of_all_threads
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

LATE = [selectors.count_people, lambda: selectors.people_after(0, 10), lambda: selectors.sampled_people(5)]


@pytest.fixture
def replica() -> Iterator[None]:
    """Of the same file, and so never late."""
    primary = connections["default"].settings_dict
    yield from _at({**connections.settings["default"], "NAME": primary["NAME"]})


@pytest.fixture
def dead_replica() -> Iterator[None]:
    yield from _at(sql_database(f"postgres://feed@{LOOPBACK}:{free_port()}/feed"))


@pytest.fixture
def empty_replica(tmp_path: Path) -> Iterator[None]:
    """Later than anything."""
    yield from _at(sql_database(f"sqlite://{tmp_path}/late.sqlite3"))


def _at(database: dict[str, object]) -> Iterator[None]:
    connections.settings[sql.REPLICA] = connections.configure_settings({"default": database})["default"]
    try:
        yield
    finally:
        connections[sql.REPLICA].close()
        del connections[sql.REPLICA]
        del connections.settings[sql.REPLICA]


@pytest.mark.parametrize("read", LATE)
def test_what_may_be_late_is_asked_there(replica: None, read: object) -> None:
    assert callable(read)
    new_person()
    with sql_of_all_threads("default") as primary, sql_of_all_threads(sql.REPLICA) as there:
        assert read()
    assert (len(primary), len(there)) == (0, 1)


def test_nobody_is_let_in_or_shown_by_it(empty_replica: None) -> None:
    """Whose tables are not there at all."""
    person = new_person("ada")
    raw = tokens.issue(services.sign_in(login="ada", password=PASSWORD))
    with sql_of_all_threads(sql.REPLICA) as there:
        assert tokens.authenticate(raw).id == person.id
        assert names.account_by_name("ada").id == person.id
        assert ApiClient(token=raw).patch("/api/v1/me", {"bio": "new"}, "application/json").status_code == 200
        assert ApiClient(token=raw).get("/api/v1/users/ada").json()["data"]["bio"] == "new"
        tokens.revoke(tokens.authenticate(raw))
        assert ApiClient(token=raw).get("/api/v1/me").status_code == 401
    assert there == []


@pytest.mark.parametrize("read", LATE)
def test_while_it_does_not_answer_the_primary_is_asked(dead_replica: None, read: object) -> None:
    assert callable(read)
    new_person()
    for _ in range(sql.FAILURES + 2):
        assert read()
    assert sql.replica_breaker.state is not State.CLOSED
    assert sql.breaker.state is State.CLOSED
    with pytest.raises(Unavailable):
        sql.ping_replica()


def test_without_one_the_primary_is_asked() -> None:
    new_person()
    with sql_of_all_threads() as primary:
        assert selectors.count_people() == 1
    assert len(primary) == 1


def test_when_neither_answers_that_is_said(dead_replica: None) -> None:
    def refuse(alias: str) -> None:
        raise OperationalError(alias)

    with pytest.raises(Unavailable) as caught:
        sql.from_replica(refuse)
    assert caught.value.backend == "database"


def test_it_is_never_migrated() -> None:
    assert not StoreRouter().allow_migrate(sql.REPLICA, "accounts", "user")
    assert not StoreRouter().allow_migrate(sql.REPLICA, "tweets", "tweetrow")
    assert StoreRouter().allow_migrate("default", "accounts", "user")
