"""What has left while a client was away: tweets that were deleted, and authors who were suspended or protected.

Known (heard.py) by operations above the client's cursor. That is enough: a cursor is a watermark, below the oldest
open order, so a deletion below it had been told before the cursor was made. A suspension, or protection, is no order,
but known to every process within a second (listener.py), long before a watermark passes it.
"""

from collections.abc import Callable, Collection, Sequence, Set
from datetime import datetime
from typing import NamedTuple

import msgspec

from accounts.account_cache.accounts import accounts_by_id
from accounts.graph.following import followee_ids, followees_among
from accounts.people.selectors import protected_since, suspended_since
from feed.live.heard import TooMany, heard
from feed.live.threads import reading
from storage.ids.snowflakes import id_time, id_us, make_id, now_us
from tweets.entities import Deletion, Tweet
from tweets.hashtags import hashtag_names, hashtag_numbers
from tweets.reading.bodies import tweets_by_id
from tweets.stores.port import DELETIONS_DAYS

ASKED_ABOUT = 100
"""About more authors than this it costs less to read whom the reader follows."""
LOOKED_AT = 1_000
"""Deleted tweets that are read at once, to know what they were."""
REMEMBERED = 50_000
"""Of so many it is known what they were: 10 MB, 14 with one hashtag in each, 78 if each had all thirty."""
TOLD = 1_000
"""Deletions that a client is told though nobody knows that it has the tweets; of more, it is told to load anew."""
DAY_US = 24 * 3600 * 1_000_000


class Missed(msgspec.Struct, frozen=True):
    """One deletion, or one suspension, or that somebody has become protected."""

    op: int
    """When it was, as an id."""
    tweet_id: int | None
    """The tweet that was deleted; None of a change of its author."""
    author_id: int
    unseen: bool = False
    """Whether the client is told though nobody knows that it has the tweet: it may have it from before."""
    protected: bool = False
    """The author has become protected, and is not suspended."""


Among = Callable[[Sequence[Deletion]], Set[int]]
"""Returns which tweets of these deletions a client may have whatever is known. Raises `TooMany`, and `Unavailable`."""


class Was(NamedTuple):
    """What a deleted tweet was."""

    in_public: bool
    reply_to_id: int | None
    hashtags: tuple[int, ...]
    """By their numbers."""


_were: dict[int, Was] = {}
"""By id; what a tweet was never changes. Several threads may read one at the same time."""


async def missed_since(after: int, on_screen: Collection[int], among: Among) -> list[Missed]:
    """Returns what was missed since the cursor `after`, in its order; of authors only those `on_screen`.

    Costs what it costs to know the deletions (`heard.since`), `among`, a Redis round trip for the accounts, and a SQL
    query if one of them is suspended, or protected. Raises `TooMany`, and `Unavailable`.
    """
    if now_us() - id_us(after) > DELETIONS_DAYS * DAY_US:
        raise TooMany
    return await reading(_missed, after, on_screen, await heard.since(after), among)


def _missed(after: int, on_screen: Collection[int], deletions: Sequence[Deletion], among: Among) -> list[Missed]:
    unseen = among(deletions)
    gone = [Missed(each.op, each.tweet_id, each.author_id, each.tweet_id in unseen) for each in deletions]
    return sorted([*gone, *_changes_of_authors(after, on_screen)], key=lambda each: each.op)


def by_followees(reader_id: int, deletions: Sequence[Deletion]) -> set[int]:
    """Returns those by whom the reader follows, or by the reader: in home, they may be there. A store read."""
    near = _near(reader_id, {each.author_id for each in deletions})
    return {each.tweet_id for each in deletions if each.author_id in near}


def that_were(listed: Callable[[Was], bool], deletions: Sequence[Deletion]) -> set[int]:
    """Returns those that stood in a listing. What they were is remembered, since sockets resume together.

    Costs `tweets_by_id` for each LOOKED_AT of which it is not. Raises `TooMany` for more than TOLD of them.
    """
    found = {tweet_id for tweet_id, was in _what_they_were([each.tweet_id for each in deletions]) if listed(was)}
    if len(found) > TOLD:
        raise TooMany
    return found


def _what_they_were(tweet_ids: Sequence[int]) -> list[tuple[int, Was]]:
    known = {each: was for each in tweet_ids if (was := _were.get(each)) is not None}
    unknown = [each for each in tweet_ids if each not in known]
    for start in range(0, len(unknown), LOOKED_AT):
        read = tweets_by_id(unknown[start : start + LOOKED_AT])
        fresh = {each.id: _was(each) for each in read.values()}
        known |= fresh
        for tweet_id, was in fresh.items():
            if len(_were) >= REMEMBERED:
                _were.clear()
            _were[tweet_id] = was
    return list(known.items())


def _was(tweet: Tweet) -> Was:
    return Was(tweet.in_public, tweet.reply_to_id, hashtag_numbers(hashtag_names(tweet)))


def _near(reader_id: int, authors: set[int]) -> set[int]:
    """Whom of these the reader follows, and the reader. A store read, of the reader's own follows."""
    if len(authors) <= ASKED_ABOUT:
        return followees_among(reader_id, sorted(authors)) | {reader_id}
    return {*followee_ids(reader_id), reader_id}


class Unseen(NamedTuple):
    """Who of some people is not to be seen by everybody; nobody is both."""

    suspended: frozenset[int]
    protected: frozenset[int]


def unseen_among(user_ids: Collection[int]) -> Unseen:
    """Returns who of these people is so. A Redis round trip, and a SQL query for whom it does not know."""
    accounts = accounts_by_id(user_ids).values()
    suspended = frozenset(each.id for each in accounts if each.suspended)
    return Unseen(suspended, frozenset(each.id for each in accounts if each.protected) - suspended)


def _changes_of_authors(after: int, on_screen: Collection[int]) -> list[Missed]:
    unseen, moment = unseen_among(on_screen), id_time(after)
    suspended, protected = suspended_since(unseen.suspended, moment), newly_protected(unseen.protected, moment)
    missed = [Missed(_id_of(at), None, author_id) for author_id, at in suspended.items()]
    return missed + [Missed(op, None, author_id, protected=True) for author_id, op in protected.items()]


def newly_protected(user_ids: Collection[int], moment: datetime) -> dict[int, int]:
    """Returns those of these protected people who are so since `moment`, and since when, as an id. As
    `protected_since`."""
    return {author_id: _id_of(at) for author_id, at in protected_since(user_ids, moment).items()}


def _id_of(moment: datetime) -> int:
    return make_id(round(moment.timestamp() * 1_000_000), 0)
