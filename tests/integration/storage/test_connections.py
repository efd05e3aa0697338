"""Connections to Redis: kept, looked at before they are used, given up when silent."""

import time
from collections.abc import Iterator
from functools import partial
from typing import cast

import pytest
import redis
from pytest_django.fixtures import Settings
from redis.exceptions import TimeoutError as NoAnswer

from deploy.supervisor.processes import wait_until
from storage import figures
from storage.errors import Unavailable
from storage.redis import connections
from storage.redis.connections import Wire, Wires
from storage.redis.node import RedisNode, timeline_node
from tests.threads import run_together

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def node() -> Iterator[RedisNode]:
    """The timelines' server, by a node of the test's own, whose connections nobody else uses."""
    made = RedisNode("of_the_test", timeline_node().url)
    yield made
    made.client().close()


def idle(node: RedisNode) -> list[Wire]:
    return cast(Wires, node.client().connection_pool)._idle


def grow_old() -> None:
    time.sleep(2 * connections.TRUSTED_SECONDS)


def close_by_the_server(node: RedisNode) -> None:
    [name] = node.round_trip(("CLIENT", "ID"))
    with redis.Redis.from_url(node.url) as other:
        other.client_kill_filter(_id=str(name))


def test_one_after_the_other_uses_one_connection(node: RedisNode) -> None:
    names = {node.round_trip(("CLIENT", "ID"))[0] for _ in range(5)}
    assert len(names) == len(idle(node)) == 1


def test_threads_get_their_own_answers(node: RedisNode) -> None:
    def ask(name: str) -> bool:
        said = [f"{name}.{number}" for number in range(50)]
        return [node.round_trip(("ECHO", each), ("ECHO", name)) for each in said] == [
            [each.encode(), name.encode()] for each in said
        ]

    assert all(run_together([partial(ask, str(number)) for number in range(8)]))
    assert 1 <= len(idle(node)) <= 8


def test_an_answer_of_many_segments_is_read_whole(node: RedisNode) -> None:
    value = bytes(range(256)) * 8_192
    assert node.round_trip(("SET", "large", value, "EX", 10), ("GET", "large")) == [True, value]


def test_a_connection_that_the_server_closed_is_made_anew(node: RedisNode) -> None:
    close_by_the_server(node)
    grow_old()
    assert node.round_trip(("ECHO", "here")) == [b"here"]


def test_closed_a_moment_after_its_last_answer_it_is_refused_once(
    node: RedisNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TRUSTED_SECONDS", 60.0)
    close_by_the_server(node)
    with pytest.raises(Unavailable):
        node.round_trip(("ECHO", "gone"))
    assert node.round_trip(("ECHO", "here")) == [b"here"]


def test_what_waits_unasked_for_is_no_answer_to_the_next_question(node: RedisNode) -> None:
    node.ping()
    [kept] = idle(node)
    kept._connection._sock.sendall(b"ECHO unasked\r\n")
    grow_old()
    assert node.round_trip(("ECHO", "asked")) == [b"asked"]


def test_silence_ends_after_the_timeout_and_with_it_the_connection(node: RedisNode, settings: Settings) -> None:
    settings.REDIS_TIMEOUT_SECONDS = 1.0
    [before] = node.round_trip(("CLIENT", "ID"))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        node.round_trip(("BLPOP", "nothing", 20))
    waited = time.monotonic() - began
    assert settings.REDIS_TIMEOUT_SECONDS <= waited < settings.REDIS_TIMEOUT_SECONDS + 5
    assert node.round_trip(("CLIENT", "ID")) > [before], "a late answer belongs to nobody"


def test_no_more_connections_than_the_bound(node: RedisNode) -> None:
    pool = cast(Wires, node.client().connection_pool)
    pool.max_connections = 2
    assert pool._take() is not pool._take()
    with pytest.raises(Unavailable):
        node.ping()


def test_one_that_is_in_use_amid_a_disconnect_is_made_anew_when_it_comes_back(node: RedisNode) -> None:
    """What it was told before is of a server that may be another one by now."""
    with cast(Wires, node.client().connection_pool).lent() as wire:
        [before] = wire.exchange([("CLIENT", "ID")])
        wire.greeted.add(7)
        node.disconnect()
    assert not wire.greeted
    assert node.round_trip(("CLIENT", "ID")) > [before]


def test_what_is_open_is_told_and_what_was_closed_is_not(node: RedisNode) -> None:
    gauge = figures.CONNECTIONS.labels(node.name)

    def told() -> float:
        return next(iter(gauge.collect())).samples[0].value

    before = told()
    node.ping()
    assert told() == before + 1
    node.ping()
    assert told() == before + 1
    node.disconnect()
    assert told() == before
    node.ping()
    close_by_the_server(node)
    grow_old()
    node.ping()
    assert told() == before + 1, "made anew"


def test_whether_an_answer_has_come_is_known_without_waiting(node: RedisNode) -> None:
    with cast(Wires, node.client().connection_pool).lent() as wire:
        assert not wire.has_answered()
        wire.send([("PING",)])
        assert wait_until(wire.has_answered, seconds=30)
        wire.receive(1)
        assert not wire.has_answered()


def test_who_is_asked_late_is_not_waited_for(node: RedisNode) -> None:
    """As in a cluster, when the others were waited for (cluster.py)."""
    late = node.converse([("BLPOP", "nothing-comes", 1)], [])
    next(late)
    with pytest.raises(NoAnswer):
        late.send(True)
    in_time = node.converse([("PING",)], [])
    next(in_time)
    with pytest.raises(StopIteration) as ended:
        in_time.send(False)
    assert ended.value.value.answers == [b"PONG"]
