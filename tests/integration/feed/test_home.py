"""The home timeline through its service: what it shows, and when."""

from unittest.mock import patch

import pytest

from accounts.graph import follows
from accounts.people import suspending
from feed.timelines.home import home_page
from storage.errors import NotFound, Unavailable
from storage.ports.outbox import Order
from storage.web.paging import PageRequest
from tests.integration.feed.reading import a_reader_of
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything, work_off_wholly
from tweets.entities import Tweet
from tweets.writing.posting import create_tweet, delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def test_an_active_reader_is_pushed_to_and_an_inactive_one_is_not() -> None:
    author = new_person()
    active, inactive = a_reader_of(author), a_reader_of(author)
    assert home(active) == []
    tweet = post(author)
    assert in_redis(active) == []
    work_off_everything()
    assert in_redis(active) == [tweet]
    assert in_redis(inactive) is None
    assert home(active) == home(inactive) == [tweet]


def test_authors_see_their_own_tweet_at_once_without_any_worker() -> None:
    author = new_person()
    home(author)
    tweet = post(author)
    assert in_redis(author) == [tweet]
    assert home(author) == [tweet]


def test_orders_worked_off_twice_and_out_of_order_show_each_tweet_once() -> None:
    author = new_person()
    reader = a_reader_of(author)
    home(reader)
    ids = [post(author) for _ in range(4)]
    orders = open_orders()
    for order in [*orders[::-1], *orders]:
        from_worker(order)
    assert in_redis(reader) == ids[::-1]
    assert open_orders() == []


def from_worker(order: Order) -> None:
    work_off_wholly(order)


def test_following_brings_the_past_in_and_unfollowing_takes_it_out() -> None:
    reader, author, other = new_person(), new_person(), new_person()
    follows.follow(reader.id, other.id)
    first, between = post(author), post(other)
    assert home(reader) == [between]
    follows.follow(reader.id, author.id)
    assert home(reader) == [between, first]
    follows.unfollow(reader.id, author.id)
    assert home(reader) == [between]


def test_a_tweet_on_its_way_when_the_author_is_unfollowed_does_not_come_back() -> None:
    author = new_person()
    reader = a_reader_of(author)
    home(reader)
    post(author)
    follows.unfollow(reader.id, author.id)
    work_off_everything()
    assert home(reader) == []


def test_replies_are_shown_only_as_threads() -> None:
    author, other = new_person(), new_person()
    reader = a_reader_of(author)
    root = post(author)
    thread = post(author, reply_to=root)
    aside = post(author, reply_to=post(other))
    answer = post(other, reply_to=root)
    work_off_everything()
    assert home(reader) == [thread, root]
    assert aside not in home(author)
    assert answer not in home(author)


def test_a_deleted_tweet_is_gone_at_once_and_stays_gone() -> None:
    author = new_person()
    reader = a_reader_of(author)
    home(reader)
    kept, gone = post(author), post(author)
    orders = open_orders()
    work_off_everything()
    assert home(reader) == [gone, kept]
    delete_tweet(tweet_id=gone, viewer=viewer(author))
    assert home(reader) == [kept]
    for order in orders:
        from_worker(order)
    work_off_everything()
    assert home(reader) == [kept]
    assert in_redis(reader) == [kept]


def test_a_suspended_author_is_gone_at_once_and_back_when_restored() -> None:
    author, staff = new_person(), new_person(staff=True)
    reader = a_reader_of(author)
    tweet = post(author)
    assert home(reader) == [tweet]
    suspending.suspend(author, by=staff)
    assert home(reader) == []
    suspending.restore(author, by=staff)
    assert home(reader) == [tweet]


def test_a_tweet_is_what_was_posted() -> None:
    author = new_person()
    tweet: Tweet = create_tweet(author=viewer(author), text="@bob #tag https://example.org 你好")
    [shown] = home_page(viewer(author), PageRequest()).items
    assert shown.text == tweet.text
    assert shown.entities == tweet.entities
    assert shown.author.username == author.username


def test_a_deletion_whose_request_failed_is_in_force_when_its_repetition_has_answered() -> None:
    """The store took the write and did not say so: nobody has told the caches yet."""
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    tweet = post(author)
    work_off_everything()
    assert home(reader) == [tweet]
    with patch("tweets.writing.posting.tell", side_effect=Unavailable("store")), pytest.raises(Unavailable):
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
    assert home(reader) == [tweet], "it was not acknowledged"
    with pytest.raises(NotFound):
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
    assert home(reader) == []
