"""The timelines on a real cluster: every promise holds by shard, and what happens to one node is noticed there only.

Three primaries and a replica of each, which are servers of their own for each test that breaks them.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings

from accounts.account_cache import changes
from accounts.account_cache.accounts import ACCOUNTS
from accounts.account_cache.change_log import log_key, recent_changes
from accounts.account_cache.changes import note_change
from accounts.account_cache.vouching import look
from accounts.graph import follows
from accounts.models import User
from accounts.people.names import NAMES, accounts_by_name
from accounts.staff.roles import Role
from deploy.supervisor.ports import LOOPBACK, free_port
from fanout.live import channel
from fanout.timelines.census import active_timelines
from fanout.timelines.materialised import timeline_key
from feed.live.listener import listener
from feed.live.threads import housekeeping
from feed.operations.breakers import breakers
from storage.breakers import State, worst_of
from storage.errors import Unavailable
from storage.redis import generations
from storage.redis.lasting_cache import vouch_key
from storage.redis.node import FAILURES, RedisNode, broker_node, timeline_node
from storage.redis.shards import generation_key, shard_slot, timeline_shard
from storage.redis.slots import slot_of
from tests.backends import counted_round_trips, counted_store_calls
from tests.cluster import leave_timelines, timelines_at
from tests.integration.accounts.vouched import look_again
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.speaking import on_one_store
from tests.integration.storage.test_failover import Town
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person, new_staff
from tests.valkey_cluster import PASSWORD, ClusterServer, ValkeyCluster, wait_for
from tests.work import open_orders, work_off_everything
from tweets.reading.bodies import tweets_by_id
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@pytest.fixture
def cluster() -> Iterator[ValkeyCluster]:
    with ValkeyCluster() as servers, timelines_at(servers.url):
        generations.begin(timeline_node())
        yield servers


def readers_at(cluster: ValkeyCluster, server: ClusterServer, *, elsewhere: bool = False) -> User:
    """Somebody new whose timeline that server has; or another one."""
    while True:
        person = new_person()
        if (cluster.primary_of(timeline_key(person.id)) is server) != elsewhere:
            return person


def generation_of(shard: int) -> bytes:
    [found] = timeline_node().round_trip(("GET", generation_key(shard)))
    return bytes(found)


@contextmanager
def frozen(server: ClusterServer) -> Iterator[None]:
    """Inside, the server hears nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def answers() -> bool:
    """Whether every shard is somebody's again."""
    try:
        generations.begin(timeline_node())
    except Unavailable:
        return False
    return True


class TestEveryDay:
    def test_a_town_is_right_after_changes(self, cluster: ValkeyCluster) -> None:
        town = Town()
        town.change()
        town.assert_right()
        assert active_timelines() == 1

    def test_a_page_of_many_shards_is_one_round_trip_as_ever(self, cluster: ValkeyCluster) -> None:
        tweets = [post(new_person()) for _ in range(12)]
        assert len({slot_of(timeline_key(tweet)) for tweet in tweets}) > 3
        tweets_by_id(tweets)
        with counted_round_trips() as trips, counted_store_calls() as calls:
            assert sorted(tweets_by_id(tweets)) == tweets
        assert (len(trips), calls) == (1, [])

    def test_a_connection_asks_for_a_slot_s_generation_before_it_reads_there(self, cluster: ValkeyCluster) -> None:
        """What stood under another server is not read, though nobody has begun anew."""
        shard = timeline_shard(new_person().id)
        server = cluster.primary_of(generation_key(shard))
        server.tell("SET", generation_key(shard), b"of another server and a nonce")
        server.tell("SET", generation_key(shard).replace("generation", "old"), b"1")
        leave_timelines()
        assert timeline_node().round_trip(("GET", generation_key(shard).replace("generation", "old"))) == [None]

    def test_each_name_s_own_server_is_asked_for_its_clock(self, cluster: ValkeyCluster) -> None:
        """What is filled for a while ends by the clock of the server that keeps it."""
        names = [
            next(name for name in map("nobody{}".format, range(99)) if cluster.primary_of(NAMES.key(name)) is server)
            for server in cluster.primaries
        ]
        asked = [server.times("time") for server in cluster.primaries]
        assert accounts_by_name(names) == {}
        assert [server.times("time") for server in cluster.primaries] == [each + 1 for each in asked]

    def test_each_server_s_generation_is_its_own(self, cluster: ValkeyCluster) -> None:
        begun = generations.begin(timeline_node())
        for shard, generation in begun.items():
            run = cluster.primary_of(generation_key(shard)).tell("INFO", "server")["run_id"]
            assert generation[:16] == run[:16].encode()


