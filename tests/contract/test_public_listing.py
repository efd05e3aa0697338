"""What both tweet stores promise of the listing behind the public feed."""

import random

import pytest

from storage.ids.snowflakes import EPOCH_US, MAX_ID, id_minute, id_month, make_id
from tests.contract.test_tweets import a_tweet
from tests.ids import new_id
from tweets.entities import Tweet
from tweets.stores.port import TweetStore, tweet_store

MINUTE_US = 60_000_000
MONTH_US = 31 * 24 * 60 * MINUTE_US


@pytest.fixture
def tweets(store: str) -> TweetStore:
    return tweet_store()


def old_ids(year: int, count: int, span_us: int) -> list[int]:
    """Distinct ids of a year that no other test writes in, ascending: everybody's tweets share this listing."""
    dice = random.Random(year)
    start = EPOCH_US + (year - 2010) * 12 * MONTH_US
    return [make_id(us, dice.randrange(4096)) for us in sorted(dice.sample(range(start, start + span_us), count))]


def everything(tweets: TweetStore, low: int, high: int, limit: int) -> list[int]:
    """Every listed id between two, downwards, page by page."""
    seen: list[int] = []
    place = high + 1
    while page := [each for each in tweets.public(before=place, limit=limit) if each >= low]:
        assert page == sorted(page, reverse=True)
        assert len(page) <= limit
        seen += page
        place = page[-1]
    return seen


@pytest.mark.parametrize(
    ("year", "span_us"), [(2011, 5_000_000), (2012, 40 * MINUTE_US), (2014, 9 * 60 * MINUTE_US), (2016, 14 * MONTH_US)]
)
def test_paging_meets_every_tweet_once_however_they_are_spread(tweets: TweetStore, year: int, span_us: int) -> None:
    ids = old_ids(year, 70, span_us)
    for each in random.Random(1).sample(ids, len(ids)):
        tweets.add(a_tweet(tweet_id=each), None)
    for limit in (1, 19, 69, 70, 71):
        assert everything(tweets, ids[0], ids[-1], limit) == ids[::-1]
        found: list[int] = []
        place = ids[0] - 1
        while page := [each for each in tweets.public(after=place, limit=limit) if each <= ids[-1]]:
            assert page == sorted(page, reverse=True)
            found = page + found
            place = page[0]
        assert found == ids[::-1]


def test_a_long_index_is_walked_without_cutting_a_minute(tweets: TweetStore) -> None:
    """More places than one read of the index takes; several shards a minute."""
    ids = old_ids(2018, 330, 60 * MINUTE_US)
    for each in ids:
        tweets.add(a_tweet(tweet_id=each), None)
    assert len({id_minute(each) for each in ids}) < len(ids)
    assert everything(tweets, ids[0], ids[-1], 300) == ids[::-1]
    assert tweets.public(after=ids[0], limit=320) == ids[320:0:-1]


def test_what_home_timelines_do_not_show_and_retweets_are_not_public(tweets: TweetStore) -> None:
    shown, reply, retweet, thread = sorted(old_ids(2019, 4, MINUTE_US))
    tweets.add(a_tweet(tweet_id=shown), None)
    tweets.add(a_tweet(tweet_id=reply, in_home=False, reply_to=shown), None)
    tweets.add(a_tweet(tweet_id=thread, in_home=True, reply_to=shown), None)
    tweets.add(
        Tweet(id=retweet, author_id=new_id(), text="", conversation_id=retweet, in_home=True, retweet_of_id=shown),
        None,
    )
    assert everything(tweets, shown, thread, 10) == [thread, shown]


def test_a_deleted_tweet_is_out_and_a_late_write_does_not_bring_it_back(tweets: TweetStore) -> None:
    stays, goes, late = old_ids(2020, 3, MINUTE_US)
    for each in (stays, goes):
        tweets.add(a_tweet(tweet_id=each), None)
    for each in (goes, late):
        tweets.delete(a_tweet(tweet_id=each), op=new_id(), by=1, order=None)
    tweets.add(a_tweet(tweet_id=late), None)
    assert everything(tweets, stays, late, 10) == [stays]


def test_the_newest_come_first_and_a_new_tweet_is_there_at_once(tweets: TweetStore) -> None:
    first, second = a_tweet(), a_tweet()
    for each in (first, second):
        tweets.add(each, None)
        assert tweets.public(limit=1) == [each.id]
    assert tweets.public(before=MAX_ID, limit=2) == [second.id, first.id]
    assert tweets.public(after=second.id, limit=5) == []


def test_another_process_finds_what_this_one_wrote(tweets: TweetStore) -> None:
    """What one process knows of the index is not needed to read, nor to write the same minute."""
    one, two = old_ids(2021, 2, 1_000)
    tweets.add(a_tweet(tweet_id=one), None)
    tweet_store.cache_clear()
    other = tweet_store()
    other.add(a_tweet(tweet_id=two), None)
    assert everything(other, one, two, 10) == everything(tweets, one, two, 10) == [two, one]


def test_tweets_of_several_months_come_in_one_page(tweets: TweetStore) -> None:
    ids = old_ids(2013, 30, 8 * MONTH_US)
    assert len({id_month(each) for each in ids}) > 5
    for each in ids:
        tweets.add(a_tweet(tweet_id=each), None)
    assert tweets.public(before=ids[-1] + 1, limit=30) == ids[::-1]


def test_a_path_comes_back_as_it_was_written(tweets: TweetStore) -> None:
    tweet = Tweet(id=new_id(), author_id=1, text="a", conversation_id=1, in_home=False, reply_to_id=3, path=(1, 2, 3))
    tweets.add(tweet, None)
    assert tweets.get_many([tweet.id]) == {tweet.id: tweet}
