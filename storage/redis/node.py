"""The two Redis nodes: timelines (with every cache) and the broker, and how to speak to them.

Everything goes through `RedisNode.round_trip`, whose name is its cost: the commands given
travel together and the answers come back together. Whoever wants to know something gives typed reads
to `ask` (reads.py), which is one round trip, too. A node that is down, or slower than
REDIS_TIMEOUT_SECONDS, raises `Unavailable`; nothing is retried here, since callers have a
way on without Redis.

A new connection to the timelines' node first makes sure of the node's generation
(redis/generations.py), so that nothing from before a restart or a failover is read. A replica
refuses that, and so nothing is read from one. It costs a round trip within the connection's
timeouts.

The timelines' node may be a cluster (`redis+cluster://`): then a round trip is one to each of the nodes that have the
keys, side by side (cluster.py), and a generation is one slot's.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast, overload

import redis
from django.conf import settings
from redis.exceptions import NoScriptError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as NoAnswer

from storage.breakers import Breaker
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.process import start_anew_after_fork
from storage.redis.cluster import Cluster, Conversation, Said
from storage.redis.cluster_urls import is_of_a_cluster
from storage.redis.connections import Wires, connect, is_silence
from storage.redis.handshakes import begin_command, begin_slot_command
from storage.redis.preludes import joined
from storage.redis.reads import A, B, C, Command, D, E, Read, T, described
from storage.redis.shards import Generations, Seen, SeenGeneration, generation_in, shard_slot, shards_of_slot
from storage.redis.slots import UNSAID, Incomplete, slot_of, without_missing
from storage.spans import Kind
from storage.tracing import traced

FAILURES = 5
"""So many silences in a row open a node's breaker: half a second each, and two or three requests."""


class Script:
    """A Lua script behind its preludes; `call` makes the command that runs it. Keys are all declared.

    Run by its digest, and loaded by the node when the server does not know it. What several scripts share stands in
    preludes (preludes.py).
    """

    _known: dict[str, str] = {}

    def __init__(self, path: Path, *preludes: Path) -> None:
        self.source = path.read_text()
        for prelude in reversed(preludes):
            self.source = joined(prelude.read_text(), self.source)
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        self._known[self.sha] = self.source

    def call(self, keys: Iterable[str | bytes], *args: str | bytes | int) -> Command:
        declared = tuple(keys)
        return ("EVALSHA", self.sha, len(declared), *declared, *args)

    @classmethod
    def sources(cls) -> Iterable[str]:
        return cls._known.values()


class PartlyUnavailable(Unavailable):
    """Some commands of a round trip were answered, and others not: `answers` has errors in their places."""

    def __init__(self, backend: str, answers: list[object]) -> None:
        super().__init__(backend)
        self.answers = answers


