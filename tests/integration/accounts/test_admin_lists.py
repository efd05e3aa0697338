"""The lists of people and of the log of staff cost the same however long they are."""

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from structlog.contextvars import bound_contextvars

from accounts import admin, admin_lists
from accounts.staff import log
from tests.integration.accounts.admins import PEOPLE, signed_in
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

BY_NAME = 'ORDER BY LOWER("accounts_user".'
"""An index has that order."""
LOG = "/admin/accounts/staffaction/"


REPORTS = "/admin/feed/report/"
ASKED: list[dict[str, str]] = [
    {},
    {"q": "12345"},
    {"q": "somebody"},
    {"action": "suspend", "subject_kind": "person"},
    {"_facets": "True"},
    {"o": "2"},
]


@pytest.mark.parametrize("path", [PEOPLE, LOG, REPORTS])
@pytest.mark.parametrize("query", ASKED, ids=str)
def test_nothing_is_counted_or_compared_to_the_end(path: str, query: dict[str, str]) -> None:
    client = signed_in(new_person(staff=True))
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path, query, follow=True).status_code == 200
    table = {PEOPLE: "accounts_user", LOG: "accounts_staffaction", REPORTS: "feed_report"}[path]
    said = [each["sql"] for each in captured if f'FROM "{table}"' in each["sql"]]
    assert said
    assert not [
        sql for sql in said if "ORDER BY" in sql and f'ORDER BY "{table}"."id" DESC' not in sql and BY_NAME not in sql
    ]
    assert not [sql for sql in said if "COUNT(" in sql and "LIMIT" not in sql]
    assert not [sql for sql in said if "DISTINCT" in sql or "UPPER(" in sql or "::text" in sql]


def test_a_list_ends_after_its_first_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_lists, "LISTED", 3)
    monkeypatch.setattr(admin.PersonAdmin, "list_per_page", 2)
    client = signed_in(new_person("boss", staff=True))
    for number in range(4):
        new_person(f"member_{number}")
    pages = [client.get(PEOPLE, {"p": str(page)}) for page in (1, 2, 3)]
    found = [{*re.findall(r"member_\d", page.content.decode())} for page in pages[:2]]
    assert found == [{"member_3", "member_2"}, {"member_1"}]
    assert pages[2].status_code == 302, "there is no third"


def test_the_log_is_found_by_whom_by_what_and_by_request() -> None:
    boss, other = new_person("Boss", staff=True), new_person("other", staff=True)
    with bound_contextvars(request_id="a-request"):
        log.record(by=boss, action="verify", subject=log.person(7), reason="of the first")
    log.record(by=other, action="suspend", subject=log.tweet(8, 7), reason="of the second")
    log.record(by=None, action="restore", subject=log.person(9), reason="of the third")
    client = signed_in(boss)
    asked = {
        "first": [{"q": "7"}, {"q": "@boss"}, {"q": "a-request"}, {"action": "verify"}],
        "second": [{"q": "8"}, {"q": "OTHER"}, {"subject_kind": "tweet"}],
        "third": [{"q": "9"}, {"q": log.BY_ITSELF}, {"action": "restore", "subject_kind": "person"}],
    }
    for which, queries in asked.items():
        for query in queries:
            found = re.findall(r"of the (\w+)", client.get(LOG, query).content.decode())
            assert found == [which], query


def test_every_action_of_the_code_can_be_filtered_by() -> None:
    sources = [
        path for app in ("accounts", "tweets", "feed") for path in (Path(admin.__file__).parents[1] / app).rglob("*.py")
    ]
    kept = [path.read_text() for path in sources if "management" not in path.parts]
    written = {action for text in kept for action in re.findall(r'action="([^"]+)"', text)}
    assert written
    assert written <= {*log.ACTIONS}
