"""Withholding from counts what may not be shown, and counting it again (accounts/graph/withheld.py says what that is).

**Two kinds of orders.** One is about a person who was suspended or restored: it walks whom they follow, who follows
them, their likes, retweets and tweets. The other one is about a tweet that was deleted, or whose author was
suspended or restored: it walks who has retweeted it. Work is bounded: after PAGES_AN_ORDER pages an order
writes another one that goes on from there, and is done. A page costs two store reads, a write if there is
something to change, and a Redis round trip.

**What is asked is the state now.** Each order looks whether the person or tweet is withheld before its pages, and
again after them. If that has changed meanwhile, another order begins anew: whoever worked under the
old state looks after their last write, so the last look of all is followed by no write of another state. Orders may
therefore repeat, overtake one another and die on the way.

For example, Bob is suspended, and his order has come to his likes when he is restored:

1. Restoring writes an order of its own, which finds him not suspended and removes all withheld edges out of him.
2. The first order, slower, withholds fifty of his likes, looks again, finds him restored, and orders another beginning.
3. That one removes the fifty.

**Retries do not multiply orders.** An order writes others only after its last Redis step, just before it is marked
done; a RETRACT or RESTORE order, which has parts and Redis steps still before it, records that it has.

Speed: some 2,000 edges a second and worker. Who has 300,000 followers is left out of all their counts after a few
minutes; nearly everybody within seconds.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from accounts.account_cache.accounts import tell_of_change
from accounts.graph import counts as people_counts
from accounts.graph.kinds import FOLLOW, SHUT_OUT
from accounts.people.selectors import shut_out_among
from fanout.delivery import fan_out
from fanout.orders.dispatch import dispatcher
from fanout.orders.handlers import Context
from fanout.orders.kinds import PoisonedOrder, entry_and_author
from storage import stores
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import MAX_CHANGES, MAX_LEVEL, Association, Change, EdgeKey
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from tweets.caches import counts
from tweets.caches.author_counts import TWEETS_BY_AUTHOR
from tweets.entities import Tweet
from tweets.kinds import LIKE, RETWEET, WITHHELD, WITHHELD_ENTRY, WITHHELD_TWEET
from tweets.stores.port import tweet_store
from tweets.writing.changed import end_again, seen, standing

WITHHOLD_RETWEETS_ORDER = "withhold-retweets"
"""The kind of order about the retweets of a tweet; its args are the tweet, 0, and a place among them, 0 for the
beginning. Orders that wait in an outbox carry this very word."""
PAGE = MAX_CHANGES
PAGES_AN_ORDER = 10
"""500 edges: a quarter of a second, so that others do not wait long behind an order."""
LOOKS = 5
"""At whether somebody is suspended, by one attempt at an order."""
WITHHOLDING_PART = 1 << MAX_LEVEL
"""The mark, among the finished parts of a RETRACT order, that its retweets were ordered to be withheld. Above the
number of any bucket."""


class _Page(NamedTuple):
    """The withheld edges of a page, what caches are told of them, and where the next page begins, if there is one;
    and the tweets whose retweets are to be looked at in orders of their own."""

    edges: Sequence[EdgeKey] = ()
    told: Sequence[Command] = ()
    rest: int | None = None
    retweeted: Sequence[int] = ()


_Stage = Callable[[int, int, bool], _Page]
"""A page of the subject's below a place, to be withheld (True) or counted again."""


def withhold_person(order: Order) -> None:
    """Handles a WITHHOLD_ORDER, and marks it done or hands it on. Raises `Unavailable`, and then it is still open.

    Begins with telling everybody of the account's change again, as Redis may not have answered who made it: no page
    needs that after 10 s, but open sockets are told of a suspension by nothing else. The order is older than
    the suspension, and holds the watermark below it until then; so whoever resumes is told, too.
    """
    if order.args[1:] == (0, 0):
        tell_of_change(order.args[0])
    _walk(order, _STAGES, _is_shut_out)


