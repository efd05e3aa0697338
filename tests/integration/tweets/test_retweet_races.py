"""One retweet for each person and original, however requests race, crash or fail."""

import random
from collections.abc import Callable
from unittest.mock import Mock, patch

import pytest

from accounts.graph import follows
from storage.errors import Unavailable
from storage.stores import associations
from tests.integration.tweeting import home, in_redis, post, seen, viewer
from tests.integration.tweets.retweets import assert_one_entry_and_edge, entries_of, entry_of
from tests.people import new_person
from tests.threads import run_together
from tests.work import work_off_everything
from tweets.entities import Tweet
from tweets.kinds import RETWEET
from tweets.stores.port import tweet_store
from tweets.writing import retweeting
from tweets.writing.retweeting import retweet, unretweet

pytestmark = pytest.mark.usefixtures("product")


def test_fifty_retweets_of_one_pair_at_once_leave_one() -> None:
    author, sharer, reader = new_person(), new_person(), new_person()
    follows.follow(reader.id, sharer.id)
    home(reader)
    original = post(author)
    run_together([lambda: retweet(viewer=viewer(sharer), tweet_id=original)] * 50)
    assert_one_entry_and_edge(sharer, original)
    work_off_everything()
    assert home(reader) == home(sharer) == [entry_of(sharer, original)]
    assert in_redis(reader) == [entry_of(sharer, original)]
    assert seen(original, sharer).viewer.retweeted  # type: ignore[union-attr]


def test_retweets_and_undoings_at_once_end_with_one_or_none() -> None:
    author, sharer = new_person(), new_person()
    original = post(author)
    acts = [retweet, unretweet] * 12
    random.Random(8).shuffle(acts)
    run_together([lambda act=act: act(viewer=viewer(sharer), tweet_id=original) for act in acts])  # type: ignore[misc]
    if associations().find(sharer.id, RETWEET, [original]):
        assert_one_entry_and_edge(sharer, original)
    else:
        assert entries_of(sharer, original) == []
        assert seen(original, sharer).counts.retweets == 0
    retweeted = bool(entries_of(sharer, original))
    assert seen(original, sharer).viewer.retweeted == retweeted  # type: ignore[union-attr]


def test_a_second_retweet_between_the_look_and_the_write_ends_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older of two writes last: its writer finds itself overtaken."""
    author, sharer = new_person(), new_person()
    original = post(author)
    store, add = tweet_store(), tweet_store().add

    def overtaken(*args: object, **kwargs: object) -> None:
        monkeypatch.setattr(store, "add", add)
        retweet(viewer=viewer(sharer), tweet_id=original)
        add(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "add", overtaken)
    retweet(viewer=viewer(sharer), tweet_id=original)
    assert_one_entry_and_edge(sharer, original)


def test_a_whole_retweet_between_the_look_and_the_write_ends_with_the_later_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The newer of two is written last: the older one's writer never heard of it."""
    author, sharer = new_person(), new_person()
    original = post(author)
    entry = retweeting._entry

    def after_another(author_id: int, tweet: Tweet, *, above: int) -> Tweet:
        monkeypatch.setattr(retweeting, "_entry", entry)
        retweet(viewer=viewer(sharer), tweet_id=original)
        return entry(author_id, tweet, above=above)

    monkeypatch.setattr(retweeting, "_entry", after_another)
    retweet(viewer=viewer(sharer), tweet_id=original)
    assert_one_entry_and_edge(sharer, original)


def test_an_undoing_between_the_look_and_the_write_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retweet whose request came first, but is written after a later undoing."""
    author, sharer = new_person(), new_person()
    original = post(author)
    store, add = tweet_store(), tweet_store().add

    def overtaken(*args: object, **kwargs: object) -> None:
        monkeypatch.setattr(store, "add", add)
        retweet(viewer=viewer(sharer), tweet_id=original)
        unretweet(viewer=viewer(sharer), tweet_id=original)
        add(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "add", overtaken)
    retweet(viewer=viewer(sharer), tweet_id=original)
    assert entries_of(sharer, original) == []
    assert seen(original, sharer).counts.retweets == 0
    assert not seen(original, sharer).viewer.retweeted  # type: ignore[union-attr]


def test_an_entry_left_over_by_a_crash_is_hidden_in_pages_and_goes_with_the_next_undoing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    author, sharer = new_person(), new_person()
    original = post(author)
    store, add = tweet_store(), tweet_store().add

    def overtaken(*args: object, **kwargs: object) -> None:
        monkeypatch.setattr(store, "add", add)
        retweet(viewer=viewer(sharer), tweet_id=original)
        add(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "add", overtaken)
    monkeypatch.setattr(retweeting, "_settle", lambda *_args: None)
    retweet(viewer=viewer(sharer), tweet_id=original)
    assert len(entries_of(sharer, original)) == 2
    assert seen(original).counts.retweets == 1
    assert home(sharer) == entries_of(sharer, original)[:1]
    unretweet(viewer=viewer(sharer), tweet_id=original)
    assert entries_of(sharer, original) == []
    assert home(sharer) == []


def test_what_a_failed_request_wrote_is_in_force_when_its_repetition_has_answered() -> None:
    """The store took the write and did not say so: nobody has told the caches yet."""
    author, sharer, reader = new_person(), new_person(), new_person()
    original = post(author)
    follows.follow(reader.id, sharer.id)
    assert (home(sharer), home(reader)) == ([], [])

    def refused(change: Callable[..., object]) -> None:
        down = Unavailable("store")
        telling = patch.multiple(retweeting, tell=Mock(side_effect=down), tell_marked=Mock(side_effect=down))
        with telling, pytest.raises(Unavailable):
            change(viewer=viewer(sharer), tweet_id=original)

    refused(retweet)
    assert home(sharer) == [], "it was not acknowledged"
    retweet(viewer=viewer(sharer), tweet_id=original)
    assert home(sharer) == [entry_of(sharer, original)]
    work_off_everything()
    assert home(reader) == home(sharer)
    refused(unretweet)
    unretweet(viewer=viewer(sharer), tweet_id=original)
    assert (home(sharer), home(reader)) == ([], [])
