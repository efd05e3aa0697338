"""Polling while an entry is listed already and its row is not visible yet, as between the two writes of one batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from tests.backends import timeline_redis_down
from tests.integration.feed.reading import a_reader_of, redis
from tests.integration.polling import Poller
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tests.work import say_what_has_settled, work_off_everything
from tweets.entities import Tweet
from tweets.reading.hydration import hydrated
from tweets.stores.port import tweet_store
from tweets.writing import liking
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


@contextmanager
def without_rows_of(*hidden: int) -> Iterator[None]:
    """Within, these tweets are listed, and their rows are not there; nor in any cache."""
    get_many = tweet_store().get_many

    def shown(tweet_ids: Sequence[int]) -> dict[int, Tweet]:
        return {each: tweet for each, tweet in get_many(tweet_ids).items() if each not in hidden}

    redis("FLUSHALL")
    with patch.object(tweet_store(), "get_many", shown):
        yield


def _public() -> tuple[Poller, Callable[[], int], Callable[[], int]]:
    ann = new_person()
    post(ann)
    return Poller(ApiClient(new_person()), "/feed/public"), lambda: post(ann), lambda: post(ann)


def _of_an_author() -> tuple[Poller, Callable[[], int], Callable[[], int]]:
    ann = new_person()
    post(ann)
    return Poller(ApiClient(), f"/users/{ann.username}/tweets"), lambda: post(ann), lambda: post(ann)


def _replies() -> tuple[Poller, Callable[[], int], Callable[[], int]]:
    ann = new_person()
    tweet = post(ann)
    post(ann, reply_to=tweet)
    poller = Poller(ApiClient(), f"/tweets/{tweet}/replies")
    return poller, lambda: post(ann, reply_to=tweet), lambda: post(ann, reply_to=tweet)


def _likes() -> tuple[Poller, Callable[[], int], Callable[[], int]]:
    ann = new_person()

    def liked() -> int:
        tweet = post(ann)
        liking.like(viewer=viewer(ann), tweet_id=tweet)
        return tweet

    liked()
    return Poller(ApiClient(), f"/users/{ann.username}/likes"), liked, liked


@pytest.mark.parametrize("collection", [_public, _of_an_author, _replies, _likes])
def test_what_could_not_be_read_is_shown_later(
    collection: Callable[[], tuple[Poller, Callable[[], int], Callable[[], int]]],
) -> None:
    poller, slow, quick = collection()
    listed, new = slow(), quick()
    with without_rows_of(listed):
        assert poller.poll() == [new]
    assert poller.poll() == [listed]
    assert poller.poll() == []


@pytest.mark.parametrize("redis_is_down", [True, False])
def test_so_it_is_in_home(redis_is_down: bool) -> None:
    ann = new_person()
    reader = a_reader_of(ann)
    post(ann)
    work_off_everything()
    poller = Poller(ApiClient(reader), "/feed/home")
    listed, new = post(ann), post(ann)
    with without_rows_of(listed):
        if redis_is_down:
            with timeline_redis_down():
                assert poller.poll() == [new]
        else:
            assert poller.poll() == [new]
    work_off_everything()
    say_what_has_settled()
    assert poller.poll() == [listed]
    assert poller.poll() == []


def test_a_deleted_tweet_and_a_hidden_one_are_read_and_not_shown() -> None:
    ann = new_person()
    gone, kept = post(ann), post(ann)
    delete_tweet(tweet_id=gone, viewer=viewer(ann))
    assert hydrated([gone, kept], viewer=None).unreadable == set()
    assert [int(each.id) for each in hydrated([gone, kept], viewer=None).tweets] == [kept]
    with without_rows_of(kept):
        assert hydrated([gone, kept], viewer=None).unreadable == {kept}
