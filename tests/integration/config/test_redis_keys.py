"""The table of keys in docs/data.md has every key that the product makes, and none that it does not; and a command
names the keys that we say it does."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.account_cache import vouching
from accounts.graph import follows
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.staff.roles import Role
from fanout.delivery import celebrities
from fanout.live.presence import Presence
from fanout.live.sockets import SocketCounts
from fanout.live.watermark import tell_watermark
from fanout.orders import handlers, sweeper
from fanout.orders.dispatch import enqueue
from fanout.orders.holding import HeldOrders
from fanout.orders.sweepers import Sweeper
from feed.operations import strays
from feed.operations.homes import home_of
from feed.tasks import sample_figures, search_strays, send_letters
from storage.errors import Unavailable
from storage.redis import count_cache, rate_limits
from storage.redis.node import RedisNode, broker_node, timeline_node
from storage.redis.reads import Command, Read
from storage.redis.reads import keys_of as keys_of_command
from storage.redis.slots import pieces_of, slot_of
from storage.redis.tallies import tallies
from storage.stores import associations
from tests.backends import timeline_redis_down
from tests.integration.querying import Door
from tests.integration.speaking import Api, on_one_store
from tests.integration.tweeting import viewer
from tests.people import PASSWORD, new_person, new_staff
from tests.work import open_orders, say_what_has_settled, work_off_everything
from tweets.caches import counts
from tweets.search.turns import turn
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

DATA = (Path(__file__).parents[3] / "docs/data.md").read_text()
NEVER_HERE = {
    "{tN}:live": "a channel, where nothing stands",
    "{tN}:live:gone": "a channel, where nothing stands",
    "{tN}:live:back": "a channel, where nothing stands",
    "live:public": "a channel, where nothing stands",
    "{tN}:live:tweet:<tweet>": "a channel, where nothing stands",
    "{tN}:live:news:<person>": "a channel, where nothing stands",
    "{tN}:live:hashtag:<number>": "a channel, where nothing stands",
    "maintenance": "beat sends to it",
    "_kombu.binding.<queue>": "of Celery's workers",
    "unacked": "of Celery's workers",
    "unacked_index": "of Celery's workers",
    "unacked_mutex": "of Celery's workers",
}

QUERY = "{ __typename }"
OF_ONE_NODE = {"SCAN", "DBSIZE", "RANDOMKEY", "EVAL"}
"""Asked of each node of a cluster by itself; the last begins a generation, which in a cluster another script does."""


def rows_of(title: str) -> list[str]:
    """The keys of the table below a third-level heading."""
    found = re.search(rf"^### {title}\n(.*?)(?=^##|\Z)", DATA, re.DOTALL | re.MULTILINE)
    assert found is not None
    cells = re.findall(r"^\| (`[^|]*`) \|", found[1], re.MULTILINE)
    return [key for cell in cells for key in re.findall(r"`([^`]+)`", cell)]


def pattern_of(row: str) -> re.Pattern[str]:
    escaped = re.sub(r"<[\w-]+>", "[^:]+", re.escape(row))
    return re.compile(escaped.replace(re.escape("{tN}"), r"\{t\d+/\d+\}"))


class Seen:
    """Keys of both servers, looked at after each step, as some end within seconds."""

    def __init__(self) -> None:
        self.timelines: set[str] = set()
        self.broker: set[str] = set()

    def look(self) -> None:
        self.timelines |= keys_of(timeline_node())
        self.broker |= keys_of(broker_node())

    @contextmanager
    def after(self) -> Iterator[None]:
        yield
        self.look()


def keys_of(node: RedisNode) -> set[str]:
    found: set[str] = set()
    cursor = b"0"
    while True:
        [(cursor, names)] = node.round_trip(("SCAN", cursor, "COUNT", 1_000))
        found |= {name.decode() for name in names}
        if int(cursor) == 0:
            return found


@pytest.fixture
def limited(settings: Settings) -> Iterator[None]:
    settings.RATE_LIMITS = True
    settings.SWEEP_AFTER_SECONDS = 0.0
    yield
    rate_limits._memory.storage.reset()


def ask(api: Api, method: str, path: str, body: Any = None) -> None:
    answer = api.call(method, path, body)
    assert answer.status_code < 300, (path, answer.content)


def people_come(seen: Seen) -> None:
    nobody = Api()
    sha = hashlib.sha256(QUERY.encode()).hexdigest()
    with seen.after(), patch.object(EmailBackend, "send_messages", side_effect=OSError):
        ask(nobody, "POST", "/auth/register", {"username": "ada", "email": "ada@example.org", "password": PASSWORD})
        ask(Api(new_person()), "POST", "/me/email/confirmation")
        ask(nobody, "POST", "/auth/token", {"username": "ada", "password": PASSWORD})
        ask(nobody, "POST", "/auth/password-reset", {"email": "ada@example.org"})
        send_letters()
        ask(nobody, "GET", "/feed/public")
        assert Door().post({"query": QUERY, "extensions": {"persistedQuery": {"sha256Hash": sha}}}).status_code == 200
        assert Client(headers={"Authorization": "Bearer none"}).get("/api/v1/me").status_code == 401


def people_read_and_write(seen: Seen, author: User, reader: User) -> None:
    writing, reading = Api(author), Api(reader)
    with seen.after():
        ask(writing, "PATCH", "/me", {"bio": "Writes.", "email": "writes@example.org", "current_password": PASSWORD})
        ask(reading, "PUT", f"/users/{author.username}/follow")
        ask(reading, "GET", "/feed/home")
        tweet = writing.tweet("one")["id"]
        work_off_everything()
    with seen.after():
        ask(writing, "GET", "/me/notifications/unread")
        ask(writing, "GET", "/me/export")
        ask(reading, "PUT", f"/tweets/{tweet}/like")
        ask(reading, "GET", "/feed/home")
        ask(reading, "GET", f"/users/{author.username}")
        ask(reading, "PUT", f"/users/{new_person().username}/mute")
        ask(reading, "GET", "/feed/home")
    with seen.after(), patch.object(count_cache, "LARGE", -1):
        ask(Api(new_person()), "GET", f"/users/{reader.username}")
    with seen.after(), patch.object(counts, "LARGE", 0), patch.object(counts, "STALE_SECONDS", 0.0):
        ask(writing, "PUT", f"/tweets/{tweet}/like")
        ask(writing, "GET", f"/tweets/{tweet}")
        ask(writing, "GET", f"/tweets/{tweet}")
    with seen.after():
        ask(writing, "DELETE", f"/tweets/{tweet}")
        work_off_everything()
    staff = new_staff(Role.MODERATOR)
    with seen.after():
        other = int(writing.tweet("two")["id"])
        delete_tweet(tweet_id=other, viewer=viewer(staff))
        restore_tweet(tweet_id=other, viewer=viewer(staff), reason="A mistake.")
        work_off_everything()


def an_author_grows(seen: Seen, author: User, reader: User) -> None:
    with seen.after():
        celebrities.begin_pulling(author.id)
        Api(author).tweet("to many")
        ask(Api(reader), "GET", "/feed/home")
        work_off_everything()


def tweets_are_indexed(seen: Seen) -> None:
    """A turn is given back within a moment: it is looked at while somebody has it."""
    with seen.after(), turn():
        pass
    with turn():
        seen.look()


def orders_are_sent(seen: Seen, author: User, reader: User) -> None:
    """An order to each queue, sent by the sweeper, and the parts of a large one. A follow's is left open when Redis
    did not hear of it; a tweet's is kept by its writer."""
    associations().grow(author.id, FOLLOW, 1)
    with timeline_redis_down():
        follows.follow(author.id, reader.id)
    Api(author).tweet("in parts")
    with seen.after():
        held = HeldOrders(enqueue)
        held.hold(open_orders()[-1])
        held.pass_on_some()
        sweeper.sweep()
        for order in open_orders():
            handlers.work_off(order)


