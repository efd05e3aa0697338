"""Bytes of what Redis and Cassandra keep for people and tweets, and resident sizes of the processes.

A timeline is one of the product's own: opened, built with half of its entries, and pushed the
other half through the delivery script. Beside it stands what others keep: a sorted set of
the same ids as members and scores, on the same server with its default settings. Each is measured
twice: by MEMORY USAGE of keys with every element looked at, and by what `used_memory` grows
for TIMELINES of them, which counts the allocator and the dictionary of keys as well.

Servers differ: Valkey 8 and later keep a sorted set in three fifths of what Redis 7 takes. Where a
`redis-server` is installed, a timeline is copied to it element by element, and compared there, too.

An inactive follower follows whom an active one follows, and has never read: a tweet is posted and
delivered, and then every key of the server is looked through for their id.
"""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from accounts.account_cache.known_tokens import TOKENS
from accounts.sessions.tokens import read_claim
from bench import seeding
from bench.disk import on_disk
from bench.processes import Resident, children, resident
from bench.results import Figure, Result, Row, at_most
from bench.seeding import Person
from bench.stack import Stack
from bench.wrk import wrk
from deploy.supervisor.ports import LOOPBACK, free_port, is_free
from deploy.supervisor.processes import start, wait_until
from deploy.supervisor.runner import Command
from deploy.valkey import Valkey
from fanout.live.presence import Presence
from fanout.timelines import materialised, snapshots
from storage import stores
from storage.ports.associations import MAX_CHANGES, Change
from storage.redis.node import RedisNode, timeline_node
from storage.redis.shards import by_shard
from tweets.kinds import LIKE

RUNS = 3
TIMELINES = 2_000
ENTRIES = 800
SLACK = materialised.TRIM_SLACK
SAMPLE = 50
"""Keys of each sort that MEMORY USAGE is asked of; those of one sort differ by a few bytes."""
AUTHORS, EACH = 20, 20
LIKES = 100
PRESENT = 1_000
AIM_SHARE = 1 / 8
SETTLE_SECONDS = 30.0
MB = 1_024 * 1_024


def measure(stack: Stack) -> Result:
    rows = _timelines()
    author, readers = _society()
    _warm(stack, author, readers)
    rows += [_tweet(author), _reader(readers[0]), _inactive(stack, author, readers[0])]
    rows += _processes(stack)
    rows += on_disk(stack)
    settings = {"timelines": str(TIMELINES), "entries": str(ENTRIES), "runs": str(RUNS)}
    return Result("memory", stack.env["STORE"], rows, settings)


def _timelines() -> list[Row]:
    """Ours and the sorted sets in alternation, each gone before the other is made."""
    one: list[tuple[float, float]] = []
    all_of_them: list[tuple[float, float]] = []
    elsewhere: list[tuple[float, float]] = []
    largest: list[float] = []
    for _ in range(RUNS):
        ids = [stores.ids.next() for _ in range(ENTRIES + SLACK)]
        readers = [stores.ids.next() for _ in range(TIMELINES)]
        keys = [materialised.timeline_key(reader) for reader in readers]
        before = _memory("used_memory")
        _make_timelines(readers, ids[:ENTRIES])
        elements: list[bytes] = timeline_node().round_trip(("LRANGE", keys[0], 0, -1))[0]
        ours = _mean_bytes(keys[:SAMPLE]), (_memory("used_memory") - before) / TIMELINES
        _push(readers, ids[ENTRIES:])
        largest.append(_mean_bytes(keys[:SAMPLE]))
        _delete(keys)
        sets = [f"reference:{reader}" for reader in readers]
        before = _memory("used_memory")
        for key in sets:
            timeline_node().round_trip(("ZADD", key, *(part for each in ids[:ENTRIES] for part in (each, each))))
        theirs = _mean_bytes(sets[:SAMPLE]), (_memory("used_memory") - before) / TIMELINES
        _delete(sets)
        one.append((ours[0], theirs[0]))
        all_of_them.append((ours[1], theirs[1]))
        elsewhere += _on_redis(elements, ids[:ENTRIES])
    return [
        _compared(f"timeline of {ENTRIES} entries, MEMORY USAGE", one),
        _compared(f"the same, used_memory for {TIMELINES:,} of them", all_of_them),
        *([_compared("a copy of it on redis-server", elsewhere)] if elsewhere else []),
        Row(f"at its largest: {SLACK} entries of slack before it is trimmed", Figure("timeline", "bytes", largest)),
    ]


