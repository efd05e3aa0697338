"""Retweets: an entry of its own in timelines, and an edge from the person to the original.

The entry is a tweet row with an id of its own, without text, that names the original (and what
that quotes, so that hydration finds both in one step). The edge's op is the entry's id. Entry,
edge and fan-out order are one atomic write, and so are their ends.

**Of one person and one original, one entry at most stays.** Requests race: several write an
entry each, and a removal may be written between them. The edge is decided by the greatest
operation; entries are put right by their writers, who read after their own write was acknowledged:

- A retweet reads the edge. If it stands under the retweet's own op, the retweet is the greatest so
  far, and deletes all entries of the pair below its own. If it stands under another op, or not
  at all, a greater operation has overtaken the retweet, and it deletes its own entry.
- An undoing with op u deletes all entries below u.

*At most one:* let m be the greatest operation of the pair, and d an entry below it. If m's writer
read after d was written, it saw d (quorum) and deleted it. If not, d was written after m's writer
read, hence after m was written; so d's writer, reading later still, saw m and deleted d.
*At least one:* only entries below a greater operation are ever deleted, so if m is a retweet, its
entry is deleted by nobody. A writer who dies between write and read leaves an entry too
many, which a page of the same timeline hides behind the newer one, and which the next retweet
or undoing by this person deletes; counts go by the edge and stay exact.

For example, Bob retweets tweet 7 from two devices, as 100 and 101, both written before either reads:

1. The edge stands under 101. Request 100 finds another op than its own, and deletes entry 100.
2. Request 101 finds its own, and deletes what is below 101: entry 100, if it is still there. Entry 101 stays.
3. Had he undone it as 105 before request 101 read, that request would have found no edge, and deleted entry 101; the
   undoing deletes both, too.
"""

from collections.abc import Sequence

from accounts.entities import Viewer
from accounts.graph.notifications import NotificationType, notify_order
from fanout.timelines.materialised import deliver_to_author_command, discard_command
from storage import stores
from storage.ports.associations import Change
from storage.redis.node import timeline_node
from storage.redis.shards import generation_in, timeline_shard
from tweets.caches import marks
from tweets.caches.author_counts import TWEETS_BY_AUTHOR
from tweets.caches.tweets import TWEETS
from tweets.entities import Tweet
from tweets.kinds import RETWEET
from tweets.reading.selectors import marked_id, no_such_tweet, shareable_tweet
from tweets.stores.port import tweet_store
from tweets.writing.after_write import deliver_order, retract_order, tell, tell_marked


def retweet(*, viewer: Viewer, tweet_id: int) -> int:
    """Retweets the tweet, or the original of a retweet; answers the id of the original. Idempotent.

    In the retweeter's own timeline at once, in followers' as soon as the order was worked off.
    Raises `NotFound`, also when the tweet was deleted meanwhile, `Forbidden` (somebody else's who is protected),
    `Unavailable`. Costs two reads of the tweet, one
    of the edge, a write, three reads after it, and two Redis round trips. Works while Redis or the
    broker is down.
    """
    original = shareable_tweet(tweet_id, viewer)
    marks_version, seen = marks.version(viewer.id), timeline_node().seen
    [last] = stores.associations().last_changes([(viewer.id, RETWEET, original.id)])
    if last.present:
        _finish_unfinished(last, viewer.id)
        tell_marked(viewer.id, RETWEET, original.id, made=True, marks_version=marks_version)
        return original.id
    notify = notify_order(viewer.id, original.id, [(NotificationType.RETWEET, original.author_id)])
    entry = _entry(viewer.id, original, above=last.op)
    order = deliver_order(entry.id, viewer.id)
    edge = Change(source=viewer.id, kind=RETWEET, target=original.id, op=entry.id, present=True)
    tweet_store().add(entry, order, edges=[edge], also=notify)
    fills = TWEETS.fill({entry.id: entry}, generation={shard: each.generation for shard, each in seen.items()})
    own = deliver_to_author_command(entry.id, viewer.id, generation_in(seen, timeline_shard(viewer.id)))
    guards = [own, *TWEETS_BY_AUTHOR.invalidate([viewer.id])]
    tell_marked(viewer.id, RETWEET, original.id, made=True, marks_version=marks_version, fills=fills, guards=guards)
    tell([], order, notify)
    _settle(entry, original.id)
    if _is_gone(original.id):
        undo_retweet(author_id=viewer.id, original_id=original.id, by=viewer.id)
        raise no_such_tweet()
    return original.id


