"""The product as a few people use it, with everything that may happen to its backends.

Real services, real Redis, the store in use. Each change is told to the oracle as facts: unsure
from before the call until it has answered, and, when Redis was away meanwhile, until the product
has had its time to make good what it could not say (`recover`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any
from unittest.mock import patch

import redis
from django.conf import settings
from django.test import override_settings

from accounts.account_cache import accounts, changes
from accounts.entities import Viewer
from accounts.graph import exclusions
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from deploy.valkey import Valkey
from fanout.delivery import celebrities, fan_out, pushing
from fanout.timelines import builds, materialised, recents
from feed.timelines import merging, rebuild
from storage.errors import Forbidden, NotFound, Refused, Unavailable
from storage.ids import settling
from storage.ids.snowflakes import MAX_ID, now_us
from storage.ports.associations import Change
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.stores import associations, ids, outbox
from tests.backends import timeline_redis_down
from tests.people import new_person
from tests.property.broker import Broker
from tests.property.oracle import FOLLOWS, POSTED, Entry, Fact, Known, Oracle
from tests.property.pauses import Operation, current, stopping
from tweets.entities import Tweet
from tweets.stores.port import tweet_store

FOLLOWERS_A_PAGE = 2
"""So that a delivery reads several pages, and may stop between them."""
SLACK = 2
"""Entries past TIMELINE_CAP that a timeline may have, so that trimming happens."""
RECENTS = 5
"""Entries of a pulled author's recent list, so that readers get below it."""
UNWRITTEN = "unwritten"
"""Where an entry has its id, and nobody can see it yet."""


class Action(Operation):
    """An operation of the product by a person, and the facts that it changes.

    `allowed` is whether it must be, or must not be, refused. `original` and `in_home` are of the
    entry that it makes, if any.
    """

    def __init__(
        self,
        name: str,
        call: Callable[[], object],
        *,
        facts: Sequence[tuple[Fact, bool]] = (),
        allowed: Known = True,
        person: int = 0,
        original: int | None = None,
        in_home: bool = True,
        place: str | None = None,
    ) -> None:
        super().__init__(name, call, place=place)
        self.changes = dict(facts)
        self.allowed = allowed
        self.person = person
        self.original = original
        self.in_home = in_home
        self.written = False
        self.began_us = now_us()
        self.writes_late = place == UNWRITTEN