def _compared(case: str, pairs: Iterable[tuple[float, float]]) -> Row:
    ours, theirs = (list(each) for each in zip(*pairs, strict=True))
    return Row(case, Figure("timeline", "bytes", ours), Figure("sorted set", "bytes", theirs), reach=at_most(AIM_SHARE))


def _on_redis(elements: list[bytes], ids: list[int]) -> list[tuple[float, float]]:
    """The list's bytes and the sorted set's on a `redis-server`; nothing where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        return []
    with TemporaryDirectory(prefix="redis-") as directory:
        port = free_port()
        argv = [program, "--port", str(port), "--bind", LOOPBACK, "--dir", directory, "--save", ""]
        server = start("redis-server", argv, log=Path(directory) / "log")
        node = RedisNode("redis-server", f"redis://{LOOPBACK}:{port}/0")
        try:
            wait_until(lambda: server.ended() or not is_free(port), seconds=SETTLE_SECONDS)
            node.round_trip(
                ("RPUSH", "list", *elements), ("ZADD", "set", *(part for each in ids for part in (each, each)))
            )
            ours, theirs = node.round_trip(*(("MEMORY", "USAGE", key, "SAMPLES", 0) for key in ("list", "set")))
        finally:
            server.kill()
            node.client().close()
    return [(ours, theirs)]


def _make_timelines(readers: list[int], ids: list[int]) -> None:
    half = len(ids) // 2
    seeding.make_active(readers, ids[:half][::-1])
    _push(readers, ids[half:])


def _push(readers: list[int], ids: list[int]) -> None:
    shards = by_shard(readers)
    for entry_id in ids:
        commands = materialised.deliver_commands(entry_id, shards, snapshots.take_snapshot())
        answers = timeline_node().round_trip(*commands)
        if sum(answers) != len(readers):
            raise RuntimeError(f"{sum(answers)} of {len(readers)} timelines took an entry")


def _society() -> tuple[Person, list[Person]]:
    """An author among others with tweets, and readers who follow all of them and have liked some."""
    authors = seeding.people(AUTHORS, signed_in=1, prefix="author")
    readers = seeding.people(8, prefix="reader")
    seeding.follow((reader.id, author.id) for reader in readers for author in authors)
    ids = seeding.tweets([author.id for author in authors], EACH)
    for place in range(0, LIKES, MAX_CHANGES):
        liked = ids[place : place + MAX_CHANGES]
        stores.associations().apply(
            [Change(readers[0].id, LIKE, each, stores.ids.next(), present=True) for each in liked]
        )
    return authors[0], readers


def _warm(stack: Stack, author: Person, readers: list[Person]) -> None:
    """A few thousand requests: processes grow with their first ones."""
    url = f"{stack.url}/api/v1"
    with httpx.Client(base_url=url, headers=_signed_in(readers[0])) as client:
        # Their graph version is made by a follow that goes through the service.
        for method in ("DELETE", "PUT"):
            client.request(method, "/users/author1/follow").raise_for_status()
    with httpx.Client(base_url=url, headers=_signed_in(author)) as client:
        for number in range(100):
            client.post("/tweets", json={"text": f"Growing, {number}"}).raise_for_status()
    wrk(f"{url}/feed/home", connections=8, seconds=5, tokens=[reader.token for reader in readers[:4]])


def _tweet(author: Person) -> Row:
    """The author's newest tweets, as posting left them in the cache."""
    by_kind = {kind: _keys(f"*{kind}:*") for kind in ("tweet", "counts")}
    sizes = {kind: _mean_bytes(keys[:SAMPLE]) for kind, keys in by_kind.items()}
    beside = [Figure(kind, "bytes", [size]) for kind, size in sizes.items()]
    return Row("cached tweet with its counts", Figure("two keys", "bytes", [sum(sizes.values())]), beside=beside)


def _reader(reader: Person) -> Row:
    """Every key that names the reader or their token, but for the timeline; and a share of the presence sets."""
    presence = Presence()
    presence.appear([reader.id, *(stores.ids.next() for _ in range(PRESENT - 1))])
    keys = [*_keys(f"*:{reader.id}"), TOKENS.key(read_claim(reader.token))]
    sizes = {_kind(key): _bytes(key) for key in keys if _kind(key) != "home"}
    sizes["presence"] = sum(_bytes(key) for key in _keys("*:present:*")) / PRESENT
    beside = [Figure(kind, "bytes", [size]) for kind, size in sorted(sizes.items(), key=lambda item: -item[1])]
    case = f"a signed-in reader's other keys, {LIKES} likes, connected"
    return Row(case, Figure("keys", "bytes", [sum(sizes.values())]), beside=beside)


