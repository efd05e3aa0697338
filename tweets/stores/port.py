"""The tweet port: tweets, and the listings of them that reading needs.

Listings hold ids only; whether a tweet may be shown is decided when it is read. Ids come
back newest first unless said otherwise, and never more than `limit` of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Protocol, cast

from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.ports.ranges import Range
from storage.stores import implementation
from tweets.entities import Deletion, Tweet

DELETIONS_DAYS = 7
"""So long at least a store can tell what was deleted: as long as cursors are for, and few of a socket's are older."""


class TweetStore(Protocol):
    """Tweets of one backend. Raises `Unavailable` when it does not answer."""

    def add(
        self, tweet: Tweet, order: Order | None, edges: Sequence[Change] = (), *, also: Order | None = None
    ) -> None:
        """Writes the tweet, its place in every listing, the edges and the order, or nothing; `also` another order (as
        `AssociationStore.apply`).
        Idempotent."""

    def get_many(self, ids: Sequence[int]) -> dict[int, Tweet]:
        """Returns the tweets by id, deleted ones too (flagged); missing ones are left out."""

    def delete(
        self,
        tweet: Tweet,
        *,
        op: int,
        by: int,
        order: Order | None,
        edges: Sequence[Change] = (),
        erase: bool = False,
    ) -> None:
        """Flags the tweet as deleted by `by` and takes it out of the listings, as operation `op`.

        The edges, the order and its place among the `deletions` are written with it, and the orders that
        announced the tweet and its `changed_op` are closed, or nothing. Wins over an `add` of the same
        tweet that arrives later, over a `restore` of a smaller operation too; by its author, over any `restore`. Who
        deleted it first stays its `deleted_by`. Idempotent.

        To `erase` its text and entities with it is for its author's own deletion, which nothing undoes: the row stays
        without them, and an `add` that arrives later brings neither back.
        """

    def restore(self, tweet: Tweet, *, op: int, order: Order, edges: Sequence[Change] = ()) -> None:
        """Takes the flag off a deleted tweet and puts it back into its listings, as operation `op`.

        `tweet` is the tweet as `get_many` has it, deleted, and no retweet; `op` is above its `changed_op`. The edges
        and the order are written with it, its place among the `deletions` goes, and the order of its `changed_op` is
        closed, or nothing. The greatest operation of its deletions and restorations wins, in whatever order they
        arrive, but for a deletion by its author: that stands. Of a restoration that races with one listings and edges
        may be left over, until it is deleted again by a greater operation (tweets/writing/changed.py). Idempotent.
        """

    def deletions(self, *, after: int, before: int = MAX_ID, limit: int) -> list[Deletion]:
        """Returns everybody's deletions with an operation between the two, ascending: the newest `limit` of them.

        Those of the last DELETIONS_DAYS are there. A tweet deleted twice may be there twice, or by its last operation.
        """

    def by_author(
        self, author: int, *, replies: bool, before: int | None = None, after: int | None = None, limit: int
    ) -> list[int]:
        """Returns the author's tweets; with `after`, the nearest above it. Without `replies`, home entries only."""

    def home_entries(
        self, authors: Sequence[int], *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[int]:
        """Returns the newest home entries of all `authors` together below `before`: the pull side of home.

        With `after`, the nearest above it instead, still newest first. Exact: no entry
        between two that it returns is left out.
        """

    def replies(self, tweet_id: int, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        """Returns direct replies to a tweet; with `after`, the nearest above it."""

    def by_authors(self, ranges: Mapping[int, Range], *, replies: bool) -> dict[int, list[int]]:
        """Returns a range of each author's tweets, as `by_author`. Everyone asked for is in the answer.

        As many rounds of reads as for one, however many they are; so does `replies_to`.
        """

    def replies_to(self, ranges: Mapping[int, Range]) -> dict[int, list[int]]:
        """Returns a range of the direct replies to each tweet, as `replies`."""

    def public(self, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        """Returns everybody's tweets that are `in_public`, back to the first; with `after`, the nearest above it."""

    def tagged(self, hashtag: str, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        """Returns the tweets with that hashtag, by its name (tweets/hashtags.py); with `after`, the nearest above it.

        Replies and quotes as well; a retweet has no text of its own. Back to the first that was written by a version
        which knew of hashtags.
        """

    def count_replies(self, tweet_ids: Sequence[int]) -> dict[int, int]:
        """Returns how many direct replies each tweet has now; every asked id is in the answer."""

    def retweets_of(self, original: int, author: int) -> list[int]:
        """Returns the author's present retweets of `original`: one, or for a moment several when requests raced."""

    def count_by_authors(self, authors: Sequence[int]) -> dict[int, int]:
        """Returns `count_by_author` of each; every one asked for is in the answer."""

    def count_by_author(self, author: int) -> int:
        """Returns how many tweets the author has now."""

    def authors(self) -> Iterator[int]:
        """Returns everybody who has ever written anything, some several times, in no order; walks all, page by page.

        Between two pages whoever walks may write.
        """


@cache
def tweet_store() -> TweetStore:
    return cast(
        TweetStore,
        implementation(
            {
                "embedded": "tweets.stores.embedded.EmbeddedTweets",
                "cassandra": "tweets.stores.cassandra.CassandraTweets",
            }
        ),
    )
