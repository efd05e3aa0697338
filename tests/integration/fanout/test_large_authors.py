"""Large authors' orders: handed out in parts, in tasks of bounded work, recorded when they have ended.

Real workers do it in tests/e2e/test_large_authors.py; here one step at a time.
"""

import random
from unittest.mock import patch

import pytest
from kombu.exceptions import OperationalError

from accounts.graph import following, follows
from accounts.graph.kinds import FOLLOW
from fanout import tasks
from fanout.delivery import celebrities, fan_out
from fanout.orders import handlers
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import bucket_of
from storage.ports.outbox import Order
from storage.stores import associations, outbox
from tests.integration.fanout.followers import followed_by_active
from tests.integration.tweeting import home, in_redis, post
from tests.people import new_person
from tests.work import open_orders, work_off_everything, work_off_wholly

pytestmark = pytest.mark.usefixtures("product")


def test_each_bucket_is_a_part_and_the_last_part_ends_the_order() -> None:
    author = new_person()
    early, late = [new_person() for _ in range(6)], [new_person() for _ in range(10)]
    for reader in early:
        follows.follow(reader.id, author.id)
    associations().grow(author.id, FOLLOW, 2)
    for reader in late:
        follows.follow(reader.id, author.id)
    readers = [*early, *late]
    for reader in [*readers, author]:
        home(reader)
    work_off_everything()
    tweet = post(author)
    [order] = open_orders()
    parts: list[tuple[int, int]] = []
    with patch.object(fan_out, "enqueue_part", lambda order, part, of, **_: parts.append((part, of))):
        handlers.work_off(order)
    assert sorted(parts) == [(part, 4) for part in range(4)]
    dice = random.Random(1)
    for number, (part, of) in enumerate(dice.sample(parts, 4)):
        assert open_orders() == [order], f"still open after {number} parts"
        fan_out.work_off_part(order, part, of)
    assert open_orders() == []
    assert all(home(reader) == [tweet] for reader in [*readers, author])
    for part, of in parts:
        fan_out.work_off_part(order, part, of)
    assert all(home(reader) == [tweet] for reader in readers), "a repeated part shows nothing twice"


def test_an_order_sent_again_hands_out_only_what_is_missing() -> None:
    author = new_person()
    associations().grow(author.id, FOLLOW, 2)
    post(author)
    [order] = open_orders()
    fan_out.work_off_part(order, 1, 4)
    parts: list[int] = []
    with patch.object(fan_out, "enqueue_part", lambda order, part, of, **_: parts.append(part)):
        handlers.work_off(order)
    assert parts == [0, 2, 3]
    with patch.object(fan_out, "_push_pages") as pushed:
        fan_out.work_off_part(order, 1, 4)
    pushed.assert_not_called()


def test_parts_of_a_repetition_that_saw_more_buckets_do_not_end_the_order() -> None:
    """Sent at level 1, part 1 failed, the author grew, part 2 of 4 ran, part 0 of 2 came again."""
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    post(author)
    [order] = open_orders()
    for part, parts in ((0, 2), (2, 4), (0, 2)):
        fan_out.work_off_part(order, part, parts)
    assert open_orders() == [order]
    fan_out.work_off_part(order, 1, 2)
    assert open_orders() == []


def test_an_author_of_one_page_is_worked_off_at_once_and_a_larger_one_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 3)
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


def test_a_task_pushes_to_so_many_pages_and_leaves_the_rest_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    monkeypatch.setattr(fan_out, "PAGES_A_TASK", 3)
    author = new_person()
    readers = followed_by_active(author, 17)
    tweet = post(author)
    [order] = open_orders()
    read: list[int] = []
    page = following.follower_page

    def follower_page(author_id: int, bucket: int, after: int, limit: int) -> list[int]:
        found = page(author_id, bucket, after, limit)
        read.append(len(found))
        return found

    monkeypatch.setattr(following, "follower_page", follower_page)
    monkeypatch.setattr(celebrities, "reconsider", lambda *_, **__: None)
    assert work_off_wholly(order) == 4
    assert read == [2, *[2] * 3, *[2] * 3, 2, 1], "one page, then three a task"
    assert open_orders() == []
    assert all(in_redis(reader) == [tweet] for reader in readers)


