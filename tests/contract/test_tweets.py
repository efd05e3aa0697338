"""What both tweet stores promise."""

import random

import pytest
from msgspec.structs import replace

from storage.cassandra import session
from storage.ids.snowflakes import EPOCH_US, MAX_ID, id_month, make_id
from storage.ports.associations import MAX_CHANGES, Change
from storage.ports.outbox import Order
from storage.stores import associations, outbox
from tests.ids import new_id
from tweets.entities import Deletion, Entities, Hashtag, Tweet
from tweets.stores.port import TweetStore, tweet_store

MONTH_US = 31 * 24 * 3600 * 1_000_000


@pytest.fixture
def tweets(store: str) -> TweetStore:
    return tweet_store()


def a_tweet(
    *, tweet_id: int | None = None, author: int | None = None, in_home: bool = True, reply_to: int | None = None
) -> Tweet:
    tweet_id = tweet_id or new_id()
    return Tweet(
        id=tweet_id,
        author_id=author or new_id(),
        text="hello",
        conversation_id=tweet_id,
        in_home=in_home,
        reply_to_id=reply_to,
    )


def ids_over_months(count: int, months: int, seed: int) -> list[int]:
    """Ids of distinct microseconds spread over so many months before now, ascending."""
    dice = random.Random(seed)
    end = (new_id() >> 12) + EPOCH_US
    moments = sorted(dice.sample(range(end - months * MONTH_US, end), count))
    return [make_id(moment, dice.randrange(4096)) for moment in moments]


def test_a_tweet_comes_back_as_it_was_written(tweets: TweetStore) -> None:
    text = "zalgo ẗ̸̻ 👩‍👩‍👧 \u202eright to left\u202c 你好 'quotes' \"and\" $$ -- ;"
    tweet = Tweet(
        id=new_id(),
        author_id=new_id(),
        text=text,
        conversation_id=new_id(),
        in_home=True,
        entities=Entities(hashtags=(Hashtag("你好", (3, 6)),)),
        reply_to_id=new_id(),
        quote_of_id=new_id(),
        retweet_of_id=new_id(),
    )
    tweets.add(tweet, None)
    assert tweets.get_many([tweet.id]) == {tweet.id: tweet}


def test_missing_tweets_are_left_out_and_known_ones_come_once(tweets: TweetStore) -> None:
    tweet = a_tweet()
    tweets.add(tweet, None)
    assert tweets.get_many([new_id(), tweet.id, tweet.id, MAX_ID]) == {tweet.id: tweet}
    assert tweets.get_many([]) == {}


def test_adding_twice_is_adding_once(tweets: TweetStore) -> None:
    parent = a_tweet()
    tweet = a_tweet(in_home=True, reply_to=parent.id)
    for _ in range(2):
        tweets.add(tweet, None)
    assert tweets.by_author(tweet.author_id, replies=True, limit=10) == [tweet.id]
    assert tweets.home_entries([tweet.author_id], limit=10) == [tweet.id]
    assert tweets.replies(parent.id, limit=10) == [tweet.id]
    assert tweets.count_replies([parent.id, tweet.id]) == {parent.id: 1, tweet.id: 0}
    assert tweets.count_by_author(tweet.author_id) == 1


def test_the_order_is_written_with_the_tweet(tweets: TweetStore, empty_outbox: None) -> None:
    tweet = a_tweet()
    order = Order(id=tweet.id, kind="deliver", args=(tweet.id, tweet.author_id))
    tweets.add(tweet, order)
    deletion = Order(id=new_id(), kind="retract", args=(tweet.id, tweet.author_id))
    tweets.delete(tweet, op=deletion.id, by=tweet.author_id, order=deletion)
    assert outbox().open_orders(before=MAX_ID, limit=10) == [deletion], "there is nothing left to deliver"


def test_a_deletion_closes_the_order_of_its_entry_whichever_is_written_first(
    tweets: TweetStore, empty_outbox: None
) -> None:
    tweet = a_tweet()
    order = Order(id=tweet.id, kind="deliver", args=(tweet.id, tweet.author_id))
    tweets.delete(tweet, op=new_id(), by=tweet.author_id, order=None)
    tweets.add(tweet, order)
    assert outbox().open_order(order.id) is None
    tweets.delete(tweet, op=new_id(), by=tweet.author_id, order=None)
    assert outbox().open_orders(before=MAX_ID, limit=10) == []


def test_home_entries_leave_out_replies_to_others(tweets: TweetStore) -> None:
    author = new_id()
    shown, hidden = a_tweet(author=author), a_tweet(author=author, in_home=False, reply_to=new_id())
    for tweet in (shown, hidden):
        tweets.add(tweet, None)
    assert tweets.home_entries([author], limit=10) == [shown.id]
    assert tweets.by_author(author, replies=False, limit=10) == [shown.id]
    assert tweets.by_author(author, replies=True, limit=10) == [hidden.id, shown.id]


