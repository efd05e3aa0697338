"""docker-compose.yml's commands and settings behind the shipped front, over TLS; here on SQLite. `make production` has
it on PostgreSQL and Cassandra, `make rolling` replaces every process under load."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.runs import PATIENT
from tests.front import MISSING, installed
from tests.production.rolling import rolled
from tests.production.stack import Production
from tests.production.walk import walked

if not installed():
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(f"CI must try the front: {MISSING}")
    pytest.skip(MISSING, allow_module_level=True)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with Production(tmp_path_factory.mktemp("production"), store="embedded", **PATIENT) as running:
        yield running


def test_the_walkthrough_does_what_it_says(production: Production) -> None:
    assert walked(production) == []


def test_the_site_is_https_and_its_files_are_there(production: Production) -> None:
    with production.front.client() as client:
        page = client.get("/")
        assert "max-age" in page.headers["Strict-Transport-Security"]
        script = next(word for word in page.text.split('"') if word.startswith("/static/") and word.endswith(".js"))
        file = client.get(script)
        assert (file.status_code, file.headers["Content-Encoding"]) == (200, "gzip")
        assert client.get("/metrics").status_code == 404
        asked = client.get("/api/v1/me", headers={"X-Request-ID": "of-the-client"})
        assert asked.json()["request_id"] == asked.headers["X-Request-ID"] == "of-the-client"


def test_the_fronts_files_may_do_no_more_than_the_products(production: Production) -> None:
    """The headers that stand in nginx.conf are those of an answer of the product that is no page."""
    with production.front.client() as client:
        front, product = client.get("/static/client/client.css"), client.get("/api/v1/me")
    names = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Strict-Transport-Security")
    assert [front.headers[name] for name in names] == [product.headers[name] for name in names]


def test_one_of_each_door_is_replaced_under_load_and_nothing_is_missing(production: Production) -> None:
    assert rolled(production, ("live", "web")) == []


def test_each_kind_of_process_ends_in_its_time_when_it_is_told_to_and_its_successor_is_well(
    production: Production,
) -> None:
    for name in ("worker", "sweeper", "live-2"):
        assert production.end(name) in (0, -signal.SIGTERM)
        production.begin(name)
    assert production.late == []
    for name in ("worker", "sweeper", "live-2"):
        production.wait(name)
