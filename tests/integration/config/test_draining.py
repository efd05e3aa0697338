"""A web process that is told to end says so first, listens no more then, and answers what it has begun."""

import os
import signal
import socket
from pathlib import Path

from deploy.supervisor.ports import LOOPBACK
from deploy.supervisor.processes import wait_until
from tests.integration.config.servers import get, half_sent, running, status

PATIENCE = 60.0


def refused(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=5).close()
    except OSError:
        return True
    return False


def test_it_says_so_goes_on_serving_and_finishes_what_was_begun(tmp_path: Path) -> None:
    with running("web", tmp_path, DRAIN_SECONDS="15") as (port, child):
        assert status(get(port, b"/readyz")) == 200
        os.kill(child.pid, signal.SIGTERM)
        assert wait_until(lambda: all(b'"draining"' in get(port, b"/readyz") for _ in range(8)), seconds=15)
        assert status(get(port, b"/readyz")) == 503
        assert status(get(port)) == 200
        begun = half_sent(port)
        assert wait_until(lambda: refused(port), seconds=PATIENCE)
        assert not child.ended()
        assert status(begun.send(b"1\r\n}\r\n0\r\n\r\n").answer()) in (200, 408)
        assert wait_until(child.ended, seconds=PATIENCE)
        assert child.returncode == 0


def test_one_whose_workers_were_told_as_well_waits_for_nobody(tmp_path: Path) -> None:
    with running("web", tmp_path, DRAIN_SECONDS="600") as (_, child):
        child.terminate()
        assert wait_until(child.ended, seconds=PATIENCE)
