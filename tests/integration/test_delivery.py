"""Working orders off: large authors in parts, the sweeper, the dispatcher, the live channel.

Real workers do it in tests/e2e/test_main_job.py; here one step at a time.
"""

import random
import threading
import time
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

from accounts import graph
from accounts.entities import Viewer
from accounts.kinds import FOLLOW
from accounts.models import User
from fanout import celebrities, delivery, live, sweeper, tasks, timelines
from fanout.dispatch import Dispatcher
from fanout.live import LiveKind
from fanout.orders import deliver_order
from fanout.presence import Presence, current_epoch, present, present_commands
from feed.home import home_page
from storage.associations import Change, bucket_of
from storage.errors import NotFound, Unavailable
from storage.ids import MAX_ID, make_id, now_us
from storage.outbox import Order
from storage.paging import PageRequest
from storage.redis import shard_of, timeline_node
from storage.stores import associations, outbox
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.people import new_person
from tests.work import open_orders, work_off_everything, work_off_wholly
from tweets.selectors import tweet_view
from tweets.services import create_tweet, delete_tweet


def viewer(person: User) -> Viewer:
    return Viewer(account=person.account, token_digest="")


def post(author: User) -> int:
    return create_tweet(author=viewer(author), text="hello").id


def home(reader: User) -> list[int]:
    return [int(tweet.id) for tweet in home_page(viewer(reader), PageRequest(limit=100)).items]


def in_redis(reader: User) -> list[int] | None:
    [answer] = timeline_node().round_trip(timelines.read_command(reader.id, count=2_000))
    window = timelines.window(answer)
    return window.ids if window is not None else None


def followed_by_active(author: User, count: int) -> list[User]:
    """New followers of the author, whose timelines are there."""
    readers = [new_person() for _ in range(count)]
    for reader in readers:
        graph.follow(reader.id, author.id)
        home(reader)
    return readers