class World:
    def __init__(self, server: Valkey, threads: ThreadPoolExecutor, people: int) -> None:
        self.oracle = Oracle()
        self.stopped: list[Action] = []
        self.unsteady: list[Fact] = []
        """Facts of people that somebody has begun to change, ever."""
        self._server = server
        self._threads = threads
        self.holding: list[Callable[[], int]] = []
        """Moments, in microseconds, after which nothing has settled yet for anybody, however fast its clock runs."""
        self._under_way: list[Action] = []
        self._hooks = ExitStack()
        self._down: ExitStack | None = None
        self._untold: list[Fact] = []
        """What changed while Redis was away."""
        self._first_id = ids.next()
        self.flush()
        begin(timeline_node())
        self.users: list[User] = [new_person() for _ in range(people)]
        self.people = [user.id for user in self.users]
        self.broker = Broker(self.oracle, self._hooks)
        self._hooks.enter_context(override_settings(PUSH_MAX_FOLLOWERS=settings.PUSH_MAX_FOLLOWERS))
        self._lay_hooks()

    def viewer(self, person: int) -> Viewer:
        return Viewer(id=self.user(person).id, account=self.user(person).account, token_digest="")

    def user(self, person: int) -> User:
        return self.users[self.people.index(person)]

    def meanwhile(self, context: AbstractContextManager[object]) -> None:
        """Enters it until the world is closed."""
        self._hooks.enter_context(context)

    def begin_with(self, follows: Sequence[tuple[int, int]]) -> None:
        """A graph to start from, of people who have no timelines."""
        changes = [Change(reader, FOLLOW, author, ids.next(), present=True) for reader, author in follows]
        for change in changes:
            self.oracle.set(Fact(FOLLOWS, change.source, change.target), True)
        if changes:
            associations().apply(changes)

    # Operations ------------------------------------------------------------------------------

    def act(self, action: Action) -> object:
        """Carries it out, up to its place if it has one; None if it was refused or has stopped."""
        self.oracle.doubt(action.changes)
        self.unsteady += action.changes
        self._under_way.append(action)
        if action.place is not None and action.start(self._threads):
            self._write(action)
            self.stopped.append(action)
            self._under_way.remove(action)
            return None
        return self._end(action, action.run if action.place is None else action.finish)

    def go_on(self, action: Action) -> None:
        """Lets a stopped operation end."""
        self.stopped.remove(action)
        self._under_way.append(action)
        self._end(action, action.finish)

    def _end(self, action: Action, call: Callable[[], object]) -> object:
        try:
            result = call()
        except (NotFound, Forbidden, Refused) as error:
            if action.allowed is True and not action.written:
                raise AssertionError(f"{action.name} was refused: {error}") from error
            result = None
        else:
            assert action.allowed is not False, f"{action.name} should have been refused"
            self._write(action)
        finally:
            self._under_way.remove(action)
        if self._down is not None:
            self._untold += action.changes
        else:
            self.oracle.trust(action.changes)
        return result

    def _write(self, action: Action) -> None:
        """From now on the store has it."""
        if not action.written:
            action.written = True
            for fact, value in action.changes.items():
                self.oracle.set(fact, value)

    # Backends --------------------------------------------------------------------------------

    @property
    def redis_is_down(self) -> bool:
        return self._down is not None

    @property
    def must_recover(self) -> bool:
        return self._down is None and bool(self._untold)

    def flush(self) -> None:
        with redis.Redis.from_url(self._server.url) as client:
            client.flushall()

    def restart(self) -> None:
        self._server.kill()
        self._server.start()

    def redis_goes(self) -> None:
        self._down = ExitStack()
        self._down.enter_context(timeline_redis_down())

    def redis_returns(self) -> None:
        assert self._down is not None
        self._down.close()
        self._down = None

    def recover(self) -> None:
        """The ten seconds after Redis' return: open orders were sent again, and accounts have ended."""
        self.broker.work_off_orders(after=self._first_id, before=MAX_ID)
        self.evict("account")
        accounts.forget_all()
        self.oracle.trust(self._untold)
        self._untold = []

    def evict(self, kind: str) -> None:
        """Lets cached values of a kind end; guards and marks, which outlive every fill, stay."""
        with redis.Redis.from_url(self._server.url) as client:
            for key in client.scan_iter(match=f"*{kind}:*", count=1_000):
                value = client.get(key)
                if value and not value.startswith(b"M"):
                    client.delete(key)

    def move_the_line(self, most: int) -> None:
        """Nobody's followers count as counted a moment ago."""
        settings.PUSH_MAX_FOLLOWERS = most
        if not self.redis_is_down:
            self.evict("followers-counted")

    def count_followers(self, author: int) -> None:
        """As the author's next delivery does when their last count is an hour old."""
        with suppress(Unavailable):
            celebrities.reconsider(author, celebrities.delivery_of(author))

    def expire_timeline(self, reader: int) -> None:
        timeline_node().round_trip(materialised.discard_command(reader))

    def work_everything_off(self) -> None:
        """Until nothing is open any more."""
        for _ in range(3):
            if not self.broker.work_off_orders(after=self._first_id, before=MAX_ID):
                return
        raise AssertionError(f"orders stay open: {outbox().open_orders(after=self._first_id, before=MAX_ID, limit=9)}")

    def close(self) -> None:
        """Gives everything back, whatever happened."""
        for action in self.stopped:
            try:
                action.finish()
            except Exception as error:
                print(f"given up: {action.name}: {error!r}")
        if self._down is not None:
            self._down.close()
        for order in outbox().open_orders(after=self._first_id, before=MAX_ID, limit=10_000):
            outbox().mark_done(order.id)
        self._hooks.close()

    # Hooks -----------------------------------------------------------------------------------

    def _lay_hooks(self) -> None:
        """The places where an operation can stop, each outside every transaction and lock."""
        self._hooks.enter_context(patch.object(fan_out, "PAGE", FOLLOWERS_A_PAGE))
        self._hooks.enter_context(patch.object(materialised, "TRIM_SLACK", SLACK))
        self._watch_adds()
        self._hooks.enter_context(patch.object(settling, "now_us", self._settling_us))
        for module in (recents, merging):
            self._hooks.enter_context(patch.object(module, "RECENT_CAP", RECENTS))
        stopping(self._hooks, celebrities, "delivery_of", after="mode read")
        stopping(self._hooks, celebrities, "raise_epoch", after="epoch raised")
        stopping(self._hooks, recents, "open_builds", after="lists opened")
        stopping(self._hooks, recents, "finish_builds", before="lists pulled")
        stopping(self._hooks, associations(), "apply", after="written")
        stopping(self._hooks, tweet_store(), "add", before=UNWRITTEN, after="written")
        stopping(self._hooks, tweet_store(), "delete", before=UNWRITTEN, after="written")
        stopping(self._hooks, tweet_store(), "restore", before=UNWRITTEN, after="written")
        stopping(self._hooks, changes, "tell", before="written")
        stopping(self._hooks, pushing, "slices", before="followers read")
        stopping(self._hooks, outbox(), "open_order_soon", after="order seen open")
        stopping(self._hooks, outbox(), "mark_done", before="pushed")
        stopping(self._hooks, outbox(), "mark_done_soon", before="pushed")
        stopping(self._hooks, builds, "open_build", after="opened")
        stopping(self._hooks, rebuild, "home_authors", after="graph read")
        stopping(self._hooks, builds, "finish_build", before="pulled")
        stopping(self._hooks, exclusions, "from_store", after="exclusions read")
        stopping(self._hooks, tweet_store(), "get_many", after="bodies read")
        stopping(self._hooks, accounts, "_from_sql", after="accounts read")

    def _settling_us(self) -> int:
        """A clock by which everything has settled that is not stopped before it was written.

        Nor, for whoever looks from outside while an operation goes on, what that may still write.
        """
        late = [action.began_us for action in self.stopped if action.writes_late]
        others = [action.began_us for action in self._under_way] if current() is None else []
        held = [held() for held in self.holding]
        return min([*late, *others, *held, now_us()]) + settling.SETTLE_SECONDS * 1_000_000

    def _watch_adds(self) -> None:
        """Tells the oracle of each new entry when it is about to be written: its id is not known before."""
        add = tweet_store().add

        def watched(tweet: Tweet, *args: Any, **kwargs: Any) -> None:
            posted = Fact(POSTED, tweet.id)
            action = current()
            assert isinstance(action, Action)
            self.oracle.doubt([posted])
            action.changes[posted] = True
            self.oracle.entries[tweet.id] = Entry(tweet.id, action.person, action.original, action.in_home)
            add(tweet, *args, **kwargs)
            self.oracle.set(posted, True)

        self._hooks.enter_context(patch.object(tweet_store(), "add", watched))
