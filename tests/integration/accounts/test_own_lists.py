"""Whom one blocks and mutes: newest first, full pages, and everybody whom one may let go again."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.graph import blocks, listings
from accounts.models import User
from accounts.people import services, suspending
from accounts.people.services import ProfileChange
from storage.ids import settling
from storage.web.paging import PageRequest
from tests.backends import counted_store_calls, timeline_redis_down
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import viewer
from tests.people import ApiClient, new_person

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize(
        ("path", "add"),
        [("/api/v1/me/blocks", blocks.block), ("/api/v1/me/mutes", blocks.mute)],
        ids=["blocks", "mutes"],
    ),
]
Add = Callable[[int, int], None]


def names(body: dict[str, Any]) -> list[str]:
    return [person["username"] for person in body["data"]]


def an_owner_of(add: Add, count: int) -> tuple[User, list[User]]:
    """Somebody and whom they blocked or muted, the newest first."""
    owner = new_person()
    crowd = [new_person() for _ in range(count)]
    for each in crowd:
        add(owner.id, each.id)
    return owner, crowd[::-1]


@on_one_store
def test_nobody_is_in_it_at_first(path: str, add: Add) -> None:
    body = ApiClient(new_person()).get(path).json()
    assert body["data"] == []
    assert body["meta"] == {"next_cursor": None, "prev_cursor": None, "limit": 20}
    assert body["links"] == {"self": path, "next": None, "prev": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_walking_down_and_up_meets_everybody_once(path: str, add: Add, limit: int) -> None:
    owner, crowd = an_owner_of(add, 7)
    expected = [each.username for each in crowd]
    client = ApiClient(owner)
    down: list[str] = []
    link: str | None = f"{path}?limit={limit}"
    while link:
        body = client.get(link).json()
        assert len(body["data"]) == min(limit, 7 - len(down))
        down += names(body)
        link, last = body["links"]["next"], body
    assert down == expected
    up, link = names(last), last["links"]["prev"]
    while (body := client.get(str(link)).json())["data"]:
        up = names(body) + up
        link = body["links"]["prev"]
    assert up == expected


def test_it_follows_what_is_done_and_undone(path: str, add: Add) -> None:
    owner, crowd = an_owner_of(add, 3)
    client = ApiClient(owner)
    for person in names(client.get(path).json()):
        assert client.delete(f"/api/v1/users/{person}/{path.rsplit('/', 1)[1].removesuffix('s')}").status_code == 200
    assert names(client.get(path).json()) == []
    add(owner.id, crowd[1].id)
    [shown] = client.get(path).json()["data"]
    followed = ApiClient(crowd[1])
    followed.put(f"/api/v1/users/{crowd[0].username}/follow")
    [elsewhere] = ApiClient().get(f"/api/v1/users/{crowd[0].username}/followers").json()["data"]
    assert shown == elsewhere, "as in every list of people"


def test_it_is_ones_own_list_of_this_kind(path: str, add: Add) -> None:
    owner, [other] = an_owner_of(add, 1)
    for each in ("/api/v1/me/blocks", "/api/v1/me/mutes"):
        assert names(ApiClient(owner).get(each).json()) == ([other.username] if each == path else [])
        assert names(ApiClient(other).get(each).json()) == []
    assert ApiClient().get(path).status_code == 401


@on_one_store
def test_whom_one_may_not_look_up_stands_there_by_the_username_and_can_be_let_go(path: str, add: Add) -> None:
    owner, [suspended, blocking, other] = an_owner_of(add, 3)
    for each in (suspended, blocking, other):
        services.update_profile(each.id, ProfileChange(display_name="Rude", bio="rude"))
    suspending.suspend(suspended, by=new_person(staff=True))
    blocks.block(blocking.id, owner.id)
    client = ApiClient(owner)
    shown = client.get(path).json()["data"]
    assert [(each["username"], each["display_name"], each["bio"]) for each in shown] == [
        (suspended.username, suspended.username, ""),
        (blocking.username, blocking.username, ""),
        (other.username, "Rude", "rude"),
    ]
    kind = path.rsplit("/", 1)[1].removesuffix("s")
    for each in (suspended, blocking):
        assert client.delete(f"/api/v1/users/{each.username}/{kind}").status_code == 200
    assert names(client.get(path).json()) == [other.username]


@on_one_store
def test_who_is_gone_is_made_up_for(path: str, add: Add) -> None:
    owner, crowd = an_owner_of(add, 5)
    User.objects.filter(pk__in=[crowd[0].pk, crowd[2].pk]).delete()
    client = ApiClient(owner)
    first = client.get(f"{path}?limit=2").json()
    assert names(first) == [crowd[1].username, crowd[3].username]
    assert names(client.get(first["links"]["next"]).json()) == [crowd[4].username]


@on_one_store
def test_a_cursor_is_good_in_either_list(path: str, add: Add) -> None:
    owner, _ = an_owner_of(add, 2)
    both = [new_person(), new_person()]
    for each in both:
        blocks.block(owner.id, each.id)
        blocks.mute(owner.id, each.id)
    client = ApiClient(owner)
    newest = client.get(f"{path}?limit=1").json()["meta"]["next_cursor"]
    for other in ("/api/v1/me/blocks", "/api/v1/me/mutes"):
        assert both[0].username in names(client.get(f"{other}?cursor={newest}").json())
    for query in ("limit=0", "limit=101", "cursor=forged", "since=forged"):
        assert client.get(f"{path}?{query}").status_code == 400, query


def test_a_page_costs_few_reads(product: str, path: str, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more while all of a full page is so new that it has not settled (test_people_lists.py)."""
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0)
    owner, _ = an_owner_of(add, 6)
    page = listings.blocks_page if path.endswith("blocks") else listings.mutes_page
    page(viewer(owner), PageRequest(limit=5))
    with counted_store_calls() as store:
        assert len(page(viewer(owner), PageRequest(limit=5)).items) == 5
    assert len(store) <= (4 if product == "cassandra" else 2), "the listing, and who of them blocks the owner"


@on_one_store
def test_it_works_while_redis_is_down(path: str, add: Add) -> None:
    owner, [other] = an_owner_of(add, 1)
    with timeline_redis_down():
        assert names(ApiClient(owner).get(path).json()) == [other.username]
