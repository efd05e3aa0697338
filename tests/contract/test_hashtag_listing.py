"""What both tweet stores promise of the listings behind hashtags."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from unittest.mock import patch

import pytest

from storage.cassandra import session
from storage.ids.snowflakes import EPOCH_US, MAX_ID, id_minute, id_month, make_id
from storage.ports.outbox import Order
from storage.web.walking import Stored
from tests.backends import counted_store_calls
from tests.ids import new_id
from tweets.entities import Entities, Hashtag, Tweet
from tweets.hashtags import MOST_LISTED, NAME_MAX
from tweets.stores import cassandra_hashtags
from tweets.stores.port import TweetStore, tweet_store

DAY_US = 24 * 3600 * 1_000_000
MONTH_US = 31 * DAY_US


@pytest.fixture
def tweets(store: str) -> TweetStore:
    return tweet_store()


@pytest.fixture
def tag() -> str:
    """One that no other test uses."""
    return f"tag{new_id()}"


@pytest.fixture
def busy_from_the_second_row() -> Iterator[None]:
    with patch.object(cassandra_hashtags, "QUIET", 1):
        yield


def tagged(*tags: str, tweet_id: int | None = None, in_home: bool = True, reply_to: int | None = None) -> Tweet:
    tweet_id = tweet_id or new_id()
    hashtags = tuple(Hashtag(each, (0, 1 + len(each))) for each in tags)
    return Tweet(
        id=tweet_id,
        author_id=7,
        text="hello",
        conversation_id=tweet_id,
        in_home=in_home,
        entities=Entities(hashtags=hashtags),
        reply_to_id=reply_to,
    )


def ids_over(span_us: int, count: int) -> list[int]:
    """Distinct ids of a span that ended a year ago, ascending; later than what test_public_listing.py writes."""
    dice = random.Random(span_us)
    end = (new_id() >> 12) + EPOCH_US - 12 * MONTH_US
    return [make_id(us, dice.randrange(4096)) for us in sorted(dice.sample(range(end - span_us, end), count))]


def down(tweets: TweetStore, tag: str, limit: int) -> list[int]:
    seen: list[int] = []
    place = MAX_ID
    while page := tweets.tagged(tag, before=place, limit=limit):
        assert len(page) == limit or not tweets.tagged(tag, before=page[-1], limit=1), "short before the end"
        seen += page
        place = page[-1]
    return seen


def up(tweets: TweetStore, tag: str, limit: int) -> list[int]:
    seen: list[int] = []
    place = 1
    while page := tweets.tagged(tag, after=place, limit=limit):
        assert page == sorted(page, reverse=True)
        seen = page + seen
        place = page[0]
    return seen


@pytest.mark.parametrize("span_us", [1_000_000, 20 * 60_000_000, 5 * DAY_US, 40 * DAY_US, 24 * MONTH_US])
@pytest.mark.parametrize("busy", [False, True])
def test_paging_meets_every_tweet_once_however_they_are_spread(
    request: pytest.FixtureRequest, tweets: TweetStore, tag: str, span_us: int, busy: bool
) -> None:
    if busy:
        request.getfixturevalue("busy_from_the_second_row")
    ids = ids_over(span_us, 60)
    for each in random.Random(1).sample(ids, len(ids)):
        tweets.add(tagged(tag, tweet_id=each), None)
    for limit in (1, 19, 59, 60, 61):
        assert down(tweets, tag, limit) == up(tweets, tag, limit) == ids[::-1]
    assert tweets.tagged(tag, after=ids[10], limit=3) == ids[13:10:-1]
    assert tweets.tagged(tag, before=ids[10], limit=3) == ids[9:6:-1]


@pytest.mark.usefixtures("busy_from_the_second_row")
def test_a_month_s_last_moments_and_the_next_one_s_first(tweets: TweetStore, tag: str) -> None:
    turn = round(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1_000_000)
    ids = [make_id(turn + us, 0) for us in (-3, -2, -1, 0, 1, 2)]
    assert len({id_month(each) for each in ids}) == 2
    for each in ids:
        tweets.add(tagged(tag, tweet_id=each), None)
    for limit in (1, 2, 4, 7):
        assert down(tweets, tag, limit) == up(tweets, tag, limit) == ids[::-1]
    for each in ids[2:4]:
        tweets.delete(tagged(tag, tweet_id=each), op=new_id(), by=7, order=None)
    assert tweets.tagged(tag, limit=10) == [*ids[:3:-1], *ids[1::-1]]


@pytest.mark.usefixtures("busy_from_the_second_row")
def test_what_two_processes_have_put_in_different_places_is_there_once(tweets: TweetStore, tag: str) -> None:
    first, tweet = tagged(tag), tagged(tag)
    tweets.add(first, None)
    tweets.add(tweet, None)
    tweet_store.cache_clear()
    tweet_store().add(tweet, None)
    assert tweet_store().tagged(tag, limit=10) == [tweet.id, first.id]
    assert tweet_store().tagged(tag, limit=2) == [tweet.id, first.id], "what is there twice does not shorten a page"
    tweet_store().delete(tweet, op=new_id(), by=7, order=None)
    assert tweets.tagged(tag, limit=10) == [first.id]


def test_a_tag_that_nobody_uses_is_empty(tweets: TweetStore, tag: str) -> None:
    assert tweets.tagged(tag, limit=10) == tweets.tagged(tag, after=1, limit=10) == []
    tweets.add(tagged(f"{tag}x", f"x{tag}"), None)
    assert tweets.tagged(tag, limit=10) == []


def test_replies_are_listed_retweets_and_other_tags_are_not(tweets: TweetStore, tag: str) -> None:
    tweet, other = tagged(tag), tagged(f"{tag}2")
    reply = tagged(tag, in_home=False, reply_to=tweet.id)
    entry = Tweet(id=new_id(), author_id=7, text="", conversation_id=1, in_home=True, retweet_of_id=tweet.id)
    for each in (tweet, other, reply, entry):
        tweets.add(each, None)
    assert tweets.tagged(tag, limit=10) == [reply.id, tweet.id]


def test_a_tweet_is_listed_by_name_and_once_however_often_it_says_it(tweets: TweetStore, tag: str) -> None:
    tweet = tagged(tag.upper(), tag, f"ＦＦ{tag}", f"ff{tag}")
    for _ in range(2):
        tweets.add(tweet, None)
    assert tweets.tagged(tag, limit=10) == tweets.tagged(f"ff{tag}", limit=10) == [tweet.id]


def test_the_first_tags_list_it_and_none_that_is_too_long(tweets: TweetStore, tag: str) -> None:
    many = [f"{tag}n{number}" for number in range(MOST_LISTED + 2)]
    tweet = tagged("x" * (NAME_MAX + 1), *many)
    tweets.add(tweet, None)
    assert [each for each in many if tweets.tagged(each, limit=1)] == many[:MOST_LISTED]
    assert tweets.tagged("x" * (NAME_MAX + 1), limit=1) == []


def test_a_deleted_tweet_is_out_and_a_late_write_does_not_bring_it_back(tweets: TweetStore, tag: str) -> None:
    stays, goes, late = tagged(tag), tagged(tag), tagged(tag)
    for each in (stays, goes):
        tweets.add(each, None)
    for each in (goes, late):
        tweets.delete(each, op=new_id(), by=7, order=None)
    tweets.add(late, None)
    assert tweets.tagged(tag, limit=10) == [stays.id]


def test_a_restored_tweet_is_back_and_one_that_its_author_has_deleted_is_not(tweets: TweetStore, tag: str) -> None:
    tweet, other = tagged(tag), tagged(tag)
    for each in (tweet, other):
        tweets.add(each, None)
        tweets.delete(each, op=new_id(), by=1, order=None)
    gone = tweets.get_many([tweet.id])[tweet.id]
    op = new_id()
    tweets.restore(gone, op=op, order=Order(op, "restore", (tweet.id, 7)))
    assert tweets.tagged(tag, limit=10) == [tweet.id]
    tweets.delete(tweets.get_many([tweet.id])[tweet.id], op=new_id(), by=7, order=None)
    assert tweets.tagged(tag, limit=10) == []


class TestCosts:
    def test_a_page_reads_no_more_than_it_needs(self, tweets: TweetStore, tag: str, store: str) -> None:
        """Of a tag that was used for years: of the newest days. Empty months are not looked at."""
        for each in ids_over(40 * MONTH_US, 120):
            tweets.add(tagged(tag, tweet_id=each), None)
        for _ in range(30):
            tweets.add(tagged(tag), None)
        with counted_store_calls() as calls:
            assert len(tweets.tagged(tag, limit=20)) == 20
        assert len(calls) == (3 if store == "cassandra" else 1), "months, places of the newest, and tweets"
        with counted_store_calls() as calls:
            assert tweets.tagged(f"{tag}x", limit=20) == []
        assert len(calls) == 1

    def test_what_has_not_settled_is_read_upwards(self, tweets: TweetStore, tag: str, store: str) -> None:
        """Of a tag that was used for years, and now: the years are not looked at."""
        for each in ids_over(40 * MONTH_US, 120):
            tweets.add(tagged(tag, tweet_id=each), None)
        new = [new_id() for _ in range(3)]
        for each in new:
            tweets.add(tagged(tag, tweet_id=each), None)
        listed = Stored(partial(tweets.tagged, tag))
        with counted_store_calls() as calls:
            assert listed.between(new[0] - 1, new[2], limit=400) == [new[1], new[0]]
        assert len(calls) == (3 if store == "cassandra" else 1), "months, places, and tweets"

    @pytest.mark.usefixtures("busy_from_the_second_row")
    def test_a_busy_day_is_spread_over_bounded_places(self, tweets: TweetStore, tag: str, store: str) -> None:
        if store != "cassandra":
            pytest.skip("SQLite has no partitions")
        ids = ids_over(3_600_000_000, 200)
        for each in ids:
            tweets.add(tagged(tag, tweet_id=each), None)
        days = {(id_month(each), id_minute(each) // cassandra_hashtags.DAY_MINUTES) for each in ids}
        listed = "SELECT day, shard FROM hashtag_days WHERE tag = ? AND month = ? AND day = ?"
        places = {(day, shard) for key in days for day, shard in session.execute(listed, (tag, *key))}
        counted = "SELECT COUNT(*) FROM hashtag_tweets WHERE tag = ? AND day = ? AND shard = ?"
        rows = {place: session.execute(counted, (tag, *place))[0][0] for place in places}
        assert sum(rows.values()) == len(ids), "every row is in a place that is listed"
        assert [count for (_, shard), count in rows.items() if shard == 0] == [1] * len({day for _, day in days})
        assert max(rows.values()) < len(ids) // 4, "and no place has much of them"

    def test_a_quiet_day_is_one_place(self, tweets: TweetStore, tag: str, store: str) -> None:
        if store != "cassandra":
            pytest.skip("SQLite has no partitions")
        ids = [new_id() for _ in range(40)]
        for each in ids:
            tweets.add(tagged(tag, tweet_id=each), None)
        found = session.execute("SELECT shard FROM hashtag_days WHERE tag = ? AND month = ?", (tag, id_month(ids[0])))
        assert {shard for (shard,) in found} == {0}
