"""Working orders off: those that wait, the dispatcher, presence, the live channel.

Real workers do it in tests/e2e/test_main_job.py; here one step at a time.
"""

import time
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import follows
from fanout.live import channel
from fanout.live import watermark as watermark_module
from fanout.live.channel import LiveKind
from fanout.live.presence import Presence, current_epoch, look
from fanout.live.watermark import TOLD_KEY, TOLD_SECONDS, _tell, tell_watermark, watermark
from fanout.orders import sweeper
from fanout.tasks import sweep
from fanout.timelines.layout import unpack
from fanout.timelines.materialised import settled_key
from storage.errors import NotFound, Unavailable
from storage.ids.settling import SETTLE_SECONDS
from storage.ids.snowflakes import EPOCH_US, id_us, make_id, now_us
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard, timeline_shard
from storage.stores import outbox
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down
from tests.cluster import on_one_server
from tests.ids import new_id
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import forget_watermark, open_orders, work_off_everything
from tweets.reading.selectors import tweet_out
from tweets.writing.posting import delete_tweet


def _after(seconds: float, answer: int) -> int:
    time.sleep(seconds)
    return answer


@pytest.mark.usefixtures("product")
class TestOrdersThatWait:
    def test_an_order_that_redis_refused_stays_open(self) -> None:
        author = new_person()
        home(author)
        post(author)
        with timeline_redis_down(), pytest.raises(Exception, match="redis_timelines"):
            work_off_everything()
        assert len(open_orders()) == 1
        work_off_everything()
        assert open_orders() == []

    def test_the_sweeper_sends_old_orders_again_and_only_those(self, settings: Settings) -> None:
        author = new_person()
        post(author)
        [order] = open_orders()
        with patch.object(sweeper, "enqueue") as sent:
            assert sweeper.sweep() == 0, "too young"
            settings.SWEEP_AFTER_SECONDS = 0.0
            time.sleep(0.01)
            assert sweeper.sweep() == 1
            sent.assert_called_once_with(order, resent=True, found=False)
            assert sweeper.sweep() == 0, "sent a moment ago"

    def test_orders_sent_a_moment_ago_hide_none_behind_them(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.SWEEP_AFTER_SECONDS = 0.0
        monkeypatch.setattr(sweeper, "PAGE", 2)
        monkeypatch.setattr(sweeper, "CHUNK", 1)
        monkeypatch.setattr(sweeper, "SWEEP_LIMIT", 2)
        author = new_person()
        ids = [post(author) for _ in range(5)]
        time.sleep(0.01)
        sent: list[int] = []
        with patch.object(sweeper, "enqueue", lambda order, **_: sent.append(order.id)):
            for _ in range(3):
                sweeper.sweep()
        assert sent == ids

    def test_an_order_that_the_broker_refused_is_due_at_the_next_sweep(self, settings: Settings) -> None:
        settings.SWEEP_AFTER_SECONDS = 0.0
        post(new_person())
        time.sleep(0.01)
        with patch.object(sweeper, "enqueue", side_effect=Unavailable("redis_broker")), pytest.raises(Unavailable):
            sweeper.sweep()
        with patch.object(sweeper, "enqueue") as sent:
            assert sweeper.sweep() == 1
        sent.assert_called_once()

    def test_a_deletion_that_redis_did_not_hear_of_is_made_good_by_its_order(self) -> None:
        author = new_person()
        tweet = post(author)
        assert home(author) == [tweet], "cached for days"
        with timeline_redis_down():
            delete_tweet(tweet_id=tweet, viewer=viewer(author))
        work_off_everything()
        with pytest.raises(NotFound):
            tweet_out(tweet, None)

    def test_a_graph_change_that_redis_did_not_take_is_made_good_by_its_order(self) -> None:
        reader, author = new_person(), new_person()
        tweet = post(author)
        work_off_everything()
        assert home(reader) == []
        with timeline_redis_down():
            follows.follow(reader.id, author.id)
        assert [order.kind for order in open_orders()] == [follows.GRAPH_ORDER]
        work_off_everything()
        assert open_orders() == []
        assert home(reader) == [tweet]


def look_for(shards: dict[int, list[int]]) -> dict[int, list[int]]:
    """Which of the readers a worker finds present, by shard."""
    [found] = timeline_node().ask(look(shards))
    return found.readers()


@pytest.mark.usefixtures("redis_servers")
class TestPresence:
    def test_each_process_notices_by_itself_that_redis_was_emptied(self) -> None:
        """Though another process has refilled the shared set before it looked."""
        reader = new_id()
        one, other = Presence(), Presence()
        for process in (one, other, one, other):
            assert process.appear([reader]).emptied == set()
        timeline_node().round_trip(("FLUSHALL",))
        assert one.appear([reader]).emptied == {timeline_shard(reader)}
        assert other.appear([reader]).emptied == {timeline_shard(reader)}
        assert one.appear([reader]) == other.appear([reader]) == (set(), set())

    def test_a_worker_an_epoch_off_still_finds_who_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader = new_id()
        epoch = current_epoch()
        Presence().appear([reader])
        shards = by_shard([reader])
        for near in (epoch - 1, epoch, epoch + 1):
            monkeypatch.setattr("fanout.live.presence.current_epoch", lambda near=near: near)
            assert look_for(shards) == shards

    @pytest.mark.parametrize("few", [0, 64])
    def test_who_is_there_is_found_among_few_and_among_many(self, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Among many, a worker first asks whether anybody is; nobody there costs no other round trip."""
        monkeypatch.setattr("fanout.live.presence.FEW", few)
        timeline_node().round_trip(("FLUSHALL",))
        readers = [new_id() for _ in range(40)]
        shards = by_shard(readers)
        with counted_round_trips() as trips:
            assert look_for(shards) == {}
        assert len(trips) == 1
        connected = by_shard(readers[:3])
        Presence().appear(readers[:3])
        assert look_for(shards) == connected


@pytest.mark.usefixtures("product")
class TestLivePublishing:
    @on_one_server
    @pytest.mark.parametrize("few", [0, 64])
    def test_present_readers_are_named_in_the_message_and_others_are_not(
        self, few: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fanout.live.presence.FEW", few)
        author, present, absent = new_person(), new_person(), new_person()
        for reader in (present, absent):
            follows.follow(reader.id, author.id)
        assert Presence().appear([present.id]) == (set(), set())
        client: Any = timeline_node().client()
        with client.pubsub() as subscription:
            subscription.subscribe(*(channel.channel(shard) for shard in by_shard([present.id])))
            subscription.get_message(timeout=20)
            tweet = post(author)
            work_off_everything()
            message = subscription.get_message(ignore_subscribe_messages=True, timeout=20)
        assert message is not None
        assert channel.decode(message["data"]) == channel.LiveMessage(LiveKind.TWEET, tweet, [present.id])

    def test_the_watermark_stays_below_the_oldest_open_order(self) -> None:
        forget_watermark()
        author = new_person()
        settled = watermark.read()
        assert settled <= make_id(now_us() - SETTLE_SECONDS * 1_000_000, 0)
        old = Order(id=make_id(now_us() - 3600 * 1_000_000, 0), kind="deliver", args=(1, author.id))
        from_store = outbox()
        from_store.add(old)
        forget_watermark()
        assert watermark.read() == old.id - 1
        from_store.mark_done(old.id)
        forget_watermark()
        assert watermark.read() >= settled

    def test_the_watermark_is_read_from_the_store_only_while_nobody_tells_it(self) -> None:
        place = make_id(now_us() - 60_000_000, 0)
        forget_watermark()
        with counted_store_calls() as calls:
            assert watermark.read() > place
        assert len(calls) == 1
        _tell(place, TOLD_SECONDS)
        watermark.forget()
        with counted_store_calls() as calls, counted_round_trips() as trips:
            assert watermark.read() == place
        assert (len(calls), len(trips)) == (0, 1)
        with timeline_redis_down():
            watermark.forget()
            assert watermark.read() > place

    def test_a_watermark_that_nobody_tells_any_more_ends_so_long_after_it_was_looked_for(self) -> None:
        tell_watermark()
        [left_ms] = timeline_node().round_trip(("PTTL", TOLD_KEY))
        assert 0 < left_ms <= TOLD_SECONDS * 1_000
        with patch.object(watermark_module, "TOLD_SECONDS", 0.5):
            with patch.object(watermark_module, "measured_watermark", partial(_after, 0.3, 7)):
                assert tell_watermark() == 7
            [left_ms] = timeline_node().round_trip(("PTTL", TOLD_KEY))
            assert left_ms <= 200
            forget_watermark()
            with patch.object(watermark_module, "measured_watermark", partial(_after, 0.5, 7)):
                assert tell_watermark() == 7
        assert timeline_node().round_trip(("EXISTS", TOLD_KEY)) == [0]

    @pytest.mark.parametrize("age", [0.0, 4.0, 9.5])
    def test_a_clock_that_is_ahead_moves_nobody_s_watermark_beyond_what_had_settled_then(self, age: float) -> None:
        begun = now_us() - int(age * 1_000_000)
        _tell(make_id(now_us() + 3_600_000_000, 0), TOLD_SECONDS - age)
        watermark.forget()
        settled = make_id(begun - SETTLE_SECONDS * 1_000_000, 0)
        assert abs(watermark.read() - settled) < make_id(EPOCH_US + 300_000, 0)

    def test_where_it_cannot_be_told_to_live_processes_polling_clients_are_told(self) -> None:
        """As in a cluster of which the node is away that has its key."""
        with patch.object(watermark_module, "_tell", side_effect=Unavailable("redis_timelines")):
            sweep()
        found = timeline_node().round_trip(*(("GET", settled_key(shard)) for shard in range(2)))
        assert all(id_us(unpack(each)) > now_us() - 60_000_000 for each in found)

    def test_the_sweep_tells_it(self) -> None:
        author = new_person()
        old = Order(id=make_id(now_us() - 3600 * 1_000_000, 0), kind="deliver", args=(1, author.id))
        outbox().add(old)
        forget_watermark()
        sweep()
        with counted_store_calls() as calls:
            assert watermark.read() == old.id - 1
        assert calls == []
        outbox().mark_done(old.id)
        sweep()
        watermark.forget()
        assert watermark.read() > old.id
