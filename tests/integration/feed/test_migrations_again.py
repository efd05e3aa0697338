"""Migrations of the desk may be applied again: one that was cut off between its work and its note does no harm."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from accounts.staff.roles import TABLE, Right, Role
from tests.ids import new_id
from tests.integration.accounts.test_stamp_migration import migrated, postgres, sqlite
from tweets.stores.port import tweet_store

__all__ = ["postgres", "sqlite"]

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

RESTORING = (
    ("accounts", "0005_restoring"),
    ("accounts", "0006_account_changes"),
    ("accounts", "0007_names_found"),
    ("accounts", "0008_sessions"),
    ("accounts", "0009_password_resets"),
    ("accounts", "0010_protected"),
    ("accounts", "0011_names_in_order"),
    ("accounts", "0012_leaving"),
    ("accounts", "0013_addresses_and_words"),
)
"""With what comes behind it: nothing before the newest that was noted is applied again."""
DESK = (
    ("accounts", "0004_staff"),
    *RESTORING,
    ("feed", "0002_decisions"),
    ("feed", "0003_figures"),
    ("feed", "0004_leaving"),
    ("feed", "0005_muted_words"),
)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_was_applied_and_not_noted_is_applied_again(request: pytest.FixtureRequest, engine: str) -> None:
    request.getfixturevalue(engine)
    applied_anew(*DESK)
    assert {*DESK} <= {*MigrationRecorder(connection).applied_migrations()}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_newest_of_people_alone_is_applied_again(request: pytest.FixtureRequest, engine: str) -> None:
    """As after a cut, with nothing before it that would make anew what it removes."""
    request.getfixturevalue(engine)
    applied_anew(RESTORING[-1])
    assert RESTORING[-1] in MigrationRecorder(connection).applied_migrations()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_right_to_restore_is_given_once(request: pytest.FixtureRequest, engine: str) -> None:
    """What a superuser has taken from a role stays taken."""
    request.getfixturevalue(engine)
    roles = {role: Group.objects.get_or_create(name=role)[0] for role in Role}
    for role in TABLE[Right.DELETE_TWEETS]:
        roles[role].permissions.add(Permission.objects.get(codename=Right.DELETE_TWEETS))
    Permission.objects.filter(codename=Right.RESTORE_TWEETS).delete()
    applied_anew(*RESTORING)
    assert {role for role in Role if has_right(roles[role])} == TABLE[Right.RESTORE_TWEETS]
    moderators = roles[Role.MODERATOR]
    moderators.permissions.remove(Permission.objects.get(codename=Right.RESTORE_TWEETS))
    applied_anew(*RESTORING)
    assert not has_right(moderators)


def applied_anew(*noted: tuple[str, str]) -> None:
    """As if these had been cut off between their work and its note."""
    for app, name in noted:
        MigrationRecorder(connection).record_unapplied(app, name)
    migrated()


def has_right(group: Group) -> bool:
    return group.permissions.filter(codename=Right.RESTORE_TWEETS).exists()


def test_the_store_takes_its_columns_again_and_rows_of_the_version_before() -> None:
    store = connections["store"]
    MigrationRecorder(store).record_unapplied("tweets", "0005_restored")
    MigrationExecutor(store).migrate([("tweets", "0005_restored")])
    assert ("tweets", "0005_restored") in MigrationRecorder(store).applied_migrations()
    columns = "id, author, text, conversation, in_home, entities, path"
    with store.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO tweets_tweetrow ({columns}) VALUES (%s, 7, 'hello', 1, 1, '{{}}', '[]')",  # noqa: S608
            [tweet_id := new_id()],
        )
    tweet = tweet_store().get_many([tweet_id])[tweet_id]
    assert (tweet.text, tweet.changed_op, tweet.deleted) == ("hello", 0, False)


def test_the_store_takes_the_table_of_hashtags_again() -> None:
    store = connections["store"]
    with store.cursor() as cursor:
        cursor.execute("INSERT INTO tweets_hashtagrow (tag, tweet) VALUES ('kept', 7)")
    MigrationRecorder(store).record_unapplied("tweets", "0006_hashtags")
    MigrationExecutor(store).migrate([("tweets", "0006_hashtags")])
    assert ("tweets", "0006_hashtags") in MigrationRecorder(store).applied_migrations()
    with store.cursor() as cursor:
        assert cursor.execute("SELECT tag, tweet FROM tweets_hashtagrow").fetchall() == [("kept", 7)]
