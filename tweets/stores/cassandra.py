"""Tweets in Cassandra. The tables are in ../cql/."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from cassandra.query import UNSET_VALUE

from storage import stores
from storage.cassandra import session
from storage.cassandra.associations import change_statements
from storage.cassandra.month_log import MonthLog
from storage.cassandra.outbox import done_statement, write_with_order
from storage.cassandra.session import Statement
from storage.ids.snowflakes import MAX_ID, write_timestamp
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.ports.ranges import Range
from tweets.entities import Deletion, Entities, Tweet
from tweets.hashtags import hashtag_names
from tweets.stores import cassandra_deletions, cassandra_pull
from tweets.stores.cassandra_hashtags import HashtagLog
from tweets.stores.cassandra_public import PublicLog

COLUMNS = (
    "id, author, text, conversation, in_home, entities, reply_to, quote_of, retweet_of, deleted_by, path,"
    " changed_op, author_deleted_op"
)
INSERT_TWEET = (
    "INSERT INTO tweets (id, author, text, conversation, in_home, entities, reply_to, quote_of, retweet_of, path)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
FLAG_DELETED = "UPDATE tweets USING TIMESTAMP ? SET deleted_by = ?, changed_op = ? WHERE id = ?"
FLAG_DELETED_BY_AUTHOR = "UPDATE tweets USING TIMESTAMP ? SET author_deleted_op = ? WHERE id = ?"
NAME_RESTORATION = "UPDATE tweets USING TIMESTAMP ? SET changed_op = ? WHERE id = ?"
UNFLAG_DELETED = "DELETE deleted_by FROM tweets USING TIMESTAMP ? WHERE id = ?"
"""A tombstone of one cell; restorations are rare, and made by hand."""
ERASE = "UPDATE tweets USING TIMESTAMP ? SET text = '', entities = '{}' WHERE id = ?"
SELECT_TWEETS = f"SELECT {COLUMNS} FROM tweets WHERE id IN ?"  # noqa: S608

COUNT_REPLIES = "SELECT COUNT(*) FROM replies_by_tweet WHERE tweet = ? AND month = ?"
COUNT_TWEETS = "SELECT COUNT(*) FROM tweets_by_author WHERE author = ? AND month = ?"
REPLY_MONTHS = "SELECT month FROM reply_months WHERE tweet = ?"
AUTHOR_MONTHS = "SELECT month FROM author_months WHERE author = ?"

ADD_RETWEET = "INSERT INTO retweets_by_pair (author, original, id) VALUES (?, ?, ?) USING TIMESTAMP ?"
REMOVE_RETWEET = "DELETE FROM retweets_by_pair USING TIMESTAMP ? WHERE author = ? AND original = ? AND id = ?"
SELECT_RETWEETS = "SELECT id FROM retweets_by_pair WHERE author = ? AND original = ?"

TWEETS_A_SELECT = 50
_by_author = MonthLog(table="tweets_by_author", months="author_months", owner=["author"])
_home_entries = MonthLog(table="home_entries_by_author", months="author_months", owner=["author"])
_replies = MonthLog(table="replies_by_tweet", months="reply_months", owner=["tweet"])
_entities_encoder = msgspec.json.Encoder()
_entities_decoder = msgspec.json.Decoder(Entities)


class CassandraTweets:
    """The tweet port on Cassandra; see tweets/stores/port.py for its promises."""

    def __init__(self) -> None:
        self._public = PublicLog()
        self._hashtags = HashtagLog()

    def add(
        self, tweet: Tweet, order: Order | None, edges: Sequence[Change] = (), *, also: Order | None = None
    ) -> None:
        """Makes two round trips: 5 rows, one a hashtag, up to six for each edge, and listings that are not known to
        stand.

        All at the tweet's own time. One round trip more before them when there are edges.
        """
        statements: list[Statement] = [
            (INSERT_TWEET, (*_values(tweet), write_timestamp(tweet.id))),
            *_by_author.insert((tweet.author_id,), tweet.id),
        ]
        if tweet.in_home:
            statements.append(_home_entries.insert((tweet.author_id,), tweet.id)[0])
        if tweet.reply_to_id is not None:
            statements += _replies.insert((tweet.reply_to_id,), tweet.id)
        if tweet.in_public:
            statements += self._public.insert(tweet.id)
        if tweet.retweet_of_id is not None:
            timestamp = write_timestamp(tweet.id)
            statements.append((ADD_RETWEET, (tweet.author_id, tweet.retweet_of_id, tweet.id, timestamp)))
        statements += self._in_hashtags(tweet, write_timestamp(tweet.id))
        _write(statements, order, edges, also=also)
        if tweet.in_public:
            self._public.remember_listed(tweet.id)

    def get_many(self, ids: Sequence[int]) -> dict[int, Tweet]:
        wanted = list(ids)
        groups = [(wanted[start : start + TWEETS_A_SELECT],) for start in range(0, len(wanted), TWEETS_A_SELECT)]
        found = session.execute_many(SELECT_TWEETS, groups)
        return {row[0]: _tweet(row) for rows in found for row in rows if row[1] is not None}

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
        """Makes two round trips, after a third one when there are edges.

        The listings' rows go, the tweet's own row stays, flagged. Later than the tweet's own write, and than its
        restoration, even by a clock that is behind.
        """
        timestamp = _after(tweet, op)
        statements: list[Statement] = [
            (FLAG_DELETED, (timestamp, by if tweet.deleted_by is None else tweet.deleted_by, op, tweet.id)),
            _by_author.delete((tweet.author_id,), tweet.id, timestamp=timestamp),
            _home_entries.delete((tweet.author_id,), tweet.id, timestamp=timestamp),
            self._public.delete(tweet.id, timestamp=timestamp),
            cassandra_deletions.insert(Deletion(op, tweet.id, tweet.author_id)),
            *_end_of_last_order(tweet, op),
        ]
        if by == tweet.author_id:
            statements.append((FLAG_DELETED_BY_AUTHOR, (timestamp, op, tweet.id)))
        if erase:
            statements.append((ERASE, (timestamp, tweet.id)))
        for name in hashtag_names(tweet):
            statements += self._hashtags.delete(name, tweet.id, timestamp=timestamp)
        if tweet.is_announced:
            statements.append(done_statement(tweet.id))
        if tweet.reply_to_id is not None:
            statements.append(_replies.delete((tweet.reply_to_id,), tweet.id, timestamp=timestamp))
        if tweet.retweet_of_id is not None:
            statements.append((REMOVE_RETWEET, (timestamp, tweet.author_id, tweet.retweet_of_id, tweet.id)))
        _write(statements, order, edges)

    def restore(self, tweet: Tweet, *, op: int, order: Order, edges: Sequence[Change] = ()) -> None:
        """Makes two round trips, after a third one when there are edges: what `add` writes, but later."""
        timestamp = _after(tweet, op)
        statements: list[Statement] = [
            (UNFLAG_DELETED, (timestamp, tweet.id)),
            (NAME_RESTORATION, (timestamp, op, tweet.id)),
            *_by_author.insert((tweet.author_id,), tweet.id, timestamp=timestamp),
            *_end_of_last_order(tweet, op),
        ]
        if tweet.in_home:
            statements.append(_home_entries.insert((tweet.author_id,), tweet.id, timestamp=timestamp)[0])
        if tweet.reply_to_id is not None:
            statements += _replies.insert((tweet.reply_to_id,), tweet.id, timestamp=timestamp)
        if tweet.in_public:
            statements += self._public.insert(tweet.id, timestamp=timestamp)
        statements += self._in_hashtags(tweet, timestamp)
        if tweet.changed_op:
            statements.append(cassandra_deletions.remove(tweet.changed_op, tweet.id, timestamp=timestamp))
        _write(statements, order, edges)

    def deletions(self, *, after: int, before: int = MAX_ID, limit: int) -> list[Deletion]:
        return cassandra_deletions.newest(after=after, before=before, limit=limit)

    def by_author(
        self, author: int, *, replies: bool, before: int | None = None, after: int | None = None, limit: int
    ) -> list[int]:
        return _newest_first(_by_author if replies else _home_entries, author, before, after, limit)

    def replies(self, tweet_id: int, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        return _newest_first(_replies, tweet_id, before, after, limit)

    def home_entries(
        self, authors: Sequence[int], *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[int]:
        """See cassandra_pull.py for the costs."""
        return cassandra_pull.home_entries(authors, before=before, after=after, limit=limit)

    def by_authors(self, ranges: Mapping[int, Range], *, replies: bool) -> dict[int, list[int]]:
        return _of_many(_by_author if replies else _home_entries, ranges)

    def replies_to(self, ranges: Mapping[int, Range]) -> dict[int, list[int]]:
        return _of_many(_replies, ranges)

    def public(self, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        return self._public.read(before=before, after=after, limit=limit)

    def tagged(self, hashtag: str, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        return self._hashtags.read(hashtag, before=before, after=after, limit=limit)

    def count_replies(self, tweet_ids: Sequence[int]) -> dict[int, int]:
        return _counts(REPLY_MONTHS, COUNT_REPLIES, tweet_ids)

    def retweets_of(self, original: int, author: int) -> list[int]:
        return [entry for (entry,) in session.execute(SELECT_RETWEETS, (author, original))]

    def count_by_author(self, author: int) -> int:
        return self.count_by_authors([author])[author]

    def count_by_authors(self, authors: Sequence[int]) -> dict[int, int]:
        return _counts(AUTHOR_MONTHS, COUNT_TWEETS, authors)

    def authors(self) -> Iterator[int]:
        return (author for (author,) in session.walk_partitions("author_months", "author"))

    def _in_hashtags(self, tweet: Tweet, timestamp: int) -> list[Statement]:
        inserts = [self._hashtags.insert(name, tweet.id, timestamp=timestamp) for name in hashtag_names(tweet)]
        return [statement for each in inserts for statement in each]


def _write(
    statements: list[Statement], order: Order | None, edges: Sequence[Change], *, also: Order | None = None
) -> None:
    if not edges:
        write_with_order(statements, order, also=also)
        return
    write_with_order([*statements, *change_statements(edges)], order, also=also)
    stores.associations().measure(edges)


def _after(tweet: Tweet, op: int) -> int:
    """The timestamp of operation `op`: later than whatever was written of the tweet as it was read."""
    return max(write_timestamp(op), write_timestamp(max(tweet.id, tweet.changed_op)) + 1)


def _end_of_last_order(tweet: Tweet, op: int) -> list[Statement]:
    """What closes the order of the operation that changed it last, which this one overtakes."""
    return [done_statement(tweet.changed_op)] if tweet.changed_op not in (0, op) else []


def _newest_first(log: MonthLog, owner: int, before: int | None, after: int | None, limit: int) -> list[int]:
    rows = log.read((owner,), before=before, after=after or 0, limit=limit, oldest_first=after is not None)
    ids = [row[0] for row in rows]
    return ids[::-1] if after is not None else ids


def _of_many(log: MonthLog, ranges: Mapping[int, Range]) -> dict[int, list[int]]:
    found = log.read_ranges({(owner,): each for owner, each in ranges.items()})
    return {owner: [row[0] for row in found[owner,]] for owner in ranges}


def _counts(months_cql: str, count_cql: str, owners: Sequence[int]) -> dict[int, int]:
    """Two rounds of concurrent reads: the months that have something, then each one's count."""
    months = session.execute_many(months_cql, [(owner,) for owner in owners])
    partitions = [(owner, month) for owner, rows in zip(owners, months, strict=True) for (month,) in rows]
    totals = dict.fromkeys(owners, 0)
    for (owner, _month), [(count,)] in zip(partitions, session.execute_many(count_cql, partitions), strict=True):
        totals[owner] += count
    return totals


