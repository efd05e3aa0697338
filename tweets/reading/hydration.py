"""From ids to what clients see: tweets with authors, counts, flags, quoted and retweeted tweets, in bulk.

One Redis round trip for any number of tweets when all is cached, a second one when there are
quotes or retweets of tweets that are not among them. The store and SQL are asked only for what
is not cached, and what they answer is.

Many readers are shown the same tweet with the same author, counts and flags: so a view is made
once in a process for equal parts, and with it its JSON. It is a function of these parts and of
nothing else, and each page looks all of them up anew; so no view outlives a change of any.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import msgspec

from accounts.account_cache import accounts
from accounts.account_cache.changes import changed_command
from accounts.entities import Account, Viewer
from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.web.times import created_at
from tweets.caches import counts, marks
from tweets.caches import tweets as tweet_cache
from tweets.caches.counts import Counts, Found
from tweets.caches.marks import ViewerFlags
from tweets.entities import Entities, Tweet
from tweets.reading.visibility import Visibility
from tweets.stores.port import tweet_store

NO_COUNTS = Counts()
OUTPUTS_KEPT = 8_192
"""About 3 KB each: 25 MB a process."""


class AuthorOut(msgspec.Struct, frozen=True):
    id: str
    username: str
    display_name: str
    avatar_url: str | None
    verified: bool


class CountsOut(msgspec.Struct, frozen=True):
    replies: int
    retweets: int
    quotes: int
    likes: int


class TweetOut(msgspec.Struct, frozen=True, dict=True):
    """A tweet as the contract shows it to a viewer; `dict` holds its JSON, once somebody asked for it."""

    id: str
    text: str
    created_at: str
    author: AuthorOut
    reply_to_id: str | None
    conversation_id: str
    quote_of: "TweetOut | None"
    retweet_of: "TweetOut | None"
    entities: Entities
    counts: CountsOut
    viewer: ViewerFlags | None

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def json(self) -> bytes:
        return _encode(self)


_encode = msgspec.json.Encoder().encode


class _Cached(msgspec.Struct, frozen=True):
    """What one round trip to Redis answered: nothing when it did not."""

    tweets: dict[int, Tweet] = {}
    counts: Found = Found({}, [])
    changed: Any = None
    noted: bytes | None = None
    """The generation under which all this was read; to be carried to the fills."""
    answers: Sequence[Any] = ()


class _Loaded(msgspec.Struct, frozen=True):
    """Tweets that may be shown, and what belongs to them, by id."""

    tweets: dict[int, Tweet]
    authors: dict[int, Account]
    counts: dict[int, Counts]

    def also(self, other: "_Loaded") -> "_Loaded":
        return _Loaded(self.tweets | other.tweets, self.authors | other.authors, self.counts | other.counts)


def hydrate(
    ids: Sequence[int], *, viewer: Viewer | None, visibility: Visibility | None = None, along: Sequence[Command] = ()
) -> list[TweetOut]:
    """The tweets in the order of `ids`, as `viewer` sees them.

    Left out are those that do not exist, were deleted, or whose author is suspended or hidden
    from the viewer by `visibility` (the one of the page that they are for, or that of any place
    but home), and retweets of such tweets. `along` are commands to send in the same round trip,
    whose answers nobody waits for. Raises `Unavailable` when something is not cached and its
    store does not answer.
    """
    if not ids:
        return []
    if visibility is None:
        visibility = Visibility(viewer.id if viewer is not None else None)
    asked = marks.read(viewer.id) if viewer is not None else []
    page, marked = _load(ids, visibility, [*asked, *along])
    inner = _inner_ids(page.tweets) - page.tweets.keys()
    loaded = page.also(_load(sorted(inner), visibility)[0]) if inner else page
    flags = _flags(viewer, loaded, marked[: len(asked)])
    tweets = [page.tweets[each] for each in ids if each in page.tweets]
    return [
        _show(tweet, loaded, flags)
        for tweet in tweets
        if tweet.retweet_of_id is None or tweet.retweet_of_id in loaded.tweets
    ]


def new_tweet_out(tweet: Tweet, author: Account) -> TweetOut:
    """A tweet that quotes nothing and that nobody has reacted to, as its author sees it. Costs nothing."""
    return _view(tweet, author, NO_COUNTS, ViewerFlags(), None, None)


def _inner_ids(tweets: Mapping[int, Tweet]) -> set[int]:
    """The tweets shown within these. A retweet names what its original quotes, so one step finds all."""
    inner = (each for tweet in tweets.values() for each in (tweet.retweet_of_id, tweet.quote_of_id))
    return {each for each in inner if each is not None}


def _flags(viewer: Viewer | None, loaded: _Loaded, marked: Sequence[Any]) -> Mapping[int, ViewerFlags]:
    if viewer is None:
        return {}
    known = marks.known(marked) if marked else None
    return marks.flags(viewer.id, _originals(loaded.tweets), known)


def _originals(tweets: Mapping[int, Tweet]) -> list[int]:
    """Those that people can act on: a retweet shows its original's counts and flags."""
    return [tweet.id for tweet in tweets.values() if tweet.retweet_of_id is None]