class TestANodeIsEmptied:
    def test_its_readers_alone_begin_anew(self, cluster: ValkeyCluster) -> None:
        town = Town()
        before = dict(generations.begin(timeline_node()))
        emptied = cluster.primary_of(timeline_key(town.ada.id))
        emptied.tell("FLUSHALL")
        town.change()
        work_off_everything()
        town.assert_right()
        after = generations.begin(timeline_node())
        for shard, generation in before.items():
            is_there = cluster.primary_of(generation_key(shard)) is emptied
            assert (after[shard] != generation) == is_there


class TestAPrimaryDies:
    def test_its_replica_that_lags_is_right_at_once_when_promoted(self, cluster: ValkeyCluster) -> None:
        town = Town()
        primary = cluster.primary_of(timeline_key(town.ada.id))
        replica = cluster.replicas[cluster.primaries.index(primary)]
        with frozen(replica):
            town.change()
            work_off_everything()
            primary.kill()
        wait_for(lambda: replica.is_primary)
        wait_for(answers)
        town.assert_right()

    def test_nobody_else_notices(self, cluster: ValkeyCluster) -> None:
        dead = cluster.primaries[0]
        author = new_person()
        there, elsewhere = readers_at(cluster, dead), readers_at(cluster, dead, elsewhere=True)
        for reader in (there, elsewhere):
            follows.follow(reader.id, author.id)
            home(reader)
        first = post(author)
        work_off_everything()
        cluster.replicas[0].kill()
        dead.kill()
        timeline_node.cache_clear()  # as a process that starts now
        second = post(author)
        with pytest.raises(Unavailable):
            work_off_everything()
        assert in_redis(elsewhere) == [second, first], "delivered, though the order is not done"
        assert home(there) == [second, first], "from the store"
        with counted_store_calls():
            assert home(elsewhere) == [second, first]


class TestWhatIsSeenOfADeadNode:
    def test_its_breaker_is_told_with_the_others_and_ends_with_it(self, cluster: ValkeyCluster) -> None:
        """A node that nobody names any more has no connections, and nobody asks whether it is back."""
        node, dead, replica = timeline_node(), cluster.primaries[0], cluster.replicas[0]
        key = next(each for each in map("{{x{}}}".format, range(99)) if cluster.primary_of(each) is dead)
        dead.kill()
        for _ in range(FAILURES):
            with pytest.raises(Unavailable):
                node.round_trip(("GET", key))
        assert node.breaker.state is State.CLOSED
        assert worst_of(breakers()["redis_timelines"]) is not State.CLOSED
        wait_for(lambda: replica.is_primary)
        wait_for(lambda: knows(replica, key))
        wait_for(lambda: worst_of(node.breakers) is State.CLOSED)
        wait_for(lambda: not any(each.name == f"breaker-{node.name}" for each in threading.enumerate()))

    def test_a_process_that_begins_amid_it_knows_who_has_the_rest(self, cluster: ValkeyCluster) -> None:
        hung = cluster.primaries[0]
        key = next(each for each in map("{{x{}}}".format, range(99)) if cluster.primary_of(each) is not hung)
        with frozen(hung):
            assert RedisNode("beginning", cluster.url).round_trip(("GET", key)) == [None]

    def test_a_cluster_that_has_no_slots_yet_does_not_answer(self) -> None:
        with ClusterServer(free_port(), PASSWORD, "without-slots") as server:
            url = server.url.replace("redis://", "redis+cluster://").removesuffix("/0")
            with pytest.raises(Unavailable):
                RedisNode("without slots", url).round_trip(("GET", "x"))


