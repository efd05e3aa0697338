"""A tweet that staff delete and restore, with its order of either, and what has to be true of it."""

from accounts.graph import follows
from accounts.models import User
from accounts.staff.roles import Role
from fanout.delivery import celebrities
from fanout.orders.kinds import RESTORE, RETRACT
from feed.operations.audit import Person, Report, audit
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person, new_staff
from tests.work import open_orders, work_off_everything
from tweets.caches import author_counts
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet


class Scene:
    """A follower who is active, and a tweet between two others; no order is open."""

    def __init__(self) -> None:
        self.author, self.reader, self.staff = new_person(), new_person(), new_staff(Role.MODERATOR)
        follows.follow(self.reader.id, self.author.id)
        home(self.reader)
        self.older, self.tweet, self.newer = (post(self.author, text) for text in ("older", "rude", "newer"))
        work_off_everything()

    def delete(self, by: User | None = None) -> Order:
        delete_tweet(tweet_id=self.tweet, viewer=viewer(by or self.staff))
        return self.order(RETRACT)

    def restore(self) -> Order:
        restore_tweet(tweet_id=self.tweet, viewer=viewer(self.staff), reason="A mistake.")
        return self.order(RESTORE)

    def too_big_to_push(self) -> None:
        """From now on; the tweet is their newest, and merged from their recent list."""
        celebrities.begin_pulling(self.author.id)
        timeline_node().round_trip(("SET", celebrities.counted_key(self.author.id), b"1"))
        self.tweet = post(self.author)
        work_off_everything()

    def order(self, kind: str) -> Order:
        return [order for order in open_orders() if order.kind == kind][-1]

    def assert_back(self) -> None:
        assert in_redis(self.reader) == [self.newer, self.tweet, self.older]
        assert home(self.reader) == home(self.author) == [self.newer, self.tweet, self.older]
        assert self.listed() == [self.newer, self.tweet, self.older]
        self.assert_complete()

    def assert_gone(self) -> None:
        assert in_redis(self.reader) == home(self.reader) == home(self.author) == [self.newer, self.older]
        assert self.listed() == [self.newer, self.older]
        self.assert_complete()

    def listed(self) -> list[int]:
        """What the store lists by the author; they have as many tweets."""
        found = tweet_store().home_entries([self.author.id], limit=10)
        assert author_counts._count([self.author.id]) == {self.author.id: len(found)}
        return found

    def assert_complete(self) -> None:
        report = Report()
        people = [Person(each.id, each.username) for each in (self.reader, self.author)]
        assert list(audit(people, report, repair=False, sleep=lambda _: None)) == [[]]
        assert report.inactive == 0
