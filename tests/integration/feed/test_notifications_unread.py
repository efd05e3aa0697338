"""How much is new: counted right whatever Redis forgot, cheap when asked again, and the mark that never goes back."""

from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import blocks, follows
from accounts.people import suspending
from feed.notifications import groups
from feed.notifications import unread as unread_module
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.stores import notices
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down, vouch_for_all
from tests.integration.feed.notified import NOTIFICATIONS, items, likes, mark_read, unlikes, unread
from tests.integration.feed.reading import operator
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tests.work import every_open_order, work_off_everything
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def test_what_comes_is_new_until_it_was_read_and_new_again_when_it_happens_again() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet = post(ada)
    assert unread(ada) == 0
    likes(ben, tweet)
    assert unread(ada) == 1
    follows.follow(ben.id, ada.id)
    assert unread(ada) == 2
    newest, older = items(ada)
    assert mark_read(ada, older["id"]) == 1
    assert [each["read"] for each in items(ada)] == [False, True]
    assert mark_read(ada, newest["id"]) == 0
    likes(cem, tweet)
    assert unread(ada) == 1
    assert [each["read"] for each in items(ada)] == [False, True]


def test_to_count_what_is_new_nobody_counts_who_is_in_it() -> None:
    ada, ben = new_person(), new_person()
    follows.follow(ben.id, ada.id)
    likes(ben, post(ada))
    with patch.object(groups, "_count", wraps=groups._count) as counting:
        assert unread(ada) == 2
        assert counting.call_count == 0
        items(ada)
        assert counting.call_count == 2


def test_the_mark_never_goes_back_nor_ahead_of_what_is_there() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    likes(ben, tweet)
    follows.follow(ben.id, ada.id)
    newest, older = items(ada)
    for up_to in (newest["id"], older["id"], "1", newest["id"]):
        assert mark_read(ada, up_to) == 0
    assert mark_read(ada, str(MAX_ID)) == 0
    post(ben, "a reply", reply_to=tweet)
    assert unread(ada) == 1, "what came after it is new"


@pytest.mark.parametrize(
    ("body", "status"), [({"up_to": "x"}, 400), ({"up_to": "0"}, 400), ({}, 422), ({"up_to": 5}, 422)]
)
def test_a_mark_that_is_no_id_is_refused(body: Any, status: int) -> None:
    answer = ApiClient(new_person()).put(f"{NOTIFICATIONS}/read", body, content_type="application/json")
    assert answer.status_code == status


@pytest.mark.parametrize(
    "query", ["types=likes", "types=", "types=like,", "types=like&types=reply", "types=like&cursor=x"]
)
def test_types_that_are_none_and_bad_cursors_are_400(query: str) -> None:
    answer = ApiClient(new_person()).get(f"{NOTIFICATIONS}?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_asking_again_is_one_round_trip() -> None:
    ada, ben = new_person(), new_person()
    likes(ben, post(ada))
    assert unread(ada) == 1
    with counted_round_trips() as redis, counted_store_calls() as store:
        assert unread_module.unread_count(viewer(ada)) == 1
    assert len(redis) == 1
    assert store == []


def test_it_is_right_after_redis_was_emptied() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    likes(ben, tweet)
    follows.follow(ben.id, ada.id)
    assert unread(ada) == 2
    assert mark_read(ada, items(ada)[1]["id"]) == 1
    timeline_node().round_trip(("FLUSHALL",))
    begin(timeline_node())
    vouch_for_all()
    assert unread(ada) == 1
    assert [each["read"] for each in items(ada)] == [False, True]


def test_a_count_that_was_under_way_when_something_came_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet, other = post(ada), post(ada)
    likes(ben, tweet)
    assert unread(ada) == 1
    likes(cem, tweet)
    work_off_everything()
    count = unread_module._count

    def slowly(person: Any) -> int:
        counted = count(person)
        likes(cem, other)
        work_off_everything()
        return counted

    monkeypatch.setattr(unread_module, "_count", slowly)
    assert unread_module.unread_count(viewer(ada)) == 1
    monkeypatch.undo()
    assert unread(ada) == 2


def test_whom_one_hides_is_not_counted_at_once_and_what_was_deleted_within_a_while() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet = post(ada)
    reply = post(ben, "a reply", reply_to=tweet)
    likes(cem, tweet)
    assert unread(ada) == 2
    blocks.mute(ada.id, ben.id)
    assert unread(ada) == 1
    blocks.unmute(ada.id, ben.id)
    assert unread(ada) == 2
    blocks.block(cem.id, ada.id)
    assert unread(ada) == 1
    delete_tweet(tweet_id=reply, viewer=viewer(ben))
    timeline_node().round_trip(("DEL", unread_module.UNREAD.key(ada.id)))  # as KEPT_SECONDS later
    assert unread(ada) == 0


def test_it_ends_of_itself_so_that_nothing_hidden_is_counted_for_ever() -> None:
    ada, ben = new_person(), new_person()
    likes(ben, post(ada))
    assert unread(ada) == 1
    [left] = timeline_node().round_trip(("TTL", unread_module.UNREAD.key(ada.id)))
    assert 0 < left <= unread_module.KEPT_SECONDS
    suspending.suspend(ben, by=operator())
    timeline_node().round_trip(("DEL", unread_module.UNREAD.key(ada.id)))
    assert unread(ada) == 0


def test_it_is_exact_up_to_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread_module, "MOST_COUNTED", 5)
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    counted = []
    for _ in range(7):
        post(ben, "a reply", reply_to=tweet)
        counted.append(unread(ada))
    assert counted == [1, 2, 3, 4, 5, 5, 5]


def test_while_redis_is_away_it_is_counted_and_marked_and_what_comes_waits() -> None:
    ada, ben = new_person(), new_person()
    tweet, other = post(ada), post(ada)
    likes(ben, tweet)
    work_off_everything()
    with timeline_redis_down():
        assert unread_module.unread_count(viewer(ada)) == 1
        likes(ben, other)
        with pytest.raises(Unavailable):
            work_off_everything()
        assert "notify" in {order.kind for order in every_open_order()}
        mark_read(ada, items_without_workers(ada)[-1]["id"])
    assert unread(ada) == 1
    assert [each["read"] for each in items(ada)] == [False, True]


def items_without_workers(person: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ApiClient(person).get(NOTIFICATIONS).json()["data"]
    return found


def test_a_like_that_was_taken_back_is_no_news() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    likes(ben, tweet)
    unlikes(ben, tweet)
    assert unread(ada) == 0
    assert notices().read_up_to(ada.id) == 0
