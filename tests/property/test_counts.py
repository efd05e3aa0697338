"""Every count is what its list shows to a stranger, whatever people, staff and workers do in whatever order.

The lists are the oracle: what may be shown is decided anew whenever a page is made, and a count is
not. Orders wait, overtake one another, come twice and end in the midst of their pages. And whatever has
become of a tweet or its author, a mark that was taken back is gone.

`COUNTED` says how many interleavings; a failure says its seed.
"""

import os
import random
from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import TypeVar
from unittest.mock import patch

import pytest

from accounts.account_cache import accounts
from accounts.graph import blocks, follows
from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.graph.listings import followers_page, following_page
from accounts.models import User
from accounts.people import suspending
from fanout.orders.dispatch import dispatcher
from storage.errors import Forbidden, NotFound, Refused
from storage.ports.outbox import Order
from storage.redis.count_cache import counts_of
from storage.redis.node import timeline_node
from storage.stores import associations
from storage.web.paging import Page, PageRequest
from tests.integration.tweeting import post, seen, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_wholly
from tweets.caches.author_counts import TWEETS_BY_AUTHOR
from tweets.kinds import BOOKMARK, LIKE, RETWEET
from tweets.reading.selectors import author_page, likers_page, retweeters_page
from tweets.reading.threads import replies_page
from tweets.writing import withholding
from tweets.writing.liking import bookmark, like, unbookmark, unlike
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, unretweet

COUNTED = int(os.environ.get("COUNTED", "8"))
STEPS = 40
PEOPLE = 5
WHOLE = PageRequest(limit=100)

MARKS = ((like, unlike, LIKE), (retweet, unretweet, RETWEET), (bookmark, unbookmark, BOOKMARK))
GRAPH = (*[follows.follow] * 4, *[follows.unfollow] * 2, blocks.block, blocks.unblock)


Shown = TypeVar("Shown")