def knows(server: ClusterServer, key: str) -> bool:
    """Whether this process takes the server for the one that has the key; looks."""
    with suppress(Unavailable):
        timeline_node().look()
    return timeline_node().address_of(key).endswith(f":{server.port}/0")


class TestRestoring:
    def test_it_comes_back_at_every_node_and_is_told_in_the_author_s_slot(self, cluster: ValkeyCluster) -> None:
        author, staff = new_person(), viewer(new_staff(Role.MODERATOR))
        readers = [readers_at(cluster, each) for each in cluster.primaries]
        for reader in readers:
            follows.follow(reader.id, author.id)
            home(reader)
        tweet = post(author)
        work_off_everything()
        names = [make(timeline_shard(author.id)) for make in (channel.gone_channel, channel.back_channel)]
        client: Any = redis.Redis.from_url(cluster.primary_of(names[0]).url)
        with closing(client), client.pubsub() as subscription:
            subscription.ssubscribe(*names)
            assert [subscription.get_message(timeout=10)["type"] for _ in names] == ["ssubscribe"] * 2
            delete_tweet(tweet_id=tweet, viewer=staff)
            work_off_everything()
            assert [in_redis(reader) for reader in readers] == [[], [], []]
            restore_tweet(tweet_id=tweet, viewer=staff, reason="A mistake.")
            work_off_everything()
            assert [in_redis(reader) for reader in readers] == [[tweet]] * 3
            heard = [subscription.get_message(timeout=10) for _ in names]
        assert [(each["type"], each["channel"].decode()) for each in heard] == [("smessage", name) for name in names]


class TestVouching:
    def test_a_dead_node_takes_nothing_from_people_of_the_others(self, cluster: ValkeyCluster) -> None:
        """Not even the one that has the log of changes, while changes are untold: of its people, and of others."""
        dead = cluster.primary_of(log_key(0))
        there, elsewhere = readers_at(cluster, dead), readers_at(cluster, dead, elsewhere=True)
        shards = [
            shard for shard in range(settings.TIMELINE_SHARDS) if cluster.primary_of(vouch_key(shard)) is not dead
        ]
        assert 0 < len(shards) < settings.TIMELINE_SHARDS
        cluster.replicas[cluster.primaries.index(dead)].kill()
        dead.kill()
        for person in (there, elsewhere):
            note_untold(person)
        look()
        assert timeline_node().round_trip(*[("GET", vouch_key(shard)) for shard in shards]) == [b"told"] * len(shards)
        assert timeline_node().round_trip(("GET", ACCOUNTS.key(elsewhere.id))) == [b""], "its guard"

    def test_who_missed_a_guard_is_not_vouched_for(self, cluster: ValkeyCluster) -> None:
        person = new_person()
        shard = timeline_shard(person.id)
        note_untold(person)
        refused = ("SET", ACCOUNTS.key(person.id), b"", "EX", "no number")
        with patch.object(changes, "_guards", return_value=[refused]):
            look()
        states = timeline_node().round_trip(*[("GET", vouch_key(each)) for each in range(settings.TIMELINE_SHARDS)])
        assert states.pop(shard) is None
        assert set(states) == {b"told"}

    def test_a_change_is_told_later_wherever_it_was_missed(self, cluster: ValkeyCluster) -> None:
        """The log of changes is at another node than the person's guards: one that was not told is told again."""
        log_at = cluster.primary_of(log_key(0))
        person = readers_at(cluster, log_at, elsewhere=True)
        replica = cluster.replicas[cluster.primaries.index(log_at)]
        look()
        log_at.kill()
        with transaction.atomic():
            note_change(person.id)
        wait_for(lambda: replica.is_primary)
        wait_for(lambda: told_by_a_look(person))


