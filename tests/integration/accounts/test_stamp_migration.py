"""The column of security stamps is added to people who are there, once, and without writing them anew."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from accounts.models import User
from tests import postgresql as servers
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

BEFORE, STAMP = ("accounts", "0002_as_shown"), ("accounts", "0003_security_stamp")


@pytest.fixture
def postgres() -> Iterator[None]:
    bin_dir = servers.programs()
    if bin_dir is None:
        servers.missing("PostgreSQL")
    with servers.running(bin_dir) as server, servers.people_in(server):
        yield


@pytest.fixture
def sqlite() -> None:
    """The tests' own database."""


def migrated(target: tuple[str, str] | None = None) -> None:
    """To that state of people, or of everything to the newest, which is what the models speak of."""
    executor = MigrationExecutor(connection)
    executor.migrate([target] if target is not None else executor.loader.graph.leaf_nodes())


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_people_stay_who_they_are_and_applying_it_again_harms_nothing(
    request: pytest.FixtureRequest, engine: str
) -> None:
    request.getfixturevalue(engine)
    person = new_person()
    migrated(BEFORE)
    file = filenode()
    migrated(STAMP)
    assert filenode() == file, "PostgreSQL wrote no row anew"
    migrated()
    assert User.objects.get(pk=person.pk).security_stamp == ""
    User.objects.update(security_stamp="kept")
    MigrationRecorder(connection).record_unapplied(*STAMP)
    migrated()
    assert User.objects.get(pk=person.pk).security_stamp == "kept"
    added_by_the_version_before()
    assert User.objects.get(username="late").security_stamp == ""


def filenode() -> int | None:
    """What the file of the table is called on PostgreSQL, which is another one once it was written anew."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_filenode('accounts_user')")
        [number] = cursor.fetchone()
    return int(number)


def added_by_the_version_before() -> None:
    """A row by a process that does not know the column."""
    columns = {field.column for field in User._meta.concrete_fields} - {"security_stamp"}
    [values] = User.objects.values(*(field.attname for field in User._meta.concrete_fields if field.column in columns))
    row = values | {"id": values["id"] + 1, "username": "late", "email": "late@example.org"}
    names = ", ".join(row)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO accounts_user ({names}) VALUES ({', '.join(['%s'] * len(row))})",  # noqa: S608 - columns
            [*row.values()],
        )
