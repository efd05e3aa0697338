"""Posting and deleting. Each writes the store first, then tells caches and fan-out.

What stands in the store when a call returns is what was acknowledged; telling caches and
fan-out may fail, and is then made good by the order that was written together with it.
"""

import structlog

from accounts.entities import Viewer
from fanout import delivery
from fanout.dispatch import dispatcher
from fanout.orders import deliver_order, retract_order
from storage.errors import Forbidden, NotFound, Refused, Unavailable
from storage.outbox import Order
from storage.redis import Command, timeline_node
from storage.stores import ids
from tweets import cache, counts
from tweets.author_counts import TWEETS
from tweets.entities import Tweet
from tweets.selectors import no_such_tweet, visible_tweet
from tweets.store import tweet_store
from tweets.text import checked_text, find_entities

log = structlog.get_logger(__name__)


def create_tweet(
    *, author: Viewer, text: str, reply_to: int | None = None, quote_of: int | None = None, tweet_id: int | None = None
) -> Tweet:
    """Posts a tweet. When it returns, the tweet and its fan-out order are in the store.

    `tweet_id` is the id to post it under, from a repeatable request: posting twice under one id
    makes one tweet. In the author's own timeline at once; in followers' as soon as the order was worked off.
    Raises `Refused` (text; replying to or quoting what is gone) and `Unavailable`. Costs one
    store write and one Redis round trip; a reply or quote reads its target and whom the author
    may not see as well. Works while Redis or the broker is down.
    """
    checked_text(text)
    parent = _target(reply_to, author, field="reply_to")
    _target(quote_of, author, field="quote_of")
    tweet_id = tweet_id or ids.next()
    tweet = Tweet(
        id=tweet_id,
        author_id=author.id,
        text=text,
        entities=find_entities(text),
        conversation_id=parent.conversation_id if parent else tweet_id,
        in_home=parent is None or parent.author_id == author.id,
        reply_to_id=reply_to,
        quote_of_id=quote_of,
        path=parent.path_below if parent else (),
    )
    order = deliver_order(tweet.id, author.id) if tweet.in_home else None
    tweet_store().add(tweet, order)
    _tell(_new_tweet_commands(tweet, order), order)
    return tweet


def delete_tweet(*, tweet_id: int, viewer: Viewer) -> None:
    """Deletes a tweet; only its author or staff may. It is gone everywhere when this returns.

    Raises `NotFound` (deleted already, or hidden from the viewer), `Forbidden`, `Unavailable`. Costs one
    store read, one store write and one Redis round trip.
    """
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is None or tweet.deleted:
        raise no_such_tweet()
    if tweet.author_id != viewer.id and not viewer.is_staff:
        visible_tweet(tweet_id, viewer)
        raise Forbidden("Only its author may delete a tweet.")
    op = ids.next()
    order = retract_order(op, tweet.id, tweet.author_id)
    tweet_store().delete(tweet, op=op, by=viewer.id, order=order)
    _tell(_gone_tweet_commands(tweet), order)


def _target(tweet_id: int | None, viewer: Viewer, *, field: str) -> Tweet | None:
    """The tweet that is replied to or quoted. Raises `Refused` unless it can be seen."""
    if tweet_id is None:
        return None
    try:
        return visible_tweet(tweet_id, viewer)
    except NotFound as error:
        raise Refused(field, "That tweet does not exist or was deleted.", code="gone") from error


def _new_tweet_commands(tweet: Tweet, order: Order | None) -> list[Command]:
    commands = cache.fill([tweet]) + counts.fill({tweet.id: 0}) + TWEETS.invalidate([tweet.author_id])
    if order is not None:
        commands += delivery.deliver_to_author(order)
    if tweet.reply_to_id is not None:
        commands += counts.invalidate([tweet.reply_to_id])
    return commands


def _gone_tweet_commands(tweet: Tweet) -> list[Command]:
    replied_to = [tweet.reply_to_id] if tweet.reply_to_id is not None else []
    return cache.invalidate([tweet.id]) + counts.invalidate(replied_to) + TWEETS.invalidate([tweet.author_id])


def _tell(commands: list[Command], order: Order | None) -> None:
    try:
        timeline_node().round_trip(*commands)
    except Unavailable as error:
        log.warning("caches_not_told", backend=error.backend)
    if order is not None:
        dispatcher.send(order)
