"""Several people, and several tweets, by what names them: in the order asked for, and each as its own path shows it."""

from typing import Any

import pytest

from accounts.graph import blocks
from accounts.models import User
from accounts.people import suspending
from storage.redis.node import timeline_node
from storage.redis.shards import user_tag
from tests.backends import counted_round_trips, counted_store_calls
from tests.integration.querying import Door
from tests.integration.speaking import Api, on_one_store, problem
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")

NOBODYS = 7265412345678901248


class Scene:
    """People and a tweet of each: of an ordinary one, of one who is suspended, and of one who blocks `blocked`."""

    def __init__(self) -> None:
        self.author, self.gone, self.blocking = new_person("Ada"), new_person(), new_person()
        self.blocked, self.staff = new_person(), new_person(staff=True)
        self.people = [self.blocking, self.gone, self.author]
        self.tweets = [post(each) for each in self.people]
        self.deleted = post(self.author)
        delete_tweet(tweet_id=self.deleted, viewer=viewer(self.author))
        suspending.suspend(self.gone, by=self.staff)
        blocks.block(self.blocking.id, self.blocked.id)

    def callers(self) -> dict[str, User | None]:
        return {"nobody": None, "blocked": self.blocked, "staff": self.staff, "author": self.author}


def one_by_one(api: Api, paths: list[str]) -> list[Any]:
    """What the paths of single things show, without those that are not found."""
    answers = [api.get(path) for path in paths]
    assert {each.status_code for each in answers} <= {200, 404}
    return [each.json()["data"] for each in answers if each.status_code == 200]


def commas(things: list[Any]) -> str:
    return ",".join(map(str, things))


def test_whom_each_caller_sees_is_whom_they_see_one_by_one() -> None:
    scene = Scene()
    names = [*(each.username for each in scene.people), "nobody_here"]
    ids = [*(each.id for each in scene.people), NOBODYS]
    met = {}
    for name, caller in scene.callers().items():
        api = Api(caller)
        single = one_by_one(api, [f"/users/{each}" for each in names])
        assert api.page("/users", usernames=commas(names))["data"] == single
        assert api.page("/users", ids=commas(ids))["data"] == single
        door = Door(caller)
        for asked in ({"usernames": names}, {"ids": [str(each) for each in ids]}):
            seen = door.data(USERS, {"usernames": None, "ids": None, **asked})["users"]
            assert [each and each["username"] for each in seen if each] == [each["username"] for each in single]
            assert len(seen) == len(ids), "null in the place of who is not seen"
        met[name] = [each["username"] for each in single]
    blocking, gone, author = (each.username for each in scene.people)
    assert met == {
        "nobody": [blocking, author],
        "blocked": [author],
        "staff": [blocking, gone, author],
        "author": [blocking, author],
    }


USERS = "query($usernames: [String!], $ids: [ID!]) { users(usernames: $usernames, ids: $ids) { username } }"


def test_what_each_caller_sees_is_what_they_see_one_by_one() -> None:
    scene = Scene()
    quote = post(scene.author, quote_of=scene.tweets[0])
    ids = [quote, *scene.tweets, scene.deleted, NOBODYS]
    shown = {}
    for name, caller in scene.callers().items():
        api = Api(caller)
        single = one_by_one(api, [f"/tweets/{each}" for each in ids])
        assert api.page("/tweets", ids=commas(ids))["data"] == single
        shown[name] = [int(each["id"]) for each in single]
    by_blocking, by_gone, by_author = scene.tweets
    assert shown == {
        "nobody": [quote, by_blocking, by_author],
        "blocked": [quote, by_author],
        "staff": [quote, by_blocking, by_gone, by_author],
        "author": [quote, by_blocking, by_author],
    }


