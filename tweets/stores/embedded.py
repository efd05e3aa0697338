"""Tweets in SQLite, through Django; the table is in ../models.py."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from django.db import connections
from django.db.models import Count, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from storage import stores
from storage.embedded.associations import WALKED_AT_ONCE, write_changes
from storage.embedded.base import ALIAS, Statement, answering, run, writing
from storage.embedded.outbox import close_statement, order_statement
from storage.embedded.ranges import OWNER, Listings
from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.ports.ranges import Range
from tweets.entities import Deletion, Entities, Tweet
from tweets.hashtags import hashtag_names
from tweets.models import HashtagRow, TweetRow
from tweets.stores.pull import nearest_of

INSERT = (
    "INSERT INTO tweets_tweetrow"
    " (id, author, text, conversation, in_home, entities, reply_to, quote_of, retweet_of, path)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
INSERT_HASHTAG = "INSERT INTO tweets_hashtagrow (tag, tweet) VALUES (%s, %s) ON CONFLICT DO NOTHING"
SELECT_ENTRIES = (
    "SELECT value, (SELECT json_group_array(id) FROM (SELECT id FROM tweets_tweetrow INDEXED BY home_entries_by_author"
    " WHERE author = value AND deleted_by IS NULL AND in_home AND id BETWEEN %s AND %s ORDER BY id {order} LIMIT %s))"
    " FROM json_each(%s)"
)
"""A share of each of many authors, in one statement: a third of what a statement an author costs."""
SELECT_NEWEST = SELECT_ENTRIES.format(order="DESC")
SELECT_OLDEST = SELECT_ENTRIES.format(order="ASC")


class Listing:
    """The ids of one listing: rows of one index that are present, and of one owner if a condition names one.

    The ORM would take ten times as long to write the statement as the database to carry it out.
    """

    def __init__(self, index: str, condition: str) -> None:
        self._begin(f"SELECT id FROM tweets_tweetrow INDEXED BY {index} WHERE {condition}", "id")  # noqa: S608

    def _begin(self, selected: str, place: str) -> None:
        self._newest, self._nearest = (
            f"{selected} AND deleted_by IS NULL AND {place} BETWEEN %s AND %s ORDER BY {place} {order} LIMIT %s"
            for order in ("DESC", "ASC")
        )

    def read(self, *owner: int | str, before: int | None, after: int | None, limit: int) -> list[int]:
        """Returns ids newest first below `before`, or the nearest above `after`. One statement."""
        upwards = after is not None
        bounds = ((after or 0) + 1, MAX_ID if before is None else before - 1)
        with answering(), connections[ALIAS].cursor() as cursor:
            rows = cursor.execute(self._nearest if upwards else self._newest, (*owner, *bounds, limit)).fetchall()
        found = [row[0] for row in rows]
        return found[::-1] if upwards else found


class HashtagListing(Listing):
    """The ids of tweets with a hashtag: of those that are present, which the tweets' own rows say."""

    def __init__(self) -> None:
        self._begin(
            "SELECT tweet FROM tweets_hashtagrow CROSS JOIN tweets_tweetrow ON tweets_tweetrow.id = tweet"
            " WHERE tag = %s",
            "tweet",
        )


_OF_AUTHOR = Listing("tweets_by_author", "author = %s")
_HOME_OF_AUTHOR = Listing("home_entries_by_author", "author = %s AND in_home")
_REPLIES_OF_TWEET = Listing("replies_by_tweet", "reply_to = %s")
_PUBLIC = Listing("public_tweets", "in_home AND retweet_of IS NULL")
_TAGGED = HashtagListing()

_BY_AUTHOR, _HOME_ENTRIES, _REPLIES = (
    Listings(
        f"tweets_tweetrow INDEXED BY {index} WHERE {owner} = {OWNER} AND deleted_by IS NULL{condition}",
        place="id",
        columns=["id"],
    )
    for index, owner, condition in (
        ("tweets_by_author", "author", ""),
        ("home_entries_by_author", "author", " AND in_home"),
        ("replies_by_tweet", "reply_to", ""),
    )
)

