"""Every request: its id, its log line, the bounds of its body, and cookies for admin pages only."""

import json
from io import BytesIO
from typing import Any

import pytest
import structlog
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from config.http.middleware import BoundsAndFields
from tests.integration.config.raising import Echoes, is_problem
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("raising_urls")


def test_what_nobody_foresaw_is_logged_with_its_traceback_and_request_id(client: Client) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        answer = client.get("/raises/surprise")
    [line] = [each for each in logged if each["event"] == "unhandled_exception"]
    assert isinstance(line["exc_info"], RuntimeError)
    assert line["request_id"] == answer["X-Request-ID"]


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


@pytest.mark.parametrize("host", ["localhost", "no_such_host.example.org"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.urls("config.urls")
@pytest.mark.usefixtures("database", "redis_servers")
def test_no_log_line_has_words_that_somebody_mutes(client: Client, method: str, host: str) -> None:
    """Not of what is refused before its route is looked for, either."""
    path = "/api/v1/me/muted-words/my%20canary/and%2Fmore"
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        client.generic(method, path, headers={"Host": host})
    [line] = [each for each in logged if each["event"] == "request"]
    assert line["path"] == "/api/v1/me/muted-words/<path:word>"
    assert "canary" not in str(logged)


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
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        is_problem(client.generic(method, "/echoes", fits + b" ", "application/json"), 413)
    assert client.generic("GET", "/healthz", fits + b" ").status_code == 200, "nobody reads it"


def chunked(body: bytes) -> HttpRequest:
    request = RequestFactory().post(
        "/echoes", content_type="application/json", headers={"Transfer-Encoding": "chunked"}
    )
    request.META |= {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
    del request.META["CONTENT_LENGTH"]
    return request


def test_a_body_without_announced_length_is_read_and_bounded(settings: Any) -> None:
    limited = BoundsAndFields(lambda request: Echoes.as_view()(request).render())
    assert json.loads(limited(chunked(b'{"a": 1}')).content) == {"got": {"a": 1}}  # type: ignore[attr-defined]
    assert limited(chunked(b" " * (settings.MAX_BODY_BYTES + 1))).status_code == 413


class TestHosts:
    """A host is looked at once, as it is spelled."""

    def test_one_that_is_empty_is_not_known_by_one_that_is_missing(self) -> None:
        bounds = BoundsAndFields(lambda _: HttpResponse())
        assert bounds(RequestFactory().get("/")).status_code == 200
        with pytest.raises(DisallowedHost):
            bounds(RequestFactory().get("/", headers={"Host": ""}))

    def test_who_is_sent_elsewhere_goes_no_further(self, settings: Any) -> None:
        settings.PREPEND_WWW = True
        bounds = BoundsAndFields(lambda _: HttpResponse())
        for _ in range(2):
            answer = bounds(RequestFactory().get("/a?b", headers={"Host": "localhost"}))
            assert (answer.status_code, answer["Location"]) == (301, "http://www.localhost/a?b")


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
