"""Why a tweet is, or is not, in somebody's home timeline, in plain words.

Two questions, asked one after the other: may the reader have it (`against`), by the rules of
the contract and as things stand in the store; and where is it (`place`), in the timeline, below
its floor, in an author's recent list, or still on its way. An answer that fits neither rule nor
order is a fault, and is called one.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cached_property

import msgspec

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Account
from accounts.graph.follows import GRAPH_ORDER
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, MUTE
from accounts.graph.protection import closed_among
from accounts.models import User, privileged
from accounts.sql import sql_or_unavailable
from fanout.orders.kinds import DELIVER, RETRACT
from fanout.timelines import materialised
from fanout.timelines.materialised import Window
from feed.operations.audit import EVERYTHING, ORDERS_READ
from feed.timelines.home import InHome, stands_in_home
from storage.ids.snowflakes import MAX_ID, created_at, id_us
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import associations, dead_letters, outbox
from tweets.entities import Tweet
from tweets.stores.port import tweet_store

NOT_IN_REDIS = (
    "The timeline is not in Redis as of now (not read for long, or being made anew after a change): "
    "pages are read from the store, which has the tweet."
)


class Verdict(StrEnum):
    THERE = "in the timeline"
    ABSENT = "not in the timeline"
    WAITS = "not settled yet"
    FAULT = "a fault"


class Explanation(msgspec.Struct, frozen=True):
    """The verdict, and the sentences that lead to it."""

    verdict: Verdict
    reasons: list[str]


def explain(reader: Account, tweet_id: int, *, by: User | None = None, orders_read: int = ORDERS_READ) -> Explanation:
    """Returns why the reader's home has, or has not, that tweet, quote or retweet now.

    `by` is told nothing of whom staff block, unless a superuser; None, who has the command line, all of it.

    Some ten reads of the store, one round trip to Redis and the authors' accounts. Nothing is
    changed. While other requests run, an answer may be a moment old: a fault counts when it is
    told twice. Up to `orders_read` open orders are looked through, once; while there are more, nothing is called a
    fault that one of the others may explain. Raises `Unavailable`.
    """
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is None:
        return Explanation(Verdict.ABSENT, ["There is no such tweet."])
    case = _Case(reader, tweet, by, orders_read)
    against = list(case.against())
    return case.absent(against) if against else case.place()


@sql_or_unavailable()
def _is_staff(person_id: int) -> bool:
    return User.objects.filter(privileged(), pk=person_id).exists()


class _Case:
    """One reader and one tweet."""

    def __init__(self, reader: Account, tweet: Tweet, by: User | None, orders_read: int) -> None:
        self._by = by
        self._orders_read = orders_read
        self._reader = reader
        self._tweet = tweet
        self._accounts = accounts_by_id([tweet.author_id])
        self._window: Window | None
        [self._window] = timeline_node().ask(materialised.read(reader.id, count=EVERYTHING))

    def against(self) -> Iterator[str]:
        """Every rule by which the reader does not get the tweet."""
        tweet = self._tweet
        yield from self._gone(tweet, "It")
        yield from self._hidden(tweet.author_id)
        if tweet.author_id != self._reader.id:
            yield from self._not_followed()
        if not tweet.in_home:
            yield "It replies to somebody else's tweet; home shows replies to one's own only."
        if tweet.retweet_of_id is not None:
            original = tweet_store().get_many([tweet.retweet_of_id]).get(tweet.retweet_of_id)
            if original is None:
                yield "It retweets a tweet that does not exist."
                return
            yield from self._gone(original, f"The retweeted tweet {original.id}")
            yield from self._hidden(original.author_id)
            yield from self._closed(original.author_id)

    def absent(self, against: list[str]) -> Explanation:
        """It must not be shown. That it stands in the timeline is a fault unless pages hide it, as a mute does."""
        window, tweet = self._window, self._tweet
        if window is None or tweet.id not in window.ids:
            return Explanation(Verdict.ABSENT, against)
        stands = f"It stands at position {window.ids.index(tweet.id) + 1} of the timeline in Redis; pages leave it out."
        wrong = tweet.deleted or not self._follows() or not tweet.in_home
        if wrong and self._open_order(DELIVER, RETRACT, GRAPH_ORDER) is not None:
            return Explanation(Verdict.WAITS, [*against, stands, "The order that takes it out is still open."])
        if wrong and self._unread():
            return Explanation(Verdict.WAITS, [*against, stands, self._unread()])
        return Explanation(Verdict.FAULT if wrong else Verdict.ABSENT, [*against, stands])

    def place(self) -> Explanation:
        """It is to be shown: where it comes from."""
        tweet, window = self._tweet, self._window
        listed = tweet_store().home_entries([tweet.author_id], before=tweet.id + 1, limit=1)
        if listed != [tweet.id]:
            return Explanation(Verdict.FAULT, ["It is missing in its author's own listing in the store."])
        if window is None or not window.of_this_epoch:
            return Explanation(Verdict.THERE, [NOT_IN_REDIS])
        if tweet.id in window.ids:
            way = "pulled when the timeline was made" if id_us(tweet.id) < window.opened_us else "pushed"
            return Explanation(Verdict.THERE, [f"Position {window.ids.index(tweet.id) + 1} in Redis, {way}."])
        if tweet.id <= window.floor:
            floor = f"It is below the timeline's floor of {created_at(window.floor)}"
            return Explanation(Verdict.THERE, [f"{floor}: who scrolls so far reads it from the store."])
        since = dict(window.merge_set).get(tweet.author_id)
        return self._merged(since) if since is not None else self._missing()

    def _merged(self, since: int) -> Explanation:
        """Explains an entry of an author too big to push: merged at read from their recent list, above its floor."""
        author = f"{self._name(self._tweet.author_id)}, too big to push since {created_at(since)}"
        stands = stands_in_home(self._reader.id, self._tweet.id)
        if stands is InHome.UNKNOWN:
            return Explanation(Verdict.THERE, [f"By {author}; below what recent lists hold: read from the store."])
        if stands is InHome.STANDS:
            return Explanation(Verdict.THERE, [f"Merged at read from the recent list of {author}."])
        return self._missing()

    def _missing(self) -> Explanation:
        tweet = self._tweet
        order = outbox().open_order(tweet.changed_op or tweet.id)
        if order is not None:
            waits = f"Its order is open since {created_at(order.id)}: workers have not fanned it out yet."
            return Explanation(Verdict.WAITS, [waits])
        letter = dead_letters().read(tweet.changed_op or tweet.id)
        if letter is not None:
            given_up = f"Its order was given up after {letter.attempts} attempts ({letter.error}): see dead_letters."
            return Explanation(Verdict.FAULT, [given_up])
        change = self._open_order(GRAPH_ORDER)
        if change is not None:
            whom = f"Redis has not been told of a change of whom @{self._reader.username} follows, blocks or mutes"
            waits = f"{whom}: its order is open since {created_at(change.id)}."
            return Explanation(Verdict.WAITS, [waits])
        if self._unread():
            return Explanation(Verdict.WAITS, [f"It is missing above the floor. {self._unread()}"])
        return Explanation(
            Verdict.FAULT,
            ["Its order was worked off, and it is missing above the floor. rebuild_timeline makes the timeline anew."],
        )

    def _gone(self, tweet: Tweet, name: str) -> Iterator[str]:
        if tweet.deleted_by is not None:
            yield f"{name} was deleted by {'its author' if tweet.deleted_by_author else 'staff'}."
        account = self._account(tweet.author_id)
        if account is None:
            yield f"{name} is by an account that does not exist any more."
        elif account.suspended:
            yield f"{name} is by @{account.username}, who is suspended."

    def _hidden(self, author_id: int) -> Iterator[str]:
        reader, author = f"@{self._reader.username}", self._name(author_id)
        said = {
            BLOCK: f"{reader} blocks {author}",
            BLOCKED_BY: f"{author} blocks {reader}",
            MUTE: f"{reader} mutes {author}",
        }
        found = {kind: associations().find(self._reader.id, kind, [author_id]).get(author_id) for kind in said}
        edges = {kind: edge for kind, edge in found.items() if edge is not None}
        if edges and self._by is not None and not self._by.is_superuser and _is_staff(author_id):
            yield f"A block or a mute between {reader} and {author} hides it: of staff, superusers see which."
            return
        for kind, edge in edges.items():
            yield f"{said[kind]} since {created_at(edge.op)}."

    def _closed(self, author_id: int) -> Iterator[str]:
        account = self._account(author_id)
        if account is not None and closed_among(self._reader.id, [account]):
            yield f"{self._name(author_id)} is protected, and @{self._reader.username} does not follow them."

    def _not_followed(self) -> Iterator[str]:
        author_id = self._tweet.author_id
        [edge] = associations().last_changes([(self._reader.id, FOLLOW, author_id)])
        if not edge.present:
            since = f" since {created_at(edge.op)}" if edge.op else ""
            yield f"@{self._reader.username} does not follow {self._name(author_id)}{since}."

    def _follows(self) -> bool:
        author_id = self._tweet.author_id
        return author_id == self._reader.id or author_id in associations().find(self._reader.id, FOLLOW, [author_id])

    def _open_order(self, *kinds: str) -> Order | None:
        """The oldest open one of these kinds that is about the tweet, or about the reader's graph."""

        def is_about_it(order: Order) -> bool:
            if order.kind == GRAPH_ORDER:
                return self._reader.id in order.args
            return self._tweet.id in order.args[:1]

        return next((order for order in self._open_orders if order.kind in kinds and is_about_it(order)), None)

    def _unread(self) -> str:
        """Says that open orders were not looked through, if there may be such; empty otherwise."""
        if len(self._open_orders) < self._orders_read:
            return ""
        return f"Only the oldest {self._orders_read:,} open orders were looked through; its own may be among the rest."

    @cached_property
    def _open_orders(self) -> Sequence[Order]:
        return outbox().open_orders(before=MAX_ID, limit=self._orders_read)

    def _account(self, user_id: int) -> Account | None:
        if user_id not in self._accounts:
            self._accounts |= accounts_by_id([user_id])
        return self._accounts.get(user_id)

    def _name(self, user_id: int) -> str:
        account = self._account(user_id)
        return f"@{account.username}" if account is not None else str(user_id)
