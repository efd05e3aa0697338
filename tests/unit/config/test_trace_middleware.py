"""What of a request its span tells."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from config.observability.tracing import TraceMiddleware
from storage import tracing
from storage.spans import Finished, Kind, ids_of
from tests.ids import new_id

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def ended(settings: Settings) -> Iterator[list[Finished]]:
    settings.TRACES_ENDPOINT, settings.TRACES_RATIO = "http://127.0.0.1:1", 1.0
    spans: list[Finished] = []
    with patch.object(tracing, "_sinks", [spans.extend]):
        yield spans


def ask(request: HttpRequest, answer: Callable[[HttpRequest], HttpResponse] = lambda _: HttpResponse()) -> None:
    TraceMiddleware(answer)(request)


def test_a_request_that_no_route_takes_tells_nothing_of_its_address(ended: list[Finished]) -> None:
    ask(RequestFactory().get("/canary/path?q=canary", headers={"authorization": "Bearer canary"}))
    [span] = ended
    assert (span.name, span.kind, span.failure) == ("GET unknown", Kind.SERVER, None)
    assert "canary" not in repr(span)


def test_a_method_of_a_client_s_own_making_is_none(ended: list[Finished]) -> None:
    ask(RequestFactory().generic("CANARY", "/"))
    assert [span.name for span in ended] == ["other unknown"]


@pytest.mark.parametrize(("status", "failure"), [(200, None), (404, None), (422, None), (500, "500"), (503, "503")])
def test_only_a_fault_of_ours_is_a_failure(ended: list[Finished], status: int, failure: str | None) -> None:
    ask(RequestFactory().post("/"), lambda _: HttpResponse(status=status))
    [span] = ended
    assert (span.attributes["http.response.status_code"], span.failure) == (status, failure)


def test_a_client_s_trace_is_a_link_and_says_nothing_of_what_is_kept(ended: list[Finished], settings: Settings) -> None:
    ask(RequestFactory().get("/", headers={"traceparent": TRACEPARENT}))
    [span] = ended
    assert span.links == ((0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331),)
    assert (span.trace_id != span.links[0][0], span.parent_id) == (True, None)
    ended.clear()
    settings.TRACES_RATIO = 0.0
    ask(RequestFactory().get("/", headers={"traceparent": TRACEPARENT}))
    ask(RequestFactory().post("/", headers={"traceparent": TRACEPARENT}))
    assert ended == []


def test_a_write_is_recorded_until_it_is_known_and_a_read_only_if_it_is_kept(
    ended: list[Finished], settings: Settings
) -> None:
    recording = dict[str, bool]()

    def answer(request: HttpRequest) -> HttpResponse:
        recording[str(request.method)] = tracing.is_recording()
        return HttpResponse()

    settings.TRACES_RATIO = 0.0
    for request in (RequestFactory().get("/"), RequestFactory().post("/")):
        ask(request, answer)
    assert recording == {"GET": False, "POST": True}
    assert ended == []


def test_a_write_that_sends_an_order_is_the_root_of_its_trace(ended: list[Finished]) -> None:
    order = new_id()

    def answer(_: HttpRequest) -> HttpResponse:
        tracing.adopt(order)
        return HttpResponse(status=201)

    ask(RequestFactory().post("/"), answer)
    [span] = ended
    assert (span.trace_id, span.span_id) == ids_of(order)