def test_a_deleted_tweet_is_flagged_and_out_of_every_listing(tweets: TweetStore) -> None:
    parent, moderator = a_tweet(), new_id()
    tweet = a_tweet(reply_to=parent.id)
    tweets.add(tweet, None)
    for _ in range(2):
        tweets.delete(tweet, op=new_id(), by=moderator, order=None)
    assert tweets.get_many([tweet.id])[tweet.id].deleted_by == moderator
    assert tweets.by_author(tweet.author_id, replies=True, limit=10) == []
    assert tweets.home_entries([tweet.author_id], limit=10) == []
    assert tweets.replies(parent.id, limit=10) == []
    assert tweets.count_replies([parent.id]) == {parent.id: 0}


def test_a_late_write_does_not_bring_a_deleted_tweet_back(tweets: TweetStore) -> None:
    tweet = a_tweet()
    tweets.delete(tweet, op=new_id(), by=tweet.author_id, order=None)
    tweets.add(tweet, None)
    assert tweets.get_many([tweet.id])[tweet.id].deleted
    assert tweets.home_entries([tweet.author_id], limit=10) == []
    assert tweets.by_author(tweet.author_id, replies=True, limit=10) == []


@pytest.mark.parametrize("upwards", [False, True])
def test_paging_through_months_meets_every_tweet_once(tweets: TweetStore, upwards: bool) -> None:
    author = new_id()
    ids = ids_over_months(23, months=14, seed=1)
    assert len({id_month(each) for each in ids}) > 8
    for each in ids:
        tweets.add(a_tweet(tweet_id=each, author=author), None)
    for limit in (1, 5, 22, 23, 24):
        seen: list[int] = []
        place = None
        while page := tweets.by_author(
            author, replies=True, limit=limit, **({"after": place or 0} if upwards else {"before": place})
        ):
            assert page == sorted(page, reverse=True)
            assert len(page) <= limit
            seen = page + seen if upwards else seen + page
            place = page[0] if upwards else page[-1]
        assert seen == ids[::-1]


@pytest.mark.parametrize("seed", range(4))
def test_home_entries_are_exactly_the_nearest_of_all_authors(tweets: TweetStore, seed: int) -> None:
    """Against a plain sort; a few authors write nearly everything, as in life."""
    dice = random.Random(seed)
    authors = [new_id() for _ in range(60)]
    ids = ids_over_months(240, months=5, seed=seed)
    written = {each: authors[min(int(dice.paretovariate(0.6)) - 1, 59)] for each in ids}
    for each, author in written.items():
        tweets.add(a_tweet(tweet_id=each, author=author, in_home=dice.random() > 0.1), None)
    in_home = {each for author in authors for each in tweets.by_author(author, replies=False, limit=1000)}
    followed = [*dice.sample(authors, 40), new_id(), authors[0]]
    expected = sorted((each for each in in_home if written[each] in followed), reverse=True)
    assert len(expected) > 60
    for limit in (1, 7, 20, 101, 500):
        for bound in (None, *dice.sample(ids, 6)):
            below = [each for each in expected if bound is None or each < bound]
            assert tweets.home_entries(followed, before=bound, limit=limit) == below[:limit]
            above = [each for each in expected if each > (bound or 0)]
            assert tweets.home_entries(followed, after=bound or 0, limit=limit) == above[-limit:]


def test_many_followees_are_read_in_bounded_statements(tweets: TweetStore) -> None:
    author = new_id()
    tweet = a_tweet(author=author)
    tweets.add(tweet, None)
    assert tweets.home_entries([*(new_id() for _ in range(2_500)), author], limit=20) == [tweet.id]
    assert tweets.home_entries([], limit=20) == []


def test_the_smallest_and_largest_ids_are_ordinary(tweets: TweetStore) -> None:
    author = new_id()
    for each in (1, MAX_ID):
        tweets.add(a_tweet(tweet_id=each, author=author), None)
    assert tweets.by_author(author, replies=True, limit=5) == [MAX_ID, 1]
    assert tweets.home_entries([author], before=MAX_ID, limit=5) == [1]
    assert tweets.home_entries([author], after=1, limit=5) == [MAX_ID]


def test_edges_are_written_with_their_tweet_and_removed_with_it(tweets: TweetStore) -> None:
    quoted, tweet = new_id(), a_tweet()
    edge = Change(source=tweet.id, kind="quote", target=quoted, op=tweet.id, present=True)
    for _ in range(2):
        tweets.add(tweet, None, edges=[edge])
    assert associations().count_sources(quoted, "quote") == 1
    op = new_id()
    removal = Change(source=tweet.id, kind="quote", target=quoted, op=op, present=False)
    tweets.delete(tweet, op=op, by=tweet.author_id, order=None, edges=[removal])
    assert associations().count_sources(quoted, "quote") == 0
    tweets.add(tweet, None, edges=[edge])
    assert associations().count_sources(quoted, "quote") == 0, "a late write brings nothing back"