def withhold_retweets(order: Order) -> None:
    """Handles a WITHHOLD_RETWEETS_ORDER, as `withhold_person`."""
    _walk(order, (_retweets_of,), _is_hidden)


def retract(order: Order, context: Context) -> None:
    """Handles a RETRACT order: orders once that the entry's retweets be withheld, and has fan-out do the rest.

    A retweet that is not there yet will be undone by who writes it (writing/retweeting.py). Promises and errors are
    those of `fan_out.retract`. Two store reads more, and for what was retweeted two more, and two writes. However
    often it is retried, one order is written; one more each time that a process dies just before it is recorded.
    """
    tweet = seen(order)
    if standing(order, tweet) is None:
        stores.outbox().mark_done(order.id)
        return
    end_again(tweet)
    look_at_retweets(order)
    fan_out.retract(order, context)


def look_at_retweets(order: Order) -> None:
    """Orders, once for a RETRACT or RESTORE order, that the entry's retweets be withheld or counted, as things stand.

    One store read, and for what was retweeted two more, and two writes. Raises `Unavailable`.
    """
    entry_id, _ = entry_and_author(order)
    is_retweeted = stores.associations().count_sources(entry_id, RETWEET) > 0
    if is_retweeted and WITHHOLDING_PART not in stores.outbox().finished_parts(order.id):
        _hand_on(WITHHOLD_RETWEETS_ORDER, (entry_id, 0, 0))
        stores.outbox().mark_part_done(order.id, WITHHOLDING_PART, parts=0)


def count_or_withhold(tweet: Tweet) -> None:
    """Has a tweet that is back counted where it answers and quotes, or not while its author is suspended.

    Orders about its author have not come by while it was deleted: their listing had it not. As of these, the last look
    is behind the last write, so whichever of a suspension and this comes last leaves what is right. A SQL query and a
    store read, twice, a write if there is something to change, and a round trip. Raises `Unavailable`.
    """
    page = _Page([(tweet.id, WITHHELD_TWEET, each) for each in _answered(tweet)], counts.invalidate(_answered(tweet)))
    for _ in range(LOOKS):
        withheld = _is_shut_out(tweet.author_id)
        _put(page, present=withheld)
        if _is_shut_out(tweet.author_id) is withheld:
            return
    raise Unavailable("store")


def _walk(order: Order, stages: Sequence[_Stage], is_withheld: Callable[[int], bool]) -> None:
    if len(order.args) != 3:
        raise PoisonedOrder(f"{order.kind} takes a subject, a stage and a place, not {len(order.args)} arguments")
    subject, stage, place = order.args
    withheld = is_withheld(subject)
    retweeted: list[int] = []
    for _ in range(PAGES_AN_ORDER):
        if stage >= len(stages):
            break
        page = stages[stage](subject, place or MAX_ID, withheld)
        _put(page, present=withheld)
        retweeted += page.retweeted
        stage, place = (stage, page.rest) if page.rest is not None else (stage + 1, 0)
    has_changed = is_withheld(subject) is not withheld
    for tweet_id in retweeted:
        _hand_on(WITHHOLD_RETWEETS_ORDER, (tweet_id, 0, 0))
    if has_changed:
        _hand_on(order.kind, (subject, 0, 0))
    elif stage < len(stages):
        _hand_on(order.kind, (subject, stage, place))
    stores.outbox().mark_done(order.id)


def _hand_on(kind: str, args: tuple[int, int, int]) -> None:
    order = Order(id=stores.ids.next(), kind=kind, args=args)
    stores.outbox().add(order)
    dispatcher.send(order)


