"""Every error is a problem document, and nothing leaks."""

import pytest
from django.test import Client

from config.http.problems import flat_errors
from tests.integration.config.raising import EXPECTED, SECRET, is_problem
from tests.people import ApiClient

pytestmark = pytest.mark.usefixtures("raising_urls")

HEADERS = {
    401: ("WWW-Authenticate", "Bearer"),
    503: ("Retry-After", "2"),
    429: ("Retry-After", "2"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_error_is_a_problem(client: Client, name: str) -> None:
    status, code = EXPECTED[name]
    answer = client.get(f"/raises/{name}")
    assert is_problem(answer, status)["code"] == code
    if status in HEADERS:
        header, value = HEADERS[status]
        assert answer[header] == value


@pytest.mark.parametrize("name", ["http404", "django-forbidden", "suspicious", "surprise"])
def test_outside_rest_framework_as_well(client: Client, name: str) -> None:
    is_problem(client.get(f"/plain/{name}"), EXPECTED[name][0])


@pytest.mark.parametrize("name", ["http404", "django-forbidden", "suspicious", "surprise"])
def test_below_admin_people_get_djangos_pages(client: Client, name: str) -> None:
    answer = client.get(f"/admin/raises/{name}")
    assert answer.status_code == EXPECTED[name][0]
    assert answer["Content-Type"].startswith("text/html")
    assert SECRET not in answer.content.decode()
    assert answer["X-Request-ID"]


def test_validation_names_every_field(client: Client) -> None:
    assert is_problem(client.get("/raises/validation"), 422)["errors"] == {"a": ["x"], "b.c": ["y"]}
    assert is_problem(client.get("/raises/refused"), 422)["errors"] == {"text": ["Too long."]}


def test_nested_errors_become_flat() -> None:
    detail = {"items": [{}, {"name": ["bad"]}], "non_field_errors": ["all"], "plain": "one"}
    assert flat_errors(detail) == {"items.1.name": ["bad"], "body": ["all"], "plain": ["one"]}
    assert flat_errors(["whole"]) == {"body": ["whole"]}


def test_no_such_path_and_no_such_method(client: Client) -> None:
    is_problem(client.get("/api/v1/nowhere"), 404)
    is_problem(client.get("/nowhere%00"), 404)
    answer = client.put("/api/v1/auth/register")
    assert is_problem(answer, 405)["code"] == "method_not_allowed"
    assert set(answer["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b'{"a": "\xff"}', "application/json", 400),
        (b'{"a": "\\ud800"}', "application/json", 400),
        (b"[" * 40_000, "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "text/xml", 415),
    ],
)
def test_bodies_that_cannot_be_read(client: Client, body: bytes, content_type: str, status: int) -> None:
    is_problem(client.post("/echoes", body, content_type), status)


@pytest.mark.parametrize("host", ["evil.example", "a b"])
def test_a_foreign_host_is_refused(client: Client, host: str) -> None:
    is_problem(client.get("/api/v1/me", headers={"Host": host}), 400)


@pytest.mark.usefixtures("database", "redis_servers")
def test_a_call_without_token_is_401_with_the_scheme(client: Client) -> None:
    for answer in (client.get("/api/v1/me"), ApiClient(token="nonsense").get("/api/v1/me")):
        is_problem(answer, 401)
        assert answer["WWW-Authenticate"] == "Bearer"


def test_the_openapi_document_names_the_problems_of_each_operation(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()

    def problems(path: str, method: str) -> set[str]:
        responses = document["paths"][f"/api/v1/{path}"][method]["responses"]
        return {status for status, it in responses.items() if "application/problem+json" in it.get("content", {})}

    body = {"400", "413", "415", "422", "429", "503"}
    assert problems("auth/register", "post") == body
    assert problems("auth/token", "post") == body | {"401", "403"}
    assert problems("me", "get") == {"401", "403", "429", "503"}
    assert problems("users/{username}/follow", "put") == body | {"401", "403", "404", "409"}
    assert set(document["components"]["schemas"]["Problem"]["required"]) >= {"type", "title", "status", "detail"}
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
