"""Posting and deleting. Each writes the store first, then tells caches and fan-out (tweets/writing/after_write.py).

What stands in the store when a call returns is what was acknowledged.
"""

from collections.abc import Callable

from accounts.entities import Viewer
from accounts.graph.notifications import NotificationType, notify_order
from accounts.people.leaving import has_left
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from accounts.staff.roles import Right, staff_may
from fanout.timelines.materialised import deliver_to_author_command
from storage.errors import Forbidden, NotFound, Refused
from storage.ids.snowflakes import id_us, now_us
from storage.ports.outbox import Order
from storage.redis.guarded_cache import GUARD_SECONDS
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import Seen, generation_in, timeline_shard
from storage.stores import ids
from tweets.caches import counts
from tweets.caches.author_counts import TWEETS_BY_AUTHOR
from tweets.caches.counts import Counts
from tweets.caches.tweets import TWEETS
from tweets.entities import Tweet
from tweets.reading.hydration import TweetOut, new_tweet_out
from tweets.reading.selectors import no_such_tweet, original_tweet, shareable_tweet, tweet_out
from tweets.search.late import announce_late
from tweets.stores.port import tweet_store
from tweets.writing.after_write import posted_order, retract_order, tell
from tweets.writing.changed import quote_edges
from tweets.writing.mentions import with_people
from tweets.writing.retweeting import undo_retweet
from tweets.writing.text import checked_text, find_entities

NEW_US = GUARD_SECONDS * 1_000_000 // 2
CLOCK_SKEW_US = 10_000_000
"""Between the clock that made a repeatable id and this one."""


def create_tweet(
    *, author: Viewer, text: str, reply_to: int | None = None, quote_of: int | None = None, tweet_id: int | None = None
) -> Tweet:
    """Posts a tweet. When it returns, the tweet and its fan-out order are in the store.

    `tweet_id` is the id to post it under, from a repeatable request: posting twice under one id
    makes one tweet. In the author's own timeline at once; in followers' as soon as the order was worked off.
    Raises `Refused` (text; replying to or quoting what is gone; quoting a protected person) and `Unavailable`. Costs
    one store write and one Redis round trip, under an old `tweet_id` three writes; a reply or quote reads its target
    (of a retweet its original, which it then replies to or quotes) and whom the author may not see as well, and
    one that mentions anybody looks their names up. Works while Redis, the broker or SQL is down.
    """
    checked_text(text)
    seen = timeline_node().seen
    parent = _target(reply_to, author, original_tweet, field="reply_to")
    quoted = _target(quote_of, author, shareable_tweet, field="quote_of")
    new_id = tweet_id or ids.next()
    entities = find_entities(text)
    tweet = Tweet(
        id=new_id,
        author_id=author.id,
        text=text,
        entities=with_people(entities) if entities.mentions else entities,
        conversation_id=parent.conversation_id if parent else new_id,
        in_home=parent is None or parent.author_id == author.id,
        reply_to_id=parent.id if parent else None,
        quote_of_id=quoted.id if quoted else None,
        path=parent.path_below if parent else (),
    )
    order = posted_order(tweet)
    notify = _notify_order(tweet, parent, quoted, order)
    if tweet_id is not None:
        announce_late(new_id)
    tweet_store().add(tweet, order, edges=quote_edges(tweet, op=tweet.id, present=True), also=notify)
    fills = _fills_of_new(tweet, seen, repeatable=tweet_id is not None)
    tell(fills, order, notify, guards=_new_tweet_guards(tweet, seen))
    return tweet


def posted_out(tweet: Tweet, author: Viewer, *, repeatable: bool = False) -> TweetOut:
    """Returns what the author of a tweet is answered when it was posted.

    A new tweet is shown from what was just written, not read back: nobody knew its id before it was
    in the store, so nobody has reacted to it or marked it when the request began; and its author's
    account came with the token, in force as of this request. So a Redis or store that goes away in
    between does not turn a tweet that is durable into a 503. A tweet under the id of a repeatable
    request may have been written long ago, and a quoted one is somebody's: those are read.

    Costs nothing for a new tweet; what `tweet_out` costs, with its errors, for one that quotes or
    that was posted under the id of a `repeatable` request.
    """
    if repeatable or tweet.quote_of_id is not None:
        return tweet_out(tweet.id, author)
    return new_tweet_out(tweet, author.account)


def delete_tweet(*, tweet_id: int, viewer: Viewer, reason: str | None = None) -> None:
    """Deletes a tweet; only its author may, and staff who have the right, of whom the log tells (accounts/staff); what
    staff wrote, superusers only. It is gone everywhere when this returns.

    `reason` is why staff delete what somebody else wrote, None from a door that does not ask. Whoever deletes their
    own does it as its author, staff at the desk too: no right is looked at, and no reason asked or logged. What staff
    deleted its author may delete too, so that it never comes back.

    Deleting a retweet is undoing it. Raises `NotFound` (deleted already, or not to be read by the viewer, as
    when a retweet's original is hidden from them; what is one's own is always found), `Forbidden`, `Refused` (a reason
    that says nothing), `Unavailable`. Costs one store read, one store write and one Redis round trip; and of staff a
    SQL query: of who has left the words go, too, as their erasing finds the tweet in no listing any more.
    """
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is not None and tweet.deleted:
        # Whoever deleted it may not have come so far as to tell anybody.
        tell([], guards=guards_of_change(tweet))
    if tweet is None or (tweet.deleted and not _is_theirs_to_delete_too(tweet, viewer)):
        raise no_such_tweet()
    if tweet.author_id != viewer.id:
        _log_deletion(tweet, viewer, reason)
    if tweet.retweet_of_id is not None:
        undo_retweet(author_id=tweet.author_id, original_id=tweet.retweet_of_id, by=viewer.id)
    else:
        _delete(tweet, by=viewer.id, erase=viewer.id != tweet.author_id and has_left(tweet.author_id))


