"""A home timeline is made anew: when it was never there, is gone, or Redis is; nothing is lost meanwhile."""

from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import following, follows
from fanout.timelines import builds
from feed.timelines import rebuild
from storage.redis.node import timeline_node
from tests.backends import timeline_redis_down
from tests.integration.feed.reading import a_reader_of
from tests.integration.tweeting import home, in_redis, post
from tests.people import new_person
from tests.threads import run_together
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")


def test_the_past_of_a_followee_is_there_on_the_first_read() -> None:
    author = new_person()
    ids = [post(author) for _ in range(3)]
    reader = a_reader_of(author)
    assert home(reader) == ids[::-1]
    assert in_redis(reader) == ids[::-1], "the reader is active again"


def test_home_is_whole_after_redis_was_emptied() -> None:
    author = new_person()
    reader = a_reader_of(author)
    first = post(author)
    work_off_everything()
    home(reader)
    timeline_node().round_trip(("FLUSHALL",))
    second = post(author)
    work_off_everything()
    assert home(reader) == [second, first]
    assert in_redis(reader) == [second, first]


def test_posting_reading_and_following_work_while_redis_is_down() -> None:
    author, other = new_person(), new_person()
    reader = a_reader_of(author)
    before = post(author)
    assert home(reader) == [before]
    with timeline_redis_down():
        during = post(author)
        follows.follow(reader.id, other.id)
        aside = post(other)
        assert home(reader) == [aside, during, before]
    work_off_everything()
    assert home(reader) == [aside, during, before]


def test_twenty_cold_readers_at_once_build_once_and_all_see_everything() -> None:
    author = new_person()
    reader = a_reader_of(author)
    ids = [post(author) for _ in range(5)]
    with patch.object(builds, "finish_build", side_effect=builds.finish_build) as built:
        results = run_together([lambda: home(reader)] * 20)
    assert results == [ids[::-1]] * 20
    assert built.call_count == 1, "one of them has built, the others have pulled or found it ready"
    assert in_redis(reader) == ids[::-1]


def test_a_follow_during_a_rebuild_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph changes between the rebuild's reading of it and its merge."""
    reader, late = new_person(), new_person()
    tweet = post(late)
    original = following.followee_ids

    def followees_then_a_follow(user_id: int) -> list[int]:
        found = original(user_id)
        monkeypatch.setattr(following, "followee_ids", original)
        follows.follow(reader.id, late.id)
        return found

    monkeypatch.setattr(following, "followee_ids", followees_then_a_follow)
    assert not rebuild.rebuild(reader.id)
    assert home(reader) == [tweet]


def test_a_tweet_posted_and_delivered_during_a_rebuild_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivered after the store was pulled: only the opened timeline can catch it."""
    author = new_person()
    reader = a_reader_of(author)
    first = post(author)
    original = builds.finish_build

    def a_tweet_first(*args: Any, **kwargs: Any) -> bool:
        post(author)
        work_off_everything()
        return original(*args, **kwargs)

    monkeypatch.setattr(builds, "finish_build", a_tweet_first)
    found = home(reader)
    assert len(found) == 2
    assert found[1] == first
    assert in_redis(reader) == found
