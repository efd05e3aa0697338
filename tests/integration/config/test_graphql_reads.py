"""GraphQL's queries say what REST says: the same tweets, people, lists, places in them, and hidings."""

from typing import Any

import pytest

from accounts.graph import follows
from accounts.people import services
from storage.web.paging import decode_since
from tests.integration.querying import WHOLE_TWEET, Door, camel
from tests.integration.speaking import MALFORMED_IDS, on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.stores.port import tweet_store
from tweets.writing import liking, posting, retweeting

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

PERSON = "id username displayName bio avatarUrl verified protected createdAt"
PROFILE = f"""
{PERSON} followersCount followingCount tweetsCount relationship {{ following requested followedBy blocking muting }}
"""
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
DECLARED = "$first: Int, $after: String, $last: Int, $before: String"
TWEETS = f"{PAGE} edges {{ cursor node {{ {WHOLE_TWEET} }} }}"
PEOPLE = f"{PAGE} edges {{ cursor node {{ {PERSON} }} }}"
LISTS = {
    "users/ada/tweets": ("user", f"tweets({ARGUMENTS}) {{ {TWEETS} }}"),
    "users/ada/tweets?replies=false": ("user", f"tweets(replies: false, {ARGUMENTS}) {{ {TWEETS} }}"),
    "users/ada/likes": ("user", f"likes({ARGUMENTS}) {{ {TWEETS} }}"),
    "users/ada/followers": ("user", f"followers({ARGUMENTS}) {{ {PEOPLE} }}"),
    "users/ada/following": ("user", f"following({ARGUMENTS}) {{ {PEOPLE} }}"),
    "tweets/ROOT/replies": ("tweet", f"replies({ARGUMENTS}) {{ {TWEETS} }}"),
    "tweets/ROOT/likes": ("tweet", f"likedBy({ARGUMENTS}) {{ {PEOPLE} }}"),
    "tweets/ROOT/retweets": ("tweet", f"retweetedBy({ARGUMENTS}) {{ {PEOPLE} }}"),
    "tweets/ROOT/thread": ("tweet", f"thread {{ replies({ARGUMENTS}) {{ {TWEETS} }} }}"),
    "feed/public": ("", f"publicTimeline({ARGUMENTS}) {{ {TWEETS} }}"),
    "feed/home": ("", f"homeTimeline({ARGUMENTS}) {{ {TWEETS} }}"),
}
"""Every list: where REST has it, whose it is, and its field."""


class Scene:
    """Ada, with a tweet that all of five others have replied to, liked and retweeted; they follow each other."""

    def __init__(self) -> None:
        self.ada = new_person("ada")
        self.others = [new_person() for _ in range(5)]
        self.root = post(self.ada, "root")
        for text in ("one", "two"):
            post(self.ada, text)
        for person in self.others:
            follows.follow(person.id, self.ada.id)
            follows.follow(self.ada.id, person.id)
            theirs = post(person, "theirs")
            post(person, "reply", reply_to=self.root)
            post(self.ada, "mine", reply_to=theirs)
            liking.like(viewer=viewer(self.ada), tweet_id=theirs)
            liking.like(viewer=viewer(person), tweet_id=self.root)
            self.theirs = theirs
            retweeting.retweet(viewer=viewer(person), tweet_id=self.root)

    def query(self, owner: str, field: str) -> str:
        opened = {"user": 'user(username: "ADA")', "tweet": f'tweet(id: "{self.root}")'}.get(owner)
        return f"query({DECLARED}) {{ {f'{opened} {{ {field} }}' if opened else field} }}"

    def page(self, door: Door, path: str, **arguments: Any) -> Any:
        """The connection."""
        found = door.data(self.query(*LISTS[path]), arguments)
        while "edges" not in found:
            [found] = found.values()
        return found

    def rest(self, door: Door, path: str, **query: Any) -> Any:
        path, _, given = path.replace("ROOT", str(self.root)).partition("?")
        answer = door.client.get(f"/api/v1/{path}", {**dict([given.split("=")] if given else []), **query})
        assert answer.status_code == 200
        body = answer.json()
        return body["data"]["replies"] if "/thread" in path else body["data"], body["meta"]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def nodes(connection: Any) -> Any:
    shown = [edge["node"] for edge in connection["edges"]]
    for each in shown:
        if each.get("quoteOf"):
            each["quoteOf"].pop("quoteOf")
        if each.get("retweetOf"):
            each["retweetOf"] = each["retweetOf"]["id"]
    return shown


def as_graphql(data: Any) -> Any:
    shown = camel(data)
    for each in shown:
        if each.get("quoteOf"):
            each["quoteOf"].pop("quoteOf")
        if each.get("retweetOf"):
            each["retweetOf"] = each["retweetOf"]["id"]
    return shown