def _inactive(stack: Stack, author: Person, active: Person) -> Row:
    [inactive] = seeding.people(1, signed_in=0, prefix="inactive")
    seeding.follow([(inactive.id, author.id)])
    with httpx.Client(base_url=f"{stack.url}/api/v1", headers=_signed_in(author)) as client:
        posted = client.post("/tweets", json={"text": "To whoever reads"}).raise_for_status()
    entry_id = int(posted.json()["data"]["id"])
    if not wait_until(lambda: stores.outbox().open_order(entry_id) is None, seconds=SETTLE_SECONDS):
        raise RuntimeError("the tweet was not delivered")
    if _newest(active) != entry_id:
        raise RuntimeError("the tweet is not in the active follower's timeline")
    found = [sum(_bytes(key) for key in _keys(f"*{person.id}*")) for person in (inactive, active)]
    return Row(
        "inactive follower, after a tweet was delivered",
        Figure("keys that name them", "bytes", found[:1]),
        reach=at_most(0),
        beside=[Figure("an active follower's", "bytes", found[1:])],
    )


def _newest(reader: Person) -> int | None:
    [window] = timeline_node().ask(materialised.read(reader.id, count=1))
    return window.ids[0] if window is not None and window.ids else None


def _processes(stack: Stack) -> list[Row]:
    live_port = free_port()
    protocols = ["--ws", "config.http.sockets:SocketProtocol", "--http", "config.asgi:BoundedProtocol"]
    address = ["--host", LOOPBACK, "--port", str(live_port)]
    arguments = ["config.asgi:application", *address, *protocols, "--no-proxy-headers"]
    live = stack.start(Command("live", [sys.executable, "-m", "uvicorn", *arguments, "--no-access-log"]))
    try:
        wait_until(lambda: live.ended() or _answers(f"http://{LOOPBACK}:{live_port}/healthz"), seconds=30)
        with Valkey() as empty:
            sizes = {"Valkey, empty": resident(empty.pid)}
        sizes |= {"live server": resident(live.pid), **_of_stack(stack)}
    finally:
        live.terminate()
        wait_until(live.ended, seconds=10)
        live.kill()
    return [_size(name, size) for name, size in sizes.items()]


def _of_stack(stack: Stack) -> dict[str, Resident]:
    pids = stack.pids()
    served_by = {f"web {number}": pid for number, pid in enumerate(children(pids["web"]), start=1)}
    named = {"Cassandra": pids["cassandra"]} if "cassandra" in pids else {}
    named |= {"web, master": pids["web"], **served_by}
    named |= {name: pid for name, pid in pids.items() if name.startswith("worker") or name == "beat"}
    return {name: resident(pid) for name, pid in named.items()}


def _size(name: str, size: Resident) -> Row:
    return Row(name, Figure("PSS", "MiB", [size.pss / MB]), beside=[Figure("RSS", "MiB", [size.rss / MB])])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def _signed_in(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


def _keys(pattern: str) -> list[str]:
    found: list[str] = []
    cursor = 0
    while True:
        [(after, keys)] = timeline_node().round_trip(("SCAN", cursor, "MATCH", pattern, "COUNT", 1_000))
        found += [key.decode() for key in keys]
        cursor = int(after)
        if not cursor:
            return sorted(set(found))


def _kind(key: str) -> str:
    """What a key is called between its hash tag and its owner."""
    return key.rpartition("}:")[2].split(":")[0]


def _bytes(key: str) -> float:
    [size] = timeline_node().round_trip(("MEMORY", "USAGE", key, "SAMPLES", 0))
    return float(size or 0)


def _mean_bytes(keys: list[str]) -> float:
    return sum(map(_bytes, keys)) / len(keys)


def _memory(field: str) -> float:
    [info] = timeline_node().round_trip(("INFO", "memory"))
    return float(info[field])


def _delete(keys: list[str]) -> None:
    """The server frees large values beside its work, so what they took counts until it has come to the end."""
    timeline_node().round_trip(*(("DEL", key) for key in keys))
    if not wait_until(lambda: _memory("lazyfree_pending_objects") == 0, seconds=SETTLE_SECONDS):
        raise RuntimeError("the server does not come to an end with freeing")
