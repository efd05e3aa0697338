"""Writes that break off after any row: once the sweeper came by, all of it stands or nothing, and may be repeated.

Of the store that writes several rows (storage/cassandra/outbox.py); in SQLite a write is one transaction.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from unittest.mock import DEFAULT, patch

import msgspec
import pytest
from django.test import override_settings

from accounts.graph import blocks, follows
from accounts.graph.kinds import BLOCK, MUTE
from accounts.staff.roles import Role
from fanout.orders.kinds import DELIVER, RESTORE
from fanout.tasks import work_order
from storage import stores
from storage.cassandra import redo, session
from storage.cassandra.finishing import LEFT_US, REDO_US
from storage.cassandra.outbox import forget_known
from storage.errors import Refused, Unavailable
from storage.ids.snowflakes import now_us
from storage.ports.associations import Change, End
from storage.ports.outbox import SHARDS, Order
from storage.ports.ranges import Range
from tests.ids import new_id
from tests.integration.tweeting import viewer
from tests.people import new_person, new_staff
from tests.torn import torn_after
from tests.work import open_orders
from tweets.entities import Tweet
from tweets.kinds import LIKE, QUOTE, RETWEET
from tweets.stores.port import tweet_store
from tweets.writing.restoring import restore_tweet

pytestmark = pytest.mark.cassandra

FOLLOW = "follow"
Write = Callable[[], None]


@pytest.fixture(autouse=True)
def on_cassandra(database: None, cassandra: None, empty_cassandra_outbox: None) -> Iterator[None]:
    with override_settings(STORE="cassandra"), patch.object(session, "write_unwaited", session.execute):
        stores.reset()
        tweet_store.cache_clear()
        yield
    stores.reset()
    tweet_store.cache_clear()


class World:
    """Two people, and a tweet of one that the other has liked, retweeted and answered, quoting it, when asked to."""

    def __init__(self) -> None:
        self.began = new_id()
        self.ada, self.bob = new_id(), new_id()
        self.tweet = self.tweet_of(self.ada)
        self.about = [self.tweet.id]
        self.edge: tuple[str, int] | None = None
        tweet_store().add(self.tweet, None)
        forget_known()

    def tweet_of(self, author: int, *, in_home: bool = True, **about: int) -> Tweet:
        """`about` is what it replies to, quotes or retweets."""
        tweet_id = new_id()
        tweet = Tweet(id=tweet_id, author_id=author, text="hello", conversation_id=tweet_id, in_home=in_home)
        return msgspec.structs.replace(tweet, **about)

    def adding(self, tweet: Tweet, kind: str | None = None) -> Write:
        self.about.append(tweet.id)
        source = tweet.id if kind == QUOTE else tweet.author_id
        self.edge = (kind, source) if kind else None
        edges = [Change(source, kind, self.tweet.id, tweet.id, present=True)] if kind else []
        order = Order(tweet.id, DELIVER, (tweet.id, tweet.author_id)) if tweet.in_home else None
        return lambda: tweet_store().add(tweet, order, edges)

    def deleting(self, tweet: Tweet, kind: str | None = None) -> Write:
        self.adding(tweet, kind)()
        op = new_id()
        source = tweet.id if kind == QUOTE else tweet.author_id
        edges = [Change(source, kind, self.tweet.id, op, present=False)] if kind else []
        order = Order(op, "retract", (tweet.id, tweet.author_id))
        return lambda: tweet_store().delete(tweet, op=op, by=tweet.author_id, order=order, edges=edges)

    def restoring(self, tweet: Tweet) -> Write:
        self.adding(tweet)()
        removal, op = new_id(), new_id()
        tweet_store().delete(tweet, op=removal, by=self.ada, order=Order(removal, "retract", (tweet.id, self.bob)))
        deleted = tweet_store().get_many([tweet.id])[tweet.id]
        return lambda: tweet_store().restore(deleted, op=op, order=Order(op, RESTORE, (tweet.id, tweet.author_id)))

    def changing(self, kind: str, target: int, *, present: bool = True, order: bool = False) -> Write:
        if not present:
            self.changing(kind, target)()
        op = new_id()
        self.edge = (kind, self.bob)
        change = Change(self.bob, kind, target, op, present=present)
        return lambda: stores.associations().apply([change], Order(op, "graph", (self.bob,)) if order else None)

    def seen(self) -> list[object]:
        """All that can be read of it."""
        return [
            tweet_store().get_many(self.about),
            *[self._of_author(author) for author in (self.ada, self.bob)],
            [each for each in tweet_store().public(limit=100) if each in self.about],
            tweet_store().replies(self.tweet.id, limit=10),
            tweet_store().count_replies([self.tweet.id]),
            tweet_store().retweets_of(self.tweet.id, self.bob),
            tweet_store().deletions(after=self.began, limit=100),
            self._edges(*self.edge) if self.edge else [],
            [order for order in open_orders() if order.id > self.began],
        ]

    def _of_author(self, author: int) -> list[object]:
        listed = [tweet_store().by_author(author, replies=replies, limit=10) for replies in (True, False)]
        return [listed, tweet_store().home_entries([author], limit=10), tweet_store().count_by_author(author)]

    def _edges(self, kind: str, source: int) -> list[object]:
        store = stores.associations()
        targets = (self.ada, self.tweet.id)
        return [
            store.find(source, kind, targets),
            store.targets(source, kind),
            store.newest_of_many(kind, End.SOURCE, {source: Range(None, None, 10)}),
            store.newest_of_many(kind, End.TARGET, {each: Range(None, None, 10) for each in targets}),
            [store.bucket_sources(each, kind, 0, limit=10) for each in targets],
            store.count_sources_many(targets, [kind]),
        ]


WRITES: dict[str, Callable[[World], Write]] = {
    "post": lambda it: it.adding(it.tweet_of(it.bob)),
    "reply": lambda it: it.adding(it.tweet_of(it.bob, in_home=False, reply_to_id=it.tweet.id)),
    "quote": lambda it: it.adding(it.tweet_of(it.bob, quote_of_id=it.tweet.id), QUOTE),
    "quoting reply": lambda it: it.adding(
        it.tweet_of(it.bob, in_home=False, reply_to_id=it.tweet.id, quote_of_id=it.tweet.id), QUOTE
    ),
    "retweet": lambda it: it.adding(it.tweet_of(it.bob, retweet_of_id=it.tweet.id), RETWEET),
    "delete": lambda it: it.deleting(it.tweet_of(it.bob, reply_to_id=it.tweet.id)),
    "delete a quote": lambda it: it.deleting(it.tweet_of(it.bob, quote_of_id=it.tweet.id), QUOTE),
    "unretweet": lambda it: it.deleting(it.tweet_of(it.bob, retweet_of_id=it.tweet.id), RETWEET),
    "restore": lambda it: it.restoring(it.tweet_of(it.bob, reply_to_id=it.tweet.id)),
    "like": lambda it: it.changing(LIKE, it.tweet.id),
    "unlike": lambda it: it.changing(LIKE, it.tweet.id, present=False),
    "follow": lambda it: it.changing(FOLLOW, it.ada, order=True),
    "unfollow": lambda it: it.changing(FOLLOW, it.ada, present=False, order=True),
}


def sweep() -> None:
    """As workers do with what the sweeper sends, and as it does itself some time later."""
    for order in open_orders():
        stores.outbox().finished_order(order.id)
    stores.outbox().finish_writes(now_us=now_us() + 2 * LEFT_US)


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("name", WRITES)
def test_all_of_it_stands_or_nothing_wherever_it_broke_off(name: str, backwards: bool) -> None:
    outcomes = set()
    for rows in itertools.count():
        world = World()
        write = WRITES[name](world)
        forget_known()
        before = world.seen()
        with torn_after(rows, backwards=backwards) as torn, suppress(Unavailable):
            write()
        if not torn.broke:
            break
        sweep()
        found = world.seen()
        write()
        whole = world.seen()
        assert whole != before
        assert found in (before, whole), f"broken off after {rows} rows"
        outcomes.add(found == whole)
    assert rows > 4
    assert outcomes == {True, False}, "before the record nothing, after it everything"


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_what_is_deleted_before_it_was_finished_stays_deleted(backwards: bool) -> None:
    for rows in itertools.count():
        world = World()
        tweet = world.tweet_of(world.bob, quote_of_id=world.tweet.id)
        write = world.adding(tweet, QUOTE)
        forget_known()
        with torn_after(rows, backwards=backwards) as torn, suppress(Unavailable):
            write()
        op = new_id()
        removal = Change(tweet.id, QUOTE, world.tweet.id, op, present=False)
        retract = Order(op, "retract", (tweet.id, world.bob))
        tweet_store().delete(tweet, op=op, by=world.bob, order=retract, edges=[removal])
        for _ in range(2):
            sweep()
            assert tweet_store().by_author(world.bob, replies=True, limit=10) == []
            assert tweet_store().home_entries([world.bob], limit=10) == []
            assert tweet.id not in tweet_store().public(limit=100)
            assert tweet_store().count_by_author(world.bob) == 0
            assert stores.associations().count_sources(world.tweet.id, QUOTE) == 0
            assert stores.associations().newest_sources(world.tweet.id, QUOTE, limit=10) == []
            assert [each.id for each in open_orders() if each.id > world.began] == [op]
            # The writer was only slow.
            write()
        if not torn.broke:
            break


def test_a_like_that_was_taken_back_before_it_was_finished_stays_so() -> None:
    for rows in itertools.count():
        world = World()
        like = world.changing(LIKE, world.tweet.id)
        forget_known()
        with torn_after(rows) as torn, suppress(Unavailable):
            like()
        stores.associations().apply([Change(world.bob, LIKE, world.tweet.id, new_id(), present=False)])
        sweep()
        assert stores.associations().find(world.bob, LIKE, [world.tweet.id]) == {}
        assert stores.associations().count_sources(world.tweet.id, LIKE) == 0
        assert stores.associations().newest_targets(world.bob, LIKE, limit=10) == []
        if not torn.broke:
            break


def test_a_listing_counts_as_standing_only_when_it_was_acknowledged() -> None:
    """Else whoever writes next would leave it out, and readers would not look where it lists."""
    for rows in itertools.count():
        world = World()
        tweet = world.tweet_of(world.bob)
        write = world.adding(tweet)
        forget_known()
        with torn_after(rows) as torn, suppress(Unavailable):
            write()
        write()
        assert tweet_store().by_author(world.bob, replies=True, limit=10) == [tweet.id], f"after {rows} rows"
        if not torn.broke:
            break


def test_what_was_finished_is_not_finished_again() -> None:
    world = World()
    sweep()
    world.changing(LIKE, world.tweet.id)()
    assert stores.outbox().finish_writes(now_us=now_us() + 2 * LEFT_US) == 0


def test_what_its_process_may_be_at_is_left_to_it() -> None:
    world = World()
    with torn_after(4) as torn, suppress(Unavailable):
        world.changing(LIKE, world.tweet.id)()
    assert torn.broke
    assert stores.outbox().finish_writes(now_us=now_us()) == 0
    assert stores.outbox().finish_writes(now_us=now_us() + 2 * LEFT_US) == 1


def test_one_that_cannot_be_finished_holds_up_no_other() -> None:
    worlds = [World() for _ in range(2)]
    for world in worlds:
        with torn_after(4), suppress(Unavailable):
            world.changing(LIKE, world.tweet.id)()
    with patch.object(redo, "decode", side_effect=[ValueError, DEFAULT], wraps=redo.decode):
        assert stores.outbox().finish_writes(now_us=now_us() + 2 * LEFT_US) == 1
    assert stores.outbox().finish_writes(now_us=now_us() + 2 * LEFT_US) == 1
    for world in worlds:
        assert stores.associations().count_sources(world.tweet.id, LIKE) == 1


def test_what_was_recorded_long_ago_is_not_done_again() -> None:
    """What undid it may have left no tombstone any more."""
    world = World()
    with torn_after(4) as torn, suppress(Unavailable):
        world.changing(LIKE, world.tweet.id)()
    assert torn.broke
    seen = world.seen()
    later = now_us() + REDO_US + LEFT_US
    with patch("storage.cassandra.finishing.now_us", lambda: later):
        stores.outbox().finish_writes(now_us=later)
    assert world.seen() == seen


def test_minutes_of_writes_are_forgotten_when_all_in_them_is_finished() -> None:
    world = World()
    with torn_after(4), suppress(Unavailable):
        world.changing(LIKE, world.tweet.id)()
    later = now_us() + 600_000_000
    stores.outbox().discard_closed(now_us=later)
    assert stores.outbox().finish_writes(now_us=later) == 1, "an unfinished one is not forgotten"
    assert stores.outbox().discard_closed(now_us=later) >= 1
    assert open_orders() == []
    assert stores.associations().count_sources(world.tweet.id, LIKE) == 1


def test_a_post_needs_five_rows_once_its_listings_stand() -> None:
    """Besides those of the outbox and the public feed, which each minute and shard needs once a process: three."""
    world = World()
    world.adding(world.tweet_of(world.bob))()
    with torn_after(1_000) as torn:
        for _ in range(40):
            world.adding(world.tweet_of(world.bob))()
    assert 40 * 5 <= torn.written <= 40 * 5 + 2 * SHARDS * 3


@pytest.mark.parametrize("how", [{"resent": True}, {"found": True}], ids=["again", "by the sweeper"])
def test_an_order_whose_writer_did_not_send_it_is_worked_off_when_what_it_announces_stands(
    redis_servers: None, how: dict[str, bool]
) -> None:
    ada = new_person()
    for rows in itertools.count():
        world = World()
        tweet = world.tweet_of(ada.id)
        write = world.adding(tweet)
        forget_known()
        with torn_after(rows) as torn, suppress(Unavailable):
            write()
        if not torn.broke:
            break
        for order in open_orders():
            work_order(order.id, order.kind, **how)
        assert open_orders() == []
        listed = tweet_store().by_author(ada.id, replies=True, limit=100)
        assert (tweet.id in listed) == (tweet.id in tweet_store().get_many([tweet.id]))


def test_restoring_again_says_that_it_is_restored_only_when_all_of_it_stands(redis_servers: None) -> None:
    """The first one broke off; before it was answered, the second did the rest, and told a worker."""
    ada, staff = new_person(), viewer(new_staff(Role.MODERATOR))
    answered = 0
    for rows in itertools.count():
        world = World()
        tweet = world.tweet_of(ada.id)
        world.adding(tweet)()
        removal = new_id()
        retract = Order(removal, "retract", (tweet.id, ada.id))
        tweet_store().delete(tweet, op=removal, by=staff.id, order=retract)
        forget_known()
        with torn_after(rows) as torn, suppress(Unavailable):
            restore_tweet(tweet_id=tweet.id, viewer=staff, reason="A mistake.")
        if not torn.broke:
            break
        with suppress(Refused):
            restore_tweet(tweet_id=tweet.id, viewer=staff, reason="A mistake.")
            answered += 1
            assert tweet.id in tweet_store().by_author(ada.id, replies=True, limit=100), f"after {rows} rows"
            assert tweet.id in tweet_store().home_entries([ada.id], limit=100)
            assert tweet.id in tweet_store().public(limit=100)
    assert answered > 4


@pytest.mark.parametrize(
    ("kind", "make", "lift"), [(BLOCK, blocks.block, blocks.unblock), (MUTE, blocks.mute, blocks.unmute)]
)
def test_a_block_stands_once_it_was_acknowledged_whatever_is_finished_later(
    redis_servers: None, kind: str, make: Callable[[int, int], None], lift: Callable[[int, int], None]
) -> None:
    """Lifting it broke off, unseen; then it was asked for again."""
    ada, bob = new_person(), new_person()
    make(ada.id, bob.id)
    for rows in itertools.count():
        forget_known()
        with torn_after(rows) as torn, suppress(Unavailable):
            lift(ada.id, bob.id)
        if not torn.broke:
            break
        make(ada.id, bob.id)
        sweep()
        assert follows.has_edge(ada.id, kind, bob.id), f"after {rows} rows"
    assert rows > 3
