"""Every error is a problem document, every answer carries its request id, and nothing leaks."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import unquote

import pytest
import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.http.middleware import BodyLimitMiddleware
from config.http.problems import KINDS, flat_errors
from storage.errors import BadRequest, Forbidden, NotFound, NotSignedIn, Refused, Unavailable
from tests.backends import timeline_redis_down
from tests.people import PASSWORD, ApiClient, new_person

SECRET = "driver says: password authentication failed for user postgres at 10.0.0.1"
raised: dict[str, Callable[[], Exception]] = {
    "not-found": lambda: NotFound("There is no such thing."),
    "not-signed-in": lambda: NotSignedIn("Who are you?"),
    "forbidden": lambda: Forbidden("No.", code="suspended"),
    "refused": lambda: Refused("text", "Too long."),
    "bad-request": lambda: BadRequest("Bad cursor.", code="bad_cursor"),
    "unavailable": lambda: Unavailable("store"),
    "sql-down": lambda: OperationalError(SECRET),
    "validation": lambda: exceptions.ValidationError({"a": ["x"], "b": {"c": ["y"]}}),
    "throttled": lambda: exceptions.Throttled(wait=1.2),
    "drf-forbidden": exceptions.PermissionDenied,
    "drf-unauthenticated": exceptions.NotAuthenticated,
    "http404": lambda: Http404(SECRET),
    "django-forbidden": lambda: PermissionDenied(SECRET),
    "suspicious": lambda: SuspiciousOperation(SECRET),
    "surprise": lambda: RuntimeError(SECRET),
}


class Raises(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request, name: str) -> Response:
        raise raised[name]()


class Echoes(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        return Response({"got": request.data})


def plain(request: HttpRequest, name: str) -> HttpResponse:
    raise raised[name]()


def sees_a_session(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"session": hasattr(request, "session"), "user": hasattr(request, "user")})


urlpatterns = [
    path("session", sees_a_session),
    path("admin/session", sees_a_session),
    path("raises/<str:name>", Raises.as_view()),
    path("plain/<str:name>", plain),
    path("admin/raises/<str:name>", plain),
    path("echoes", Echoes.as_view()),
    path("", include("config.urls")),
]
handler400 = "config.http.problems.handler400"
handler403 = "config.http.problems.handler403"
handler404 = "config.http.problems.handler404"
handler500 = "config.http.problems.handler500"

EXPECTED = {
    "not-found": (404, "not_found"),
    "not-signed-in": (401, "not_authenticated"),
    "forbidden": (403, "suspended"),
    "refused": (422, "invalid"),
    "bad-request": (400, "bad_cursor"),
    "unavailable": (503, "unavailable"),
    "sql-down": (503, "unavailable"),
    "validation": (422, "invalid"),
    "throttled": (429, "throttled"),
    "drf-forbidden": (403, "permission_denied"),
    "drf-unauthenticated": (401, "not_authenticated"),
    "http404": (404, "not_found"),
    "django-forbidden": (403, "forbidden"),
    "suspicious": (400, "bad_request"),
    "surprise": (500, "internal_error"),
}
HEADERS = {
    401: ("WWW-Authenticate", "Bearer"),
    503: ("Retry-After", "2"),
    429: ("Retry-After", "2"),
}


@pytest.fixture(autouse=True)
def _own_urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    """The document, after checking what every one has."""
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    kind, title = KINDS[status]
    assert (body["type"], body["title"], body["status"]) == (f"/problems/{kind}", title, status)
    assert unquote(body["instance"]) == answer.request["PATH_INFO"]
    assert body["request_id"] == answer["X-Request-ID"]
    assert body["detail"]
    assert ("errors" in body) == (status == 422)
    assert SECRET not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()
    return body


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


def test_what_nobody_foresaw_is_logged_with_its_traceback_and_request_id(client: Client) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        answer = client.get("/raises/surprise")
    [line] = [each for each in logged if each["event"] == "unhandled_exception"]
    assert isinstance(line["exc_info"], RuntimeError)
    assert line["request_id"] == answer["X-Request-ID"]


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


@pytest.mark.parametrize("given", ["abc-123_X.y", "0" * 128])
def test_a_sane_request_id_comes_back(client: Client, given: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert (answer.status_code, answer["X-Request-ID"]) == (200, given)


@pytest.mark.parametrize("given", ["", "0" * 129, "a b", "a\r\nSet-Cookie: x=1", "<script>", "é"])
def test_another_request_id_is_replaced(client: Client, given: str) -> None:
    returned = client.get("/raises/surprise", headers={"X-Request-ID": given})["X-Request-ID"]
    assert returned != given
    assert len(returned) == 32


def test_one_log_line_a_request_without_its_query(client: Client) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        answer = client.get("/nowhere%0A[info]?token=secret")
    [line] = [each for each in logged if each["event"] == "request"]
    assert (line["method"], line["path"], line["status"], line["user_id"]) == (
        "GET",
        "/nowhere%0A%5Binfo%5D",
        404,
        None,
    )
    assert line["request_id"] == answer["X-Request-ID"]
    assert "secret" not in str(logged)
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.usefixtures("database", "redis_servers")
def test_the_log_line_names_who_asked() -> None:
    person = new_person()
    client = ApiClient(person)
    with structlog.testing.capture_logs() as logged:
        client.get("/api/v1/me")
    assert [each["user_id"] for each in logged if each["event"] == "request"] == [person.id]


def test_a_body_of_64_kb_is_read_and_a_larger_one_is_refused(client: Client, settings: Any) -> None:
    room = settings.MAX_BODY_BYTES - len(b'{"a":""}')
    fits = b'{"a":"' + b"x" * room + b'"}'
    assert client.post("/echoes", fits, "application/json").status_code == 200
    is_problem(client.post("/echoes", fits + b" ", "application/json"), 413)


def chunked(body: bytes) -> HttpRequest:
    request = RequestFactory().post(
        "/echoes", content_type="application/json", headers={"Transfer-Encoding": "chunked"}
    )
    request.META |= {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
    del request.META["CONTENT_LENGTH"]
    return request


def test_a_body_without_announced_length_is_read_and_bounded(settings: Any) -> None:
    limited = BodyLimitMiddleware(lambda request: Echoes.as_view()(request).render())
    assert json.loads(limited(chunked(b'{"a": 1}')).content) == {"got": {"a": 1}}  # type: ignore[attr-defined]
    assert limited(chunked(b" " * (settings.MAX_BODY_BYTES + 1))).status_code == 413


@pytest.mark.usefixtures("database", "redis_servers")
def test_a_call_without_token_is_401_with_the_scheme(client: Client) -> None:
    for answer in (client.get("/api/v1/me"), ApiClient(token="nonsense").get("/api/v1/me")):
        is_problem(answer, 401)
        assert answer["WWW-Authenticate"] == "Bearer"


def test_only_admin_pages_pay_for_sessions_and_csrf() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.get("/session").json() == {"session": False, "user": False}
    assert client.get("/admin/session").json() == {"session": True, "user": True}
    assert client.post("/session").status_code == 200
    assert client.post("/admin/session").status_code == 403


@pytest.mark.usefixtures("database")
def test_api_requests_get_no_cookies_and_admin_pages_do(client: Client) -> None:
    answer = client.post("/api/v1/auth/token", {"username": "x", "password": PASSWORD}, "application/json")
    assert not answer.cookies
    assert "Vary" not in answer or "Cookie" not in answer["Vary"]
    assert "csrftoken" in client.get("/admin/login/").cookies


@pytest.mark.usefixtures("database", "redis_servers")
def test_healthz_touches_nothing_and_readyz_says_what_is_down(client: Client) -> None:
    with timeline_redis_down():
        assert client.get("/healthz").json() == {"status": "ok"}
        answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["backends"]["redis_timelines"]) == ("degraded", "down")
    assert "pulled from the store" in body["degraded"]["redis_timelines"]
    assert body["backends"]["redis_broker"] == "ok"


@pytest.mark.usefixtures("database", "redis_servers")
def test_readyz_when_everything_is_up(client: Client) -> None:
    backends = ("redis_timelines", "redis_broker", "store", "database")
    assert client.get("/readyz").json() == {
        "status": "ok",
        "backends": dict.fromkeys(backends, "ok"),
        "breakers": dict.fromkeys(backends, "closed"),
        "degraded": {},
    }


def test_the_openapi_document_names_the_problems_of_each_operation(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()

    def problems(path: str, method: str) -> set[str]:
        responses = document["paths"][f"/api/v1/{path}"][method]["responses"]
        return {status for status, it in responses.items() if "application/problem+json" in it.get("content", {})}

    body = {"400", "413", "415", "422", "429", "503"}
    assert problems("auth/register", "post") == body
    assert problems("auth/token", "post") == body | {"401", "403"}
    assert problems("me", "get") == {"401", "403", "429", "503"}
    assert problems("users/{username}/follow", "put") == {"400", "401", "403", "404", "409", "422", "429", "503"}
    assert set(document["components"]["schemas"]["Problem"]["required"]) >= {"type", "title", "status", "detail"}
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