def unretweet(*, viewer: Viewer, tweet_id: int) -> None:
    """Undoes a retweet, named by the original or by the entry, whatever became of either or its author.

    Idempotent; gone from every timeline when this returns. Raises `Unavailable`. A store read, and what
    `undo_retweet` costs.
    """
    undo_retweet(author_id=viewer.id, original_id=marked_id(tweet_id), by=viewer.id)


def undo_retweet(*, author_id: int, original_id: int, by: int) -> None:
    """Deletes the author's retweet of the original and removes the edge, in one write. Idempotent.

    Two store reads and a Redis round trip; then, if there ever was one, a read, a write and a read, and
    another round trip.
    """
    marks_version = marks.version(author_id)
    entries = _entries(author_id, original_id)
    edge = None if entries else stores.associations().last_changes([(author_id, RETWEET, original_id)])[0]
    if edge is not None and not edge.op:
        return
    if edge is not None and not edge.present:
        _finish_unfinished(edge, author_id)
    else:
        op = stores.ids.next(above=edge.op if edge is not None else entries[0].id)
        removal = Change(source=author_id, kind=RETWEET, target=original_id, op=op, present=False)
        if entries:
            _delete(entries[0], op=op, by=by, edges=[removal])
        else:
            stores.associations().apply([removal])
        _delete_below(op, author_id, original_id, by=by)
    tell_marked(author_id, RETWEET, original_id, made=False, marks_version=marks_version)


def _finish_unfinished(standing: Change, author_id: int) -> None:
    """Tells Redis of the last change if its order is still open. One store read; a Redis round trip if it is.

    Call it when there is nothing to change, before that is answered: whoever changed it may not have come
    so far as to tell Redis, and may have told their client so.
    """
    order = stores.outbox().finished_order(standing.op) if standing.op else None
    if order is not None:
        told = [discard_command(author_id)] if standing.present else TWEETS.invalidate(order.args[:1])
        tell([], order, guards=told + TWEETS_BY_AUTHOR.invalidate([author_id]))


def _entry(author_id: int, original: Tweet, *, above: int) -> Tweet:
    entry_id = stores.ids.next(above=above)
    return Tweet(
        id=entry_id,
        author_id=author_id,
        text="",
        conversation_id=entry_id,
        in_home=True,
        quote_of_id=original.quote_of_id,
        retweet_of_id=original.id,
    )


def _settle(entry: Tweet, original_id: int) -> None:
    """Deletes the entry, or those that it has overtaken; see above."""
    edge = stores.associations().find(entry.author_id, RETWEET, [original_id]).get(original_id)
    if edge is None or edge.op != entry.id:
        _delete(entry, op=stores.ids.next(), by=entry.author_id)
    else:
        _delete_below(entry.id, entry.author_id, original_id, by=entry.author_id)


def _is_gone(original_id: int) -> bool:
    """Whether the original was deleted. Whoever deletes it writes that first and then looks for retweets to withhold
    from counts (withholding.py): so of a deletion and a retweet that race, one sees the other."""
    original = tweet_store().get_many([original_id]).get(original_id)
    return original is None or original.deleted


def _delete_below(op: int, author_id: int, original_id: int, *, by: int) -> None:
    for entry in _entries(author_id, original_id):
        if entry.id < op:
            _delete(entry, op=stores.ids.next(), by=by)


def _entries(author_id: int, original_id: int) -> list[Tweet]:
    """The pair's entries that are not deleted, newest first."""
    ids = tweet_store().retweets_of(original_id, author_id)
    found = tweet_store().get_many(ids) if ids else {}
    return [found[each] for each in ids if each in found and not found[each].deleted]


def _delete(entry: Tweet, *, op: int, by: int, edges: Sequence[Change] = ()) -> None:
    order = retract_order(op, entry.id, entry.author_id)
    tweet_store().delete(entry, op=op, by=by, order=order, edges=edges)
    tell([], order, guards=TWEETS.invalidate([entry.id]) + TWEETS_BY_AUTHOR.invalidate([entry.author_id]))
