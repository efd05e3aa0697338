"""Profiles: what they show to whom, and counts that are right when a change has answered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from accounts.graph import blocks, follows
from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.people import suspending
from storage.redis import count_cache
from storage.redis.count_cache import counts_of
from storage.redis.node import timeline_node
from storage.redis.shards import user_tag
from storage.stores import associations
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def profile(person: User, client: ApiClient | None = None) -> dict[str, Any]:
    response = (client or ApiClient()).get(f"/api/v1/users/{person.username}")
    assert response.status_code == 200, response.content
    data: dict[str, Any] = response.json()["data"]
    return data


def shown_counts(person: User) -> tuple[int, int, int]:
    data = profile(person)
    return data["followers_count"], data["following_count"], data["tweets_count"]


def test_a_profile_shows_the_person_and_nothing_private() -> None:
    ada = new_person("Ada")
    data = profile(ada)
    assert data == {
        "id": str(ada.id),
        "username": "Ada",
        "display_name": "Ada",
        "bio": "",
        "avatar_url": None,
        "verified": False,
        "created_at": data["created_at"],
        "protected": False,
        "followers_count": 0,
        "following_count": 0,
        "tweets_count": 0,
        "relationship": None,
    }
    assert ApiClient().get("/api/v1/users/aDA").json()["data"]["id"] == str(ada.id), "in any case"


def test_the_relationship_is_the_viewers() -> None:
    ada, bob = new_person(), new_person()
    follows.follow(bob.id, ada.id)
    blocks.mute(ada.id, bob.id)
    assert profile(bob, ApiClient(ada))["relationship"] == {
        "following": False,
        "requested": False,
        "followed_by": True,
        "blocking": False,
        "muting": True,
    }
    assert not any(profile(ada, ApiClient(ada))["relationship"].values())


def test_who_is_not_found() -> None:
    ada, gone, staff = new_person(), new_person(), new_person(staff=True)
    suspending.suspend(gone, by=staff)
    client = ApiClient(ada)
    for name in (gone.username, "nobody_here", "b%C3%B6b", "x" * 31, "%00"):
        response = client.get(f"/api/v1/users/{name}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), name


def test_a_block_hides_the_profile_from_whom_is_blocked_only() -> None:
    ada, bob = new_person(), new_person()
    blocks.block(ada.id, bob.id)
    assert ApiClient(bob).get(f"/api/v1/users/{ada.username}").status_code == 404
    assert profile(bob, ApiClient(ada))["relationship"]["blocking"] is True, "or nobody could be unblocked"
    assert profile(ada)["username"] == ada.username, "to others nothing has changed"
    blocks.unblock(ada.id, bob.id)
    assert profile(ada, ApiClient(bob))["username"] == ada.username


def test_counts_are_right_when_the_change_has_answered() -> None:
    """Each count stands in Redis before it changes."""
    ada, bob = new_person(), new_person()
    tweets = [post(ada), post(ada)]
    changes: list[tuple[Callable[[], object], tuple[int, int, int], tuple[int, int, int]]] = [
        (lambda: follows.follow(ada.id, bob.id), (0, 1, 2), (1, 0, 0)),
        (lambda: follows.follow(ada.id, bob.id), (0, 1, 2), (1, 0, 0)),
        (lambda: follows.unfollow(ada.id, bob.id), (0, 0, 2), (0, 0, 0)),
        (lambda: follows.follow(bob.id, ada.id), (1, 0, 2), (0, 1, 0)),
        (lambda: blocks.block(ada.id, bob.id), (0, 0, 2), (0, 0, 0)),
        (lambda: delete_tweet(tweet_id=tweets[0], viewer=viewer(ada)), (0, 0, 1), (0, 0, 0)),
        (lambda: post(ada), (0, 0, 2), (0, 0, 0)),
    ]
    for change, of_ada, of_bob in changes:
        timeline_node().round_trip(("FLUSHALL",))
        for person in (ada, bob):
            shown_counts(person)
        change()
        assert (shown_counts(ada), shown_counts(bob)) == (of_ada, of_bob)


def test_fifty_follows_and_unfollows_at_once_are_counted_exactly() -> None:
    star = new_person()
    crowd = [new_person() for _ in range(5)]

    def follow_and_maybe_not(number: int) -> None:
        reader = crowd[number % 5]
        follows.follow(reader.id, star.id)
        shown_counts(star)
        if number % 2:
            follows.unfollow(reader.id, star.id)

    run_together([lambda number=number: follow_and_maybe_not(number) for number in range(50)])  # type: ignore[misc]
    standing = sum(follows.has_edge(reader.id, FOLLOW, star.id) for reader in crowd)
    assert shown_counts(star) == (standing, 0, 0)
    assert sum(shown_counts(reader)[1] for reader in crowd) == standing


def test_counts_come_from_redis_while_nothing_changes() -> None:
    ada = new_person()
    profile(ada)
    with counted_round_trips() as redis, counted_store_calls() as store:
        profile(ada)
    assert (len(redis), store) == (2, []), "the account, and the counts"


def test_a_count_that_missed_a_change_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = new_person(), new_person()
    original = FOLLOWERS.count

    def counted_then_followed(people: Sequence[int]) -> Mapping[int, int]:
        found = original(people)
        monkeypatch.setattr(FOLLOWERS, "count", original)
        follows.follow(bob.id, ada.id)
        return found

    monkeypatch.setattr(FOLLOWERS, "count", counted_then_followed)
    assert counts_of(ada.id, [FOLLOWERS]) == [0], "as it was when the request began"
    assert counts_of(ada.id, [FOLLOWERS]) == [1]


def test_a_large_count_is_not_counted_anew_at_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_cache, "LARGE", 2)
    star = new_person()
    for _ in range(3):
        follows.follow(new_person().id, star.id)
    assert counts_of(star.id, [FOLLOWERS, FOLLOWING]) == [3, 0]
    follows.follow(new_person().id, star.id)
    with counted_store_calls() as store:
        assert counts_of(star.id, [FOLLOWERS, FOLLOWING]) == [3, 0]
    assert store == []
    [seconds] = timeline_node().round_trip(("TTL", f"{user_tag(star.id)}:followers:{star.id}:large"))
    assert 0 < seconds <= count_cache.LARGE_TTL_SECONDS
    assert associations().count_sources(star.id, FOLLOW) == 4


def test_without_redis_profiles_are_whole() -> None:
    ada, bob = new_person(), new_person()
    client = ApiClient(ada)
    follows.follow(ada.id, bob.id)
    with timeline_redis_down():
        data = profile(bob, client)
        assert (data["followers_count"], data["relationship"]["following"]) == (1, True)
