"""Crossing the line of PUSH_MAX_FOLLOWERS step by step, with readers of each kind."""

from collections.abc import Callable

from accounts.graph import follows
from fanout.delivery import celebrities
from fanout.orders import handlers
from fanout.orders.kinds import DELIVER
from fanout.timelines import materialised
from storage.redis.node import timeline_node
from tests.integration.pulling import (
    counted_just_now,
)
from tests.integration.tweeting import home, post
from tests.people import new_person
from tests.work import open_orders

CROSSING_STOPS = [(celebrities, "_write"), (celebrities, "raise_epoch")]


def deliver(*entry_ids: int) -> None:
    """Works off the orders of these entries, and no other."""
    for order in open_orders():
        if order.kind == DELIVER and order.args[0] in entry_ids:
            handlers.work_off(order)


def begin_again(author_id: int) -> None:
    """As `begin`, of somebody who was pulled before: what is left of that time says nothing."""
    celebrities.begin_pulling(author_id)


class Scene:
    """An author with a tweet, about to cross, and three followers: one reads on, one comes back, one has never read."""

    def __init__(self, cross: Callable[[int], None] = celebrities.begin_pulling) -> None:
        self.author = new_person()
        self.constant, self.returning, self.new = self.readers = [new_person() for _ in range(3)]
        for reader in self.readers:
            follows.follow(reader.id, self.author.id)
        if cross is not celebrities.begin_pulling:
            celebrities.begin_pulling(self.author.id)
        if cross is begin_again:
            celebrities.end_pulling(self.author.id)
        counted_just_now(self.author)
        self.ids = [self.post_and_deliver()]
        for reader in (self.constant, self.returning):
            home(reader)

    def post_and_deliver(self) -> int:
        tweet = post(self.author)
        deliver(tweet)
        return tweet

    def comes_back(self) -> None:
        timeline_node().round_trip(materialised.discard_command(self.returning.id))
        home(self.returning)

    def everybody_sees(self, *what: object) -> None:
        for reader in self.readers:
            assert home(reader) == self.ids[::-1], what
