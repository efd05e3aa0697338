"""Another account of the machine: it can speak to every port on loopback, and read what rights let it read."""

import json
import os
import signal
import stat
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from tests.e2e.runs import Run, Starter, command_line, contents, eventually, processes_of

pytestmark = pytest.mark.e2e

REAL_START_SECONDS = 180.0
NODES = ("TIMELINE_REDIS_URL", "BROKER_REDIS_URL")


def addresses(run: Run) -> dict[str, str]:
    found: dict[str, str] = json.loads((run.data_dir / "addresses.json").read_text())
    return found


def refuses_strangers(url: str) -> bool:
    """Whether the server asks for a password before it writes, and for the right one."""
    stranger = redis.Redis(host="127.0.0.1", port=urlsplit(url).port or 0)
    with pytest.raises(redis.AuthenticationError):
        stranger.set("forged", "1")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(host="127.0.0.1", port=urlsplit(url).port or 0, password="redis").ping()
    return bool(redis.Redis.from_url(url).ping())


def readable_by_others(directory: Path) -> list[Path]:
    """What another account could open below it, were the directory itself open."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_nobody_else_gets_at_what_a_run_keeps(started: Starter, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    data_dir.chmod(0o755)
    run = started(["make", "run"], LOG_FORMAT="json").until("Feed is ready", REAL_START_SECONDS)
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert readable_by_others(data_dir) == []
    urls = [addresses(run)[name] for name in NODES]
    assert all(refuses_strangers(url) for url in urls)
    passwords = [str(urlsplit(url).password) for url in urls]
    assert len(set(passwords)) == 2

    told = httpx.post(
        f"{run.url}/api/v1/auth/register",
        json={"username": "ada", "email": "ada@example.org", "password": "Engine-No-1843"},
    ).json()
    bearer = {"Authorization": f"Bearer {told['data']['token']}"}
    tweet = httpx.post(f"{run.url}/api/v1/tweets", headers=bearer, json={"text": "hello"}).json()["data"]["id"]
    assert [each["id"] for each in httpx.get(f"{run.url}/api/v1/feed/home", headers=bearer).json()["data"]] == [tweet]

    # A backend that goes makes every process speak of it.
    with redis.Redis.from_url(urls[1]) as broker:
        broker.client_pause(3_000)
        assert eventually(lambda: httpx.get(f"{run.url}/readyz", timeout=30).json()["status"] == "ok", 60)
    lines = [command_line(pid) for pid in processes_of(data_dir)]
    pages = [httpx.get(f"{run.url}{path}", timeout=30).text for path in ("/readyz", "/metrics", "/healthz", "/nowhere")]
    for password in passwords:
        assert not any(password in said for said in (*lines, *pages))
    assert run.send(signal.SIGINT).ended() == -signal.SIGINT
    assert not any(password in run.output for password in passwords)
    assert readable_by_others(data_dir) == []
    assert not (data_dir / "addresses.json").exists()


def test_a_backend_that_dies_is_spoken_of_without_its_password(started: Starter) -> None:
    run = started(["make", "run"]).until("Feed is ready", REAL_START_SECONDS)
    passwords = [str(urlsplit(addresses(run)[name]).password) for name in NODES]
    [broker] = [pid for pid in processes_of(run.data_dir) if str(run.data_dir / "broker") in command_line(pid)]
    assert all(password.encode() not in contents(Path(f"/proc/{broker}/cmdline")) for password in passwords)
    os.kill(broker, signal.SIGKILL)
    assert run.ended() != 0
    assert "broker has ended by itself" in run.output
    assert not any(password in run.output for password in passwords)