_ids_encoder = msgspec.json.Encoder()
_ids_decoder = msgspec.json.Decoder(list[int])
_entities_encoder = msgspec.json.Encoder()
_entities_decoder = msgspec.json.Decoder(Entities)


class EmbeddedTweets:
    """The tweet port on SQLite; see tweets/stores/port.py for its promises."""

    def add(
        self, tweet: Tweet, order: Order | None, edges: Sequence[Change] = (), *, also: Order | None = None
    ) -> None:
        statements = [*_inserts(tweet), *[order_statement(each) for each in (order, also) if each is not None]]
        with writing():
            run(*statements)
            write_changes(edges)
        if edges:
            stores.associations().measure(edges)

    def get_many(self, ids: Sequence[int]) -> dict[int, Tweet]:
        with answering():
            return {row.id: _tweet(row) for row in TweetRow.objects.filter(id__in=ids)}

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
        with writing():
            run(*_inserts(tweet))
            _flag_deleted(tweet, op, by)
            if erase:
                TweetRow.objects.filter(id=tweet.id).update(text="", entities="{}")
                HashtagRow.objects.filter(tweet=tweet.id).delete()
            if tweet.is_announced:
                run(close_statement(tweet.id))
            _close_last_order(tweet, op)
            write_changes(edges)
            if order is not None:
                run(order_statement(order))

    def restore(self, tweet: Tweet, *, op: int, order: Order, edges: Sequence[Change] = ()) -> None:
        with writing():
            rows = _unless_overtaken(tweet, op).filter(author_deleted_op=None).exclude(deleted_by=tweet.author_id)
            if not rows.update(deleted_by=None, deleted_op=None, changed_op=op):
                return
            _close_last_order(tweet, op)
            write_changes(edges)
            run(order_statement(order))
        if edges:
            stores.associations().measure(edges)

    def deletions(self, *, after: int, before: int = MAX_ID, limit: int) -> list[Deletion]:
        rows = TweetRow.objects.filter(deleted_op__gt=after, deleted_op__lt=before).order_by("-deleted_op")
        with answering():
            newest = rows.values_list("deleted_op", "id", "author")[:limit]
            return [Deletion(op, tweet_id, author) for op, tweet_id, author in newest if op is not None][::-1]

    def by_author(
        self, author: int, *, replies: bool, before: int | None = None, after: int | None = None, limit: int
    ) -> list[int]:
        listing = _OF_AUTHOR if replies else _HOME_OF_AUTHOR
        return listing.read(author, before=before, after=after, limit=limit)

    def replies(self, tweet_id: int, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        return _REPLIES_OF_TWEET.read(tweet_id, before=before, after=after, limit=limit)

    def home_entries(
        self, authors: Sequence[int], *, before: int | None = None, after: int | None = None, limit: int
    ) -> list[int]:
        low = (after or 0) + 1
        high = MAX_ID if before is None else before - 1
        upwards = after is not None
        sql = SELECT_OLDEST if upwards else SELECT_NEWEST

        def fetch(authors: Sequence[int], between: tuple[int, int], share: int) -> dict[int, list[int]]:
            with connections[ALIAS].cursor() as cursor:
                rows = cursor.execute(sql, (*between, share, _ids_encoder.encode(authors).decode())).fetchall()
            return {author: sorted(_ids_decoder.decode(ids), reverse=not upwards) for author, ids in rows}

        with answering():
            found = nearest_of(authors, low=low, high=high, limit=limit, upwards=upwards, fetch=fetch)
        return found[::-1] if upwards else found

    def by_authors(self, ranges: Mapping[int, Range], *, replies: bool) -> dict[int, list[int]]:
        return _of_many(_BY_AUTHOR if replies else _HOME_ENTRIES, ranges)

    def replies_to(self, ranges: Mapping[int, Range]) -> dict[int, list[int]]:
        return _of_many(_REPLIES, ranges)

    def public(self, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        return _PUBLIC.read(before=before, after=after, limit=limit)

    def tagged(self, hashtag: str, *, before: int | None = None, after: int | None = None, limit: int) -> list[int]:
        return _TAGGED.read(hashtag, before=before, after=after, limit=limit)

    def count_replies(self, tweet_ids: Sequence[int]) -> dict[int, int]:
        with answering():
            counted = _present().filter(reply_to__in=tweet_ids).values_list("reply_to").annotate(Count("id"))
            return dict.fromkeys(tweet_ids, 0) | dict(counted)

    def retweets_of(self, original: int, author: int) -> list[int]:
        entries = _present().filter(author=author, retweet_of=original).order_by("-id")
        with answering():
            return list(entries.values_list("id", flat=True))

    def count_by_author(self, author: int) -> int:
        with answering():
            return _present().filter(author=author).count()

    def count_by_authors(self, authors: Sequence[int]) -> dict[int, int]:
        with answering():
            counted = _present().filter(author__in=authors).values_list("author").annotate(Count("id"))
            return dict.fromkeys(authors, 0) | dict(counted)

    def authors(self) -> Iterator[int]:
        """Walks by key, as storage/embedded/associations.py does and for its reason."""
        after = 0
        while rows := self._rows_after(after):
            after = rows[-1][0]
            yield from dict.fromkeys(author for _, author in rows)

    def _rows_after(self, tweet_id: int) -> list[tuple[int, int]]:
        rows = TweetRow.objects.filter(pk__gt=tweet_id).order_by("pk").values_list("pk", "author")
        with answering():
            return list(rows[:WALKED_AT_ONCE])


def _of_many(listings: Listings, ranges: Mapping[int, Range]) -> dict[int, list[int]]:
    found = listings.read(ranges, [], tuple[int])
    return {owner: [tweet_id for (tweet_id,) in rows] for owner, rows in found.items()}


def _present() -> "QuerySet[TweetRow]":
    return TweetRow.objects.filter(deleted_by=None)


def _unless_overtaken(tweet: Tweet, op: int) -> "QuerySet[TweetRow]":
    """The tweet's row, if no later operation than `op` has deleted or restored it."""
    return TweetRow.objects.filter(Q(changed_op=None) | Q(changed_op__lte=op), id=tweet.id)


def _flag_deleted(tweet: Tweet, op: int, by: int) -> None:
    """Who deleted it first stays who did; its author's own deletion is never overtaken."""
    first = Coalesce("deleted_by", Value(by))
    _unless_overtaken(tweet, op).update(deleted_by=first, deleted_op=op, changed_op=op)
    if by == tweet.author_id:
        TweetRow.objects.filter(id=tweet.id).update(deleted_by=first, deleted_op=op, author_deleted_op=op)


def _close_last_order(tweet: Tweet, op: int) -> None:
    """Closes the order of the operation that changed it last, which this one overtakes."""
    if tweet.changed_op not in (0, op):
        run(close_statement(tweet.changed_op))


def _inserts(tweet: Tweet) -> list[Statement]:
    """What makes the tweet's row, and those of its hashtags, which stay: whether it is deleted its own row says."""
    return [_insert(tweet), *[(INSERT_HASHTAG, (name, tweet.id)) for name in hashtag_names(tweet)]]


def _insert(tweet: Tweet) -> Statement:
    return INSERT, (
        tweet.id,
        tweet.author_id,
        tweet.text,
        tweet.conversation_id,
        tweet.in_home,
        _entities_encoder.encode(tweet.entities).decode(),
        tweet.reply_to_id,
        tweet.quote_of_id,
        tweet.retweet_of_id,
        _ids_encoder.encode(tweet.path).decode(),
    )


def _tweet(row: TweetRow) -> Tweet:
    return Tweet(
        id=row.id,
        author_id=row.author,
        text=row.text,
        conversation_id=row.conversation,
        in_home=row.in_home,
        entities=_entities_decoder.decode(row.entities),
        reply_to_id=row.reply_to,
        quote_of_id=row.quote_of,
        retweet_of_id=row.retweet_of,
        deleted_by=row.deleted_by,
        path=tuple(row.path),
        changed_op=row.changed_op or 0,
        author_deleted_op=row.author_deleted_op or 0,
    )
