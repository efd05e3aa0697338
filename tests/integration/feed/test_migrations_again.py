"""Migrations of the desk may be applied again: one that was cut off between its work and its note does no harm."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests.integration.accounts.test_stamp_migration import migrated, postgres, sqlite

__all__ = ["postgres", "sqlite"]

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

DESK = (
    ("accounts", "0004_staff"),
    ("accounts", "0005_names_found"),
    ("feed", "0002_decisions"),
    ("feed", "0003_figures"),
)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_was_applied_and_not_noted_is_applied_again(request: pytest.FixtureRequest, engine: str) -> None:
    request.getfixturevalue(engine)
    for app, name in DESK:
        MigrationRecorder(connection).record_unapplied(app, name)
    migrated()
    assert {*DESK} <= {*MigrationRecorder(connection).applied_migrations()}