def erase_tweet(tweet: Tweet) -> None:
    """Deletes a tweet, no retweet, as its author, and its words with it. Idempotent.

    A store write and a Redis round trip. Raises `Unavailable`.
    """
    _delete(tweet, by=tweet.author_id, erase=True)


def _delete(tweet: Tweet, *, by: int, erase: bool = False) -> None:
    op = ids.next(above=max(tweet.id, tweet.changed_op))
    order = retract_order(op, tweet.id, tweet.author_id)
    edges = quote_edges(tweet, op=op, present=False)
    tweet_store().delete(tweet, op=op, by=by, order=order, edges=edges, erase=erase)
    tell([], order, guards=guards_of_change(tweet))


def _is_theirs_to_delete_too(tweet: Tweet, viewer: Viewer) -> bool:
    """Says whether staff deleted it, and now its author does: then no restoration brings it back. Not of a retweet."""
    return viewer.id == tweet.author_id and not tweet.deleted_by_author and tweet.retweet_of_id is None


def _log_deletion(tweet: Tweet, viewer: Viewer, reason: str | None) -> None:
    """Logs that the viewer, not its author, is about to delete it.

    Raises `Forbidden`, `Refused`, and `NotFound` where it is hidden.

    Costs up to six SQL statements.
    """
    if not (viewer.is_staff and staff_may(viewer.id, Right.DELETE_TWEETS, of=tweet.author_id)):
        tweet_out(tweet.id, viewer)
        raise Forbidden("Only its author may delete a tweet.")
    why = "" if reason is None else staff_log.checked_reason(reason)
    with sql_or_unavailable():
        staff_log.record(
            by=viewer,
            action="delete",
            subject=staff_log.tweet(tweet.id, tweet.author_id),
            before={"author": str(tweet.author_id), "text": tweet.text},
            reason=why,
        )


def _target(tweet_id: int | None, viewer: Viewer, find: Callable[[int, Viewer], Tweet], *, field: str) -> Tweet | None:
    """Returns the tweet that is replied to or quoted. Raises `Refused` unless it can be seen, and shared if quoted."""
    if tweet_id is None:
        return None
    try:
        return find(tweet_id, viewer)
    except Forbidden as error:
        raise Refused(field, error.message, code=error.code) from error
    except NotFound as error:
        raise Refused(field, "That tweet does not exist or was deleted.", code="gone") from error


def _notify_order(tweet: Tweet, parent: Tweet | None, quoted: Tweet | None, other: Order | None) -> Order | None:
    """Returns the order that notifies whom the tweet answers, quotes and mentions; its own unless it has `other`."""
    answered = ((NotificationType.REPLY, parent), (NotificationType.QUOTE, quoted))
    told = [(kind, each.author_id) for kind, each in answered if each is not None]
    told += [(NotificationType.MENTION, each) for each in tweet.mentioned_ids]
    return notify_order(tweet.author_id, tweet.id, told, order_id=tweet.id if other is None else None)


def _new_tweet_guards(tweet: Tweet, seen: Seen) -> list[Command]:
    """Returns what may be told at any later time as well (see `tell`): guards, and the author's own timeline."""
    commands = TWEETS_BY_AUTHOR.invalidate([tweet.author_id])
    if tweet.in_home:
        generation = generation_in(seen, timeline_shard(tweet.author_id))
        commands.append(deliver_to_author_command(tweet.id, tweet.author_id, generation))
    if tweet.reply_to_id is not None:
        commands += counts.invalidate([tweet.reply_to_id], reply_id=tweet.id)
    if tweet.quote_of_id is not None:
        commands += counts.invalidate([tweet.quote_of_id])
    return commands


def _fills_of_new(tweet: Tweet, seen: Seen, *, repeatable: bool) -> list[Command]:
    """Returns what keeps the new tweet in the caches, if nobody can have changed it.

    Nobody has deleted a new tweet, or reacted to it; one that is repeated under an older id, maybe.

    Up to half of GUARD_SECONDS a repeatable id is new enough: whatever has happened since has left
    a guard, which refuses the fill, if the tweet's shard is of a generation from before the id was made.
    """
    shard = timeline_shard(tweet.id)
    stood = seen.get(shard)
    if stood is None:
        return []
    if repeatable and not now_us() - NEW_US < id_us(tweet.id) > stood.since_us + CLOCK_SKEW_US:
        return []
    generation = {shard: stood.generation}
    return TWEETS.fill({tweet.id: tweet}, generation=generation) + counts.fill(
        {tweet.id: Counts()}, generation=generation
    )


def guards_of_change(tweet: Tweet) -> list[Command]:
    """Returns what caches are told when a tweet was deleted or restored."""
    return (
        TWEETS.invalidate([tweet.id])
        + counts.invalidate(_counting(tweet))
        + TWEETS_BY_AUTHOR.invalidate([tweet.author_id])
    )


def _counting(tweet: Tweet) -> list[int]:
    """Returns the tweets whose counts this one is part of."""
    return [each for each in (tweet.reply_to_id, tweet.quote_of_id) if each is not None]
