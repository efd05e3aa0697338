"""Quotes: shown inside the quoting tweet, counted on the quoted one."""

import pytest

from accounts.people import suspending
from storage.stores import associations
from tests.backends import counted_store_calls
from tests.integration.tweeting import home, post, seen, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tweets.kinds import QUOTE
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


def test_a_quote_shows_the_quoted_tweet_and_is_counted_until_deleted() -> None:
    author, other = new_person(), new_person()
    quoted = post(author, "first")
    quoting = [post(other, "see", quote_of=quoted), post(author, "myself", quote_of=quoted)]
    shown = seen(quoting[0])
    assert shown.quote_of is not None
    assert (shown.quote_of.text, shown.quote_of.counts.quotes) == ("first", 2)
    assert seen(quoted).counts.quotes == 2
    delete_tweet(tweet_id=quoting[0], viewer=viewer(other))
    assert seen(quoted).counts.quotes == 1
    assert associations().count_sources(quoted, QUOTE) == 1


def test_the_quoted_tweet_carries_the_viewers_flags() -> None:
    author, fan = new_person(), new_person()
    quoted = post(author)
    quoting = post(author, quote_of=quoted)
    ApiClient(fan).put(f"/api/v1/tweets/{quoted}/like")
    shown = seen(quoting, fan)
    assert shown.quote_of is not None
    assert shown.quote_of.viewer is not None
    assert shown.quote_of.viewer.liked
    assert shown.viewer is not None
    assert not shown.viewer.liked
    assert shown.quote_of.counts.likes == 1


def test_quoting_a_retweet_quotes_the_original() -> None:
    author, sharer = new_person(), new_person()
    original = post(author, "original")
    retweet(viewer=viewer(sharer), tweet_id=original)
    [entry] = tweet_store().retweets_of(original, sharer.id)
    shown = seen(post(author, quote_of=entry))
    assert shown.quote_of is not None
    assert shown.quote_of.id == str(original)
    assert seen(original).counts.quotes == 1


def test_a_quote_of_what_is_gone_is_refused_and_one_that_goes_later_is_null() -> None:
    author, staff = new_person(), new_person(staff=True)
    quoted, gone = post(author), post(author)
    quoting = post(new_person(), quote_of=quoted)
    delete_tweet(tweet_id=gone, viewer=viewer(author))
    client = ApiClient(new_person())
    answer = client.post("/api/v1/tweets", {"text": "x", "quote_of": str(gone)}, content_type="application/json")
    assert answer.status_code == 422
    assert associations().count_sources(gone, QUOTE) == 0
    suspending.suspend(author, by=staff)
    assert seen(quoting).quote_of is None
    suspending.restore(author, by=staff)
    delete_tweet(tweet_id=quoted, viewer=viewer(author))
    assert seen(quoting).quote_of is None


def test_twenty_quotes_at_once_are_all_counted() -> None:
    author = new_person()
    quoted = post(author)
    made = run_together([lambda: post(author, quote_of=quoted)] * 20)
    assert seen(quoted).counts.quotes == 20
    run_together([lambda each=each: delete_tweet(tweet_id=each, viewer=viewer(author)) for each in made[:15]])  # type: ignore[misc]
    assert seen(quoted).counts.quotes == 5
    assert home(author) == [*sorted(made[15:], reverse=True), quoted]


def test_a_quote_is_written_in_one_atomic_write(product: str) -> None:
    author = new_person()
    quoted = post(author)
    with counted_store_calls() as store:
        post(author, quote_of=quoted)
    if product == "cassandra":
        assert store.count("write_all") == 2
        assert store[-2:] == ["write_all", "write_all"], "the order with all that it owes, and that"
