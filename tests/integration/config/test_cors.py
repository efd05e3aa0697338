"""Browsers of allowed origins may call the API; no others, and never with cookies."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.people import ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

OURS = "https://app.example.org"
SENT = ("authorization", "content-type", "idempotency-key", "if-none-match", "traceparent", "x-request-id")
"""What clients send that browsers ask leave for."""


def preflight(path: str, origin: str = OURS) -> Any:
    return Client().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": ", ".join(SENT),
        },
    )


@pytest.fixture
def our_origin(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]


@pytest.mark.usefixtures("our_origin")
@pytest.mark.parametrize("path", ["/api/v1/tweets", "/graphql"])
def test_a_browser_of_ours_may_send_what_the_api_takes(path: str) -> None:
    answer = preflight(path)
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == OURS
    allowed = {name.strip() for name in answer["Access-Control-Allow-Headers"].split(",")}
    assert allowed == {*SENT}
    assert {"PUT", "PATCH", "DELETE"} <= {each.strip() for each in answer["Access-Control-Allow-Methods"].split(",")}
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.usefixtures("our_origin")
def test_a_browser_of_ours_may_read_the_fields_that_matter() -> None:
    answer = ApiClient(new_person()).get("/api/v1/me", headers={"Origin": OURS})
    assert answer["Access-Control-Allow-Origin"] == OURS
    exposed = {name.strip() for name in answer["Access-Control-Expose-Headers"].split(",")}
    assert {"X-Request-ID", "RateLimit", "RateLimit-Policy", "Retry-After", "Location", "Link", "ETag"} <= exposed
    assert "Origin" in answer["Vary"].title()


@pytest.mark.usefixtures("our_origin")
def test_refusals_can_be_read_too() -> None:
    unknown = Client().get("/api/v1/me", headers={"Origin": OURS})
    assert (unknown.status_code, unknown["Access-Control-Allow-Origin"]) == (401, OURS)
    too_large = Client().post("/api/v1/tweets", "x" * 70_000, content_type="application/json", headers={"Origin": OURS})
    assert (too_large.status_code, too_large["Access-Control-Allow-Origin"]) == (413, OURS)


@pytest.mark.usefixtures("our_origin")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example.org", "https://app.example.org.evil.example", "null"]
)
def test_other_origins_are_told_nothing(origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in preflight("/api/v1/tweets", origin)
    assert "Access-Control-Allow-Origin" not in Client().get("/api/v1/me", headers={"Origin": origin})


def test_by_default_there_is_no_such_origin() -> None:
    assert "Access-Control-Allow-Origin" not in preflight("/api/v1/tweets")


@pytest.mark.usefixtures("our_origin")
def test_the_admin_is_for_no_other_origin() -> None:
    assert "Access-Control-Allow-Origin" not in Client().get("/admin/login/", headers={"Origin": OURS})
