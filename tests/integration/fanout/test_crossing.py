"""Crossing the line of PUSH_MAX_FOLLOWERS, one step at a time, while a worker and readers are at any of theirs."""

from collections.abc import Callable
from functools import partial

import pytest

from accounts.graph import following
from fanout.delivery import celebrities
from fanout.delivery.celebrities import PULLED_EDGE, AuthorDelivery, DeliveryMode
from fanout.orders import handlers
from fanout.orders.kinds import BEGIN_PULLING, END_PULLING
from fanout.timelines import builds, materialised, snapshots
from feed.timelines import rebuild
from storage import stores
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from tests.backends import timeline_redis_down
from tests.integration.fanout.crossing import CROSSING_STOPS, Scene, begin_again, deliver
from tests.integration.pulling import (
    assert_right,
    recent_list,
)
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person
from tests.stepping import Stepped
from tests.work import open_orders, work_off_everything
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("one_shard", "product")


CROSSED = 4
"""Steps until it has ended: its first write, and up to each of three stops (of two, when it ceases)."""


EVERY_MOMENT = [(begun, reached) for begun in range(CROSSED + 1) for reached in range(begun, CROSSED + 1)]


MOMENTS = {"embedded": EVERY_MOMENT, "cassandra": [(0, CROSSED), *((step, step + 1) for step in range(CROSSED))]}
"""How far the crossing has come before a tweet, and how far while its worker has stopped. What is interleaved is calls
of a store's port and of Redis, and of each such call the contract suite proves on both stores that whoever comes after
it reads it. So every pair is tried on one store. On the other, the worker's stops meet each step alone, and the whole
crossing at once; more steps between two calls of the worker are nothing that a store could tell apart."""


WORKER_STOPS = [(celebrities, "delivery_of"), (snapshots, "take_snapshot"), (following, "follower_page")]


@pytest.mark.parametrize("cross", [celebrities.begin_pulling, celebrities.end_pulling, begin_again])
@pytest.mark.parametrize("worker_steps", range(len(WORKER_STOPS) + 1))
def test_no_step_of_crossing_loses_or_repeats_a_tweet(
    product: str, cross: Callable[[int], None], worker_steps: int
) -> None:
    """Up to step `begun` before the tweet, up to `reached` while its worker has stopped, the rest afterwards."""
    for begun, reached in MOMENTS[product]:
        _cross_and_deliver(cross, worker_steps, begun, reached)


def _cross_and_deliver(cross: Callable[[int], None], worker_steps: int, begun: int, reached: int) -> None:
    scene = Scene(cross)
    with Stepped(lambda: cross(scene.author.id), before=CROSSING_STOPS) as crossing:
        for _ in range(begun):
            crossing.go_on()
        home(scene.constant)
        tweet = post(scene.author)
        with Stepped(lambda: deliver(tweet), after=WORKER_STOPS) as worker:
            for _ in range(worker_steps):
                worker.go_on()
            for _ in range(reached - begun):
                crossing.go_on()
            scene.comes_back()
            home(scene.constant)
        assert worker.has_reached("delivery_of")
        assert worker.has_reached("take_snapshot")
        scene.ids.append(tweet)
        scene.everybody_sees(begun, reached)
        scene.ids.append(scene.post_and_deliver())
        scene.everybody_sees(begun, reached)
    scene.everybody_sees(begun, reached)
    scene.ids.append(scene.post_and_deliver())
    scene.everybody_sees(begun, reached)
    assert_right(*scene.readers, scene.author)


STEPS_OF_A_REBUILD = [
    *(("embedded", steps) for steps in range(CROSSED + 1)),
    *(pytest.param("cassandra", steps, marks=pytest.mark.cassandra) for steps in (1, CROSSED)),
]
"""Every step on one store, as MOMENTS says why; on the other the crossing as it has begun, and the whole of it."""


@pytest.mark.parametrize("cross", [celebrities.begin_pulling, celebrities.end_pulling, begin_again])
@pytest.mark.parametrize(("store", "steps"), STEPS_OF_A_REBUILD, indirect=["store"])
@pytest.mark.parametrize(
    "stop",
    [(builds, "open_build"), (rebuild, "home_authors"), (rebuild, "merge_set"), (builds, "finish_build")],
)
def test_a_rebuild_that_overlaps_a_crossing_loses_nothing(
    cross: Callable[[int], None], steps: int, stop: tuple[object, str]
) -> None:
    """The reader stops at one step; the author crosses up to another; a tweet is posted and delivered."""
    scene = Scene(cross)
    timeline_node().round_trip(materialised.discard_command(scene.returning.id))
    with Stepped(lambda: cross(scene.author.id), before=CROSSING_STOPS) as crossing:
        with Stepped(lambda: rebuild.rebuild(scene.returning.id), after=[stop]) as rebuilding:
            rebuilding.go_on()
            for _ in range(steps):
                crossing.go_on()
            scene.ids.append(scene.post_and_deliver())
        scene.everybody_sees()
        scene.ids.append(scene.post_and_deliver())
        scene.everybody_sees()
    scene.everybody_sees()
    assert_right(*scene.readers, scene.author)


