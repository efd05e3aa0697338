"""What both tweet stores promise of a tweet that was deleted and is restored."""

import pytest

from storage.cassandra import session
from storage.ids.snowflakes import id_us, make_id
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.stores import associations, outbox
from tests.contract.test_tweets import a_tweet, deletions_since
from tests.ids import new_id
from tweets.entities import Tweet
from tweets.models import TweetRow
from tweets.stores import cassandra_deletions
from tweets.stores.port import DELETIONS_DAYS, TweetStore, tweet_store


@pytest.fixture
def tweets(store: str, empty_outbox: None) -> TweetStore:
    return tweet_store()


def deleted(tweets: TweetStore, tweet: Tweet, op: int | None = None) -> Tweet:
    tweets.add(tweet, None)
    tweets.delete(tweet, op=op or new_id(), by=7, order=None)
    return tweets.get_many([tweet.id])[tweet.id]


def restored(tweets: TweetStore, tweet: Tweet, op: int | None = None) -> Tweet:
    op = op or new_id()
    tweets.restore(tweet, op=op, order=an_order(op, tweet))
    return tweets.get_many([tweet.id])[tweet.id]


def an_order(op: int, tweet: Tweet) -> Order:
    return Order(op, "restore", (tweet.id, tweet.author_id))


def listed(tweets: TweetStore, tweet: Tweet) -> dict[str, bool]:
    """In which listings it stands."""
    return {
        "by author": tweet.id in tweets.by_author(tweet.author_id, replies=True, limit=10),
        "home entries": tweet.id in tweets.home_entries([tweet.author_id], limit=10),
        "public": tweet.id in tweets.public(before=tweet.id + 1, limit=1),
        "replies": tweet.reply_to_id is not None and tweet.id in tweets.replies(tweet.reply_to_id, limit=10),
    }


@pytest.mark.parametrize("in_home", [True, False])
def test_a_restored_tweet_is_what_and_where_it_was(tweets: TweetStore, in_home: bool) -> None:
    tweet = a_tweet(in_home=in_home, reply_to=new_id())
    tweets.add(tweet, None)
    before = listed(tweets, tweet)
    gone = deleted(tweets, tweet)
    assert not any(listed(tweets, tweet).values())
    back = restored(tweets, gone)
    assert listed(tweets, tweet) == before
    assert (back.deleted_by, back.text, back.path) == (None, tweet.text, tweet.path)


def test_each_operation_on_it_is_named(tweets: TweetStore) -> None:
    tweet, first, second, third = a_tweet(), new_id(), new_id(), new_id()
    gone = deleted(tweets, tweet, first)
    assert (gone.changed_op, gone.deleted_by) == (first, 7)
    back = restored(tweets, gone, second)
    assert (back.changed_op, back.deleted) == (second, False)
    tweets.delete(back, op=third, by=8, order=None)
    again = tweets.get_many([tweet.id])[tweet.id]
    assert (again.changed_op, again.deleted_by) == (third, 8)
    assert not any(listed(tweets, tweet).values())


def test_the_order_is_written_with_it_and_the_deletion_is_told_of_no_more(tweets: TweetStore) -> None:
    start = new_id()
    gone, op = deleted(tweets, a_tweet()), new_id()
    assert [each.tweet_id for each in deletions_since(tweets, start) if each.tweet_id == gone.id] == [gone.id]
    restored(tweets, gone, op)
    assert [each for each in deletions_since(tweets, start) if each.tweet_id == gone.id] == []
    assert outbox().open_order(op) == an_order(op, gone)


def test_the_greatest_operation_holds_in_whatever_order_they_come(tweets: TweetStore) -> None:
    tweet, first, second, third = a_tweet(), new_id(), new_id(), new_id()
    gone = deleted(tweets, tweet, first)
    tweets.delete(gone, op=third, by=8, order=None)
    restored(tweets, gone, second)
    standing = tweets.get_many([tweet.id])[tweet.id]
    assert (standing.deleted, standing.changed_op) == (True, third), "a later deletion has overtaken the restoration"
    assert not any(listed(tweets, tweet).values())


def test_a_late_deletion_does_not_take_a_restored_tweet_away(tweets: TweetStore) -> None:
    tweet, first = a_tweet(), new_id()
    back = restored(tweets, deleted(tweets, tweet, first))
    tweets.delete(tweet, op=first, by=7, order=None)
    assert not tweets.get_many([tweet.id])[tweet.id].deleted
    assert listed(tweets, tweet)["home entries"]
    assert tweets.get_many([tweet.id])[tweet.id].changed_op == back.changed_op


def test_a_restoration_by_a_clock_that_is_behind_holds(tweets: TweetStore) -> None:
    """Its operation is above the deletion's, as its maker has seen that, though both are of one microsecond."""
    tweet = a_tweet()
    us = id_us(tweet.id) + 10
    tweets.add(tweet, None)
    tweets.delete(tweet, op=make_id(us, 5), by=7, order=None)
    gone = tweets.get_many([tweet.id])[tweet.id]
    assert not restored(tweets, gone, make_id(us, 6)).deleted
    assert listed(tweets, tweet)["by author"]