def everything_happens(seen: Seen) -> None:
    author, reader = new_person(), new_person()
    people_come(seen)
    people_read_and_write(seen, author, reader)
    with seen.after(), patch.object(strays, "MOMENT_SECONDS", 0.0):
        Presence().appear([reader.id])
        SocketCounts().tell({reader.id: 1})
        search_strays()
        say_what_has_settled()
        tell_watermark()
        with patch.object(vouching, "LOOK_SECONDS", 60.0):
            vouching.look()
        tallies.tell()
        Sweeper().meet()
        sample_figures()
        home_of(reader.account)
    orders_are_sent(seen, author, reader)
    tweets_are_indexed(seen)
    an_author_grows(seen, author, reader)


@contextmanager
def all_sent_to_timelines() -> Iterator[list[Sequence[Command]]]:
    """What is sent to the timelines' server inside, by round trip."""
    sent: list[Sequence[Command]] = []
    send = RedisNode._send

    def noting(node: RedisNode, commands: Sequence[Command]) -> list[object]:
        if node is timeline_node():
            sent.append(commands)
        return send(node, commands)

    with patch.object(RedisNode, "_send", noting):
        yield sent


@contextmanager
def sent_commands() -> Iterator[list[Command]]:
    """What is sent to either server inside, one of each name and of each script."""
    sent: dict[tuple[object, ...], Command] = {}
    send = RedisNode._send

    def noting(node: RedisNode, commands: Sequence[Command]) -> list[object]:
        for command in commands:
            sent.setdefault(command[: 2 if command[0] == "EVALSHA" else 1], command)
        return send(node, commands)

    commands: list[Command] = []
    with patch.object(RedisNode, "_send", noting):
        yield commands
    commands += sent.values()


