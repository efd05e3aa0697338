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
"""

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast, overload

import msgspec
import redis
from django.conf import settings
from redis.asyncio.connection import AbstractConnection as AsyncConnection
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import MaxConnectionsError, NoScriptError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from storage.breakers import Breaker
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.process import start_anew_after_fork
from storage.redis.connections import Wires
from storage.redis.preludes import joined
from storage.redis.reads import A, B, C, Command, D, E, Read, T
from storage.redis.shards import generation_keys

CONNECTIONS = 64
"""At most this many connections a process; each request thread holds one at a time."""
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


NONCE_BYTES = 8
_begin = Script(Path(__file__).parent / "lua" / "begin.lua")


class SeenGeneration(msgspec.Struct, frozen=True):
    """A generation of the timelines' node, and the microsecond since when this process knows it."""

    generation: bytes
    since_us: int


class RedisNode:
    """One Redis, by the name that /readyz and errors use. Thread-safe; connects anew in a forked child.

    `has_generations`: its connections begin with the handshake. `seen` is the generation that
    this process saw last, None before its first connection.
    """

    def __init__(self, name: str, url: str, *, has_generations: bool = False) -> None:
        self.name = name
        self.url = url
        self.seen: SeenGeneration | None = None
        self._has_generations = has_generations
        self._client: redis.Redis | None = None
        self._inherited: list[redis.Redis] = []
        self._callbacks: Mapping[str | bytes | int, Callable[[object], object]] = {}
        self.breaker = Breaker(name, probe=self._probe, silent=is_silence, failures=FAILURES)
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves the parent's connections alone in a forked child; closed there, as copies, by its first call."""
        self._lock = threading.Lock()
        if self._client is not None:
            self._inherited.append(self._client)
        self._client = None

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
            self._disconnect()
        if errors:
            raise Unavailable(self.name) from errors[0]
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
        answers = iter(self.round_trip(*[command for read in reads for command in read.commands]))
        return tuple([read.decode(*islice(answers, len(read.commands))) for read in reads])

    def ask_all(self, reads: Sequence[Read[T]]) -> list[T]:
        """Does as `ask`, of reads of one sort."""
        answers = iter(self.round_trip(*[command for read in reads for command in read.commands]))
        return [read.decode(*islice(answers, len(read.commands))) for read in reads]

    def generation_of(self, *found: bytes | None) -> bytes | None:
        """Returns the generation to carry to a fill of what is read from the store from now on; None: fill nothing.

        `found` is what reads said of it. Costs nothing; a round trip when it was missing, which begins
        a new one (generations.py).
        """
        generation = found[0]
        if generation is not None and found.count(generation) == len(found):
            self.saw(generation)
            return generation
        try:
            return self.begin()
        except Unavailable:
            return None

    def begin(self) -> bytes:
        """Begins a generation unless one stands, as generations.begin says. One round trip. Raises `Unavailable`."""
        [generation] = self.round_trip(begin_command())
        self.saw(generation)
        return bytes(generation)

    def saw(self, generation: bytes) -> None:
        """Remembers that this generation stood a moment ago."""
        if self.seen is None or self.seen.generation != generation:
            self.seen = SeenGeneration(generation, now_us())

    def ping(self) -> None:
        """Raises `Unavailable` unless the node answers."""
        self.round_trip(("PING",))

    def client(self) -> "redis.Redis":
        """Returns the process's pooled client, for subscribing; commands go through `round_trip`."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client
                if client is None:
                    client = connect(self.url, handshake=self._greet if self._has_generations else None)
                    self._callbacks = dict(client.response_callbacks)
                    self._client = client
                    self._inherited.clear()
        return client

    def _greet(self, connection: Any) -> None:
        """What a new connection says before it is used; raises what the server objects to."""
        connection.on_connect()
        connection.send_command(*begin_command())
        self.saw(connection.read_response())

    def _disconnect(self) -> None:
        """The server has become a replica: whoever comes next greets whatever is there then."""
        with self._lock:
            if self._client is not None:
                self._client.connection_pool.disconnect(inuse_connections=False)

    def _probe(self) -> None:
        self._send([("PING",)])

    def _send(self, commands: Sequence[Command]) -> list[object]:
        """The answers, errors that the server answered among them, each as redis-py's client would give it."""
        answers = cast(Wires, self.client().connection_pool).exchange(commands)
        for place, command in enumerate(commands):
            callback = self._callbacks.get(command[0])
            if callback is not None and not isinstance(answers[place], RedisError):
                answers[place] = callback(answers[place])
        return answers

    def _load_and_resend(self, commands: tuple[Command, ...], answers: list[object]) -> list[object]:
        self._send([("SCRIPT LOAD", source) for source in Script.sources()])
        missed = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        for place, answer in zip(missed, self._send([commands[place] for place in missed]), strict=True):
            answers[place] = answer
        return answers


def _errors_among(answers: Sequence[object]) -> list[RedisError]:
    return [answer for answer in answers if isinstance(answer, RedisError)]


def is_silence(error: Exception) -> bool:
    """Returns whether the node did not answer; an error that it answered, or a pool that is used up, is none.

    Of an error that another library raised in its place, the cause tells.
    """
    silences = (NoConnection, NoAnswer, OSError)
    silent = isinstance(error, silences) or isinstance(error.__cause__, silences)
    return silent and not isinstance(error, MaxConnectionsError)


def connect(url: str, *, handshake: Callable[[AbstractConnection], None] | None = None) -> "redis.Redis":
    """Returns a client with short, explicit timeouts and no retries; answers are bytes."""
    pool = Wires.from_url(
        url,
        redis_connect_func=handshake,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=CONNECTIONS,
    )
    return redis.Redis.from_pool(pool)


async def greet_async(connection: AsyncConnection) -> None:
    """Makes the timelines' handshake on an asyncio connection: `redis_connect_func` of a subscriber's client.

    On a replica, messages would lag behind what the store says was published.
    """
    await connection.on_connect()
    await connection.send_command(*begin_command())
    await connection.read_response(timeout=settings.REDIS_TIMEOUT_SECONDS)


@cache
def timeline_node() -> RedisNode:
    return RedisNode("redis_timelines", settings.TIMELINE_REDIS_URL, has_generations=True)


@cache
def broker_node() -> RedisNode:
    return RedisNode("redis_broker", settings.BROKER_REDIS_URL)


def begin_command() -> Command:
    """Makes a generation unless one stands, and answers it. With its source: a new connection must not miss it."""
    keys = generation_keys()
    return ("EVAL", _begin.source, len(keys), *keys, secrets.token_bytes(NONCE_BYTES))