def place_of(cursor: str) -> int:
    """Where it goes on; what it says of the time at which it was made is left out."""
    return decode_since(cursor)[0]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_rest_s_page_both_ways_and_from_any_edge(scene: Scene, path: str) -> None:
    door = Door(scene.others[0])
    data, meta = scene.rest(door, path, limit=2)
    first = scene.page(door, path, first=2)
    assert nodes(first) == as_graphql(data)
    assert len(data) == 2
    assert first["pageInfo"]["endCursor"] == meta["next_cursor"]
    assert place_of(first["pageInfo"]["startCursor"]) == place_of(meta["prev_cursor"])
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    whole = scene.page(door, path, first=100)
    everything = [each["id"] for each in nodes(whole)]
    assert [each["id"] for each in scene.rest(door, path, limit=100)[0]] == everything
    for place, edge in enumerate(whole["edges"]):
        below = scene.page(door, path, after=edge["cursor"])
        assert nodes(below) == as_graphql(scene.rest(door, path, cursor=edge["cursor"])[0])
        assert path == "feed/home" or [each["id"] for each in nodes(below)] == everything[place + 1 : place + 21]
        if place:
            above = scene.page(door, path, last=2, before=edge["cursor"])
            data, meta = scene.rest(door, path, limit=2, since=edge["cursor"])
            assert nodes(above) == as_graphql(data)
            assert place_of(above["pageInfo"]["startCursor"]) == place_of(meta["prev_cursor"])
            assert above["pageInfo"]["hasNextPage"] is True
            assert above["pageInfo"]["hasPreviousPage"] is (len(data) == 2)


def test_a_cursor_of_an_empty_page_that_goes_up_is_polled_on(scene: Scene) -> None:
    door = Door(scene.others[0])
    newest = scene.page(door, "tweets/ROOT/replies", first=1)["pageInfo"]["startCursor"]
    empty = scene.page(door, "tweets/ROOT/replies", before=newest)
    assert empty["edges"] == []
    info = empty["pageInfo"]
    assert info["hasNextPage"] is True
    older = scene.page(door, "tweets/ROOT/replies", after=info["endCursor"])
    assert nodes(older) == nodes(scene.page(door, "tweets/ROOT/replies"))[1:], "on below where it was asked from"
    reply = post(scene.ada, "late", reply_to=scene.root)
    found = scene.page(door, "tweets/ROOT/replies", before=empty["pageInfo"]["startCursor"])
    assert str(reply) in [each["id"] for each in nodes(found)]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"first": 0}, "bad_limit"),
        ({"first": 101}, "bad_limit"),
        ({"last": 101}, "bad_limit"),
        ({"last": -1, "before": "CURSOR"}, "bad_limit"),
        ({"last": 2}, "bad_cursor"),
        ({"after": "nonsense"}, "bad_cursor"),
        ({"before": "nonsense"}, "bad_cursor"),
        ({"first": 2, "before": "CURSOR"}, "bad_cursor"),
        ({"after": "CURSOR", "before": "CURSOR"}, "bad_cursor"),
        ({"first": 2, "last": 2}, "bad_cursor"),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["users/ada/likes", "tweets/ROOT/likes", "feed/home", "feed/public"])
def test_a_page_that_is_none(scene: Scene, path: str, arguments: Any, code: str) -> None:
    door = Door(scene.others[0])
    cursor = scene.page(door, path)["edges"][0]["cursor"]
    given = {name: cursor if value == "CURSOR" else value for name, value in arguments.items()}
    [error] = door.errors(scene.query(*LISTS[path]), given, status=200)
    assert error["extensions"] == {"code": code}


