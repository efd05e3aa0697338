"""What belongs to tweets that may be shown: they themselves, their authors and counts, and what is shown within them.

One round trip to Redis for any number; the store and SQL are asked for what is not cached, and what they answer is.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec import structs

from accounts.account_cache.accounts import accounts_by_id
from accounts.account_cache.change_log import Changes, own_copy, recent_changes
from accounts.account_cache.vouching import vouching
from accounts.entities import Account
from accounts.graph.exclusions import Visibility
from storage.errors import Unavailable
from storage.figures import looked_up_in
from storage.redis.node import timeline_node
from storage.redis.reads import NOTHING, Command, Read
from storage.redis.shards import Generations
from storage.telling import teller
from tweets.caches import counts
from tweets.caches.counts import COUNTS, Counted, Counts
from tweets.caches.marks import KnownMarks
from tweets.caches.tweets import TWEETS
from tweets.entities import Tweet
from tweets.stores.port import tweet_store

TWEET_HITS, TWEET_MISSES = looked_up_in("tweets")
COUNT_HITS, COUNT_MISSES = looked_up_in("counts")


class _Cached(msgspec.Struct, frozen=True):
    """The answers of one round trip to Redis: nothing when it did not answer."""

    tweets: dict[int, Tweet] = {}
    counts: dict[int, Counted] = {}
    marks: KnownMarks | None = None
    changes: Changes | None = None
    log_shard: int = 0
    generation: Generations | None = None
    """The generation under which all this was read; to be carried to the fills."""


class Loaded(msgspec.Struct, frozen=True):
    """Tweets that may be shown, and what belongs to them, by id; and the ids of which the store has nothing."""

    tweets: dict[int, Tweet]
    authors: dict[int, Account]
    counts: dict[int, Counts]
    unreadable: set[int]

    def also(self, other: "Loaded") -> "Loaded":
        """Returns both together."""
        pairs = zip(structs.astuple(self), structs.astuple(other), strict=True)
        return Loaded(*(mine | theirs for mine, theirs in pairs))


def load(
    ids: Sequence[int],
    visibility: Visibility,
    marked: Read[KnownMarks | None] = NOTHING,
    extra: Read[object] = NOTHING,
    *,
    suspended: bool,
    listed: bool = False,
) -> tuple[Loaded, KnownMarks | None]:
    """Returns what may be shown of `ids`, and the marks: None if Redis does not know or answer."""
    cached = _from_cache(ids, visibility, marked, extra)
    found = dict(cached.tweets)
    fills = _read_missing(ids, found, cached.generation)
    shown = {tweet_id: tweet for tweet_id, tweet in found.items() if tweet.deleted_by is None}
    authors = accounts_by_id(
        {tweet.author_id for tweet in shown.values()},
        changes=cached.changes,
        log_shard=cached.log_shard,
        generation=cached.generation,
    )
    seen = authors.keys() - visibility.unseen_among(authors, suspended=suspended, listed=listed)
    shown = {tweet_id: tweet for tweet_id, tweet in shown.items() if tweet.author_id in seen}
    counted, count_fills = counts.recounted(cached.counts, originals_in(shown), generation=cached.generation)
    _send(fills + count_fills)
    return Loaded(shown, authors, counted, set(ids) - found.keys()), cached.marks


def with_inner(page: Loaded, visibility: Visibility, *, suspended: bool) -> Loaded:
    """Loads what is shown within the page's tweets and is not among them."""
    inner = _inner_ids(page.tweets) - page.tweets.keys()
    return page.also(load(sorted(inner), visibility, suspended=suspended)[0]) if inner else page


def originals_in(tweets: Mapping[int, Tweet]) -> list[int]:
    """Returns the tweets that people can act on: a retweet shows its original's counts and flags."""
    return [tweet.id for tweet in tweets.values() if tweet.retweet_of_id is None]


def _from_cache(
    ids: Sequence[int], visibility: Visibility, marked: Read[KnownMarks | None], extra: Read[object]
) -> _Cached:
    """Asks Redis for all that a page needs.

    The log of changed accounts first: the generation that is read after it vouches for it (accounts.py)."""
    vouching.go_on()
    node, log_shard = timeline_node(), own_copy.shard
    try:
        changes, (tweets, counted), excluded, known_marks, _ = node.ask(
            recent_changes(log_shard), TWEETS.read_with(COUNTS, ids, also=log_shard), visibility.read(), marked, extra
        )
    except Unavailable:
        visibility.know_without_redis()
        return _Cached()
    for found, hits, misses in ((tweets, TWEET_HITS, TWEET_MISSES), (counted, COUNT_HITS, COUNT_MISSES)):
        teller.tell(hits.inc, len(found.values))
        if missing := len(ids) - len(found.values):
            misses.inc(missing)
    if changes is None:
        own_copy.leave(log_shard)
    generation = node.generation_of(tweets.generation)
    visibility.know(excluded)
    return _Cached(tweets.values, counted.values, known_marks, changes, log_shard, generation)


def _read_missing(ids: Sequence[int], found: dict[int, Tweet], generation: Generations | None) -> list[Command]:
    """Completes `found` from the store; returns the commands that keep what was read."""
    missing = [tweet_id for tweet_id in ids if tweet_id not in found]
    if not missing:
        return []
    read = tweet_store().get_many(missing)
    found.update(read)
    return TWEETS.fill(read, generation=generation)


def _inner_ids(tweets: Mapping[int, Tweet]) -> set[int]:
    """Returns the tweets shown within these. A retweet names what its original quotes, so one step finds all."""
    inner = (each for tweet in tweets.values() for each in (tweet.retweet_of_id, tweet.quote_of_id))
    return {each for each in inner if each is not None}


def _send(commands: list[Command]) -> None:
    with suppress(Unavailable):
        if commands:
            timeline_node().round_trip(*commands)
