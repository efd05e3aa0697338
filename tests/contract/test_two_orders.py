"""A write that two orders announce: both are there with it, each is done by itself, and alone either is enough."""

import pytest

from storage import stores
from storage.ports.associations import AssociationStore
from storage.ports.outbox import Order, Outbox
from tests.contract.edges import FOLLOW, add
from tests.ids import new_id
from tweets.entities import Tweet
from tweets.stores.port import tweet_store


def orders() -> tuple[Order, Order]:
    return Order(new_id(), "graph", (1,)), Order(new_id(), "notify", (2, 3, 1, 4))


def test_both_are_open_with_what_they_announce_and_done_one_by_one(outbox: Outbox) -> None:
    associations: AssociationStore = stores.associations()
    order, also = orders()
    edge = add(new_id(), new_id())
    associations.apply([edge], order, also=also)
    assert outbox.open_orders(before=new_id(), limit=9) == [order, also]
    assert associations.find(edge.source, FOLLOW, [edge.target])[edge.target].op == edge.op
    assert [outbox.finished_order(each.id) for each in (order, also)] == [order, also]
    assert outbox.finish_orders([order.id, also.id, new_id()]) == set()
    outbox.mark_done(order.id)
    assert outbox.open_orders(before=new_id(), limit=9) == [also]
    outbox.mark_done(also.id)
    assert outbox.open_orders(before=new_id(), limit=9) == []


def test_the_other_one_alone_is_an_order_as_any(outbox: Outbox) -> None:
    _, also = orders()
    edge = add(new_id(), new_id())
    stores.associations().apply([edge], also=also)
    assert outbox.open_orders(before=new_id(), limit=9) == [also]
    assert outbox.finished_order(also.id) == also
    assert edge.target in stores.associations().find(edge.source, FOLLOW, [edge.target])


@pytest.mark.parametrize("with_order", [True, False])
def test_a_tweet_has_both_and_its_deletion_closes_its_own(outbox: Outbox, with_order: bool) -> None:
    tweet = Tweet(new_id(), new_id(), "hello", 1, in_home=True)
    order = Order(tweet.id, "deliver", (tweet.id, tweet.author_id)) if with_order else None
    _, also = orders()
    for _ in range(2):
        tweet_store().add(tweet, order, also=also)
    assert outbox.open_orders(before=new_id(), limit=9) == [each for each in (order, also) if each is not None]
    tweet_store().delete(tweet, op=new_id(), by=tweet.author_id, order=None)
    assert outbox.open_orders(before=new_id(), limit=9) == [also]
