"""From ids to what clients see: tweets with their authors, counts and quoted tweets, in bulk.

One Redis round trip for any number of tweets when all is cached, a second one when there
are quotes. The store and SQL are asked only for what is not, and what they answer is cached.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from accounts import cards
from accounts.changes import changed_command
from accounts.entities import Account, Viewer
from storage.errors import Unavailable
from storage.redis import Command, timeline_node
from storage.times import created_at
from tweets import cache, counts
from tweets.entities import Entities, Tweet
from tweets.store import tweet_store
from tweets.visibility import Visibility


class AuthorView(msgspec.Struct, frozen=True):
    id: str
    username: str
    display_name: str
    avatar_url: str | None
    verified: bool


class CountsView(msgspec.Struct, frozen=True):
    replies: int
    retweets: int = 0
    quotes: int = 0
    likes: int = 0


class ViewerFlags(msgspec.Struct, frozen=True):
    liked: bool = False
    retweeted: bool = False
    bookmarked: bool = False


class TweetView(msgspec.Struct, frozen=True):
    """A tweet as the contract shows it to one viewer."""

    id: str
    text: str
    created_at: str
    author: AuthorView
    reply_to_id: str | None
    conversation_id: str
    quote_of: "TweetView | None"
    retweet_of: "TweetView | None"
    entities: Entities
    counts: CountsView
    viewer: ViewerFlags | None


class _Loaded(msgspec.Struct, frozen=True):
    """Tweets that may be shown, and what belongs to them, by id."""

    tweets: dict[int, Tweet]
    authors: dict[int, Account]
    replies: dict[int, int]


def hydrate(
    ids: Sequence[int], *, viewer: Viewer | None, visibility: Visibility | None = None, along: Sequence[Command] = ()
) -> list[TweetView]:
    """The tweets in the order of `ids`, as `viewer` sees them.

    Left out are those that do not exist, were deleted, or whose author is suspended or hidden
    from the viewer by `visibility`: the one of the page that they are for, or that of any place
    but home. `along` are commands to send in the same round trip, whose answers nobody waits
    for. Raises `Unavailable` when something is not cached and its store does not answer.
    """
    if not ids:
        return []
    if visibility is None:
        visibility = Visibility(viewer.id if viewer is not None else None)
    loaded = _load(ids, visibility, along)
    quoted_ids = {tweet.quote_of_id for tweet in loaded.tweets.values() if tweet.quote_of_id is not None}
    quoted = _load(sorted(quoted_ids), visibility) if quoted_ids else loaded
    flags = ViewerFlags() if viewer is not None else None
    quotes = {tweet_id: _view(tweet_id, quoted, flags, None) for tweet_id in quoted_ids & quoted.tweets.keys()}
    return [
        _view(tweet_id, loaded, flags, quotes.get(loaded.tweets[tweet_id].quote_of_id or 0))
        for tweet_id in ids
        if tweet_id in loaded.tweets
    ]


def _load(ids: Sequence[int], visibility: Visibility, along: Sequence[Command] = ()) -> _Loaded:
    found, replies, changed = _from_cache(ids, visibility, along)
    fills = _read_missing(ids, found, replies)
    shown = {tweet_id: tweet for tweet_id, tweet in found.items() if not tweet.deleted}
    authors = cards.account_cards({tweet.author_id for tweet in shown.values()}, changed=changed)
    hidden = visibility.hidden_among(authors)
    shown = {
        tweet_id: tweet
        for tweet_id, tweet in shown.items()
        if tweet.author_id in authors and not authors[tweet.author_id].suspended and tweet.author_id not in hidden
    }
    _send(fills)
    return _Loaded(shown, authors, replies)


def _from_cache(
    ids: Sequence[int], visibility: Visibility, along: Sequence[Command]
) -> tuple[dict[int, Tweet], dict[int, int], Any]:
    try:
        tweets, replies, changed, *others = timeline_node().round_trip(
            cache.read(ids), counts.read(ids), changed_command(), *visibility.commands(), *along
        )
    except Unavailable:
        visibility.take(None)
        return {}, {}, None
    visibility.take(others)
    return cache.hits(ids, tweets), counts.hits(ids, replies), changed


def _read_missing(ids: Sequence[int], found: dict[int, Tweet], replies: dict[int, int]) -> list[Command]:
    """Completes both from the store; the commands that keep what was read."""
    fills: list[Command] = []
    missing = [tweet_id for tweet_id in ids if tweet_id not in found]
    if missing:
        read = tweet_store().get_many(missing)
        found.update(read)
        fills += cache.fill(read.values())
    uncounted = [tweet_id for tweet_id in ids if tweet_id in found and tweet_id not in replies]
    if uncounted:
        counted = tweet_store().count_replies(uncounted)
        replies.update(counted)
        fills += counts.fill(counted)
    return fills


def _send(commands: list[Command]) -> None:
    try:
        if commands:
            timeline_node().round_trip(*commands)
    except Unavailable:
        return


def _view(tweet_id: int, loaded: _Loaded, flags: ViewerFlags | None, quote: TweetView | None) -> TweetView:
    tweet = loaded.tweets[tweet_id]
    author = loaded.authors[tweet.author_id]
    return TweetView(
        id=str(tweet.id),
        text=tweet.text,
        created_at=created_at(tweet.id),
        author=AuthorView(
            str(author.id), author.username, author.display_name, author.avatar_url or None, author.verified
        ),
        reply_to_id=str(tweet.reply_to_id) if tweet.reply_to_id is not None else None,
        conversation_id=str(tweet.conversation_id),
        quote_of=quote,
        retweet_of=None,
        entities=tweet.entities,
        counts=CountsView(replies=loaded.replies.get(tweet_id, 0)),
        viewer=flags,
    )