@pytest.mark.usefixtures("product")
class TestLargeAuthors:
    def test_each_bucket_is_a_part_and_the_last_part_ends_the_order(self) -> None:
        author = new_person()
        early, late = [new_person() for _ in range(6)], [new_person() for _ in range(10)]
        for reader in early:
            graph.follow(reader.id, author.id)
        associations().grow(author.id, FOLLOW, 2)
        for reader in late:
            graph.follow(reader.id, author.id)
        readers = [*early, *late]
        for reader in [*readers, author]:
            home(reader)
        work_off_everything()
        tweet = post(author)
        [order] = open_orders()
        parts: list[tuple[int, int]] = []
        with patch.object(delivery, "enqueue_part", lambda order, part, of, **_: parts.append((part, of))):
            delivery.work_off(order)
        assert sorted(parts) == [(part, 4) for part in range(4)]
        dice = random.Random(1)
        for number, (part, of) in enumerate(dice.sample(parts, 4)):
            assert open_orders() == [order], f"still open after {number} parts"
            delivery.work_off_part(order, part, of)
        assert open_orders() == []
        assert all(home(reader) == [tweet] for reader in [*readers, author])
        for part, of in parts:
            delivery.work_off_part(order, part, of)
        assert all(home(reader) == [tweet] for reader in readers), "a repeated part shows nothing twice"

    def test_an_order_sent_again_hands_out_only_what_is_missing(self) -> None:
        author = new_person()
        associations().grow(author.id, FOLLOW, 2)
        post(author)
        [order] = open_orders()
        delivery.work_off_part(order, 1, 4)
        parts: list[int] = []
        with patch.object(delivery, "enqueue_part", lambda order, part, of, **_: parts.append(part)):
            delivery.work_off(order)
        assert parts == [0, 2, 3]
        with patch.object(delivery, "_push_pages") as pushed:
            delivery.work_off_part(order, 1, 4)
        pushed.assert_not_called()

    def test_parts_of_a_repetition_that_saw_more_buckets_do_not_end_the_order(self) -> None:
        """Sent at level 1, part 1 failed, the author grew, part 2 of 4 ran, part 0 of 2 came again."""
        author = new_person()
        associations().grow(author.id, FOLLOW, 1)
        post(author)
        [order] = open_orders()
        for part, parts in ((0, 2), (2, 4), (0, 2)):
            delivery.work_off_part(order, part, parts)
        assert open_orders() == [order]
        delivery.work_off_part(order, 1, 2)
        assert open_orders() == []

    def test_an_author_of_one_page_is_worked_off_at_once_and_a_larger_one_apart(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "PAGE", 3)
        author = new_person()
        readers = followed_by_active(author, 2)
        tweet = post(author)
        [order] = open_orders()
        assert work_off_wholly(order) == 1
        assert open_orders() == []
        readers += followed_by_active(author, 1)
        later = post(author)
        [order] = open_orders()
        assert work_off_wholly(order) == 2, "a full page: there may be more"
        assert open_orders() == []
        assert all(home(reader) == [later, tweet] for reader in [*readers, author])

    def test_a_task_pushes_to_so_many_pages_and_leaves_the_rest_to_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "PAGE", 2)
        monkeypatch.setattr(delivery, "PAGES_A_TASK", 3)
        author = new_person()
        readers = followed_by_active(author, 17)
        tweet = post(author)
        [order] = open_orders()
        read: list[int] = []
        page = graph.follower_page

        def follower_page(author_id: int, bucket: int, after: int, limit: int) -> list[int]:
            found = page(author_id, bucket, after, limit)
            read.append(len(found))
            return found

        monkeypatch.setattr(graph, "follower_page", follower_page)
        monkeypatch.setattr(celebrities, "reconsider", lambda *_, **__: None)
        assert work_off_wholly(order) == 4
        assert read == [2, *[2] * 3, *[2] * 3, 2, 1], "one page, then three a task"
        assert open_orders() == []
        assert all(in_redis(reader) == [tweet] for reader in readers)

    def test_a_part_that_was_lost_half_way_begins_anew_and_shows_nothing_twice(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "PAGE", 2)
        monkeypatch.setattr(delivery, "PAGES_A_TASK", 1)
        author = new_person()
        associations().grow(author.id, FOLLOW, 1)
        readers = followed_by_active(author, 12)
        tweet = post(author)
        [order] = open_orders()
        with patch.object(delivery, "enqueue_part") as left:
            delivery.work_off_part(order, 0, 2)
        left.assert_called_once()
        assert outbox().finished_parts(order.id) == set()
        delivery.work_off_part(order, 1, 2, after=MAX_ID - 1)
        assert outbox().finished_parts(order.id) == {1}, "whose task came to the end of the bucket"
        assert open_orders() == [order]
        work_off_wholly(order)
        assert open_orders() == []
        in_first = {reader.id for reader in readers if bucket_of(reader.id, 1) == 0}
        for reader in readers:
            assert in_redis(reader) == ([tweet] if reader.id in in_first else [])

    def test_an_order_whose_rest_the_broker_does_not_take_stays_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery, "PAGE", 2)
        author = new_person()
        followed_by_active(author, 5)
        post(author)
        [order] = open_orders()
        with patch("fanout.dispatch.current_app.send_task", side_effect=OperationalError), pytest.raises(Unavailable):
            delivery.work_off(order)
        assert open_orders() == [order]

    def test_a_part_whose_next_task_waits_is_not_handed_out_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery, "PAGE", 2)
        monkeypatch.setattr(delivery, "PAGES_A_TASK", 1)
        author = new_person()
        followed_by_active(author, 7)
        post(author)
        [order] = open_orders()
        with patch.object(delivery, "enqueue_part") as enqueued:
            delivery.work_off(order)
            after = enqueued.call_args.kwargs["after"]
            tasks.work_part(order.id, order.kind, 0, 1, after=after)
            assert enqueued.call_count == 2, "the part, and what is left of it"
            delivery.work_off(order, resent=True)
            assert enqueued.call_count == 2

    def test_parts_that_the_broker_did_not_take_are_handed_out_at_the_next_try(self) -> None:
        author = new_person()
        associations().grow(author.id, FOLLOW, 2)
        post(author)
        [order] = open_orders()
        taken: list[int] = []

        def takes_one(_order: Order, part: int, _parts: int, **_: int) -> None:
            if taken:
                raise Unavailable("redis_broker")
            taken.append(part)

        with patch.object(delivery, "enqueue_part", takes_one), pytest.raises(Unavailable):
            delivery.work_off(order)
        with patch.object(delivery, "enqueue_part") as enqueued:
            delivery.work_off(order)
        assert (taken, [call.args[1] for call in enqueued.call_args_list]) == ([0], [1, 2, 3])

    def test_followers_in_a_bucket_that_appeared_after_handing_out_have_the_tweet(self) -> None:
        """They are in none of the parts: following made their timeline outdated, and its rebuild pulls."""
        author = new_person()
        associations().grow(author.id, FOLLOW, 1)
        stayed = followed_by_active(author, 6)
        new, returned = new_person(), stayed[0]
        home(new)
        tweet = post(author)
        [order] = open_orders()
        with patch.object(delivery, "enqueue_part"):
            delivery.work_off(order)
        associations().grow(author.id, FOLLOW, 6)
        graph.unfollow(returned.id, author.id)
        for reader in (new, returned):
            graph.follow(reader.id, author.id)
        for part in range(2):
            delivery.work_off_part(order, part, 2)
        assert order not in open_orders()
        assert in_redis(new) is None, "outdated"
        for reader in (*stayed, new):
            assert home(reader) == [tweet]
            assert in_redis(reader) == [tweet]

    def test_a_tweet_reaches_a_thousand_followers_in_so_many_round_trips(self) -> None:
        """One note, one page, one push; in the store mode, level, the open order, the page and the mark."""
        author = new_person()
        for _ in range(20):
            ops = [new_id() for _ in range(50)]
            associations().apply([Change(op, FOLLOW, author.id, op, present=True) for op in ops])
        readers = graph.follower_page(author.id, 0, 0, 2_000)
        assert len(readers) == 1_000
        for reader in readers[:20]:
            build = timelines.open_build(reader)
            assert build is not None
            assert timelines.finish_build(build, [], floor=0)
        tweet = post(author)
        [order] = open_orders()
        with counted_round_trips() as trips, counted_store_calls() as calls:
            delivery.work_off(order)
        assert len(trips) == 2
        scripts = [command for command in trips[1] if command[0] == "EVALSHA"]
        assert len(scripts) == settings.TIMELINE_SHARDS
        assert len(calls) == 5 or settings.STORE == "embedded"
        for reader in readers[:20]:
            [answer] = timeline_node().round_trip(timelines.read_command(reader, count=10))
            window = timelines.window(answer)
            assert window is not None
            assert window.ids == [tweet]


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
            sent.assert_called_once_with(order, resent=True)
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
            tweet_view(tweet, None)

    def test_a_graph_change_that_redis_did_not_take_is_made_good_by_its_order(self) -> None:
        reader, author = new_person(), new_person()
        tweet = post(author)
        work_off_everything()
        assert home(reader) == []
        with timeline_redis_down():
            graph.follow(reader.id, author.id)
        assert [order.kind for order in open_orders()] == [graph.GRAPH_ORDER]
        work_off_everything()
        assert open_orders() == []
        assert home(reader) == [tweet]