def keys_by_the_server(command: Command) -> list[bytes]:
    """What Valkey itself takes for the command's keys."""
    words = (*str(command[0]).split(), *command[1:])
    try:
        [keys] = broker_node().round_trip(("COMMAND GETKEYS", *words))
    except Unavailable as refused:
        if "no key arguments" in str(refused.__cause__):
            return []
        raise
    return list(map(as_bytes, keys))


def as_bytes(key: str | bytes | int) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()


def test_the_table_of_keys_has_every_key_and_each_is_made(limited: None) -> None:
    seen = Seen()
    everything_happens(seen)
    for title, keys in (("Timelines and caches", seen.timelines), ("The broker", seen.broker)):
        rows = rows_of(title)
        unlisted = [key for key in sorted(keys) if not any(pattern_of(row).fullmatch(key) for row in rows)]
        unmade = [row for row in rows if not any(pattern_of(row).fullmatch(key) for key in keys)]
        assert unlisted == []
        assert {*unmade} - {*NEVER_HERE} == set()


def test_a_command_names_the_keys_that_the_server_finds_in_it(limited: None) -> None:
    with sent_commands() as sent:
        everything_happens(Seen())
    assert {"EVALSHA", "MGET", "GET", "SET", "ZADD", "SCAN"} <= {command[0] for command in sent}
    assert len([command for command in sent if command[0] == "EVALSHA"]) > 10
    for command in sent:
        named = Read((command,), bytes).keys
        assert [as_bytes(key) for key in named] == keys_by_the_server(command), command


def test_each_command_is_for_one_slot_or_falls_into_pieces(limited: None, settings: Settings) -> None:
    """As a cluster wants it. With so many shards two keys are in one slot only if they are of one shard."""
    settings.TIMELINE_SHARDS = 1_024
    with all_sent_to_timelines() as sent:
        everything_happens(Seen())
    trips = [[command for command in trip if command[0] not in OF_ONE_NODE] for trip in sent]
    commands = [command for trip in trips for command in trip]
    assert {command[0] for command in commands} >= {"EVALSHA", "MGET", "GET", "SET", "ZADD", "PUBLISH", "TIME"}
    for trip in trips:
        pieces_of(trip)
    mixed = {command[0] for command in commands if len({slot_of(key) for key in keys_of_command(command)}) > 1}
    assert mixed == {"MGET"}


def test_what_is_never_here_is_in_the_table() -> None:
    assert {*NEVER_HERE} - {*rows_of("Timelines and caches"), *rows_of("The broker")} == set()