@pytest.mark.parametrize("steps", range(CROSSED + 1))
def test_both_ways_at_once_end_one_way(steps: int) -> None:
    """Whichever operation is the later one, and wherever the earlier one has stopped."""
    for first, second in (
        (celebrities.begin_pulling, celebrities.end_pulling),
        (celebrities.end_pulling, celebrities.begin_pulling),
    ):
        scene = Scene(first)
        with Stepped(partial(first, scene.author.id), before=CROSSING_STOPS) as crossing:
            for _ in range(steps):
                crossing.go_on()
            second(scene.author.id)
            scene.ids.append(scene.post_and_deliver())
            scene.everybody_sees()
        scene.ids.append(scene.post_and_deliver())
        scene.everybody_sees()
        if steps > 0:
            assert (celebrities.delivery_of(scene.author.id) == AuthorDelivery()) == (second is celebrities.end_pulling)
        assert_right(*scene.readers, scene.author)


@pytest.mark.parametrize(
    ("cross", "kind", "steps"),
    [(celebrities.begin_pulling, BEGIN_PULLING, steps) for steps in (1, 2, 3)]
    + [(celebrities.end_pulling, END_PULLING, steps) for steps in (1, 2)],
)
def test_a_crossing_whose_worker_died_is_carried_on_by_its_order(
    cross: Callable[[int], None], kind: str, steps: int
) -> None:
    scene = Scene(cross)
    with Stepped(lambda: cross(scene.author.id), before=CROSSING_STOPS) as crossing:
        for _ in range(steps):
            crossing.go_on()
        crossing.kill()
    assert [order.kind for order in open_orders()] == [kind]
    scene.ids.append(scene.post_and_deliver())
    scene.everybody_sees()
    work_off_everything()
    assert (celebrities.delivery_of(scene.author.id).mode is DeliveryMode.PULLED) == (
        cross is celebrities.begin_pulling
    )
    scene.ids.append(scene.post_and_deliver())
    scene.everybody_sees()
    assert_right(*scene.readers, scene.author)


def test_without_redis_nobody_stops_pushing() -> None:
    scene = Scene()
    with timeline_redis_down(), pytest.raises(Unavailable):
        celebrities.begin_pulling(scene.author.id)
    assert celebrities.delivery_of(scene.author.id).mode is not DeliveryMode.PULLED
    assert [order.kind for order in open_orders()] == [BEGIN_PULLING]
    work_off_everything()
    assert celebrities.delivery_of(scene.author.id).mode is DeliveryMode.PULLED
    scene.ids.append(scene.post_and_deliver())
    scene.everybody_sees()


def test_a_beginning_that_took_too_long_is_begun_anew() -> None:
    """So an entry older than its since and a little may have been pushed, and no other."""
    author = new_person()
    old = make_id(now_us() - (celebrities.LATE_SECONDS + 1) * 1_000_000, 0)
    order = Order(old, BEGIN_PULLING, (author.id,))
    stores.associations().apply([celebrities._edge(author.id, PULLED_EDGE, old, present=True)], order)
    handlers.work_off(order)
    since = celebrities.delivery_of(author.id).since
    assert since is not None
    assert since > old
    assert celebrities.delivery_of(author.id).mode is DeliveryMode.PULLED
    assert open_orders() == []


def test_an_old_order_of_a_crossing_does_not_undo_a_later_one() -> None:
    scene = Scene(celebrities.end_pulling)
    since = celebrities.delivery_of(scene.author.id).since or 0
    celebrities.end_pulling(scene.author.id)
    handlers.work_off(Order(since, BEGIN_PULLING, (scene.author.id,)))
    assert celebrities.delivery_of(scene.author.id) == AuthorDelivery()
    scene.ids.append(scene.post_and_deliver())
    scene.everybody_sees()


def test_a_list_of_an_earlier_time_is_not_read_again() -> None:
    """It is still in Redis, and lacks what was pushed in between."""
    scene = Scene(celebrities.end_pulling)
    celebrities.end_pulling(scene.author.id)
    scene.ids.append(scene.post_and_deliver())
    celebrities.begin_pulling(scene.author.id)
    scene.ids.append(scene.post_and_deliver())
    scene.everybody_sees()
    assert recent_list(scene.constant, scene.author) == scene.ids[::-1]
    assert_right(*scene.readers, scene.author)


def test_a_timeline_that_slept_through_a_whole_time_of_pulling_is_made_anew() -> None:
    """It merges nobody, which is right again; but what was written meanwhile was not pushed to it."""
    scene = Scene()
    celebrities.begin_pulling(scene.author.id)
    scene.ids.append(scene.post_and_deliver())
    celebrities.end_pulling(scene.author.id)
    scene.everybody_sees("after a whole time of pulling")


def test_a_deletion_while_both_ways_are_open_reaches_both() -> None:
    """Pushed and in the recent lists."""
    scene = Scene()
    with Stepped(lambda: celebrities.begin_pulling(scene.author.id), before=CROSSING_STOPS) as crossing:
        for _ in range(3):
            crossing.go_on()
        home(scene.constant)
        gone = scene.post_and_deliver()
        assert gone in (in_redis(scene.constant) or [])
        assert gone in (recent_list(scene.constant, scene.author) or [])
    delete_tweet(tweet_id=gone, viewer=viewer(scene.author))
    work_off_everything()
    assert gone not in (in_redis(scene.constant) or [])
    assert_right(*scene.readers, scene.author)
