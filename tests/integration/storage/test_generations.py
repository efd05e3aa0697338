"""Redis is emptied: nothing from before is believed.

A late fill is made by stopping a reader between the store and Redis.
"""

from collections.abc import Callable
from functools import partial

import pytest

from accounts.account_cache import accounts
from accounts.graph import follows
from accounts.graph.counts import FOLLOWERS
from accounts.people import suspending
from accounts.sessions import tokens
from fanout.timelines.tweet_cache import TWEET_BYTES
from storage.errors import NotSignedIn
from storage.redis import count_cache as person_counts
from storage.redis import generations
from storage.redis.node import broker_node, timeline_node
from storage.redis.shards import generation_key
from storage.stores import ids
from tests.integration.storage.late_fills import after, forget, shown
from tests.integration.tweeting import post, seen, viewer
from tests.people import new_person
from tests.threads import run_together
from tweets.caches import counts
from tweets.stores.port import tweet_store
from tweets.writing.liking import like
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.retweeting import retweet, undo_retweet

pytestmark = pytest.mark.usefixtures("product")


def flush() -> None:
    """As an operator might; nobody is told."""
    timeline_node().round_trip(("FLUSHALL",))


def flush_and_begin() -> None:
    flush()
    generations.begin(timeline_node())


@pytest.fixture(params=[flush, flush_and_begin], ids=["unnoticed", "noticed"])
def empty(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Empties the timeline Redis; whether somebody has noticed makes no difference."""
    emptying: Callable[[], None] = request.param
    return emptying


class TestLateFills:
    """The store was read, then changed; the guard was lost; only then the fill arrives."""

    def test_a_body_that_was_deleted_does_not_come_back(self, empty: Callable[[], None]) -> None:
        author = new_person()
        tweet = post(author)
        forget(tweet)
        with after(tweet_store(), "get_many", partial(delete_tweet, tweet_id=tweet, viewer=viewer(author)), empty):
            shown(tweet)
        assert shown(tweet) == []

    def test_a_count_that_was_overtaken_does_not_come_back(self, empty: Callable[[], None]) -> None:
        tweet, fan = post(new_person()), new_person()
        forget(tweet)
        with after(counts, "count", lambda: like(viewer=viewer(fan), tweet_id=tweet), empty):
            seen(tweet)
        assert seen(tweet).counts.likes == 1

    def test_a_person_s_count_that_was_overtaken_does_not_come_back(self, empty: Callable[[], None]) -> None:
        author, fan = new_person(), new_person()
        with after(FOLLOWERS, "count", lambda: follows.follow(fan.id, author.id), empty):
            person_counts.counts_of(author.id, [FOLLOWERS])
        assert person_counts.counts_of(author.id, [FOLLOWERS]) == [1]

    def test_a_card_that_was_overtaken_does_not_come_back(self, empty: Callable[[], None]) -> None:
        author = new_person()
        with after(accounts, "_from_sql", lambda: suspending.suspend(author, by=author), empty):
            accounts.accounts_by_id([author.id])
        assert accounts.accounts_by_id([author.id])[author.id].suspended

    def test_a_token_that_was_revoked_does_not_come_back(self, empty: Callable[[], None]) -> None:
        raw = tokens.issue(new_person())
        revoker = tokens.authenticate(raw)
        flush_and_begin()
        with after(tokens, "_from_sql", lambda: tokens.revoke(revoker), empty):
            tokens.authenticate(raw)
        with pytest.raises(NotSignedIn):
            tokens.authenticate(raw)

    def test_an_author_s_own_fill_does_not_bring_back_what_was_deleted_meanwhile(
        self, empty: Callable[[], None]
    ) -> None:
        author = new_person()
        tweets: list[int] = []

        def delete() -> None:
            tweets.extend(tweet_store().by_author(author.id, replies=True, limit=1))
            delete_tweet(tweet_id=tweets[0], viewer=viewer(author))

        with after(tweet_store(), "add", delete, empty):
            post(author)
        assert shown(tweets[0]) == []

    def test_a_retweet_s_own_fill_does_not_bring_back_what_was_undone_meanwhile(
        self, empty: Callable[[], None]
    ) -> None:
        author, fan = new_person(), new_person()
        original = post(author)
        entries: list[int] = []

        def undo() -> None:
            entries.extend(tweet_store().retweets_of(original, fan.id))
            undo_retweet(author_id=fan.id, original_id=original, by=fan.id)

        with after(tweet_store(), "add", undo, empty):
            retweet(viewer=viewer(fan), tweet_id=original)
        assert len(entries) == 1
        assert shown(entries[0]) == []

    def test_a_post_that_is_repeated_after_a_flush_does_not_bring_back_what_was_deleted(self) -> None:
        author, tweet = new_person(), ids.next()
        create_tweet(author=viewer(author), text="hello", tweet_id=tweet)
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        flush_and_begin()
        create_tweet(author=viewer(author), text="hello", tweet_id=tweet)
        assert shown(tweet) == []

    def test_a_post_that_is_repeated_after_a_flush_does_not_forget_reactions(self) -> None:
        author, tweet = new_person(), ids.next()
        create_tweet(author=viewer(author), text="hello", tweet_id=tweet)
        like(viewer=viewer(new_person()), tweet_id=tweet)
        flush_and_begin()
        create_tweet(author=viewer(author), text="hello", tweet_id=tweet)
        assert seen(tweet).counts.likes == 1


class TestFlush:
    def test_the_first_reader_begins_a_new_generation_and_fills(self) -> None:
        tweet = post(new_person())
        before = generations.begin(timeline_node())
        flush()
        shown(tweet)
        assert timeline_node().round_trip(("GET", generation_key(0)), ("EXISTS", TWEET_BYTES.key(tweet)))[1] == 1
        assert generations.begin(timeline_node()) != before

    def test_all_of_many_who_begin_at_once_have_the_same(self) -> None:
        flush()
        [first, *others] = run_together([lambda: generations.begin(timeline_node())] * 12)
        assert others == [first] * 11

    def test_a_card_in_memory_is_not_believed_when_the_log_was_emptied(self, empty: Callable[[], None]) -> None:
        author = new_person()
        tweet = post(author)
        assert shown(tweet) == [str(tweet)]
        assert shown(tweet) == [str(tweet)], "now it is in memory"
        remembered = dict(accounts._memory._entries)
        suspending.suspend(author, by=author)
        accounts._memory._entries.update(remembered)
        empty()
        assert shown(tweet) == []

    def test_the_broker_is_never_emptied(self) -> None:
        broker_node().round_trip(("FLUSHALL",), ("SET", "queued", b"1"))
        broker_node().client().connection_pool.disconnect()
        assert broker_node().round_trip(("GET", "queued")) == [b"1"]