@pytest.mark.usefixtures("redis_servers")
class TestPresence:
    def test_each_process_notices_by_itself_that_redis_was_emptied(self) -> None:
        """Though another process has refilled the shared set before it looked."""
        reader = new_id()
        one, other = Presence(), Presence()
        for process in (one, other, one, other):
            assert process.appear([reader]) == set()
        timeline_node().round_trip(("FLUSHALL",))
        assert one.appear([reader]) == {shard_of(reader)}
        assert other.appear([reader]) == {shard_of(reader)}
        assert one.appear([reader]) == other.appear([reader]) == set()

    def test_a_worker_an_epoch_off_still_finds_who_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader = new_id()
        epoch = current_epoch()
        Presence().appear([reader])
        shards = timelines.by_shard([reader])
        for near in (epoch - 1, epoch, epoch + 1):
            monkeypatch.setattr("fanout.presence.current_epoch", lambda near=near: near)
            answers = timeline_node().round_trip(*present_commands(shards))
            assert present(shards, answers) == shards


@pytest.mark.usefixtures("product")
class TestLivePublishing:
    def test_present_readers_are_named_in_the_message_and_others_are_not(self) -> None:
        author, present, absent = new_person(), new_person(), new_person()
        for reader in (present, absent):
            graph.follow(reader.id, author.id)
        assert Presence().appear([present.id]) == set()
        client: Any = timeline_node().client()
        with client.pubsub() as subscription:
            subscription.subscribe(*(live.channel(shard) for shard in timelines.by_shard([present.id])))
            subscription.get_message(timeout=2)
            tweet = post(author)
            work_off_everything()
            message = subscription.get_message(ignore_subscribe_messages=True, timeout=2)
        assert message is not None
        assert live.decode(message["data"]) == live.LiveMessage(LiveKind.TWEET, tweet, [present.id])

    def test_the_watermark_stays_below_the_oldest_open_order(self) -> None:
        live.watermark.forget()
        author = new_person()
        settled = live.watermark.read()
        assert settled <= make_id(now_us() - live.SETTLE_SECONDS * 1_000_000, 0)
        old = Order(id=make_id(now_us() - 3600 * 1_000_000, 0), kind="deliver", args=(1, author.id))
        from_store = outbox()
        from_store.add(old)
        live.watermark.forget()
        assert live.watermark.read() == old.id - 1
        from_store.mark_done(old.id)
        live.watermark.forget()
        assert live.watermark.read() >= settled