def _load(ids: Sequence[int], visibility: Visibility, along: Sequence[Command] = ()) -> tuple[_Loaded, Sequence[Any]]:
    """What may be shown of `ids`, and the answers to `along`: none if Redis does not answer."""
    cached = _from_cache(ids, visibility, along)
    found = dict(cached.tweets)
    fills = _read_missing(ids, found, cached.noted)
    shown = {tweet_id: tweet for tweet_id, tweet in found.items() if tweet.deleted_by is None}
    authors = accounts.accounts_by_id(
        {tweet.author_id for tweet in shown.values()}, changed=cached.changed, noted=cached.noted
    )
    seen = {author.id for author in authors.values() if not author.suspended} - visibility.hidden_among(authors)
    shown = {tweet_id: tweet for tweet_id, tweet in shown.items() if tweet.author_id in seen}
    counted, count_fills = counts.recounted(cached.counts, _originals(shown), noted=cached.noted)
    _send(fills + count_fills)
    return _Loaded(shown, authors, counted), cached.answers


def _from_cache(ids: Sequence[int], visibility: Visibility, along: Sequence[Command]) -> _Cached:
    """The log of changed accounts first: the generation that is read after it vouches for it (cards.py)."""
    excluded = visibility.commands()
    try:
        changed, read, *answers = timeline_node().round_trip(
            changed_command(), TWEET_BYTES.read_with(counts.CACHE, ids), *excluded, *along
        )
    except Unavailable:
        visibility.take(None)
        return _Cached()
    counted = read[len(ids) :]
    noted = TWEET_BYTES.noted((ids, counted))
    visibility.take(answers[: len(excluded)])
    return _Cached(tweet_cache.hits(ids, read), counts.found(ids, counted), changed, noted, answers[len(excluded) :])


def _read_missing(ids: Sequence[int], found: dict[int, Tweet], noted: bytes | None) -> list[Command]:
    """Completes `found` from the store; the commands that keep what was read."""
    missing = [tweet_id for tweet_id in ids if tweet_id not in found]
    if not missing:
        return []
    read = tweet_store().get_many(missing)
    found.update(read)
    return tweet_cache.fill(read.values(), noted=noted)


def _send(commands: list[Command]) -> None:
    try:
        if commands:
            timeline_node().round_trip(*commands)
    except Unavailable:
        return


def _show(tweet: Tweet, loaded: _Loaded, flags: Mapping[int, ViewerFlags]) -> TweetOut:
    """A tweet with what it quotes; a retweet with its original, whose content it shows as well."""
    author = loaded.authors[tweet.author_id]
    if tweet.retweet_of_id is not None:
        original = loaded.tweets[tweet.retweet_of_id]
        count = loaded.counts.get(original.id, NO_COUNTS)
        return _view(tweet, author, count, flags.get(original.id), None, _show(original, loaded, flags))
    quoted = loaded.tweets.get(tweet.quote_of_id) if tweet.quote_of_id is not None else None
    quote = _show_quoted(quoted, loaded, flags) if quoted is not None else None
    return _view(tweet, author, loaded.counts.get(tweet.id, NO_COUNTS), flags.get(tweet.id), quote, None)


def _show_quoted(quoted: Tweet, loaded: _Loaded, flags: Mapping[int, ViewerFlags]) -> TweetOut:
    """Without what it quotes itself."""
    count = loaded.counts.get(quoted.id, NO_COUNTS)
    return _view(quoted, loaded.authors[quoted.author_id], count, flags.get(quoted.id), None, None)


@lru_cache(OUTPUTS_KEPT)
def _view(  # noqa: PLR0917 - by position: names would cost the look-up as much again
    tweet: Tweet,
    author: Account,
    count: Counts,
    flags: ViewerFlags | None,
    quote: TweetOut | None,
    retweet: TweetOut | None,
) -> TweetOut:
    """A function of its arguments alone: whatever a view shows, and may change, is one of them."""
    return TweetOut(
        id=str(tweet.id),
        text=tweet.text if retweet is None else retweet.text,
        created_at=created_at(tweet.id),
        author=AuthorOut(
            str(author.id), author.username, author.display_name, author.avatar_url or None, author.verified
        ),
        reply_to_id=str(tweet.reply_to_id) if tweet.reply_to_id is not None else None,
        conversation_id=str(tweet.conversation_id),
        quote_of=quote,
        retweet_of=retweet,
        entities=tweet.entities if retweet is None else retweet.entities,
        counts=CountsOut(count.replies, count.retweets, count.quotes, count.likes),
        viewer=flags,
    )


forget_outputs = _view.cache_clear
"""As if the process had just started."""
