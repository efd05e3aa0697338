"""The indexer: keeps the search index up with the store, by reading every order of the outbox (docs/adr/055).

Whatever is posted, deleted or restored has an order, which is in the store before anything of it is. So nothing is
written for the index's sake; an index that does not answer costs nobody anything, and afterwards the outbox still has
what it missed, for UNREAD_US (`discard_closed`).

**Two passes.** The one looks at what is new, above the last order that anybody has read, and then once more at some
seconds below it, so that a tweet is found within two seconds. But orders appear out of the order of their ids: so the
other goes up behind it, to below what may still appear (SETTLED_US), reads everything again, and moves the durable
place, from which a process that knows nothing begins. What this process has indexed it leaves out. A backlog is the
second pass's, in steps; the first goes on beside it, so that new tweets are found while an old hour is made up for.

**What an order says, not when it is read, decides.** Of the orders of one tweet that are read together the last counts.
A RETRACT order takes the tweet out unless a later operation is seen to stand, though the row be not flagged yet; so it
does not matter how long the rest of a write takes. For example, tweet 90 is posted, deleted by 100, restored by 105:

1. The indexer reads 90, and puts it. It dies before the place is moved: the next one puts it again.
2. It reads 100 while the row does not say yet that it is deleted, and takes it out.
3. It reads 100 and 105 together, and goes by 105: the tweet is put, as soon as it is there and not its author's to end.

Should an index hold what is deleted all the same, nobody is shown it: hydration has the last word.

**A tweet that is not there** although its order is belongs to a writer that is at it, or died. The first pass leaves it
to the second, which has what is owed to the order done, as the sweeper would (`finish_orders`), as far as there is
time: the place stays below the rest.

**One at a time**, by a turn in the broker's Redis; two would do no harm. Who comes too late, after more than UNREAD_US
of outage, says so (`gaps.py`), and `manage.py index_tweets` fills the gap.
"""

import time
from collections.abc import Sequence

import structlog
from cachetools import LRUCache

from fanout.orders.kinds import RESTORE, RETRACT
from storage.ids.snowflakes import MAX_ID, WORKER_BITS, make_id, now_us
from storage.ports.outbox import SETTLED_US, Order
from storage.ports.places import SEARCH
from storage.stores import outbox, places
from tweets.search import figures, gaps
from tweets.search.bringing import OF_TWEETS, index_tweets, tweet_of
from tweets.search.guarded import search_index
from tweets.search.late import INDEX_ORDER
from tweets.search.port import BATCH_MAX, IndexQuery
from tweets.search.turns import turn

PAGE = 500
"""Orders, and so documents, of one step: some 50 ms with the embedded index."""
RUN_SECONDS = 0.3
"""Of one run, after which no page is begun: the same worker works orders off. One run begins a second, so a backlog is
worked off in a third of the time of one worker. What does not answer ends a run: it takes WRITE_SECONDS more at most,
three times until the breaker opens."""
NEWEST_SHARE = 0.5
"""Of a run, for the first pass: however much is new, the second has its part. Each has a page at least."""
BACK_US = (2_000_000, 12_000_000)
"""So far below the last order that was read a run looks again, if there is time: nearly every order is visible 2 s
after its birth, by a clock that may be 10 s behind."""
STEP_US = 20_000_000
"""The durable place is moved so often: each time reads SETTLED_US again."""
FINISHED_AT_ONCE = 20
"""Tweets that were not there, of which what is owed to their orders is read together and written: 0.1 s."""
LOOK_SECONDS = 30.0
"""Between two looks whether the index was lost: one more read of it."""
REMEMBERED = 50_000
"""Orders that this process has read, 5 MB: False of one that the second pass has to read again."""
CHANGES = 5_000
"""The last deletions and restorations, by their tweets: an order of before that is read after them goes by them."""

log = structlog.get_logger(__name__)


class Indexer:
    """What one process knows of what it has indexed. For one thread."""

    def __init__(self) -> None:
        self._indexed: LRUCache[int, bool] = LRUCache(REMEMBERED)
        self._changes: LRUCache[int, Order] = LRUCache(CHANGES)
        self._identity: str | None = None
        self._looks_at = 0.0

    def run(self) -> int:
        """Indexes what has happened, for RUN_SECONDS at most; returns how many orders it read that it did not know.

        0 as well while another process is at it. Costs two round trips to the broker, a read of the outbox a page and
        pass, of the tweet store and a write to the index for what is new. Raises `Unavailable`.
        """
        with turn() as taken:
            if taken is None:
                return 0
            if time.monotonic() >= self._looks_at:
                self._look_at_the_index()
            run = _Run(self._indexed, self._changes, places().place(SEARCH))
            taken.read_up_to = run.index_newest(read_up_to=taken.read_up_to)
            run.make_up()
        return run.indexed

    def _look_at_the_index(self) -> None:
        """Has a gap noted if it was lost, whoever has made it anew; what this process put is unknown then."""
        identity = search_index().identity()
        if self._identity != identity:
            self._indexed.clear()
        gaps.look_whether_it_is_another(identity)
        self._identity, self._looks_at = identity, time.monotonic() + LOOK_SECONDS