class TestPeople:
    def test_a_profile_is_rest_s(self, scene: Scene) -> None:
        follows.follow(scene.ada.id, scene.others[0].id)
        services.update_profile(scene.ada.id, services.ProfileChange(display_name="Ada L.", bio="Notes."))
        for door in (Door(), Door(scene.others[0]), Door(scene.ada)):
            shown = door.data(f'{{ user(username: "Ada") {{ {PROFILE} email }} }}')["user"]
            email = shown.pop("email")
            assert shown == camel(door.client.get("/api/v1/users/ada").json()["data"])
            assert email == ("ada@example.org" if door.client.token and "@" in str(email) else None)
        assert email == "ada@example.org"

    def test_an_author_is_a_whole_person(self, scene: Scene) -> None:
        services.update_profile(scene.ada.id, services.ProfileChange(bio="Notes."))
        door = Door(scene.others[0])
        author = door.data(f'{{ tweet(id: "{scene.root}") {{ author {{ {PROFILE} }} }} }}')["tweet"]["author"]
        assert author == camel(door.client.get("/api/v1/users/ada").json()["data"])

    def test_me(self, scene: Scene) -> None:
        door = Door(scene.ada)
        me = door.data(f"{{ me {{ {PERSON} email emailConfirmed }} }}")["me"]
        assert me == camel(door.client.get("/api/v1/me").json()["data"])
        assert Door().data("{ me { id } }") == {"me": None}

    def test_people_by_name_in_their_order(self, scene: Scene) -> None:
        names = [scene.others[1].username, "nobody_here", "ADA", "no such name!", "", scene.others[1].username]
        shown = Door().data("query($n: [String!]!) { users(usernames: $n) { username } }", {"n": names})["users"]
        other = {"username": scene.others[1].username}
        assert shown == [other, None, {"username": "ada"}, None, None, other]

    def test_too_many_at_once(self) -> None:
        for query, some in (
            ("query($n: [String!]!) { users(usernames: $n) { id } }", ["x"] * 101),
            ("query($n: [ID!]!) { tweets(ids: $n) { id } }", ["1"] * 101),
        ):
            assert Door().errors(query, {"n": some}, status=200)[0]["extensions"] == {"code": "too_many"}


class TestTweets:
    def test_a_tweet_is_rest_s(self, scene: Scene) -> None:
        quote = post(scene.ada, "@ada #tag https://example.org", quote_of=scene.root)
        door = Door(scene.others[0])
        shown = nodes({"edges": [{"node": door.data(f'{{ tweet(id: "{quote}") {{ {WHOLE_TWEET} }} }}')["tweet"]}]})
        assert shown == as_graphql([door.client.get(f"/api/v1/tweets/{quote}").json()["data"]])

    def test_tweets_by_id_in_their_order(self, scene: Scene) -> None:
        gone = post(scene.ada)
        posting.delete_tweet(tweet_id=gone, viewer=viewer(scene.ada))
        ids = [str(each) for each in (gone, scene.root, 7265412345678901248, scene.root)]
        shown = Door().data("query($i: [ID!]!) { tweets(ids: $i) { id } }", {"i": ids})["tweets"]
        assert shown == [None, {"id": ids[1]}, None, {"id": ids[1]}]
        assert Door().data(f'{{ tweet(id: "{gone}") {{ id }} }}') == {"tweet": None}

    @pytest.mark.parametrize("malformed", MALFORMED_IDS[:9])
    def test_an_id_that_is_none(self, malformed: str) -> None:
        for query in ("query($i: ID!) { tweet(id: $i) { id } }", "query($i: ID!) { tweets(ids: [$i]) { id } }"):
            assert Door().errors(query, {"i": malformed}, status=200)[0]["extensions"] == {"code": "malformed_id"}

    def test_a_thread_is_rest_s(self, scene: Scene) -> None:
        deep, parents = scene.root, [scene.root]
        for person in scene.others * 4:
            deep = post(person, "deeper", reply_to=deep)
            parents.append(deep)
        posting.delete_tweet(tweet_id=parents[3], viewer=viewer(scene.others[2]))
        door = Door(scene.others[0])
        query = f'{{ tweet(id: "{parents[19]}") {{ thread {{ ancestors {{ id }} tweet {{ id }} replies {{ edges '
        shown = door.data(f"{query} {{ node {{ id }} }} }} }} }} }}")["tweet"]["thread"]
        rest = door.client.get(f"/api/v1/tweets/{parents[19]}/thread").json()["data"]
        assert [each["id"] for each in shown["ancestors"]] == [each["id"] for each in rest["ancestors"]]
        assert len(shown["ancestors"]) == 18
        assert shown["tweet"]["id"] == rest["tweet"]["id"]
        assert [edge["node"]["id"] for edge in shown["replies"]["edges"]] == [str(parents[20])]
        nearest = f'{{ tweet(id: "{parents[19]}") {{ thread {{ ancestors(last: 2) {{ id }} }} }} }}'
        assert door.data(nearest)["tweet"]["thread"]["ancestors"] == shown["ancestors"][-2:]

    def test_of_a_retweet_the_lists_are_the_original_s(self, scene: Scene) -> None:
        door = Door(scene.others[0])
        [retweet] = tweet_store().retweets_of(scene.root, scene.others[0].id)
        fields = (
            "replies { edges { node { id } } } likedBy { edges { node { id } } } retweetedBy { edges { node { id } } }"
        )
        of_both = [door.data(f'{{ tweet(id: "{each}") {{ {fields} }} }}')["tweet"] for each in (retweet, scene.root)]
        assert of_both[0] == of_both[1]
        assert all(len(each["edges"]) == 5 for each in of_both[0].values())
