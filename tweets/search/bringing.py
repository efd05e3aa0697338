"""Bringing the search index up to what orders say of tweets: of each the last one decides."""

from typing import NamedTuple

from msgspec.structs import replace

from accounts.graph.notifications import NOTIFY_ORDER
from fanout.orders.kinds import DELIVER, RESTORE, RETRACT, TELL
from storage.ids.snowflakes import MAX_ID
from storage.ports.outbox import Order
from tweets.entities import Tweet
from tweets.search.documents import document_of
from tweets.search.guarded import search_index
from tweets.search.late import INDEX_ORDER
from tweets.search.port import Document
from tweets.stores.port import tweet_store

OF_TWEETS = (DELIVER, TELL, RETRACT, RESTORE, INDEX_ORDER)
"""Kinds of orders whose first arg is a tweet."""


class Brought(NamedTuple):
    """What has become of some tweets. Of a retweet nothing does."""

    put: set[int]
    missing: set[int]
    """Not in the store, though they should be."""
    gone: set[int]
    """They do not stand."""


def index_tweets(orders: "dict[int, Order]") -> Brought:
    """Brings the index up to what these orders, by their tweets, say.

    A read of the store and up to two writes to the index; where it takes something out, another read, and a write if
    that came back meanwhile. Raises `Unavailable`.
    """
    put, missing, gone = _bring(orders)
    if gone:
        # Another process may have put it back between the read and the removal.
        back, _, gone = _bring({each: orders[each] for each in gone}, removes=False)
        put |= back
    return Brought(put, missing, gone)


def _bring(orders: "dict[int, Order]", *, removes: bool = True) -> Brought:
    """Puts what stands, and takes out what does not."""
    if not orders:
        return Brought(set(), set(), set())
    tweets = tweet_store().get_many(list(orders))
    put: list[Document] = []
    gone: set[int] = set()
    missing: set[int] = set()
    for tweet_id, order in orders.items():
        tweet = tweets.get(tweet_id)
        if tweet is None:
            (gone if order.kind == RETRACT else missing).add(tweet_id)
        elif tweet.retweet_of_id is not None:
            continue
        elif (document := document_of(_as_said(order, tweet))) is not None:
            put.append(document)
        else:
            gone.add(tweet_id)
    if put:
        search_index().put(put)
    if gone and removes:
        search_index().remove(gone)
    return Brought({document.id for document in put}, missing, gone)


def _as_said(order: Order, tweet: Tweet) -> Tweet:
    """The tweet as it is, or will be, after that order, if no later operation stands."""
    if tweet.changed_op > order.id or tweet.deleted_by_author:
        return tweet
    if order.kind == RETRACT:
        return _flagged(tweet, tweet.author_id)
    return _flagged(tweet, None) if order.kind == RESTORE else tweet


def _flagged(tweet: Tweet, by: int | None) -> Tweet:
    return replace(tweet, deleted_by=by)


def tweet_of(order: Order) -> int | None:
    """Returns which tweet the order brings or takes away; None of one that does neither, or has no such arguments."""
    if order.kind in OF_TWEETS:
        return order.args[0] if order.args and _is_id(order.args[0]) else None
    if order.kind == NOTIFY_ORDER and len(order.args) > 1 and order.args[1] == order.id:
        return order.id
    return None


def _is_id(value: object) -> bool:
    return type(value) is int and 0 < value < MAX_ID
