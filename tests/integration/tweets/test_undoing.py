"""What one did to a tweet or a person can be taken back, whatever became of either."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from accounts.graph import blocks, follows
from accounts.graph.kinds import BLOCK, FOLLOW, MUTE
from accounts.models import User
from accounts.people import suspending
from storage.stores import associations
from tests.integration.speaking import MALFORMED_IDS, Api, on_one_store, problem
from tests.integration.tweeting import home, in_redis, post, seen, viewer
from tests.integration.tweets.retweets import entries_of, entry_of
from tests.people import new_person
from tests.work import work_off_everything
from tweets.caches.marks import UNMARKED
from tweets.kinds import BOOKMARK, LIKE, RETWEET
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")

KINDS = {"like": LIKE, "retweet": RETWEET, "bookmark": BOOKMARK}
UNKNOWN_ID = "7265412345678901248"


class Scene(NamedTuple):
    author: User
    fan: User
    tweet: int

    @property
    def client(self) -> Api:
        return Api(self.fan)


def suspend(person: User) -> None:
    suspending.suspend(person, by=new_person(staff=True))


HIDDEN: dict[str, Callable[[Scene], None]] = {
    "its author blocks": lambda scene: blocks.block(scene.author.id, scene.fan.id),
    "its author is blocked": lambda scene: blocks.block(scene.fan.id, scene.author.id),
    "its author is suspended": lambda scene: suspend(scene.author),
    "it is gone": lambda scene: delete_tweet(tweet_id=scene.tweet, viewer=viewer(scene.author)),
    "staff deleted it": lambda scene: delete_tweet(tweet_id=scene.tweet, viewer=viewer(new_person(staff=True))),
}


def marked(act: str) -> Scene:
    scene = Scene(author := new_person(), new_person(), post(author))
    assert scene.client.call("PUT", f"/tweets/{scene.tweet}/{act}").status_code == 200
    return scene


def stands(scene: Scene, kind: str) -> bool:
    return scene.tweet in associations().find(scene.fan.id, kind, [scene.tweet])


def undone(client: Api, tweet: int | str, act: str) -> Any:
    return client.call("DELETE", f"/tweets/{tweet}/{act}")


@on_one_store
@pytest.mark.parametrize("hide", HIDDEN)
@pytest.mark.parametrize("act", KINDS)
def test_a_mark_of_what_is_hidden_now_can_be_taken_back_and_again(act: str, hide: str) -> None:
    scene = marked(act)
    HIDDEN[hide](scene)
    for _ in range(2):
        answer = undone(scene.client, scene.tweet, act)
        assert (answer.status_code, answer.content) == (204, b"")
        assert not stands(scene, KINDS[act])
    problem(scene.client.call("PUT", f"/tweets/{scene.tweet}/{act}"), 404)


@pytest.mark.parametrize("act", KINDS)
def test_it_is_taken_back_for_good(act: str) -> None:
    """Seen by everybody once the tweet is there again."""
    scene = marked(act)
    seen(scene.tweet, scene.fan)
    suspend(scene.author)
    assert undone(scene.client, scene.tweet, act).status_code == 204
    suspending.restore(scene.author, by=new_person(staff=True))
    work_off_everything()
    shown = seen(scene.tweet, scene.fan)
    assert shown.viewer == UNMARKED
    assert (shown.counts.likes, shown.counts.retweets) == (0, 0)
    assert scene.client.ids("/me/bookmarks") == []


@pytest.mark.parametrize("act", KINDS)
def test_what_nobody_has_marked_or_seen_is_answered_alike(act: str) -> None:
    """So that nobody learns by undoing what is there."""
    author, fan = new_person(), new_person()
    deleted, blocked, visible = post(author), post(new := new_person()), post(author)
    delete_tweet(tweet_id=deleted, viewer=viewer(author))
    blocks.block(new.id, fan.id)
    for tweet in (UNKNOWN_ID, deleted, blocked):
        assert undone(Api(fan), tweet, act).status_code == 204
    answer = undone(Api(fan), visible, act)
    assert (answer.status_code, answer.json()["data"]["id"]) == (200, str(visible))
    for malformed in MALFORMED_IDS:
        problem(undone(Api(fan), malformed, act), 400, "malformed_id")


@pytest.mark.parametrize("hide", HIDDEN)
def test_a_retweet_of_what_is_hidden_is_gone_from_every_place(hide: str) -> None:
    scene, reader = marked("retweet"), new_person()
    follows.follow(reader.id, scene.fan.id)
    entry = entry_of(scene.fan, scene.tweet)
    assert entry in home(reader)
    HIDDEN[hide](scene)
    assert undone(scene.client, scene.tweet, "retweet").status_code == 204
    work_off_everything()
    assert entries_of(scene.fan, scene.tweet) == []
    assert entry not in (in_redis(reader) or [])
    assert entry not in (in_redis(scene.fan) or [])
    assert Api().ids(f"/users/{scene.fan.username}/tweets") == []
    assert Api().get(f"/users/{scene.fan.username}").json()["data"]["tweets_count"] == 0
    problem(Api(reader).get(f"/tweets/{entry}"), 404)


@on_one_store
class TestNamedByARetweet:
    @pytest.mark.parametrize("act", KINDS)
    def test_by_ones_own_which_may_be_gone_already(self, act: str) -> None:
        scene = marked("retweet")
        entry = entry_of(scene.fan, scene.tweet)
        scene.client.call("PUT", f"/tweets/{scene.tweet}/{act}")
        for _ in range(2):
            answer = undone(scene.client, entry, act)
            assert (answer.status_code, answer.json()["data"]["id"]) == (200, str(scene.tweet))
            assert not stands(scene, KINDS[act])

    @pytest.mark.parametrize("hide", HIDDEN)
    def test_ones_own_whose_original_is_hidden(self, hide: str) -> None:
        scene = marked("retweet")
        entry = entry_of(scene.fan, scene.tweet)
        HIDDEN[hide](scene)
        assert undone(scene.client, entry, "retweet").status_code == 204
        assert entries_of(scene.fan, scene.tweet) == []

    @pytest.mark.parametrize("act", KINDS)
    def test_somebody_elses_that_is_hidden_now_tells_nothing_of_its_original(self, act: str) -> None:
        scene, sharer = marked(act), new_person()
        retweet(viewer=viewer(sharer), tweet_id=scene.tweet)
        entry = entry_of(sharer, scene.tweet)
        blocks.block(sharer.id, scene.fan.id)
        assert undone(scene.client, entry, act).status_code == 204
        assert not stands(scene, KINDS[act])
        assert undone(scene.client, scene.tweet, act).json()["data"]["id"] == str(scene.tweet)


@on_one_store
class TestDeletingARetweet:
    @pytest.mark.parametrize("hide", HIDDEN)
    def test_of_others_is_answered_as_reading_it(self, hide: str) -> None:
        scene, sharer = marked("like"), new_person()
        retweet(viewer=viewer(sharer), tweet_id=scene.tweet)
        entry = entry_of(sharer, scene.tweet)
        problem(scene.client.delete(str(entry)), 403, "forbidden")
        HIDDEN[hide](scene)
        read = scene.client.get(f"/tweets/{entry}")
        refused = scene.client.delete(str(entry))
        assert read.status_code == refused.status_code == 404
        assert read.json()["detail"] == refused.json()["detail"]
        assert entries_of(sharer, scene.tweet) == [entry]

    @pytest.mark.parametrize("hide", HIDDEN)
    def test_of_ones_own_takes_it_back(self, hide: str) -> None:
        scene = marked("retweet")
        entry = entry_of(scene.fan, scene.tweet)
        HIDDEN[hide](scene)
        assert scene.client.delete(str(entry)).status_code == 204
        assert not stands(scene, RETWEET)
        assert tweet_store().by_author(scene.fan.id, replies=True, limit=9) == []

    def test_staff_may_though_the_original_is_hidden(self) -> None:
        scene = marked("retweet")
        entry = entry_of(scene.fan, scene.tweet)
        suspend(scene.author)
        assert Api(new_person(staff=True)).delete(str(entry)).status_code == 204
        assert entries_of(scene.fan, scene.tweet) == []


@on_one_store
class TestPeople:
    @pytest.mark.parametrize(("blocking", "suspended"), [(True, False), (False, True), (True, True)])
    @pytest.mark.parametrize(("act", "kind"), [("follow", FOLLOW), ("block", BLOCK), ("mute", MUTE)])
    def test_an_edge_to_them_can_be_removed(self, act: str, kind: str, blocking: bool, suspended: bool) -> None:
        person, other = new_person(), new_person()
        client = Api(person)
        path = f"/users/{other.username}/{act}"
        assert client.call("PUT", path).status_code == 200
        if blocking:
            blocks.block(other.id, person.id)
        if suspended:
            suspend(other)
        for _ in range(2):
            answer = client.call("DELETE", path)
            assert (answer.status_code, set(answer.json()["data"].values())) == (200, {False})
            assert associations().find(person.id, kind, [other.id]) == {}
