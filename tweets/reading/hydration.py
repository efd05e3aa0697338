"""From ids to what clients see: tweets with authors, counts, flags, quoted and retweeted tweets, in bulk.

One Redis round trip for any number of tweets when all is cached, a second one when there are
quotes or retweets of tweets that are not among them. The store and SQL are asked only for what
is not cached, and what they answer is.

What clients see of these parts is made in outputs.py, once for equal ones; each page looks all parts up anew.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import msgspec
from msgspec import Raw, structs

from accounts.account_cache.accounts import accounts_by_id
from accounts.account_cache.change_log import Changes, own_copy, recent_changes
from accounts.account_cache.vouching import vouching
from accounts.entities import Account, Viewer
from accounts.graph.exclusions import Visibility
from storage.errors import Unavailable
from storage.figures import looked_up_in
from storage.redis.node import timeline_node
from storage.redis.reads import NOTHING, Command, Read
from storage.redis.shards import Generations
from storage.telling import teller
from storage.web import walking
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest
from storage.web.walking import Source
from tweets.caches import counts, marks
from tweets.caches.counts import COUNTS, Counted, Counts
from tweets.caches.marks import KnownMarks, ViewerFlags
from tweets.caches.tweets import TWEETS
from tweets.entities import Tweet
from tweets.reading.outputs import TweetOut, output
from tweets.stores.port import tweet_store

__all__ = [
    "Hydrate",
    "Hydrated",
    "TweetOut",
    "full_page",
    "hydrate",
    "hydrated",
    "jsons",
    "new_tweet_out",
    "original_id",
    "rendered",
]

NO_COUNTS = Counts()
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


class Hydrated(msgspec.Struct, frozen=True):
    """The tweets that may be shown of some ids, in their order.

    `unreadable` are the ids of which, or of whose original, the store shows nothing yet: neither deleted nor hidden.
    """

    tweets: list[TweetOut]
    unreadable: set[int] = set()


def hydrate(
    ids: Sequence[int],
    *,
    viewer: Viewer | None,
    visibility: Visibility | None = None,
    extra: Read[object] = NOTHING,
    suspended: bool = False,
) -> list[TweetOut]:
    """Returns the tweets in the order of `ids`, as `viewer` sees them.

    Left out are those that do not exist, were deleted, or whose author is suspended, protected and not
    followed, or hidden from the viewer by `visibility` (the one of the page that they are for, or that of any place
    but home), and retweets of such tweets; with `suspended`, for staff, suspended and protected people's are
    there. `extra` is sent in the same round trip, and nobody waits for what it says. Raises
    `Unavailable` when something is not cached and its store does not answer.
    """
    return hydrated(ids, viewer=viewer, visibility=visibility, extra=extra, suspended=suspended).tweets


def hydrated(
    ids: Sequence[int],
    *,
    viewer: Viewer | None,
    visibility: Visibility | None = None,
    extra: Read[object] = NOTHING,
    suspended: bool = False,
) -> Hydrated:
    """Returns what `hydrate` does, at its cost, and which of the ids could not be read."""
    if not ids:
        return Hydrated([])
    if visibility is None:
        visibility = Visibility(viewer.id if viewer is not None else None)
    asked = marks.read(viewer.id) if viewer is not None else NOTHING
    page, known_marks = load(ids, visibility, asked, extra, suspended=suspended, listed=True)
    loaded = with_inner(page, visibility, suspended=suspended)
    flags = marks.flags(viewer.id, originals_in(loaded.tweets), known_marks) if viewer is not None else {}
    return shown_of([each for each in ids if each in page.tweets], loaded, page.unreadable, flags)


def shown_of(ids: Sequence[int], loaded: Loaded, unreadable: set[int], flags: Mapping[int, ViewerFlags]) -> Hydrated:
    """Returns the loaded tweets of these `ids`, with a viewer's flags; without those whose originals are not there."""
    tweets = [loaded.tweets[each] for each in ids]
    complete = [each for each in tweets if each.retweet_of_id is None or each.retweet_of_id in loaded.tweets]
    lacking = {each.id for each in tweets if each.retweet_of_id in loaded.unreadable}
    return Hydrated([_show(tweet, loaded, flags) for tweet in complete], unreadable | lacking)


def new_tweet_out(tweet: Tweet, author: Account) -> TweetOut:
    """Returns a tweet that quotes nothing and that nobody has reacted to, as its author sees it. Costs nothing."""
    return output(tweet, author, NO_COUNTS, ViewerFlags(), None, None)


def _show(tweet: Tweet, loaded: Loaded, flags: Mapping[int, ViewerFlags], *, quotes: bool = True) -> TweetOut:
    """Shows a tweet with what it quotes, if `quotes`; a retweet with its original, whose content it shows as well."""
    author = loaded.authors[tweet.author_id]
    if tweet.retweet_of_id is not None:
        original = loaded.tweets[tweet.retweet_of_id]
        count = loaded.counts.get(original.id, NO_COUNTS)
        return output(tweet, author, count, flags.get(original.id), None, _show(original, loaded, flags))
    quoted = loaded.tweets.get(tweet.quote_of_id) if quotes and tweet.quote_of_id is not None else None
    quote = _show(quoted, loaded, flags, quotes=False) if quoted is not None else None
    return output(tweet, author, loaded.counts.get(tweet.id, NO_COUNTS), flags.get(tweet.id), quote, None)


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


Hydrate = Callable[[Sequence[int]], Hydrated]


def full_page(request: PageRequest, source: Source, hydrate: Hydrate) -> Page[TweetOut]:
    """Returns the page asked for of a listing in which a tweet's place is its id; as storage/web/walking.py has it.

    The same tweet is there once: the newest of the original and its retweets."""

    return walking.full_page(request, source, partial(_shown, hydrate), same=original_id)


def _shown(hydrate: Hydrate, ids: Sequence[int]) -> Shown[TweetOut]:
    found = hydrate(ids)
    return Shown([(int(tweet.id), tweet) for tweet in found.tweets], found.unreadable)


def rendered(page: Page[TweetOut]) -> Page[Raw]:
    """Returns the page with its tweets as the JSON that each has been made into already."""
    return Page(jsons(page.items), page.older, page.newer, page.unsettled)


def jsons(tweets: Sequence[TweetOut]) -> list[Raw]:
    """Returns the JSON that each has been made into already."""
    return [Raw(tweet.json) for tweet in tweets]


def original_id(tweet: TweetOut) -> str:
    """Returns the id of what an entry shows: of a retweet that of its original."""
    return tweet.retweet_of.id if tweet.retweet_of is not None else tweet.id