def test_somebodys_retweets_of_a_tweet_are_found_until_deleted(tweets: TweetStore) -> None:
    author, original = new_id(), new_id()
    entries = [
        Tweet(
            id=new_id(),
            author_id=writer,
            text="",
            conversation_id=new_id(),
            in_home=True,
            retweet_of_id=retweeted,
        )
        for writer, retweeted in [(author, original), (author, original), (author, new_id()), (new_id(), original)]
    ]
    for entry in entries:
        tweets.add(entry, None)
    assert tweets.retweets_of(original, author) == [entries[1].id, entries[0].id]
    tweets.delete(entries[1], op=new_id(), by=author, order=None)
    assert tweets.retweets_of(original, author) == [entries[0].id]
    tweets.add(entries[1], None)
    assert tweets.retweets_of(original, author) == [entries[0].id]


def test_a_tweet_and_its_edges_are_written_together_or_not_at_all(tweets: TweetStore) -> None:
    tweet = a_tweet()
    edges = [
        Change(source=tweet.id, kind="quote", target=new_id(), op=tweet.id, present=True)
        for _ in range(MAX_CHANGES + 1)
    ]
    with pytest.raises(ValueError, match="limit is"):
        tweets.add(tweet, None, edges=edges)
    assert tweets.get_many([tweet.id]) == {}


def deletions_since(tweets: TweetStore, after: int, limit: int = 1_000) -> list[Deletion]:
    return tweets.deletions(after=after, limit=limit)


def test_what_was_deleted_is_told_by_its_operation(tweets: TweetStore) -> None:
    start = new_id()
    gone = [a_tweet(in_home=number % 2 == 0) for number in range(5)]
    for each in gone:
        tweets.add(each, None)
    told = []
    for each in gone[::-1]:
        op = new_id()
        tweets.delete(each, op=op, by=each.author_id, order=None)
        told.append(Deletion(op, each.id, each.author_id))
    assert deletions_since(tweets, start) == told
    assert deletions_since(tweets, start, limit=2) == told[-2:], "the newest"
    assert deletions_since(tweets, told[2].op) == told[3:]
    assert deletions_since(tweets, told[-1].op) == []
    assert tweets.deletions(after=start, before=told[3].op, limit=2) == told[1:3], "the page below"


def test_deletions_of_days_ago_are_found_among_the_hours(tweets: TweetStore) -> None:
    now_us = (new_id() >> 12) + EPOCH_US
    ago = [6 * 24 * 60, 3 * 24 * 60, 600, 61, 1]
    ops = [make_id(now_us - minutes * 60_000_000, 7) for minutes in ago]
    for op in ops:
        tweet = a_tweet()
        tweets.add(tweet, None)
        tweets.delete(tweet, op=op, by=tweet.author_id, order=None)
    for place, op in enumerate(ops):
        found = [each.op for each in deletions_since(tweets, op - 1) if each.op in ops]
        assert found == ops[place:]


def test_a_tweet_that_was_deleted_twice_is_told_of(tweets: TweetStore) -> None:
    tweet = a_tweet()
    tweets.add(tweet, None)
    first, second = new_id(), new_id()
    for op in (first, second):
        tweets.delete(tweet, op=op, by=tweet.author_id, order=None)
    assert {each.tweet_id for each in deletions_since(tweets, first - 1)} == {tweet.id}
    assert Deletion(second, tweet.id, tweet.author_id) in deletions_since(tweets, first)


def test_authors_are_all_who_have_written(tweets: TweetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FETCH_SIZE", 50)
    written = [a_tweet() for _ in range(60)]
    for tweet in (*written, a_tweet(author=written[0].author_id)):
        tweets.add(tweet, None)
    tweets.delete(written[1], op=new_id(), by=written[1].author_id, order=None)
    wanted = {tweet.author_id for tweet in written}
    assert wanted <= set(tweets.authors())


def test_a_deletion_may_take_the_words_with_it_for_good(tweets: TweetStore) -> None:
    tweet = replace(a_tweet(), entities=Entities(hashtags=(Hashtag("engines", (0, 8)),)))
    other = a_tweet(author=tweet.author_id)
    for each in (tweet, other):
        tweets.add(each, None)
    tweets.delete(tweet, op=new_id(), by=tweet.author_id, order=None, erase=True)
    tweets.delete(other, op=new_id(), by=tweet.author_id, order=None)
    tweets.add(tweet, None)  # a write that arrives late
    found = tweets.get_many([tweet.id, other.id])
    assert found[other.id].text == other.text
    gone = found[tweet.id]
    assert (gone.text, gone.entities, gone.deleted_by_author) == ("", Entities(), True)
    assert (gone.author_id, gone.reply_to_id, gone.path) == (tweet.author_id, tweet.reply_to_id, tweet.path)
    assert tweet.id not in tweets.tagged("engines", limit=50)
    tweets.delete(gone, op=new_id(), by=tweet.author_id, order=None, erase=True)
    assert tweets.get_many([tweet.id])[tweet.id].text == "", "again"
