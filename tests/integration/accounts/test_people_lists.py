"""Followers and following: newest first, full pages, shared cursors, and who is left out."""

from typing import Any

import pytest

from accounts.graph import blocks, follows, listings
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.people import suspending
from storage.ids import settling
from storage.stores import associations
from storage.web import walking
from storage.web.paging import PageRequest
from tests.backends import counted_store_calls, timeline_redis_down
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import viewer
from tests.people import ApiClient, new_person

pytestmark = pytest.mark.usefixtures("product")


def names(body: dict[str, Any]) -> list[str]:
    return [person["username"] for person in body["data"]]


def a_star_with(count: int) -> tuple[User, list[User]]:
    """Somebody and their followers, the newest follow first."""
    star = new_person()
    crowd = [new_person() for _ in range(count)]
    for each in crowd:
        follows.follow(each.id, star.id)
    return star, crowd[::-1]


def test_the_newest_follow_comes_first_at_both_ends() -> None:
    star, crowd = a_star_with(3)
    other = new_person()
    follows.follow(crowd[0].id, other.id)
    client = ApiClient()
    followers = client.get(f"/api/v1/users/{star.username}/followers").json()
    following = client.get(f"/api/v1/users/{crowd[0].username}/following").json()
    assert names(followers) == [each.username for each in crowd]
    assert names(following) == [other.username, star.username]
    assert followers["meta"]["next_cursor"] is None
    assert set(followers["data"][0]) == {
        "id",
        "username",
        "display_name",
        "bio",
        "avatar_url",
        "verified",
        "created_at",
        "protected",
    }
    follows.unfollow(crowd[2].id, star.id)
    follows.follow(crowd[2].id, star.id)
    again = client.get(f"/api/v1/users/{star.username}/followers").json()
    assert names(again) == [crowd[2].username, crowd[0].username, crowd[1].username]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_walking_down_and_up_meets_everybody_once(limit: int) -> None:
    star, crowd = a_star_with(7)
    client = ApiClient()
    down: list[str] = []
    link: str | None = f"/api/v1/users/{star.username}/followers?limit={limit}"
    while link:
        body = client.get(link).json()
        assert len(body["data"]) == min(limit, 7 - len(down))
        down += names(body)
        link, last = body["links"]["next"], body
    expected = [each.username for each in crowd]
    assert down == expected
    up = names(last)
    link = last["links"]["prev"]
    while True:
        body = client.get(str(link)).json()
        if not body["data"]:
            break
        up = names(body) + up
        link = body["links"]["prev"]
    assert up == expected


def test_suspended_and_blocked_people_are_left_out_and_made_up_for() -> None:
    star, crowd = a_star_with(8)
    staff, watcher = new_person(staff=True), new_person()
    suspending.suspend(crowd[0], by=staff)
    blocks.block(watcher.id, crowd[1].id)
    blocks.block(crowd[3].id, watcher.id)
    blocks.mute(watcher.id, crowd[4].id)
    shown = [crowd[place].username for place in (2, 4, 5, 6, 7)]
    client = ApiClient(watcher)
    first = client.get(f"/api/v1/users/{star.username}/followers?limit=3").json()
    second = client.get(first["links"]["next"]).json()
    assert (names(first), names(second)) == (shown[:3], shown[3:])
    assert second["links"]["next"] is None
    everybody_else = ApiClient().get(f"/api/v1/users/{star.username}/followers").json()
    assert names(everybody_else) == [each.username for each in crowd[1:]]


def test_a_page_that_was_not_filled_in_time_leads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk past hidden people is bounded by time; where it stops, the next page begins."""
    star, crowd = a_star_with(6)
    staff = new_person(staff=True)
    for hidden in crowd[1:4]:
        suspending.suspend(hidden, by=staff)
    with monkeypatch.context() as hurry:
        hurry.setattr(walking, "WALK_SECONDS", 0.0)
        page = listings.followers_page(star.username, None, PageRequest(limit=2))
    assert [each.username for each in page.items] == [crowd[0].username]
    rest = listings.followers_page(star.username, None, PageRequest(limit=2, before=page.older))
    assert [each.username for each in rest.items] == [each.username for each in crowd[4:]]


def test_a_page_is_never_empty_while_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody who may be shown was found in time, that is said, and when to come again."""
    star, crowd = a_star_with(5)
    staff = new_person(staff=True)
    for hidden in crowd[:4]:
        suspending.suspend(hidden, by=staff)
    path = f"/api/v1/users/{star.username}/followers?limit=1"
    with monkeypatch.context() as hurry:
        hurry.setattr(walking, "WALK_SECONDS", 0.0)
        answer = ApiClient().get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert names(ApiClient().get(path).json()) == [crowd[4].username]


@on_one_store
def test_a_block_hides_the_lists_from_whom_is_blocked_only() -> None:
    star, [follower] = a_star_with(1)
    watcher = new_person()
    blocks.block(star.id, watcher.id)
    for name in ("followers", "following"):
        path = f"/api/v1/users/{star.username}/{name}"
        assert ApiClient(watcher).get(path).status_code == 404
        assert ApiClient(follower).get(path).status_code == 200
        assert ApiClient(star).get(f"/api/v1/users/{watcher.username}/{name}").status_code == 200


@on_one_store
def test_bad_requests() -> None:
    star, _ = a_star_with(1)
    client = ApiClient()
    for query in ("limit=0", "limit=101", "cursor=forged", "since=forged", "limit=x"):
        assert client.get(f"/api/v1/users/{star.username}/followers?{query}").status_code == 400, query
    assert client.get("/api/v1/users/nobody_here/following").status_code == 404
    assert client.post(f"/api/v1/users/{star.username}/followers").status_code in (401, 405)


def test_a_page_costs_few_reads_however_many_people_it_shows(product: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of follows that have settled; one more if a whole page of them is younger than that."""
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0)
    star, _ = a_star_with(6)
    watcher = viewer(new_person())
    listings.followers_page(star.username, watcher, PageRequest(limit=5))
    with counted_store_calls() as store:
        page = listings.followers_page(star.username, watcher, PageRequest(limit=5))
    assert len(page.items) == 5
    assert len(store) <= (4 if product == "cassandra" else 2), "whether one is blocked, and the listing"


def test_lists_work_while_redis_is_down() -> None:
    star, crowd = a_star_with(2)
    watcher = new_person()
    blocks.block(watcher.id, crowd[0].id)
    with timeline_redis_down():
        page = listings.followers_page(star.username, viewer(watcher), PageRequest())
    assert [each.username for each in page.items] == [crowd[1].username]


def test_walking_up_past_hidden_people_skips_nobody() -> None:
    """The walk asks for more each round, so it may find more than the page has room for."""
    star, crowd = a_star_with(7)
    staff = new_person(staff=True)
    for hidden in crowd[4:6]:
        suspending.suspend(hidden, by=staff)
    up: list[str] = []
    place = associations().find(crowd[6].id, FOLLOW, [star.id])[star.id].op
    for _ in range(3):
        page = listings.followers_page(star.username, None, PageRequest(limit=2, after=place))
        up = [each.username for each in page.items] + up
        assert page.newer is not None
        place = page.newer
    assert up == [each.username for each in crowd[:4]]
