"""Giving notice to the workers of the web server before they are told to end."""

from types import SimpleNamespace
from unittest.mock import patch

import pytest
from granian.server.mp import MPServer

from config import web
from config.serving.draining import NOTICE
from config.web import NOTICE_SECONDS, Server

GONE, SERVING = 1, 2


def test_each_is_told_again_and_again_though_another_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was starting still has missed the first; one that has just ended cannot be told."""
    clock = [0.0]
    told: list[tuple[int, int]] = []

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def kill(pid: int, signal: int) -> None:
        if pid == GONE:
            raise ProcessLookupError
        told.append((pid, signal))

    monkeypatch.setattr(web, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    monkeypatch.setattr("config.web.os.kill", kill)
    monkeypatch.setattr(Server, "_serves", staticmethod(lambda _worker: True))
    server = Server.__new__(Server)
    server._drain_seconds = 2.9 * NOTICE_SECONDS
    server.wrks = [SimpleNamespace(inner=SimpleNamespace(pid=pid)) for pid in (GONE, SERVING)]  # type: ignore[misc]
    with patch.object(MPServer, "_stop_workers") as stopped:
        server._stop_workers()
    assert told == [(SERVING, NOTICE)] * 3
    stopped.assert_called_once_with()