class TestDispatcher:
    def test_sending_does_not_wait_for_a_hung_broker(self) -> None:
        answered, sent = threading.Event(), list[int]()

        def wait_then_send(order: Order) -> None:
            answered.wait(10)
            sent.append(order.id)

        sending = Dispatcher(wait_then_send)
        for number in range(1, 51):
            sending.send(deliver_order(number, 1))
        assert sent == [], "every send returned before the broker had taken anything"
        answered.set()
        sending.drain(5.0)
        assert len(sent) == 50

    def test_a_full_queue_drops_rather_than_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fanout.dispatch.QUEUE_SIZE", 2)
        answered, sent = threading.Event(), list[int]()

        def wait_then_send(order: Order) -> None:
            answered.wait(10)
            sent.append(order.id)

        sending = Dispatcher(wait_then_send)
        for number in range(1, 11):
            sending.send(deliver_order(number, 1))
        answered.set()
        sending.drain(5.0)
        assert 2 <= len(sent) <= 3
        assert sent[:2] == [1, 2]

    def test_a_broker_that_fails_stops_nothing(self) -> None:
        sent: list[int] = []

        def failing_once(order: Order) -> None:
            if order.id == 1:
                raise ConnectionError
            sent.append(order.id)

        sending = Dispatcher(failing_once)
        for number in (1, 2):
            sending.send(deliver_order(number, 1))
        sending.drain(5.0)
        assert sent == [2]

    def test_without_a_thread_nothing_is_raised_and_the_next_order_finds_one(self) -> None:
        sent: list[int] = []
        sending = Dispatcher(lambda order: sent.append(order.id))
        with patch("threading.Thread.start", side_effect=RuntimeError("can't start new thread")):
            sending.send(deliver_order(1, 1))
        sending.send(deliver_order(2, 1))
        sending.drain(5.0)
        assert sent == [2]