class _Run:
    def __init__(self, known: "LRUCache[int, bool]", changes: "LRUCache[int, Order]", place: int) -> None:
        self.indexed = 0
        self._known, self._changes = known, changes
        began = time.monotonic()
        self._newest_until, self._ends = began + NEWEST_SHARE * RUN_SECONDS, began + RUN_SECONDS
        self._now = make_id(now_us(), 0)
        self._settled = before(self._now, SETTLED_US)
        self._place = place

    def index_newest(self, *, read_up_to: int) -> int:
        """The first pass; at least a page of it. Returns up to where it has come, which is never ahead of this clock.

        What others' clocks, which are ahead, have made is looked at again each time, until it is now: were
        it where the next run begins, whatever is made by right clocks would be below.
        """
        read_up_to = min(read_up_to, self._now)
        lowest = max(self._place, self._settled)
        newest = self._first_pass(max(lowest, read_up_to), MAX_ID, first_above=read_up_to)
        above = read_up_to + 1
        for back_us in BACK_US:
            after = max(lowest, before(read_up_to, back_us))
            if after + 1 < above and time.monotonic() < self._newest_until:
                self._first_pass(after, above, first_above=read_up_to)
            above = after + 1
        return min(max(newest, read_up_to), self._now)

    def _first_pass(self, after: int, below: int, *, first_above: int) -> int:
        """Returns the last order that it has come to, `after` if there is none."""
        while after < below:
            orders = outbox().orders_between(after=after, before=below, limit=PAGE)
            self._index([order for order in orders if order.id not in self._known], first_above=first_above)
            after = orders[-1].id if orders else after
            if len(orders) < PAGE or time.monotonic() >= self._newest_until:
                break
        return after

    def make_up(self) -> None:
        """The second pass, from the durable place up to what has settled; at least a page of it, or as much of one as
        there is time to finish."""
        if self._place and self._place > before(self._settled, STEP_US):
            return
        while True:
            orders = outbox().orders_between(after=self._place, before=self._settled, limit=PAGE)
            gaps.note_gap(self._place)
            left = self._settle([order for order in orders if not self._known.get(order.id)])
            is_full = len(orders) == PAGE
            self._place = left - 1 if left is not None else orders[-1].id if is_full else self._settled
            places().move(SEARCH, self._place)
            if left is not None or not is_full or time.monotonic() >= self._ends:
                return

    def _index(self, orders: Sequence[Order], *, first_above: int) -> None:
        """Of the first pass. What an order takes out or brings back, an older one that is read later may still change:
        the second pass reads them together, and so again."""
        of_tweets = _by_tweets(orders)
        for tweet_id, order in of_tweets.items():
            if order.kind in (RETRACT, RESTORE):
                self._changes[tweet_id] = max(order, self._changes.get(tweet_id, order), key=_id_of)
        of_tweets = {each: max(order, self._changes.get(each, order), key=_id_of) for each, order in of_tweets.items()}
        put, missing, _ = index_tweets(of_tweets)
        waiting = {order.id for order in orders if tweet_of(order) in missing}
        for order in orders:
            if order.id not in waiting:
                self._known[order.id] = order.kind not in (RETRACT, RESTORE)
        self.indexed += len(orders) - len(waiting)
        figures.count_indexed({each for each in put if each > first_above})

    def _settle(self, orders: Sequence[Order]) -> int | None:
        """Of the second pass. Returns the first order that there was no time for, from which the next run goes on."""
        new = _new_to_the_index(_by_tweets(orders))
        put, missing, _ = index_tweets(new)
        waiting = self._finish({each: new[each] for each in missing})
        finished, lost, _ = index_tweets({each: new[each] for each in missing - waiting.keys()})
        if lost:
            log.warning("tweets_of_orders_missing", count=len(lost))
        figures.count_indexed({each for each in put | finished if _brings(new[each])})
        left = min((order.id for order in waiting.values()), default=None)
        settled = [order for order in orders if left is None or order.id < left]
        self.indexed += len([order for order in settled if order.id not in self._known])
        self._known.update((order.id, True) for order in settled)
        return left

    def _finish(self, missing: "dict[int, Order]") -> "dict[int, Order]":
        """Has written what the orders of these tweets owe, FINISHED_AT_ONCE or as many as there is time for, the oldest
        first; returns the rest. What cannot be is left to its worker, who buries it."""
        waiting = sorted(missing.items(), key=lambda item: item[1].id)
        while waiting:
            kinds = {_owing(order, tweet_id): order.kind for tweet_id, order in waiting[:FINISHED_AT_ONCE]}
            for order_id in outbox().finish_orders(kinds):
                log.error("search_order_is_unreadable", order_id=order_id, kind=kinds[order_id])
            del waiting[:FINISHED_AT_ONCE]
            if time.monotonic() >= self._ends:
                break
        return dict(waiting)


def _owing(order: Order, tweet_id: int) -> int:
    """The order that the tweet was written with: that of now owes nothing itself (late.py)."""
    return tweet_id if order.kind == INDEX_ORDER else order.id


def before(place: int, us: int) -> int:
    """Returns the id that was made so much earlier, 0 before there were any."""
    return max(place - (us << WORKER_BITS), 0)


def _id_of(order: Order) -> int:
    return order.id


def _by_tweets(orders: Sequence[Order]) -> dict[int, Order]:
    for order in orders:
        if order.kind in OF_TWEETS and tweet_of(order) is None:
            log.error("search_order_is_unreadable", order_id=order.id, kind=order.kind)
    return {tweet_id: order for order in orders if (tweet_id := tweet_of(order)) is not None}


def _brings(order: Order) -> bool:
    """A tweet that there was none of before."""
    return order.kind not in (RETRACT, RESTORE)


def _new_to_the_index(orders: "dict[int, Order]") -> "dict[int, Order]":
    """Without those that bring what some process has put: neither is it read again, nor put. A read of the index."""
    brought = [tweet_id for tweet_id, order in orders.items() if _brings(order)]
    if not brought:
        return orders
    found = {*search_index().find(IndexQuery(), above=min(brought) - 1, below=max(brought) + 1, limit=BATCH_MAX)}
    return {each: order for each, order in orders.items() if each not in found or not _brings(order)}