def note_untold(person: User) -> None:
    """A change whose writer dies before it tells Redis."""
    with patch.object(changes, "_told_now"), transaction.atomic():
        note_change(person.id)


def told_by_a_look(person: User) -> bool:
    """Looks, and says whether the log of changes has the person."""
    try:
        look_again()
        [recent] = timeline_node().ask(recent_changes(0))
    except Unavailable:
        return False
    return recent is not None and person.id in recent


class TestCheckRedis:
    def refusal(self, timelines: str, broker: str | None = None) -> str:
        names = {"TIMELINE_REDIS_URL": timelines, "BROKER_REDIS_URL": broker or broker_node().url}
        with override_settings(**names), pytest.raises(CommandError) as refused:
            call_command("check_redis")
        return str(refused.value)

    def test_what_answers_as_it_is_called_is_right(
        self, cluster: ValkeyCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("check_redis")
        assert capsys.readouterr().out == "TIMELINE_REDIS_URL: ok\nBROKER_REDIS_URL: ok\n"

    def test_a_node_of_a_cluster_is_no_server_alone(self, cluster: ValkeyCluster) -> None:
        assert self.refusal(cluster.primaries[0].url).startswith("TIMELINE_REDIS_URL names a node of a cluster as if")
        assert self.refusal(cluster.url, cluster.primaries[0].url).startswith("BROKER_REDIS_URL names a node")

    def test_a_group_s_broker_is_asked_as_well(self, cluster: ValkeyCluster) -> None:
        urls = [broker_node().url, cluster.primaries[0].url]
        with override_settings(FANOUT_BROKER_URLS=urls):
            assert self.refusal(cluster.url).startswith("FANOUT_BROKER_URLS, number 2, names a node of a cluster")

    def test_a_server_alone_is_no_cluster(self, cluster: ValkeyCluster) -> None:
        alone = broker_node().url.replace("redis://", "redis+cluster://")
        assert "names a server that stands alone as one of a cluster" in self.refusal(alone)

    def test_a_cluster_of_which_nobody_answers(self) -> None:
        assert self.refusal(f"redis+cluster://{LOOPBACK}:{free_port()},{LOOPBACK}:{free_port()}") == (
            "TIMELINE_REDIS_URL names a cluster of which no node answers"
        )


class TestSockets:
    def test_what_is_pushed_is_told_wherever_the_slot_is(self, cluster: ValkeyCluster) -> None:
        """Before a slot moves, and after; and somebody whose slot is at another node hears all of it, too."""
        author, reader, other = new_person(), new_person(), new_person()
        for each in (reader, other):
            follows.follow(each.id, author.id)
        sockets = [Socket(reader), Socket(other)]
        source = cluster.primary_of(timeline_key(reader.id))
        target = cluster.primaries[(cluster.primaries.index(source) + 1) % 3]

        async def scenario() -> None:
            for each in sockets:
                await each.open()
            told = [await housekeeping(post, author)]
            await delivered()
            for each in sockets:
                assert await each.until(told[0]) == told
            await housekeeping(all_of, cluster.move_slot(shard_slot(timeline_shard(reader.id)), source, target))
            await until(lambda: not listener._subscribed.is_set())
            told.append(await housekeeping(post, author))
            await until_delivered()
            for each in sockets:
                assert [tweet for tweet in await each.until(told[1]) if tweet != told[0]] == told[1:]
                await each.close()

        asyncio.run(scenario())


def all_of(steps: Iterator[int]) -> int:
    return len(list(steps))


async def until_delivered() -> None:
    """Works orders off until none is left, as the sweeper does: a slot that has just moved is nowhere for a moment."""
    async with asyncio.timeout(60):
        while await housekeeping(open_orders):
            with suppress(Unavailable):
                await delivered()
            await asyncio.sleep(0.1)
