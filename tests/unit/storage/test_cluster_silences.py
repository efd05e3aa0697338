"""Nodes of a cluster that hang together are waited for once."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest
from django.test.utils import override_settings
from redis.exceptions import TimeoutError as NoAnswer

from storage.redis.cluster import Cluster, Conversation, Said
from storage.redis.reads import Command
from storage.redis.topology import Topology


class Topologys:
    """Each slot has a node of its own."""

    def primary_of(self, slot: int) -> str:
        return f"node-{slot}"

    def look_soon(self) -> None:
        pass

    def start_anew(self) -> None:
        pass


class Node:
    """Notes whether it was sent that others had been waited for already; waits as it is told."""

    def __init__(self, wait: Callable[[bool], None]) -> None:
        self.late: list[bool] = []
        self._wait = wait

    def converse(self, commands: Sequence[Command], slots: Sequence[int]) -> Conversation:
        is_late = bool((yield))
        self.late.append(is_late)
        self._wait(is_late)
        return Said([b"here"] * len(commands), {})

    def disconnect(self) -> None:
        pass

    def retire(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("storage.redis.cluster.time.monotonic", lambda: now[0])
    return now


@override_settings(REDIS_TIMEOUT_SECONDS=0.1)
def test_who_is_behind_one_that_hangs_is_not_waited_for_again(clock: list[float]) -> None:
    nodes: list[Node] = []

    def hang(is_late: bool) -> None:
        clock[0] += 0.0 if is_late else 0.1
        raise NoAnswer("silence")

    def member(address: str) -> Node:
        nodes.append(Node([hang, lambda _: None, hang][len(nodes)]))
        return nodes[-1]

    cluster = Cluster("redis+cluster://n:1", member, lambda *_: None)
    cluster.topology = cast(Topology, Topologys())
    answers = cluster.exchange([("GET", "{a}"), ("GET", "{b}"), ("GET", "{c}")])
    assert [node.late for node in nodes] == [[False], [True], [True]]
    assert answers[1] == b"here"
    assert all(isinstance(answer, NoAnswer) for answer in (answers[0], answers[2]))
    assert clock[0] == 0.1, "one timeout"