def test_its_edges_are_written_with_it(tweets: TweetStore) -> None:
    gone, op, quoted = deleted(tweets, a_tweet()), new_id(), new_id()
    edge = Change(source=gone.id, kind="quote", target=quoted, op=op, present=True)
    tweets.restore(gone, op=op, order=an_order(op, gone), edges=[edge])
    assert associations().count_sources(quoted, "quote") == 1


@pytest.mark.parametrize("author_comes", ["before", "between", "late"])
def test_what_its_author_deleted_never_stands_again(tweets: TweetStore, author_comes: str) -> None:
    """Before staff did; after that, and before a restoration that knows nothing of it; or under an older operation
    than the restoration's, and written after it."""
    tweet, by_author, by_staff, restoration = a_tweet(reply_to=new_id()), new_id(), new_id(), new_id()
    tweets.add(tweet, None)
    if author_comes == "before":
        tweets.delete(tweet, op=by_author, by=tweet.author_id, order=None)
    tweets.delete(tweet, op=by_staff, by=7, order=None)
    gone = tweets.get_many([tweet.id])[tweet.id]
    if author_comes == "between":
        tweets.delete(gone, op=new_id(), by=tweet.author_id, order=None)
        restoration = new_id()
    tweets.restore(gone, op=restoration, order=an_order(restoration, tweet))
    if author_comes == "late":
        tweets.delete(gone, op=by_author, by=tweet.author_id, order=None)
    standing = tweets.get_many([tweet.id])[tweet.id]
    assert (standing.deleted, standing.deleted_by_author) == (True, True)
    again = new_id()
    tweets.delete(standing, op=again, by=tweet.author_id, order=None)
    assert tweets.get_many([tweet.id])[tweet.id].author_deleted_op == again
    assert not any(listed(tweets, tweet).values()), "what a restoration that raced left in listings goes with another"


def test_who_deleted_it_first_stays_who_did(tweets: TweetStore) -> None:
    gone = deleted(tweets, a_tweet())
    tweets.delete(gone, op=new_id(), by=gone.author_id, order=None)
    both = tweets.get_many([gone.id])[gone.id]
    assert (both.deleted_by, both.deleted_by_author) == (7, True)


def test_each_operation_closes_the_order_of_the_one_before(tweets: TweetStore) -> None:
    tweet, first, second, third = a_tweet(), new_id(), new_id(), new_id()
    tweets.add(tweet, Order(tweet.id, "deliver", (tweet.id, tweet.author_id)))
    tweets.delete(tweet, op=first, by=7, order=an_order(first, tweet))
    gone = tweets.get_many([tweet.id])[tweet.id]
    for _ in range(2):
        tweets.restore(gone, op=second, order=an_order(second, tweet))
        assert [outbox().open_order(each) is not None for each in (tweet.id, first, second)] == [False, False, True]
    back = tweets.get_many([tweet.id])[tweet.id]
    for _ in range(2):
        tweets.delete(back, op=third, by=7, order=an_order(third, tweet))
        assert [outbox().open_order(each) is not None for each in (second, third)] == [False, True]


def test_rows_of_the_version_before_are_read_restored_and_kept_as_their_author_left_them(
    tweets: TweetStore, store: str
) -> None:
    by_staff, by_author = a_tweet(), a_tweet()
    for tweet, by in ((by_staff, 7), (by_author, by_author.author_id)):
        tweets.add(tweet, None)
        tweets.delete(tweet, op=new_id(), by=by, order=None)
        forget_new_columns(store, tweet)
    old = tweets.get_many([by_staff.id])[by_staff.id]
    assert (old.changed_op, old.deleted_by_author) == (0, False)
    assert not restored(tweets, old).deleted
    kept = tweets.get_many([by_author.id])[by_author.id]
    assert (kept.author_deleted_op, kept.deleted_by_author) == (0, True)


def forget_new_columns(store: str, tweet: Tweet) -> None:
    if store == "embedded":
        TweetRow.objects.filter(id=tweet.id).update(changed_op=None, author_deleted_op=None)
    else:
        session.execute("DELETE changed_op, author_deleted_op FROM tweets WHERE id = ?", (tweet.id,))


def test_a_deletion_is_in_the_log_for_its_days_only(tweets: TweetStore, store: str) -> None:
    if store == "embedded":
        pytest.skip("an index there, of as many rows as there are tweets")
    tweet, op = a_tweet(), new_id()
    deleted(tweets, tweet, op)
    cql = "SELECT TTL(author) FROM deletions WHERE hour = ? AND op = ?"
    [(seconds,)] = session.execute(cql, (cassandra_deletions._hour(op), op))
    assert 0 < seconds <= DELETIONS_DAYS * 24 * 3600
    restored(tweets, tweet_store().get_many([tweet.id])[tweet.id])
    assert session.execute(cql, (cassandra_deletions._hour(op), op)) == []
