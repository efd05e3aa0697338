"""What clients see of a tweet, and its JSON.

Many readers are shown the same tweet with the same author, counts and flags: so an output is made
once in a process for equal parts, and with it its JSON. It is a function of these parts and of
nothing else, and each page looks all of them up anew (hydration.py); so no output outlives a change of any.
"""

from functools import cached_property, lru_cache

import msgspec

from accounts.entities import Account
from storage.ids.snowflakes import created_at
from tweets.caches.counts import Counts
from tweets.caches.marks import ViewerFlags
from tweets.entities import Entities, Tweet

OUTPUTS_KEPT = 8_192
"""By tweet and by parts each, nearly always the same ones. About 3 KB each: 25 MB a process, and 50 MB at most."""


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


def output(  # noqa: PLR0917 - by position: names would cost the look-up as much again
    tweet: Tweet,
    author: Account,
    count: Counts,
    flags: ViewerFlags | None,
    quote: TweetOut | None,
    retweet: TweetOut | None,
) -> TweetOut:
    """What `_made` makes. Nearly always of the very parts of which the tweet's last output was made: that they are the
    same objects is told at a fifth of what it costs to compare them."""
    last = _last.get(tweet.id)
    if (
        last is not None
        and last[0] is tweet
        and last[1] is author
        and last[2] is count
        and last[3] is flags
        and last[4] is quote
        and last[5] is retweet
    ):
        return last[6]
    made = _made(tweet, author, count, flags, quote, retweet)
    if len(_last) >= OUTPUTS_KEPT:
        _last.clear()
    _last[tweet.id] = tweet, author, count, flags, quote, retweet, made
    return made


_Last = tuple[Tweet, Account, Counts, ViewerFlags | None, TweetOut | None, TweetOut | None, TweetOut]
_last: dict[int, _Last] = {}
"""By tweet, the parts of its last output, and that."""


@lru_cache(OUTPUTS_KEPT)
def _made(  # noqa: PLR0917 - as above
    tweet: Tweet,
    author: Account,
    count: Counts,
    flags: ViewerFlags | None,
    quote: TweetOut | None,
    retweet: TweetOut | None,
) -> TweetOut:
    """A function of its arguments alone: whatever an output shows, and may change, is one of them."""
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


def forget_outputs() -> None:
    """Makes this process one that has just started."""
    _made.cache_clear()
    _last.clear()
