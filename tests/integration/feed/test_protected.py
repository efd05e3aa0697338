"""What becomes of a protected person's tweets besides being shown: what others do with them, costs, outages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from accounts.account_cache import accounts
from accounts.account_cache.accounts import ACCOUNTS
from accounts.graph import follows, protection
from accounts.models import User
from accounts.staff.roles import Role
from feed.operations.explain import Verdict, explain
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from tests.backends import counted_round_trips, counted_sql, counted_store_calls
from tests.integration.feed.desk import Desk
from tests.integration.feed.protected_world import protect, retweeted
from tests.integration.querying import Door
from tests.integration.speaking import Api, on_one_store, problem
from tests.integration.tweeting import home, post
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.caches.counts import COUNTS
from tweets.stores.port import tweet_store

pytestmark = pytest.mark.usefixtures("product")


class Scene:
    """Ada is protected, and had T before; Bob, whom everybody follows, has retweeted it."""

    def __init__(self) -> None:
        self.ada, self.bob, self.follower, self.stranger = (new_person() for _ in range(4))
        for reader in (self.follower, self.stranger):
            follows.follow(reader.id, self.bob.id)
        follows.follow(self.follower.id, self.ada.id)
        self.tweet = post(self.ada, "t-secret")
        self.entry = retweeted(self.bob, self.tweet)
        work_off_everything()
        protect(self.ada)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nobody_else_acts_on_what_she_wrote(scene: Scene) -> None:
    path = f"/tweets/{scene.tweet}"
    report = {"tweet_id": str(scene.tweet), "reason": "spam"}
    outsider, insider, author = Api(scene.stranger), Api(scene.follower), Api(scene.ada)
    for act in ("like", "bookmark", "retweet"):
        problem(outsider.call("PUT", f"{path}/{act}"), 404)
        problem(outsider.call("PUT", f"/tweets/{scene.entry}/{act}"), 404)
        assert outsider.call("DELETE", f"{path}/{act}").status_code == 204
    problem(outsider.post(reply_to=str(scene.tweet)), 422, "gone")
    problem(outsider.post(quote_of=str(scene.tweet)), 422, "gone")
    problem(outsider.call("POST", "/reports", report), 422, "gone")
    problem(outsider.delete(str(scene.tweet)), 404)
    assert insider.call("POST", "/reports", report).status_code == 201
    for act in ("like", "bookmark"):
        assert insider.call("PUT", f"{path}/{act}").status_code == 200
    assert insider.tweet(reply_to=str(scene.tweet))["reply_to_id"] == str(scene.tweet)
    problem(insider.call("PUT", f"{path}/retweet"), 403, "protected")
    problem(insider.call("PUT", f"/tweets/{scene.entry}/retweet"), 403, "protected")
    refused = problem(insider.post(quote_of=str(scene.tweet)), 422, "protected")
    assert refused["errors"].keys() == {"quote_of"}
    assert author.call("PUT", f"{path}/retweet").status_code == 200
    assert author.tweet(quote_of=str(scene.tweet))["quote_of"]["text"] == "t-secret"
    assert author.page(path)["data"]["counts"] == {"replies": 1, "retweets": 2, "quotes": 1, "likes": 1}


def test_another_process_knows_with_the_answer(scene: Scene) -> None:
    """One that had her account, open, in its memory."""
    protect(scene.ada, protected=False)
    reader = Api(scene.stranger)
    for _ in range(2):
        assert reader.page(f"/tweets/{scene.tweet}")["data"]["text"] == "t-secret"
        assert home(scene.stranger) == [scene.entry]
    with patch.object(accounts, "_memory", accounts._Memory()):
        protect(scene.ada)
    problem(reader.get(f"/tweets/{scene.tweet}"), 404)
    assert home(scene.stranger) == []
    with patch.object(accounts, "_memory", accounts._Memory()):
        protect(scene.ada, protected=False)
    assert home(scene.stranger) == [scene.entry]


@on_one_store
def test_what_a_process_of_the_version_before_has_kept_is_not_believed(scene: Scene) -> None:
    """Its entries do not say who is protected."""
    [kept] = timeline_node().round_trip(("GET", ACCOUNTS.key(scene.ada.id)))
    if not kept:
        Api().get(f"/users/{scene.ada.username}")
    old = [scene.ada.id, scene.ada.username, "", "", None, False, False, False]
    timeline_node().round_trip(("SET", ACCOUNTS.key(scene.ada.id), msgspec.msgpack.encode(old), "EX", 86_000))
    accounts.forget_all()
    problem(Api().get(f"/tweets/{scene.tweet}"), 404)


@on_one_store
def test_while_sql_does_not_answer_they_pass_for_protected_and_are_not_kept(scene: Scene) -> None:
    """Hers does not say that she is protected, nor Bob's that he is not."""
    open_one = post(scene.bob)
    for person in (scene.ada, scene.bob):
        old = [person.id, person.username, "", "", None, False, False, False]
        timeline_node().round_trip(("SET", ACCOUNTS.key(person.id), msgspec.msgpack.encode(old), "EX", 86_000))
    accounts.forget_all()
    with patch.object(accounts, "_from_sql", side_effect=Unavailable("sql")):
        for tweet in (scene.tweet, open_one):
            problem(Api().get(f"/tweets/{tweet}"), 404)
        assert Api(scene.follower).get(f"/tweets/{scene.tweet}").status_code == 200
    problem(Api().get(f"/tweets/{scene.tweet}"), 404)
    assert Api().get(f"/tweets/{open_one}").status_code == 200