def _values(tweet: Tweet) -> tuple[object, ...]:
    """Returns the row; what is absent stays unset: a null would be a tombstone."""
    optional = (tweet.reply_to_id, tweet.quote_of_id, tweet.retweet_of_id)
    return (
        tweet.id,
        tweet.author_id,
        tweet.text,
        tweet.conversation_id,
        tweet.in_home,
        _entities_encoder.encode(tweet.entities).decode(),
        *(UNSET_VALUE if value is None else value for value in optional),
        list(tweet.path) or UNSET_VALUE,
    )


def _tweet(row: session.Row) -> Tweet:
    tweet_id, author, text, conversation, in_home, entities, reply_to, quote_of, retweet_of, *state = row
    deleted_by, path, changed_op, author_deleted_op = state
    return Tweet(
        id=tweet_id,
        author_id=author,
        text=text,
        conversation_id=conversation,
        in_home=in_home,
        entities=_entities_decoder.decode(entities),
        reply_to_id=reply_to,
        quote_of_id=quote_of,
        retweet_of_id=retweet_of,
        deleted_by=author if deleted_by is None and author_deleted_op is not None else deleted_by,
        path=tuple(path or ()),
        changed_op=changed_op or 0,
        author_deleted_op=author_deleted_op or 0,
    )
