"""Following: edges, orders and versions, on both engines."""

from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from accounts.entities import Relationship
from accounts.graph import following, follows
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.people import suspending
from storage import stores
from storage.errors import NotFound, Refused
from storage.ids.snowflakes import MAX_ID
from storage.redis.node import timeline_node
from tests import work
from tests.backends import timeline_redis_down
from tests.people import ApiClient, new_person

pytestmark = pytest.mark.usefixtures("store", "redis_servers", "empty_outbox")


def version(person: User) -> bytes | None:
    [answer] = timeline_node().round_trip(("GET", follows.graph_version_key(person.id)))
    return answer if answer is None else bytes(answer)


def open_orders() -> list[tuple[int, ...]]:
    return [order.args for order in stores.outbox().open_orders(before=MAX_ID, limit=100) if order.kind == "graph"]


def test_following_makes_the_edge_raises_the_version_and_leaves_no_order_open() -> None:
    ada, bob = new_person(), new_person()
    follows.follow(ada.id, bob.id)
    assert following.followee_ids(ada.id) == [bob.id]
    assert len(version(ada) or b"") == 8
    assert version(bob) is None
    assert open_orders() == []
    assert follows.relationship(ada.id, bob.id) == Relationship(following=True, followed_by=False)
    assert follows.relationship(bob.id, ada.id) == Relationship(following=False, followed_by=True)
    followers = [
        each for bucket in following.follower_buckets(bob.id) for each in following.follower_page(bob.id, bucket, 0, 10)
    ]
    assert followers == [ada.id]


def test_following_twice_changes_nothing_the_second_time() -> None:
    ada, bob = new_person(), new_person()
    follows.follow(ada.id, bob.id)
    first, edge = version(ada), stores.associations().find(ada.id, FOLLOW, [bob.id])
    follows.follow(ada.id, bob.id)
    assert (version(ada), stores.associations().find(ada.id, FOLLOW, [bob.id])) == (first, edge)


def test_unfollowing_removes_the_edge_and_raises_the_version_once() -> None:
    ada, bob = new_person(), new_person()
    follows.unfollow(ada.id, bob.id)
    assert version(ada) is None
    follows.follow(ada.id, bob.id)
    followed = version(ada)
    follows.unfollow(ada.id, bob.id)
    unfollowed = version(ada)
    assert following.followee_ids(ada.id) == []
    assert unfollowed != followed
    follows.unfollow(ada.id, bob.id)
    assert version(ada) == unfollowed


def test_an_order_carried_out_twice_never_brings_an_earlier_version_back() -> None:
    ada, bob = new_person(), new_person()
    follows.follow(ada.id, bob.id)
    op = stores.associations().find(ada.id, FOLLOW, [bob.id])[bob.id].op
    seen = {version(ada)}
    follows.unfollow(ada.id, bob.id)
    seen.add(version(ada))
    follows.raise_versions([ada.id], op)
    assert version(ada) not in seen


def test_without_redis_following_works_and_the_order_stays_open_until_carried_out() -> None:
    ada, bob = new_person(), new_person()
    with timeline_redis_down():
        follows.follow(ada.id, bob.id)
    assert following.followee_ids(ada.id) == [bob.id]
    assert version(ada) is None
    assert open_orders() == [(ada.id,)]
    [order] = work.open_orders()
    follows.raise_versions(order.args, order.id)
    assert version(ada) is not None
    assert open_orders() == []


def test_the_version_outlives_every_timeline_built_before_it() -> None:
    ada, bob = new_person(), new_person()
    follows.follow(ada.id, bob.id)
    [seconds] = timeline_node().round_trip(("TTL", follows.graph_version_key(ada.id)))
    assert seconds > settings.ACTIVE_DAYS * 86_400


def test_whom_one_cannot_follow() -> None:
    ada, bob, carol, suspended = (new_person() for _ in range(4))
    suspending.suspend(suspended, by=ada)
    with pytest.raises(Refused) as oneself:
        follows.follow(ada.id, ada.id)
    assert oneself.value.code == "following_oneself"
    for gone in (suspended.id, 1):
        with pytest.raises(NotFound):
            follows.follow(ada.id, gone)
    with override_settings(MAX_FOLLOWING=1):
        follows.follow(ada.id, bob.id)
        follows.follow(ada.id, bob.id)
        with pytest.raises(Refused) as too_many:
            follows.follow(ada.id, carol.id)
    assert too_many.value.code == "following_too_many"
    assert following.followee_ids(ada.id) == [bob.id]


def test_someone_suspended_can_be_unfollowed() -> None:
    ada, bob = new_person(), new_person()
    follows.follow(ada.id, bob.id)
    suspending.suspend(bob, by=ada)
    follows.unfollow(ada.id, bob.id)
    assert following.followee_ids(ada.id) == []


def test_followees_are_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FOLLOWEES_A_READ", 2)
    ada, *others = (new_person() for _ in range(5))
    for other in others:
        follows.follow(ada.id, other.id)
    assert following.followee_ids(ada.id) == sorted(other.id for other in others)


def test_the_door() -> None:
    ada, bob = new_person("ada"), new_person("bob")
    client = ApiClient(ada)

    def answer(method: str, name: str) -> tuple[int, Any]:
        response = getattr(client, method)(f"/api/v1/users/{name}/follow")
        return response.status_code, response.json().get("data", response.json().get("code"))

    follows_bob = {"following": True, "followed_by": False, "blocking": False, "muting": False, "requested": False}
    assert answer("put", "BOB") == (200, follows_bob)
    assert answer("put", "bob") == (200, follows_bob)
    assert answer("delete", "bob") == (200, {**follows_bob, "following": False})
    assert answer("delete", "bob") == (200, {**follows_bob, "following": False})
    assert answer("put", "ada") == (422, "following_oneself")
    assert answer("put", "nobody") == (404, "not_found")
    assert answer("put", "b%C3%B6b") == (404, "not_found")
    assert ApiClient().put("/api/v1/users/bob/follow").status_code == 401
    assert following.followee_ids(bob.id) == []
