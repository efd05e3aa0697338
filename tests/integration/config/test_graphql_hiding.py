"""What GraphQL shows to whom: for every caller what REST shows them, and null for what is gone or hidden."""

import pytest

from accounts.graph import blocks
from accounts.models import User
from accounts.people import suspending
from tests.integration.config.test_graphql_reads import Scene
from tests.integration.querying import Door
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.writing import posting

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


@pytest.fixture
def scene() -> Scene:
    return Scene()


CALLERS = ["nobody", "other", "blocked", "muted", "staff", "author"]


def caller(scene: Scene, name: str) -> User | None:
    if name in ("nobody", "author"):
        return scene.ada if name == "author" else None
    person = new_person(staff=name == "staff")
    if name == "blocked":
        blocks.block(scene.ada.id, person.id)
    if name == "muted":
        blocks.mute(person.id, scene.ada.id)
    return person


@pytest.mark.parametrize("name", CALLERS)
@pytest.mark.parametrize("what", ["present", "suspended", "deleted"])
def test_each_caller_sees_of_every_field_what_rest_shows_them(scene: Scene, name: str, what: str) -> None:
    person = caller(scene, name)
    if what == "suspended":
        suspending.suspend(scene.ada, by=new_person(staff=True))
    if what == "deleted":
        posting.delete_tweet(tweet_id=scene.root, viewer=viewer(scene.ada))
    if what == "suspended" and name == "author":
        assert Door(scene.ada).ask("{ me { id } }").status_code == 403
        return
    door = Door(person)
    shown = door.data(
        f'{{ tweet(id: "{scene.root}") {{ id }} tweets(ids: ["{scene.root}"]) {{ id }} '
        'user(username: "ada") { id } users(usernames: ["ada"]) { id } }'
    )
    for field, path in (("tweet", f"tweets/{scene.root}"), ("user", "users/ada")):
        status = door.client.get(f"/api/v1/{path}").status_code
        assert (shown[field] is not None) is (status == 200), (field, status)
        assert shown[f"{field}s"] == [shown[field]]
    replies = "replies { edges { node { id author { username } } } }"
    listed = door.data(f'{{ tweet(id: "{scene.theirs}") {{ {replies} }} }}')["tweet"]["replies"]["edges"]
    rest = door.client.get(f"/api/v1/tweets/{scene.theirs}/replies").json()["data"]
    assert [edge["node"]["id"] for edge in listed] == [each["id"] for each in rest]
    public = door.data("{ publicTimeline { edges { node { id } } } }")["publicTimeline"]["edges"]
    rest = door.client.get("/api/v1/feed/public").json()["data"]
    assert [edge["node"]["id"] for edge in public] == [each["id"] for each in rest]
    if name == "blocked":
        assert listed == []
        for field in ("followers", "following"):
            people = f"{field} {{ edges {{ node {{ username }} }} }}"
            query = f'{{ user(username: "{scene.others[0].username}") {{ {people} }} }}'
            assert "'ada'" not in str(door.data(query))


def test_who_blocks_somebody_still_finds_them_but_none_of_their_tweets(scene: Scene) -> None:
    reader = new_person()
    blocks.block(reader.id, scene.ada.id)
    query = (
        '{ user(username: "ada") { relationship { blocking } tweets { edges { cursor } } likes { edges { cursor } } } }'
    )
    shown = Door(reader).data(query)["user"]
    assert shown == {"relationship": {"blocking": True}, "tweets": {"edges": []}, "likes": {"edges": []}}


def test_hidden_replies_are_made_up_for_in_every_list_of_a_page(scene: Scene) -> None:
    """Each reply but the oldest of each tweet is by somebody whom the reader has blocked."""
    reader, hidden = new_person(), new_person()
    blocks.block(reader.id, hidden.id)
    roots = [post(scene.ada, "roots") for _ in range(3)]
    oldest = [post(scene.ada, "seen", reply_to=root) for root in roots]
    for root in roots:
        for _ in range(5):
            post(hidden, "hidden", reply_to=root)
    query = (
        "query($i: [ID!]!) { tweets(ids: $i) { replies(first: 2) { edges { node { id } } pageInfo { hasNextPage } } } }"
    )
    shown = Door(reader).data(query, {"i": [str(each) for each in roots]})["tweets"]
    assert [[edge["node"]["id"] for edge in each["replies"]["edges"]] for each in shown] == [[str(i)] for i in oldest]
    assert not any(each["replies"]["pageInfo"]["hasNextPage"] for each in shown)