class Silent:
    """A store that does not answer who follows whom."""

    def __getattr__(self, _: str) -> Any:
        raise Unavailable("store")


@contextmanager
def store_that_does_not_answer() -> Iterator[None]:
    with patch.object(protection, "associations", Silent):
        yield


@on_one_store
def test_nothing_is_shown_while_the_store_does_not_answer(scene: Scene) -> None:
    path = f"/tweets/{scene.tweet}"
    with store_that_does_not_answer():
        for person in (scene.follower, scene.stranger):
            problem(Api(person).get(path), 503)
            problem(Api(person).get(f"/users/{scene.ada.username}/tweets"), 503)
        problem(Api(scene.stranger).get("/feed/home"), 503)
        problem(Api().get(path), 404)
        assert Api(scene.ada).get(path).status_code == 200
        open_one = post(scene.bob)
        assert Api(scene.stranger).get(f"/tweets/{open_one}").status_code == 200


def end_guards(person: User) -> None:
    """Half a minute after a change of hers: what is read is kept again."""
    ids = tweet_store().by_author(person.id, replies=True, limit=20)
    keys = [ACCOUNTS.key(person.id), *(COUNTS.key(each) for each in ids)]
    timeline_node().round_trip(*[("DEL", key) for key in keys])


def costs(person: User | None, path: str) -> tuple[int, int, int]:
    """Round trips of Redis, calls of the store, statements of SQL, warm."""
    client = ApiClient(person)
    for _ in range(2):
        client.get(f"/api/v1{path}")
    with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
        client.get(f"/api/v1{path}")
    return len(redis), len(store), len(sql)


def test_pages_cost_a_store_read_more_only_for_who_is_protected_and_not_followed(scene: Scene) -> None:
    path, open_one = f"/tweets/{scene.tweet}", post(scene.bob)
    end_guards(scene.ada)
    assert costs(scene.stranger, f"/tweets/{open_one}") == costs(scene.ada, path) == (2, 0, 0)
    assert costs(scene.follower, path) == costs(scene.stranger, path) == (2, 1, 0)
    assert costs(None, path) == (1, 0, 0), "nobody is asked about who is nobody"
    post(scene.ada)
    work_off_everything()
    home(scene.follower)
    assert costs(scene.ada, "/feed/home") == (2, 0, 0)
    assert costs(scene.stranger, "/feed/home")[1:] == (1, 0), "of whom Bob has retweeted"
    own = new_person()
    follows.follow(own.id, scene.bob.id)
    follows.follow(scene.bob.id, own.id)
    protect(own)
    for _ in range(3):
        post(own)
    work_off_everything()
    reader = new_person()
    protect(own, protected=False)
    follows.follow(reader.id, own.id)
    protect(own)
    end_guards(own)
    home(reader)
    assert costs(reader, "/feed/home") == (2, 0, 0), "who stands in home is followed"


@on_one_store
def test_nobody_looks_through_what_is_not_for_them(scene: Scene) -> None:
    """Who follows her is all that is asked of the store, however much she wrote: nothing is listed."""
    for _ in range(30):
        post(scene.ada)
    for part in ("tweets", "likes"):
        client, path = ApiClient(scene.stranger), f"/users/{scene.ada.username}/{part}"
        assert client.get(f"/api/v1{path}").json()["data"] == []
        with counted_store_calls() as store:
            client.get(f"/api/v1{path}")
        assert [sql for sql in store if "tweets_tweetrow" in sql] == []
        door = Door(scene.stranger)
        query = f'{{ user(username: "{scene.ada.username}") {{ {part} {{ edges {{ node {{ id }} }} }} }} }}'
        with counted_store_calls() as store:
            assert door.data(query)["user"][part]["edges"] == []
        assert [sql for sql in store if "tweets_tweetrow" in sql] == []


@on_one_store
def test_the_desk_says_who_is_protected_and_why_a_retweet_is_not_shown(scene: Scene) -> None:
    home(scene.stranger)
    said = explain(scene.stranger.account, scene.entry)
    assert said.verdict is Verdict.ABSENT
    assert f"@{scene.ada.username} is protected" in said.reasons[0]
    assert explain(scene.follower.account, scene.entry).verdict is Verdict.THERE
    desk = Desk(Role.MODERATOR)
    page = desk.page(f"people/{scene.ada.pk}/")
    assert "protected since" in page
    assert "t-secret" in page
    assert "protected since" not in desk.page(f"people/{scene.bob.pk}/")
