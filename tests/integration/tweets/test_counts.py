"""Counts: exact for nearly every tweet; cheap, and a little old, for the viral ones."""

import random

import pytest

from accounts.models import User
from storage.ports.associations import Change
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.stores import associations, ids
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.integration.tweeting import home_views, post, seen, viewer
from tests.people import new_person
from tests.threads import run_together
from tests.work import work_off_everything
from tweets.caches import counts
from tweets.caches.counts import Counts
from tweets.kinds import LIKE
from tweets.reading.outputs import CountsOut
from tweets.writing.liking import like, unlike
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, unretweet

pytestmark = pytest.mark.usefixtures("product")


def cached(tweet_id: int) -> Counts | None:
    [found] = timeline_node().ask(counts.COUNTS.read([tweet_id]))
    counted = found.values.get(tweet_id)
    return counted.counts if counted is not None else None


def strangers_like(tweet_id: int, number: int) -> None:
    """Written behind the product's back: no cache hears of it."""
    for _ in range(number):
        op = ids.next()
        associations().apply([Change(source=op, kind=LIKE, target=tweet_id, op=op, present=True)])


def test_each_change_is_counted_when_it_has_answered() -> None:
    """Against plain bookkeeping, in any order, with repetitions, through warm and guarded caches."""
    dice = random.Random(2)
    people = [new_person() for _ in range(4)]
    tweet = post(people[0])
    likes, retweets, replies, quotes = set[User](), set[User](), list[int](), list[int]()
    for _ in range(60):
        who = dice.choice(people)
        match dice.randrange(8):
            case 0 | 1:
                like(viewer=viewer(who), tweet_id=tweet)
                likes.add(who)
            case 2:
                unlike(viewer=viewer(who), tweet_id=tweet)
                likes.discard(who)
            case 3:
                retweet(viewer=viewer(who), tweet_id=tweet)
                retweets.add(who)
            case 4:
                unretweet(viewer=viewer(who), tweet_id=tweet)
                retweets.discard(who)
            case 5:
                replies.append(post(people[0], reply_to=tweet))
            case 6:
                quotes.append(post(people[0], quote_of=tweet))
            case 7 if replies and quotes:
                for gone in (replies.pop(), quotes.pop()):
                    delete_tweet(tweet_id=gone, viewer=viewer(people[0]))
        assert seen(tweet).counts == CountsOut(len(replies), len(retweets), len(quotes), len(likes))


def test_a_mixture_of_everything_at_once_ends_exact() -> None:
    people = [new_person() for _ in range(12)]
    tweet = post(people[0])
    acts = [
        lambda who=who, act=act: act(who)
        for who in people
        for act in (
            lambda who: like(viewer=viewer(who), tweet_id=tweet),
            lambda who: retweet(viewer=viewer(who), tweet_id=tweet),
            lambda who: post(who, reply_to=tweet),
            lambda who: seen(tweet, who).id,
        )
    ]
    run_together(acts)
    assert seen(tweet).counts == CountsOut(12, 12, 0, 12)


def test_a_count_taken_before_a_change_does_not_hide_it() -> None:
    """The fill of a reader who counted first arrives last."""
    tweet, fan = post(new_person()), new_person()
    timeline_node().round_trip(("FLUSHALL",))
    generation = begin(timeline_node())
    counted = counts.count([tweet])
    like(viewer=viewer(fan), tweet_id=tweet)
    timeline_node().round_trip(*counts.fill(counted, generation=generation))
    assert seen(tweet).counts.likes == 1


def test_counts_come_back_after_redis_was_emptied_and_work_while_it_is_down() -> None:
    tweet, fan = post(new_person()), new_person()
    like(viewer=viewer(fan), tweet_id=tweet)
    with timeline_redis_down():
        assert seen(tweet).counts.likes == 1
    timeline_node().round_trip(("FLUSHALL",))
    assert seen(tweet).counts.likes == 1
    assert cached(tweet) == Counts(likes=1)


def test_a_page_is_counted_in_two_rounds_however_many_tweets_it_has(product: str) -> None:
    author = new_person()
    for _ in range(30):
        post(author)
    home_views(author)
    timeline_node().round_trip(*(("DEL", counts.COUNTS.key(int(tweet.id))) for tweet in home_views(author)))
    with counted_store_calls() as store:
        assert len(home_views(author)) == 30
    assert len(store) == (3 if product == "cassandra" else 2), store


