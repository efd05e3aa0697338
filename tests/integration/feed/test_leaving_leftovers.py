"""Every row and key that still names who was erased, looked for without knowing any step."""

import pytest
from django.apps import apps
from django.conf import settings
from django.db import router

from accounts.models import User
from feed.models import Report
from storage.cassandra import session
from storage.cassandra.session import Row
from storage.models import Edge
from tests.integration.feed.lives import a_life, go_on, leave, long_gone
from tests.integration.feed.reading import all_keys
from tests.integration.speaking import on_one_store
from tests.people import ApiClient
from tests.work import work_off_everything
from tweets.models import TweetRow

pytestmark = pytest.mark.usefixtures("product", "no_moment")


STAYS = {
    "accounts_user": "the emptied row",
    "feed_leaving": "how far erasing came",
    "accounts_accountchange": "for six hours, for a Redis that was away",
    "accounts_staffaction": "the operator's",
    "feed_report": "what was reported of them",
    "tweets_tweetrow": "deleted, without words; and mentions in others' tweets",
    "storage_edge": "removed: its last operation, as Cassandra keeps it for 30 days",
    "storage_outboxorder": "until their minute is forgotten",
    "storage_outboxattempt": "the same",
    "storage_outboxpart": "the same",
}
"""As ADR 054 lists it."""


KEYS_THAT_STAY = ("account", "name", "told", "gone", "live")
"""An account as it is now, a name, guards and marks of minutes."""


def rows_that_name(person: User) -> dict[str, list[tuple[object, ...]]]:
    """Every row of both databases with the person's id in it, by table; looked for without knowing any table."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for model in apps.get_models():
        rows = model._base_manager.using(router.db_for_read(model)).values_list()
        named = [row for row in rows if str(person.id) in str(row)]
        if named:
            found[model._meta.db_table] = named
    return found


def keys_that_name(person: User) -> set[str]:
    return {key for key in all_keys() if str(person.id) in key and key.split(":")[1] not in KEYS_THAT_STAY}


@on_one_store
def test_without_knowing_any_step_nothing_else_names_them() -> None:
    """A table or a key that no step knows of is found here, if a life has something of it."""
    life = a_life()
    ApiClient(life.person).get("/api/v1/me/notifications/unread")
    ApiClient(life.person).get("/api/v1/me/export")
    assert {*rows_that_name(life.person)} - {*STAYS}, "they are looked for as they stand"
    assert keys_that_name(life.person)
    leave(life.person)
    long_gone(life.person)
    go_on()
    work_off_everything()
    left = rows_that_name(life.person)
    assert {*left} - {*STAYS} == set()
    assert keys_that_name(life.person) == set()
    edges = Edge.objects.filter(active=True)
    assert not edges.filter(source=life.person.id).exists()
    assert not edges.filter(target=life.person.id).exists()
    assert not Report.objects.filter(reporter_id=life.person.id).exists()
    own = TweetRow.objects.filter(author=life.person.id)
    assert {(row.text, row.author_deleted_op is not None) for row in own} == {("", True)}
    assert {row.entities for row in own if row.retweet_of is None} == {"{}"}
    words = str(left)
    for word in ("Notes on the Engine", "of #engines", "an answer", "a quote", life.person.email):
        assert word not in words


STAYS_IN_CASSANDRA = {
    "tweets": "deleted, without words; and mentions in others' tweets",
    "deletions": "for seven days",
    "author_months": "a number and a month",
    "notice_months": "a number and a month",
    "edge_months": "a number and a month",
    "edges_out": "removed: its last operation, for 30 days",
    "outbox": "until their minute is forgotten",
}
"""As ADR 054 lists it."""


def rows_of_cassandra_that_name(person: User) -> dict[str, list[Row]]:
    """As `rows_that_name`, of every table of the keyspace."""
    keyspace = settings.CASSANDRA_KEYSPACE
    tables = session.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", (keyspace,))
    found = {}
    for (table,) in tables:
        named = [row for row in session.execute(f"SELECT * FROM {table}") if str(person.id) in str(row)]  # noqa: S608
        if named:
            found[table] = named
    return found


@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
def test_without_knowing_any_step_no_table_of_cassandra_names_them_but_those_that_are_listed() -> None:
    life = a_life()
    assert {*rows_of_cassandra_that_name(life.person)} - {*STAYS_IN_CASSANDRA}, "they are looked for as they stand"
    leave(life.person)
    long_gone(life.person)
    go_on()
    work_off_everything()
    left = rows_of_cassandra_that_name(life.person)
    assert " ".join(sorted({*left} - {*STAYS_IN_CASSANDRA})) == ""
    words = str(left)
    for word in ("Notes on the Engine", "of #engines", "an answer", "a quote", life.person.email):
        assert word not in words