@on_one_store
class TestAsking:
    def test_the_envelope_is_a_collection_s_without_other_pages(self) -> None:
        tweet = post(new_person())
        body = Api().page("/tweets", ids=tweet)
        assert body["meta"] == {"next_cursor": None, "prev_cursor": None, "limit": 100}
        assert body["links"] == {"self": f"/api/v1/tweets?ids={tweet}", "next": None, "prev": None}
        assert Api().get("/tweets", ids=tweet).get("Link") is None

    def test_a_parameter_may_come_again(self) -> None:
        author = new_person()
        first, second = post(author), post(author)
        assert [each["id"] for each in _again("/tweets", f"ids={second}&ids={first}")] == [str(second), str(first)]

    def test_names_are_those_of_any_case(self) -> None:
        new_person("Ada")
        assert [each["username"] for each in Api().page("/users", usernames="aDA")["data"]] == ["Ada"]

    @pytest.mark.parametrize(
        ("path", "query", "code"),
        [
            ("/users", "", "bad_look_up"),
            ("/users", "usernames=ada&ids=1", "bad_look_up"),
            ("/users", "usernames=", "nothing_listed"),
            ("/users", "ids=", "nothing_listed"),
            ("/users", "usernames=ada,,bob", "malformed_username"),
            ("/users", "usernames=ada,%20bob", "malformed_username"),
            ("/users", "usernames=ada,%00", "malformed_username"),
            ("/users", "usernames=ada,bob,ADA", "repeated"),
            ("/users", "usernames=" + ",".join(f"p{each}" for each in range(101)), "too_many"),
            ("/users", "ids=1,abc", "malformed_id"),
            ("/users", "ids=1,2,1", "repeated"),
            ("/tweets", "", "bad_look_up"),
            ("/tweets", "ids=", "nothing_listed"),
            ("/tweets", "ids=1,", "malformed_id"),
            ("/tweets", "ids=1,9223372036854775808", "malformed_id"),
            ("/tweets", "ids=1,2&ids=2", "repeated"),
            ("/tweets", "ids=" + commas(list(range(1, 102))), "too_many"),
        ],
    )
    def test_what_cannot_be_looked_up(self, path: str, query: str, code: str) -> None:
        problem(Api().call("GET", path, QUERY_STRING=query), 400, code)

    def test_a_hundred_can(self) -> None:
        assert Api().page("/tweets", ids=commas(list(range(1, 101))))["data"] == []

    def test_graphql_refuses_neither_and_both(self) -> None:
        for asked in ({}, {"usernames": ["ada"], "ids": ["1"]}):
            assert Door().errors(USERS, asked, status=200)[0]["extensions"] == {"code": "bad_look_up"}
        assert Door().errors(USERS, {"ids": ["x"]}, status=200)[0]["extensions"] == {"code": "malformed_id"}
        assert Door().errors(USERS, {"ids": ["1"] * 101}, status=200)[0]["extensions"] == {"code": "too_many"}

    def test_graphql_counts_people_by_their_ids_as_a_list(self) -> None:
        query = "query($ids: [ID!]) { users(ids: $ids) { followers(first: 20) { edges { node { username bio } } } } }"
        assert Door().data(query, {"ids": ["1"] * 10})["users"] == [None] * 10
        [error] = Door().errors(query, {"ids": ["1"] * 100}, status=400)
        assert error["extensions"] == {"code": "too_complex"}


def _again(path: str, query: str) -> Any:
    return Api().call("GET", path, QUERY_STRING=query).json()["data"]


def test_many_cost_as_many_round_trips_as_two(product: str) -> None:
    """The token; names that this process knows, with their accounts, and the counts; tweets, with all of theirs."""
    people = [new_person() for _ in range(20)]
    tweets = [post(each) for each in people]
    names = [each.username for each in people]
    reader = Api(new_person())
    counts = [f"{user_tag(each.id)}:tweets:{each.id}" for each in people]
    timeline_node().round_trip(*[("DEL", key) for key in counts])  # as half a minute after they posted

    def cost(path: str, name: str, things: list[Any]) -> tuple[int, int]:
        for _ in range(2):
            assert len(reader.page(path, **{name: commas(things)})["data"]) == len(things)
        with counted_round_trips() as redis, counted_store_calls() as store:
            reader.page(path, **{name: commas(things)})
        return len(redis), len(store)

    for path, name, things, costs in (
        ("/users", "usernames", names, (3, 2)),
        ("/users", "ids", [each.id for each in people], (3, 2)),
        ("/tweets", "ids", tweets, (2, 0)),
    ):
        assert cost(path, name, things[:2]) == cost(path, name, things) == costs, f"{product}: {path} by {name}"