class TestLargeTweets:
    @pytest.fixture(autouse=True)
    def small_numbers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counts, "LARGE", 5)

    def test_below_the_line_changes_are_seen_at_once_and_above_it_within_seconds(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tweet = post(new_person())
        for expected in range(1, 6):
            like(viewer=viewer(new_person()), tweet_id=tweet)
            assert seen(tweet).counts.likes == expected
        assert cached(tweet) == Counts(likes=5)
        like(viewer=viewer(new_person()), tweet_id=tweet)
        with counted_store_calls() as store:
            assert seen(tweet).counts.likes == 5, "a change of a large tweet makes nobody count"
        assert store == []
        monkeypatch.setattr(counts, "STALE_SECONDS", 0.0)
        assert seen(tweet).counts.likes == 6

    def test_one_reader_counts_a_stale_tweet_while_others_are_served(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tweet = post(new_person())
        strangers_like(tweet, 6)
        timeline_node().round_trip(("DEL", counts.COUNTS.key(tweet)))
        assert seen(tweet).counts.likes == 6
        monkeypatch.setattr(counts, "STALE_SECONDS", 0.0)
        counted: list[int] = []
        original = counts.count

        def noted(tweets: list[int]) -> dict[int, Counts]:
            counted.extend(tweets)
            return original(tweets)

        monkeypatch.setattr(counts, "count", noted)
        results = run_together([lambda: seen(tweet).counts.likes] * 12)
        assert results == [6] * 12
        assert counted == [tweet]

    def test_a_tweet_that_shrinks_is_exact_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fans = [new_person() for _ in range(6)]
        tweet = post(new_person())
        for fan in fans:
            like(viewer=viewer(fan), tweet_id=tweet)
        assert seen(tweet).counts.likes == 6
        for fan in fans[:3]:
            unlike(viewer=viewer(fan), tweet_id=tweet)
        assert seen(tweet).counts.likes == 6
        monkeypatch.setattr(counts, "STALE_SECONDS", 0.0)
        assert seen(tweet).counts.likes == 3
        monkeypatch.undo()
        unlike(viewer=viewer(fans[3]), tweet_id=tweet)
        assert seen(tweet).counts.likes == 2

    def test_a_count_that_was_large_when_it_began_does_not_hide_later_changes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A change while a stale tweet is counted, and found small, leaves no guard of its own."""
        fans = [new_person() for _ in range(6)]
        tweet = post(new_person())
        for fan in fans:
            like(viewer=viewer(fan), tweet_id=tweet)
        assert seen(tweet).counts.likes == 6
        for fan in fans[:4]:
            unlike(viewer=viewer(fan), tweet_id=tweet)
        monkeypatch.setattr(counts, "STALE_SECONDS", 0.0)
        original = counts.count

        def unliked_meanwhile(tweets: list[int]) -> dict[int, Counts]:
            counted = original(tweets)
            monkeypatch.setattr(counts, "count", original)
            unlike(viewer=viewer(fans[4]), tweet_id=tweet)
            return counted

        monkeypatch.setattr(counts, "count", unliked_meanwhile)
        seen(tweet)
        assert seen(tweet).counts.likes == 1


def test_a_warm_page_with_counts_flags_and_retweets_costs_no_store_and_no_sql() -> None:
    author, reader = new_person(), new_person()
    tweets = [post(author) for _ in range(20)]
    home_views(reader)
    for each in tweets[:10]:
        like(viewer=viewer(reader), tweet_id=each)
    for each in tweets[5:8]:
        retweet(viewer=viewer(reader), tweet_id=each)
    work_off_everything()
    for _ in range(2):
        assert len(home_views(reader)) == 3
    # What was changed a moment ago is recounted while its guard stands; as if that had passed:
    timeline_node().round_trip(*(("DEL", counts.COUNTS.key(each)) for each in tweets))
    home_views(reader)
    with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
        shown = home_views(reader)
    assert (len(redis), store, sql) == (3, [], []), "timeline, entries, originals"
    assert [tweet.counts.likes for tweet in shown] == [1, 1, 1]