class Crowd:
    """A few people, what they have written, and the orders that have been worked off."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.staff = new_person(staff=True)
        self.people = [new_person() for _ in range(PEOPLE)]
        self.tweets = [post(each) for each in self.people]
        self.suspended: set[User] = set()
        self.worked: list[Order] = []
        self._meet()
        self.acts: dict[Callable[[], None], int] = {
            self.write: 3,
            self.mark: 6,
            self.take_back: 3,
            self.change_the_graph: 4,
            self.delete: 1,
            self.suspend: 2,
            self.restore: 2,
            self.work: 6,
            self.work_again: 2,
            self.look: 2,
            self.flush: 1,
        }

    def _meet(self) -> None:
        """Half of them follow each other and have marked what the others wrote."""
        for person, tweet in product(self.people, self.tweets):
            if self.dice.random() < 0.5:
                like(viewer=viewer(person), tweet_id=tweet)
                retweet(viewer=viewer(person), tweet_id=tweet)
        for one, two in permutations(self.people, 2):
            if self.dice.random() < 0.5:
                follows.follow(one.id, two.id)
        self.end()

    def step(self) -> None:
        [act] = self.dice.choices([*self.acts], [*self.acts.values()])
        try:
            act()
        except (NotFound, Refused, Forbidden):
            """Somebody suspended or blocked, or something that is gone."""

    def write(self) -> None:
        person, target = self._present(), self.dice.choice(self.tweets)
        of_target = post(person, reply_to=target) if self.dice.random() < 0.5 else post(person, quote_of=target)
        self.tweets.append(of_target)

    def mark(self) -> None:
        make, _, _ = self.dice.choice(MARKS)
        make(viewer=viewer(self._present()), tweet_id=self.dice.choice(self.tweets))

    def take_back(self) -> None:
        """Of anything, and never refused."""
        person, tweet = self._present(), self.dice.choice(self.tweets)
        _, undo, kind = self.dice.choice(MARKS)
        try:
            undo(viewer=viewer(person), tweet_id=tweet)
        except (NotFound, Refused, Forbidden) as error:
            raise AssertionError(f"a {kind} cannot be taken back") from error
        assert not associations().find(person.id, kind, [tweet])

    def change_the_graph(self) -> None:
        self.dice.choice(GRAPH)(self._present().id, self.dice.choice(self.people).id)

    def delete(self) -> None:
        delete_tweet(tweet_id=self.dice.choice(self.tweets), viewer=viewer(self.staff))

    def suspend(self) -> None:
        person = self.dice.choice(self.people)
        if len(self.suspended | {person}) < PEOPLE - 1:
            suspending.suspend(person, by=self.staff)
            self.suspended.add(person)

    def restore(self) -> None:
        if self.suspended:
            person = self.dice.choice(sorted(self.suspended, key=lambda each: each.id))
            suspending.restore(person, by=self.staff)
            self.suspended.remove(person)

    def work(self) -> None:
        orders = open_orders()
        for order in self.dice.sample(orders, len(orders) // 2 + 1 if orders else 0):
            work_off_wholly(order)
            self.worked.append(order)

    def work_again(self) -> None:
        if self.worked:
            work_off_wholly(self.dice.choice(self.worked))

    def look(self) -> None:
        """So that counts stand in Redis before they change."""
        for person in self.people:
            counts_of(person.id, [FOLLOWERS, FOLLOWING, TWEETS_BY_AUTHOR])
        for tweet in self.tweets:
            if self._is_shown(tweet):
                seen(tweet)

    def flush(self) -> None:
        timeline_node().round_trip(("FLUSHALL",))
        accounts.forget_all()

    def end(self) -> None:
        while orders := open_orders():
            for order in orders:
                work_off_wholly(order)

    def compare(self) -> None:
        """Every profile and tweet that a stranger can open."""
        for person in set(self.people) - self.suspended:
            counted = counts_of(person.id, [FOLLOWERS, FOLLOWING, TWEETS_BY_AUTHOR])
            name = person.username
            tweets = author_page(name, None, WHOLE, replies=True)
            assert counted == [
                size(followers_page(name, None, WHOLE)),
                size(following_page(name, None, WHOLE)),
                size(tweets) + self._shown_once(person, tweets),
            ], f"{name}: {counted}"
        for tweet in self.tweets:
            if self._is_shown(tweet):
                counts = seen(tweet).counts
                lists = [
                    size(replies_page(tweet, None, WHOLE)),
                    size(retweeters_page(tweet, None, WHOLE)),
                    size(likers_page(tweet, None, WHOLE)),
                ]
                assert [counts.replies, counts.retweets, counts.likes] == lists, f"{tweet}: {counts}"

    def _present(self) -> User:
        return self.dice.choice([each for each in self.people if each not in self.suspended])

    def _is_shown(self, tweet: int) -> bool:
        try:
            seen(tweet)
        except NotFound:
            return False
        return True

    def _shown_once(self, person: User, page: Page[Shown]) -> int:
        """Their own tweets that they retweet as well: the page shows the newer of the two."""
        retweeted = [each.target for each in associations().newest_targets(person.id, RETWEET, limit=100)]
        return sum(seen(each).author.id == str(person.id) for each in retweeted if self._is_shown(each))


def size(page: Page[Shown]) -> int:
    assert page.older is None
    return len(page.items)


@pytest.fixture
def crowd(store: str, empty_outbox: None, redis_servers: None) -> Iterator[Callable[[int], Crowd]]:
    accounts.forget_all()
    with patch.object(dispatcher, "send"), patch.multiple(withholding, PAGE=2, PAGES_AN_ORDER=2):
        yield Crowd


@pytest.mark.timeout(0)
def test_every_count_is_what_its_list_shows(crowd: Callable[[int], Crowd]) -> None:
    for seed in range(1, COUNTED + 1):
        some = crowd(seed)
        for _ in range(STEPS):
            some.step()
        some.end()
        try:
            some.compare()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