def _put(page: _Page, *, present: bool) -> None:
    """Makes the page's edges stand, or not; tells caches in any case, as an attempt before may have died in between."""
    for start in range(0, len(page.edges), MAX_CHANGES):
        last = stores.associations().last_changes(page.edges[start : start + MAX_CHANGES])
        changes = [
            Change(each.source, each.kind, each.target, stores.ids.next(above=each.op), present=present)
            for each in last
            if each.present is not present
        ]
        if changes:
            stores.associations().apply(changes)
    if page.told:
        timeline_node().round_trip(*page.told)


def _is_shut_out(person_id: int) -> bool:
    return bool(shut_out_among([person_id]))


def _is_hidden(tweet_id: int) -> bool:
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    return tweet is None or tweet.deleted or _is_shut_out(tweet.author_id)


def _followees(person_id: int, before: int, withheld: bool) -> _Page:
    """Whom they follow; to be counted again, whoever they are withheld from."""
    kind = FOLLOW if withheld else SHUT_OUT
    edges = stores.associations().newest_targets(person_id, kind, before=before, limit=PAGE)
    return _of_people(person_id, [edge.target for edge in edges], edges)


def _followers(person_id: int, before: int, withheld: bool) -> _Page:
    edges = stores.associations().newest_sources(person_id, FOLLOW, before=before, limit=PAGE) if withheld else []
    return _of_people(person_id, [edge.source for edge in edges], edges)


def _of_people(person_id: int, others: Sequence[int], edges: Sequence[Association]) -> _Page:
    told = people_counts.FOLLOWERS.invalidate(others) + people_counts.FOLLOWING.invalidate(others)
    return _Page([(person_id, SHUT_OUT, other) for other in others], told, _rest(edges))


def _likes(person_id: int, before: int, withheld: bool) -> _Page:
    """What they like; to be counted again, all that they are withheld from."""
    return _marked(person_id, LIKE if withheld else WITHHELD, before)


def _retweets(person_id: int, before: int, withheld: bool) -> _Page:
    return _marked(person_id, RETWEET, before) if withheld else _Page()


def _marked(person_id: int, kind: str, before: int) -> _Page:
    edges = stores.associations().newest_targets(person_id, kind, before=before, limit=PAGE)
    tweets = [edge.target for edge in edges]
    return _Page([(person_id, WITHHELD, each) for each in tweets], counts.invalidate(tweets), _rest(edges))


def _tweets(person_id: int, before: int, _withheld: bool) -> _Page:
    """Their replies and quotes; of what was retweeted, the retweets are ordered."""
    ids = tweet_store().by_author(person_id, replies=True, before=before, limit=PAGE)
    originals = [tweet for tweet in tweet_store().get_many(ids).values() if tweet.retweet_of_id is None]
    edges = [(tweet.id, WITHHELD_TWEET, target) for tweet in originals for target in _answered(tweet)]
    retweets = stores.associations().count_sources_many([tweet.id for tweet in originals], [RETWEET])[RETWEET]
    retweeted = [tweet_id for tweet_id, count in retweets.items() if count]
    told = counts.invalidate(dict.fromkeys(target for _, _, target in edges))
    return _Page(edges, told, ids[-1] if len(ids) == PAGE else None, retweeted)


def _answered(tweet: Tweet) -> list[int]:
    """Returns the tweets whose counts this one is part of."""
    return [each for each in dict.fromkeys((tweet.reply_to_id, tweet.quote_of_id)) if each is not None]


def _retweets_of(tweet_id: int, before: int, _withheld: bool) -> _Page:
    edges = stores.associations().newest_sources(tweet_id, RETWEET, before=before, limit=PAGE)
    told = TWEETS_BY_AUTHOR.invalidate([edge.source for edge in edges])
    return _Page([(edge.op, WITHHELD_ENTRY, edge.source) for edge in edges], told, _rest(edges))


def _rest(edges: Sequence[Association]) -> int | None:
    return edges[-1].op if len(edges) == PAGE else None


_STAGES: tuple[_Stage, ...] = (_followees, _followers, _likes, _retweets, _tweets)
"""Numbers of stages stand in orders that wait."""