def test_a_part_that_was_lost_half_way_begins_anew_and_shows_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    monkeypatch.setattr(fan_out, "PAGES_A_TASK", 1)
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    readers = followed_by_active(author, 12)
    tweet = post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part") as left:
        fan_out.work_off_part(order, 0, 2)
    left.assert_called_once()
    assert outbox().finished_parts(order.id) == set()
    fan_out.work_off_part(order, 1, 2, after=MAX_ID - 1)
    assert outbox().finished_parts(order.id) == {1}, "whose task came to the end of the bucket"
    assert open_orders() == [order]
    work_off_wholly(order)
    assert open_orders() == []
    in_first = {reader.id for reader in readers if bucket_of(reader.id, 1) == 0}
    for reader in readers:
        assert in_redis(reader) == ([tweet] if reader.id in in_first else [])


def test_an_order_whose_rest_the_broker_does_not_take_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    author = new_person()
    followed_by_active(author, 5)
    post(author)
    [order] = open_orders()
    with (
        patch("fanout.orders.dispatch.current_app.send_task", side_effect=OperationalError),
        pytest.raises(Unavailable),
    ):
        handlers.work_off(order)
    assert open_orders() == [order]


def test_a_part_whose_next_task_waits_is_not_handed_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    monkeypatch.setattr(fan_out, "PAGES_A_TASK", 1)
    author = new_person()
    followed_by_active(author, 7)
    post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part") as enqueued:
        handlers.work_off(order)
        after = enqueued.call_args.kwargs["after"]
        tasks.work_part(order.id, order.kind, 0, 1, after=after)
        assert enqueued.call_count == 2, "the part, and what is left of it"
        handlers.work_off(order, resent=True)
        assert enqueued.call_count == 2


def test_parts_that_the_broker_did_not_take_are_handed_out_at_the_next_try() -> None:
    author = new_person()
    associations().grow(author.id, FOLLOW, 2)
    post(author)
    [order] = open_orders()
    taken: list[int] = []

    def takes_one(_order: Order, part: int, _parts: int, **_: int) -> None:
        if taken:
            raise Unavailable("redis_broker")
        taken.append(part)

    with patch.object(fan_out, "enqueue_part", takes_one), pytest.raises(Unavailable):
        handlers.work_off(order)
    with patch.object(fan_out, "enqueue_part") as enqueued:
        handlers.work_off(order)
    assert (taken, [call.args[1] for call in enqueued.call_args_list]) == ([0], [1, 2, 3])


@pytest.mark.parametrize("error", [Unavailable("redis_timelines"), ValueError("a bug")], ids=["outage", "fault"])
def test_a_part_that_failed_is_handed_out_at_the_next_try(error: Exception) -> None:
    """Though its claim would have lasted for longer."""
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part") as enqueued:
        handlers.work_off(order)
        with patch.object(fan_out, "_push_pages", side_effect=error):
            tasks.work_part(order.id, order.kind, 1, 2)
        handlers.work_off(order, resent=True)
    assert [call.args[1] for call in enqueued.call_args_list] == [0, 1, 1]


def test_followers_in_a_bucket_that_appeared_after_handing_out_have_the_tweet() -> None:
    """They are in none of the parts: following made their timeline outdated, and its rebuild pulls."""
    author = new_person()
    associations().grow(author.id, FOLLOW, 1)
    stayed = followed_by_active(author, 6)
    new, returned = new_person(), stayed[0]
    home(new)
    tweet = post(author)
    [order] = open_orders()
    with patch.object(fan_out, "enqueue_part"):
        handlers.work_off(order)
    associations().grow(author.id, FOLLOW, 6)
    follows.unfollow(returned.id, author.id)
    for reader in (new, returned):
        follows.follow(reader.id, author.id)
    for part in range(2):
        fan_out.work_off_part(order, part, 2)
    assert order not in open_orders()
    assert in_redis(new) is None, "outdated"
    for reader in (*stayed, new):
        assert home(reader) == [tweet]
        assert in_redis(reader) == [tweet]
