"""Scrapes of processes without a page: one client holds up nobody, and what goes wrong is said in the log."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, RemoteDisconnected
from unittest.mock import patch

import pytest
import structlog
from pytest_django.fixtures import Settings

from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import wait_until
from storage import exposition

SECONDS = 60.0
FOREVER = 3600.0


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    """Of a server that waits for a slow client for as long as the test says."""
    settings.METRICS_PORT, settings.METRICS_TOKEN = free_port(), ""
    server = exposition.serve_figures()
    assert server is not None
    yield settings.METRICS_PORT
    server.shutdown()
    server.server_close()


def connected(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=SECONDS)


def status_of(port: int) -> int:
    connection = HTTPConnection(LOOPBACK, port, timeout=SECONDS)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().status
    finally:
        connection.close()


def is_answered(port: int) -> bool:
    try:
        return status_of(port) == 200
    except (RemoteDisconnected, ConnectionError):
        return False


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "SECONDS", FOREVER)
    monkeypatch.setattr(exposition.Scrape, "timeout", FOREVER)


@pytest.mark.usefixtures("_patient")
def test_a_slow_client_holds_up_no_other(port: int) -> None:
    with connected(port) as slow:
        slow.sendall(b"GET /met")
        assert status_of(port) == 200


@pytest.mark.usefixtures("_patient")
def test_there_are_a_few_at_a_time_and_one_more_is_hung_up_on(port: int) -> None:
    with ExitStack() as slow:
        for _ in range(exposition.AT_A_TIME):
            slow.enter_context(connected(port)).sendall(b"GET /met")
        with connected(port) as more:
            assert more.recv(1) == b""
    assert wait_until(lambda: is_answered(port), seconds=SECONDS), "their places are free again"


def test_who_sends_a_little_again_and_again_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "SECONDS", 0.5)
    with connected(port) as slow:
        slow.sendall(b"GET /metrics HTTP/1.0\r\nX-Long: ")
        slow.settimeout(0.05)

        def is_over() -> bool:
            try:
                slow.sendall(b"a")
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        assert wait_until(is_over, seconds=SECONDS)


def test_what_goes_wrong_is_a_line_of_the_log(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        patch.object(exposition, "generate_latest", side_effect=ValueError("half a file")),
        structlog.testing.capture_logs() as lines,
        pytest.raises(RemoteDisconnected),
    ):
        status_of(port)
    assert wait_until(lambda: bool(lines), seconds=SECONDS)
    assert [(line["event"], line["error"]) for line in lines] == [("figures_not_told", "ValueError('half a file')")]
    assert "Traceback" not in capfd.readouterr().err
