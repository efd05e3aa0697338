"""Rights and roles: the table, the groups that are made of it, and the log that nobody changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from structlog.contextvars import bound_contextvars

from accounts import migrations
from accounts.models import User
from accounts.people import services, suspending
from accounts.staff import log
from accounts.staff.roles import TABLE, Right, Role, may
from accounts.staff_rows import StaffAction
from storage.errors import Refused
from tests.integration.accounts.test_stamp_migration import migrated, postgres, sqlite
from tests.people import new_person, new_staff

__all__ = ["postgres", "sqlite"]

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

BEFORE = ("accounts", "0003_security_stamp")
ENTRIES = ("accounts", "0004_staff")
LATER = [
    ("accounts", each.stem) for each in sorted(Path(migrations.__path__[0]).glob("0*.py")) if each.stem > ENTRIES[1]
]
"""Nothing before the newest that was noted is applied again."""
engines = pytest.mark.parametrize("engine", ["sqlite", "postgres"])


def unapply() -> None:
    """Has the migration, and what came after it, applied again by the next."""
    for name in (ENTRIES, *LATER):
        MigrationRecorder(connection).record_unapplied(*name)


def held_by_groups() -> dict[str, set[str]]:
    return {group.name: {each.codename for each in group.permissions.all()} for group in Group.objects.all()}


def test_every_right_stands_in_the_table_and_is_a_permission() -> None:
    assert {*TABLE} == {*Right}
    known = {*Permission.objects.filter(content_type__app_label="accounts").values_list("codename", flat=True)}
    assert {str(right) for right in Right} <= known
    assert {name for name, _ in StaffAction._meta.permissions} <= {str(right) for right in Right}


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_the_table_says_and_nothing_else(role: Role) -> None:
    person = new_staff(role)
    assert {right for right in Right if may(person, right)} == {right for right in Right if role in TABLE[right]}


def test_who_is_no_longer_staff_may_nothing() -> None:
    person = new_staff(Role.ADMINISTRATOR)
    person.is_staff = False
    assert not any(may(person, right) for right in Right)
    suspended = new_staff(Role.ADMINISTRATOR)
    suspending.suspend(suspended, by=new_person(staff=True))
    assert not any(may(suspended, right) for right in Right)


@engines
def test_the_migration_makes_them_and_may_run_again(request: pytest.FixtureRequest, engine: str) -> None:
    request.getfixturevalue(engine)
    Group.objects.all().delete()
    Permission.objects.filter(codename__in=[Right.RESTORE_TWEETS, Right.HASTEN_LEAVING]).delete()
    unapply()
    migrated()
    made = held_by_groups()
    assert made == {str(role): {str(right) for right, roles in TABLE.items() if role in roles} for role in Role}
    Group.objects.get(name="viewer").permissions.add(Permission.objects.get(codename="verify_people"))
    unapply()
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    assert held_by_groups()["viewer"] == made["viewer"] | {"verify_people"}, "what was given besides stays"


@pytest.fixture
def upgraded(request: pytest.FixtureRequest, engine: str) -> tuple[User, User]:
    """A moderator of before rights were, and somebody who looked at people; with groups that have rights or names."""
    request.getfixturevalue(engine)
    moderator, viewer = new_person(), new_person()
    User.objects.filter(pk=moderator.pk).update(is_staff=True)
    migrated(BEFORE)
    rights = [*dict(StaffAction._meta.permissions)]
    Permission.objects.filter(content_type__app_label="accounts", codename__in=rights).delete()
    Group.objects.all().delete()
    for name in ("moderator", "helpers"):
        Group.objects.create(name=name)
    before = {codename: Permission.objects.get(codename=codename) for codename in ("change_report", "change_user")}
    Group.objects.get(name="helpers").permissions.set(before.values())
    moderator.user_permissions.set(before.values())
    viewer.user_permissions.set([Permission.objects.get(codename="view_user")])
    migrated()
    return moderator, viewer


@engines
def test_upgrading_takes_nothing_and_gives_namesakes_nothing(upgraded: tuple[User, User]) -> None:
    moderator, viewer = upgraded
    came_with = {"handle_reports", "suspend_people", "verify_people", "sign_out_people", "view_user"}
    could = {"change_report", "change_user"} | came_with
    held = held_by_groups()
    assert held["helpers"] == could
    assert {each.codename for each in moderator.user_permissions.all()} == could | {"delete_tweets"}, "as all of staff"
    assert {each.codename for each in viewer.user_permissions.all()} == {"view_user"}
    assert held["moderator"] == set(), "a group of that name is nobody's role"
    assert held["operator"] == {str(right) for right, roles in TABLE.items() if Role.OPERATOR in roles}


@engines
def test_applying_it_again_gives_back_nothing_that_was_taken(upgraded: tuple[User, User]) -> None:
    taken = Permission.objects.get(codename="handle_reports")
    for name in ("helpers", "administrator"):
        Group.objects.get(name=name).permissions.remove(taken)
    before = held_by_groups()
    unapply()
    migrated()
    assert held_by_groups() == before


def entry() -> StaffAction:
    log.record(by=new_person(), action="look", subject=log.tweet(2**62, 7), reason="to see")
    return StaffAction.objects.latest("pk")


def test_an_entry_says_who_did_what_and_in_which_request() -> None:
    person = new_person("ada")
    with bound_contextvars(request_id="abc"):
        log.record(by=person, action="verify", subject=log.person(7), before={"verified": False}, reason="<b>")
    row = StaffAction.objects.get()
    assert (row.by, row.by_name, row.action, row.subject_kind, row.subject_id) == (person, "ada", "verify", "person", 7)
    assert (row.before, row.after, row.reason, row.request_id) == ({"verified": False}, {}, "<b>", "abc")


def test_an_entry_is_neither_changed_nor_deleted() -> None:
    row = entry()
    with pytest.raises(TypeError):
        row.save()
    with pytest.raises(TypeError):
        row.delete()
    with pytest.raises(TypeError):
        StaffAction.objects.update(reason="")
    with pytest.raises(TypeError):
        StaffAction.objects.filter(pk=row.pk).delete()


def test_postgresql_refuses_whoever_speaks_sql(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("postgres")
    row = entry()
    statements = ("UPDATE accounts_staffaction SET reason = ''", "DELETE FROM accounts_staffaction")
    for statement in (*statements, "TRUNCATE accounts_staffaction"):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert StaffAction.objects.get().reason == row.reason


@engines
def test_what_no_database_holds_is_logged_without_it(request: pytest.FixtureRequest, engine: str) -> None:
    """An error of a driver's has any bytes; PostgreSQL's jsonb has neither NUL nor half a character."""
    request.getfixturevalue(engine)
    said = {"error": "a\0b", "args": ["\0", "\ud800", 7], "in": {"k\0": None}}
    log.record(by=None, action="look", subject=log.tweet(7, 9), before=said, after=said, reason="a\0b\udfff")
    kept = StaffAction.objects.get()
    assert kept.before == kept.after == {"error": "a\ufffdb", "args": ["\ufffd", "\ufffd", 7], "in": {"k\ufffd": None}}
    assert kept.reason == "a\ufffdb\ufffd"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1_001, "a\0b"])
def test_what_is_no_reason(reason: str) -> None:
    with pytest.raises(Refused):
        log.checked_reason(reason)


def test_an_entry_and_its_change_hold_together(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, boss = new_person(), new_person(staff=True)

    def fail(**_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(log, "record", fail)
    acts: list[Callable[[], None]] = [
        lambda: suspending.suspend(ada, by=boss),
        lambda: services.set_verified(ada, True, by=boss),
        lambda: services.sign_out(ada, by=boss),
    ]
    for act in acts:
        with pytest.raises(DatabaseError):
            act()
    ada.refresh_from_db()
    assert (ada.suspended_at, ada.verified, ada.security_stamp) == (None, False, "")
