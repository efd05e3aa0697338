"""What has left while a client was away: tweets that were deleted, and authors who were suspended.

Known (heard.py) by operations above the client's cursor. That is enough: a cursor is a watermark, below the oldest
open order, so a deletion below it had been told before the cursor was made. A suspension is no order, but
known to every process within a second (listener.py), long before a watermark passes it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from accounts.account_cache.accounts import accounts_by_id
from accounts.graph.follows import followee_ids, followees_among
from accounts.people.selectors import suspended_since
from feed.live.heard import TooMany, heard
from feed.live.threads import reading
from storage.ids.snowflakes import id_time, id_us, make_id, now_us
from tweets.entities import Deletion
from tweets.stores.port import DELETIONS_DAYS

ASKED_ABOUT = 100
"""About more authors than this it costs less to read whom the reader follows."""
DAY_US = 24 * 3600 * 1_000_000


class Missed(msgspec.Struct, frozen=True):
    """One deletion, or one suspension."""

    op: int
    """When it was, as an id."""
    tweet_id: int | None
    """The tweet that was deleted; None of a suspension."""
    author_id: int
    by_followee: bool = False
    """Whether the tweet's author is the reader, or is followed: then it may be on the screen, whatever is known."""


async def missed_since(reader_id: int, after: int, on_screen: Collection[int]) -> list[Missed]:
    """Returns what was missed since the cursor `after`, in its order; suspensions only of the authors `on_screen`.

    Costs what it costs to know the deletions (`heard.since`), a read of the follows among their authors, a Redis round
    trip for the accounts, and a SQL query if one of them is suspended. Raises `TooMany`, and `Unavailable`.
    """
    if now_us() - id_us(after) > DELETIONS_DAYS * DAY_US:
        raise TooMany
    return await reading(_missed, reader_id, after, on_screen, await heard.since(after))


def _missed(reader_id: int, after: int, on_screen: Collection[int], deletions: Sequence[Deletion]) -> list[Missed]:
    near = _near(reader_id, {each.author_id for each in deletions})
    gone = [Missed(each.op, each.tweet_id, each.author_id, each.author_id in near) for each in deletions]
    return sorted([*gone, *_suspensions(after, on_screen)], key=lambda each: each.op)


def _near(reader_id: int, authors: set[int]) -> set[int]:
    """Whom of these the reader follows, and the reader. A store read, of the reader's own follows."""
    if len(authors) <= ASKED_ABOUT:
        return followees_among(reader_id, sorted(authors)) | {reader_id}
    return {*followee_ids(reader_id), reader_id}


def suspended_among(user_ids: Collection[int]) -> frozenset[int]:
    """Returns who of these people is suspended. A Redis round trip, and a SQL query for whom it does not know."""
    return frozenset(each for each, account in accounts_by_id(user_ids).items() if account.suspended)


def _suspensions(after: int, on_screen: Collection[int]) -> list[Missed]:
    suspended = suspended_since(suspended_among(on_screen), id_time(after))
    return [Missed(_id_of(at), None, author_id) for author_id, at in suspended.items()]


def _id_of(moment: datetime) -> int:
    return make_id(round(moment.timestamp() * 1_000_000), 0)