class RedisNode:
    """One Redis, by the name that /readyz and errors use. Thread-safe; connects anew in a forked child.

    `has_generations`: its connections begin with the handshake. `seen` is the generation of each shard that
    this process saw last; it has none before its first connection. It is replaced, never changed.
    """

    def __init__(self, name: str, url: str, *, has_generations: bool = False) -> None:
        self.name = name
        self.url = url
        self.seen: Seen = {}
        self._has_generations = has_generations
        self._cluster = Cluster(url, self._member, self._saw_slot) if is_of_a_cluster(url) else None
        self._everywhere: Generations = {}
        self._client: redis.Redis | None = None
        self._inherited: list[redis.Redis] = []
        self._callbacks: Mapping[str | bytes | int, Callable[[object], object]] = (
            {} if self._cluster is None else dict(redis.Redis().response_callbacks)
        )
        self.breaker = Breaker(name, probe=self._probe, silent=is_silence, failures=FAILURES)
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves the parent's connections alone in a forked child; closed there, as copies, by its first call."""
        self._lock = threading.Lock()
        if self._client is not None:
            self._inherited.append(self._client)
        self._client = None
        if self._cluster is not None:
            self._cluster.start_anew()

    @traced("redis", Kind.CLIENT, described)
    def round_trip(self, *commands: Command) -> list[Any]:
        """Returns the answers to `commands` in their order. Raises `Unavailable`; one round trip.

        None while the node's breaker is open. Nothing is tried twice: a second try would cost
        another timeout, and not every command may be repeated. A script that the server does not
        know (it was restarted) is loaded and run again, which costs two more.
        """
        if not commands:
            return []
        try:
            with self.breaker.guard():
                answers = self._send(commands)
                errors = _errors_among(answers)
                if any(isinstance(error, NoScriptError) for error in errors):
                    answers = self._load_and_resend(commands, answers)
                    errors = _errors_among(answers)
        except (RedisError, OSError) as error:
            raise Unavailable(self.name) from error
        if any(isinstance(error, ReadOnlyError) for error in errors):
            self.disconnect()
        if errors:
            answered = len(errors) < len(answers) or any(isinstance(error, Incomplete) for error in errors)
            raise (PartlyUnavailable(self.name, answers) if answered else Unavailable(self.name)) from errors[0]
        return answers

    @overload
    def ask(self, one: Read[A], /) -> tuple[A]: ...
    @overload
    def ask(self, one: Read[A], two: Read[B], /) -> tuple[A, B]: ...
    @overload
    def ask(self, one: Read[A], two: Read[B], three: Read[C], /) -> tuple[A, B, C]: ...
    @overload
    def ask(self, one: Read[A], two: Read[B], three: Read[C], four: Read[D], /) -> tuple[A, B, C, D]: ...
    @overload
    def ask(
        self, one: Read[A], two: Read[B], three: Read[C], four: Read[D], five: Read[E], /
    ) -> tuple[A, B, C, D, E]: ...
    def ask(self, *reads: Read[object]) -> tuple[object, ...]:
        """Returns what each read says, decoded, in their order. One round trip; raises as `round_trip` does.

        A read of nothing (`NOTHING`) costs nothing.
        """
        answers = iter(self._answers_to(reads))
        return tuple([read.decode(*islice(answers, len(read.commands))) for read in reads])

    def ask_all(self, reads: Sequence[Read[T]]) -> list[T]:
        """Does as `ask`, of reads of one sort."""
        answers = iter(self._answers_to(reads))
        return [read.decode(*islice(answers, len(read.commands))) for read in reads]

    def _answers_to(self, reads: Sequence[Read[object]]) -> list[Any]:
        """The answers in order; of reads that spare nodes as far as they go, unless no node has answered."""
        try:
            return self.round_trip(*[command for read in reads for command in read.commands])
        except PartlyUnavailable as partly:
            asked = [pair for read in reads for pair in zip(read.commands, read.spared, strict=True)]
            answers = [
                without_missing(command, answer) if may_miss else answer
                for (command, may_miss), answer in zip(asked, partly.answers, strict=True)
            ]
            if _errors_among(answers):
                raise
            return answers

    def generation_of(self, *found: Mapping[int, bytes | None]) -> Generations | None:
        """Returns the generations to carry to a fill of what is read from the store from now on; None: fill nothing.

        `found` is what reads said of them, by shard; nothing is filled where nobody said (UNSAID). Costs nothing; a
        round trip when one was missing, which begins a new one (generations.py).
        """
        if self._cluster is not None:
            return self._generations_of_slots(found)
        stood = {generation for each in found for generation in each.values()}
        if not stood:
            return {}
        if UNSAID in stood:
            return None
        if len(stood) == 1 and (generation := stood.pop()) is not None:
            return self._saw_everywhere(generation)
        try:
            return self.begin()
        except Unavailable:
            return None

    def begin(self) -> Generations:
        """Begins a generation unless one stands, as generations.begin says. One round trip. Raises `Unavailable`."""
        if self._cluster is not None:
            return self._begin_slots(range(settings.TIMELINE_SHARDS))
        [generation] = self.round_trip(begin_command())
        return self._saw_everywhere(bytes(generation))

    def _generations_of_slots(self, found: Sequence[Mapping[int, bytes | None]]) -> Generations:
        """The generations that stood, and new ones where none did, as far as their nodes answer."""
        stood: dict[int, bytes] = {}
        missing: set[int] = set()
        for shard, generation in (pair for each in found for pair in each.items()):
            if generation is None or stood.setdefault(shard, generation) != generation:
                missing.add(shard)
        unsaid = {shard for each in found for shard, generation in each.items() if generation == UNSAID}
        missing -= unsaid
        stood = {shard: each for shard, each in stood.items() if shard not in missing and shard not in unsaid}
        self.saw(stood)
        if missing:
            with suppress(Unavailable):
                stood |= self._begin_slots(missing)
        return stood

    def _begin_slots(self, shards: Iterable[int]) -> Generations:
        slots = {shard_slot(shard): shards_of_slot(shard_slot(shard)) for shard in shards}
        answers = self.round_trip(*(begin_slot_command(slot) for slot in slots))
        begun = {shard: bytes(each) for of_slot, each in zip(slots.values(), answers, strict=True) for shard in of_slot}
        self.saw(begun)
        return begun

    def saw(self, generations: Generations) -> None:
        """Remembers that these generations stood a moment ago."""
        seen = self.seen
        fresh = {shard: each for shard, each in generations.items() if generation_in(seen, shard) != each}
        if fresh:
            now = now_us()
            self.seen = {**seen, **{shard: SeenGeneration(each, now) for shard, each in fresh.items()}}

    def _saw_everywhere(self, generation: bytes) -> Generations:
        """Remembers that all shards have this generation, and says so. The same object for as long as they do."""
        first = self.seen.get(0)
        if first is None or first.generation != generation or len(self._everywhere) != settings.TIMELINE_SHARDS:
            self._everywhere = dict.fromkeys(range(settings.TIMELINE_SHARDS), generation)
            self.saw(self._everywhere)
        return self._everywhere

    def ping(self) -> None:
        """Raises `Unavailable` unless the node answers; of a cluster, unless all do, and have all slots."""
        self.round_trip(("PING",))
        if self._cluster is not None and not self._cluster.topology.covers_everything():
            raise Unavailable(self.name)

    def parts(self) -> "list[RedisNode]":
        """Returns the nodes that have keys, for what is of one node, as a scan: this one, or a cluster's primaries.

        Raises `Unavailable` when the cluster does not answer.
        """
        if self._cluster is None:
            return [self]
        try:
            addresses = self._cluster.topology.primaries()
        except RedisError as error:
            raise Unavailable(self.name) from error
        return [self._cluster.member(address) for address in addresses]

    @property
    def breakers(self) -> list[Breaker]:
        """Its own, and of a cluster one for each node that was asked for something lately."""
        members = [] if self._cluster is None else self._cluster.members
        return [self.breaker, *(each.breaker for each in members)]

    @property
    def is_cluster(self) -> bool:
        return self._cluster is not None

    def address_of(self, key: str) -> str:
        """Returns the address of the server that has a key, or a channel. As `address_of_slot`."""
        return self.address_of_slot(slot_of(key))

    def address_of_slot(self, slot: int) -> str:
        """Returns the address of the server that has the slot, by the last look; without a cluster there is one.

        For event loops: it never connects. Raises `Unavailable` when that is not known, and has it looked up soon.
        """
        if self._cluster is None:
            return self.url
        try:
            return self._cluster.topology.last_primary_of(slot)
        except RedisError as error:
            raise Unavailable(self.name) from error

    def look(self) -> None:
        """Looks up anew where a cluster's slots are; afterwards `parts` and `address_of` need no connection.

        Blocks for a timeout at each node that is hung, so not for event loops. Raises `Unavailable`.
        """
        if self._cluster is None:
            return
        try:
            self._cluster.topology.look()
        except RedisError as error:
            raise Unavailable(self.name) from error

    def look_soon(self) -> None:
        """Has it looked up anew, in another thread, where a cluster's slots are."""
        if self._cluster is not None:
            self._cluster.topology.look_soon()

    def converse(self, commands: Sequence[Command], slots: Sequence[int]) -> Conversation:
        """Does as `Member.converse`: of a cluster's node, with its breaker and connections."""
        wires = cast(Wires, self.client().connection_pool)
        with self.breaker.guard(), wires.lent() as wire:
            greeted = [slot for slot in slots if slot not in wire.greeted and shards_of_slot(slot)]
            wire.send([*(begin_slot_command(slot) for slot in greeted), *commands])
            is_late = yield
            if is_late and not wire.has_answered():
                raise NoAnswer("while the others were waited for")
            answers = wire.receive(len(greeted) + len(commands))
            generations = dict(zip(greeted, answers, strict=False))
            wire.greeted.update(slot for slot, each in generations.items() if isinstance(each, bytes))
            return Said(answers[len(greeted) :], generations)

    def client(self) -> "redis.Redis":
        """Returns the process's pooled client of one server; commands go through `round_trip`."""
        if self._cluster is not None:
            raise ValueError("a cluster has no client of one server")
        client = self._client
        if client is None:
            with self._lock:
                client = self._client
                if client is None:
                    client = connect(self.url, handshake=self._greet if self._has_generations else None)
                    cast(Wires, client.connection_pool).backend = self.name
                    self._callbacks = dict(client.response_callbacks)
                    self._client = client
                    self._inherited.clear()
        return client

    def _greet(self, connection: Any) -> None:
        """What a new connection says before it is used; raises what the server objects to."""
        connection.on_connect()
        connection.send_command(*begin_command())
        self._saw_everywhere(connection.read_response())

    def disconnect(self) -> None:
        """The server has become a replica, or lost a slot: whoever comes next greets whatever is there then."""
        with self._lock:
            if self._client is not None:
                self._client.connection_pool.disconnect(inuse_connections=False)

    def retire(self) -> None:
        """Ends the connections and the probe of a cluster's node that is gone."""
        self.breaker.reset()
        self.disconnect()

    def _probe(self) -> None:
        self._send([("PING",)])

    def _send(self, commands: Sequence[Command]) -> list[object]:
        """The answers, errors that the server answered among them, each as redis-py's client would give it."""
        answers = self._exchange(commands)
        for place, command in enumerate(commands):
            callback = self._callbacks.get(command[0])
            if callback is not None and not isinstance(answers[place], RedisError):
                answers[place] = callback(answers[place])
        return answers

    def _exchange(self, commands: Sequence[Command]) -> list[object]:
        if self._cluster is not None:
            return self._cluster.exchange(commands)
        return cast(Wires, self.client().connection_pool).exchange(commands)

    def _member(self, address: str) -> "RedisNode":
        return RedisNode(self.name, address)

    def _saw_slot(self, slot: int, generation: bytes) -> None:
        self.saw(dict.fromkeys(shards_of_slot(slot), generation))

    def _load_and_resend(self, commands: tuple[Command, ...], answers: list[object]) -> list[object]:
        self._send([("SCRIPT LOAD", source) for source in Script.sources()])
        missed = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        for place, answer in zip(missed, self._send([commands[place] for place in missed]), strict=True):
            answers[place] = answer
        return answers


def _errors_among(answers: Sequence[object]) -> list[RedisError]:
    return [answer for answer in answers if isinstance(answer, RedisError)]


@cache
def timeline_node() -> RedisNode:
    return RedisNode("redis_timelines", settings.TIMELINE_REDIS_URL, has_generations=True)


@cache
def broker_node() -> RedisNode:
    return RedisNode("redis_broker", settings.BROKER_REDIS_URL)
