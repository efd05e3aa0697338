"""Asking to follow somebody protected: what is asked, accepted, refused, withdrawn, and what ends a request."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings

from accounts.graph import blocks, follows, requests
from accounts.graph.kinds import FOLLOW, FOLLOW_REQUEST
from accounts.models import User
from accounts.people import suspending
from storage.errors import Unavailable
from storage.ports.associations import Change
from storage.stores import associations, ids
from tests.integration.feed.protected_world import protect
from tests.integration.querying import Door
from tests.integration.speaking import Api, on_one_store, problem
from tests.integration.tweeting import home, post
from tests.people import new_person
from tests.torn import torn_after
from tests.work import open_orders, work_off_everything

pytestmark = pytest.mark.usefixtures("product")

NOBODY = {"following": False, "requested": False, "followed_by": False, "blocking": False, "muting": False}


@pytest.fixture
def ada() -> User:
    person = new_person()
    protect(person)
    return person


@pytest.fixture
def bob() -> User:
    return new_person()


def asked(person: User, other: User) -> Any:
    answer = Api(person).call("PUT", f"/users/{other.username}/follow")
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def requesting(person: User, **query: Any) -> list[str]:
    return [each["username"] for each in Api(person).page("/me/follow-requests", **query)["data"]]


def answer(person: User, method: str, other: User) -> Any:
    return Api(person).call(method, f"/me/follow-requests/{other.username}")


def profile(of: User, by: User) -> Any:
    return Api(by).page(f"/users/{of.username}")["data"]


class TestAsking:
    def test_who_is_protected_is_asked_and_not_followed(self, ada: User, bob: User) -> None:
        tweet = post(ada)
        assert asked(bob, ada) == asked(bob, ada) == NOBODY | {"requested": True}
        assert profile(ada, bob)["relationship"] == NOBODY | {"requested": True}
        assert profile(ada, bob)["protected"]
        assert not profile(bob, ada)["protected"]
        assert profile(bob, ada)["relationship"] == NOBODY
        assert (profile(ada, bob)["followers_count"], profile(bob, ada)["following_count"]) == (0, 0)
        work_off_everything()
        assert home(bob) == []
        assert home(ada) == [tweet]
        assert requesting(ada) == [bob.username]
        assert requesting(bob) == []

    def test_who_is_not_protected_is_followed_at_once(self, bob: User) -> None:
        open_one = new_person()
        assert asked(bob, open_one) == NOBODY | {"following": True}
        assert requesting(open_one) == []

    def test_a_request_can_be_taken_back(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        for _ in range(2):
            taken = Api(bob).call("DELETE", f"/users/{ada.username}/follow")
            assert taken.json()["data"] == NOBODY
        assert requesting(ada) == []
        problem(answer(ada, "PUT", bob), 404)

    def test_requests_are_listed_the_newest_first(self, ada: User) -> None:
        people = [new_person() for _ in range(5)]
        for each in people:
            asked(each, ada)
        names = [each.username for each in reversed(people)]
        assert requesting(ada) == names
        first = Api(ada).page("/me/follow-requests", limit=2)
        assert [each["username"] for each in first["data"]] == names[:2]
        assert requesting(ada, limit=3, cursor=first["meta"]["next_cursor"]) == names[2:]

    def test_neither_may_block_the_other(self, ada: User, bob: User) -> None:
        for blocker, other in ((ada, bob), (bob, ada)):
            blocks.block(blocker.id, other.id)
            problem(Api(bob).call("PUT", f"/users/{ada.username}/follow"), 403)
            assert requesting(ada) == []
            blocks.unblock(blocker.id, other.id)

    def test_as_many_are_asked_as_may_be_followed(self, ada: User, bob: User) -> None:
        second = new_person()
        protect(second)
        follows.follow(bob.id, new_person().id)
        with override_settings(MAX_FOLLOWING=2):
            asked(bob, ada)
            body = problem(Api(bob).call("PUT", f"/users/{second.username}/follow"), 422, "following_too_many")
        assert body["errors"].keys() == {"username"}


class TestAnswering:
    def test_who_is_accepted_follows_as_by_a_follow(self, ada: User, bob: User) -> None:
        past = post(ada)
        work_off_everything()
        assert home(bob) == []
        asked(bob, ada)
        accepted = answer(ada, "PUT", bob)
        assert accepted.json()["data"] == NOBODY | {"followed_by": True}
        assert profile(ada, bob)["relationship"] == NOBODY | {"following": True}
        assert (profile(ada, bob)["followers_count"], profile(bob, ada)["following_count"]) == (1, 1)
        assert home(bob) == [past], "the past is there"
        later = post(ada)
        work_off_everything()
        assert home(bob) == [later, past]
        assert requesting(ada) == []
        assert answer(ada, "PUT", bob).json() == accepted.json(), "which may have been lost on its way"
        problem(answer(ada, "DELETE", bob), 404)
        assert home(bob) == [later, past]

    def test_who_is_refused_may_ask_again(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        assert answer(ada, "DELETE", bob).json()["data"] == NOBODY
        assert profile(ada, bob)["relationship"] == NOBODY
        assert home(bob) == []
        assert asked(bob, ada)["requested"]
        assert requesting(ada) == [bob.username]

    @on_one_store
    def test_there_is_nothing_to_answer_where_nobody_asks(self, ada: User, bob: User) -> None:
        for method in ("PUT", "DELETE"):
            problem(answer(ada, method, bob), 404)
            problem(Api(ada).call(method, "/me/follow-requests/nobody_here"), 404)
            problem(Api().call(method, f"/me/follow-requests/{bob.username}"), 401)
        asked(bob, ada)
        problem(answer(bob, "PUT", ada), 404)
        assert not follows.has_edge(bob.id, FOLLOW, ada.id), "nobody accepts their own request"

    def test_who_follows_already_stays_when_she_becomes_protected(self, bob: User) -> None:
        cleo = new_person()
        tweet = post(cleo)
        follows.follow(bob.id, cleo.id)
        protect(cleo)
        assert profile(cleo, bob)["relationship"]["following"]
        assert home(bob) == [tweet]

    def test_becoming_open_accepts_nobody_and_requests_stay(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        protect(ada, protected=False)
        assert profile(ada, bob)["relationship"] == NOBODY | {"requested": True}
        assert requesting(ada) == [bob.username]
        assert asked(bob, ada) == NOBODY | {"following": True}, "who asks anew follows"
        assert requesting(ada) == []
        cleo = new_person()
        protect(ada)
        asked(cleo, ada)
        protect(ada, protected=False)
        assert answer(ada, "PUT", cleo).json()["data"]["followed_by"]

    @on_one_store
    def test_nobody_is_accepted_beyond_whom_they_may_follow(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        follows.follow(bob.id, new_person().id)
        with override_settings(MAX_FOLLOWING=1):
            problem(answer(ada, "PUT", bob), 422, "following_too_many")
        assert requesting(ada) == [bob.username]


class TestEnds:
    def test_a_block_ends_requests_both_ways(self, ada: User, bob: User) -> None:
        protect(bob)
        asked(bob, ada)
        asked(ada, bob)
        blocks.block(ada.id, bob.id)
        blocks.unblock(ada.id, bob.id)
        assert requesting(ada) == requesting(bob) == []
        problem(answer(ada, "PUT", bob), 404)

    def test_suspension_hides_a_request(self, ada: User, bob: User) -> None:
        staff = new_person(staff=True)
        asked(bob, ada)
        suspending.suspend(bob, by=staff)
        assert requesting(ada) == []
        problem(answer(ada, "PUT", bob), 404)
        suspending.restore(bob, by=staff)
        assert requesting(ada) == [bob.username]

    def test_unfollowing_and_a_block_end_sight_at_once(self, ada: User, bob: User) -> None:
        tweet = post(ada)
        for way in ("unfollow", "block"):
            asked(bob, ada)
            requests.accept(ada.id, bob.id)
            assert Api(bob).get(f"/tweets/{tweet}").status_code == 200
            assert home(bob) == [tweet]
            if way == "unfollow":
                follows.unfollow(bob.id, ada.id)
            else:
                blocks.block(ada.id, bob.id)
                blocks.unblock(ada.id, bob.id)
            problem(Api(bob).get(f"/tweets/{tweet}"), 404)
            assert home(bob) == []


class Meeting:
    """Something else happens at one call of the store, once."""

    def __init__(self, name: str, then: Callable[[], object], *, before: bool = True) -> None:
        self._name, self._then, self._before = name, then, before

    def __enter__(self) -> None:
        store = associations()
        original = getattr(store, self._name)

        def meeting(*args: Any, **kwargs: Any) -> Any:
            self._patch.stop()
            if self._before:
                self._then()
            found = original(*args, **kwargs)
            if not self._before:
                self._then()
            return found

        self._patch = patch.object(store, self._name, meeting)
        self._patch.start()

    def __exit__(self, *_: object) -> None:
        patch.stopall()


class TestRaces:
    """Two who act at once: the end is as if one had acted behind the other."""

    def test_who_withdraws_while_being_accepted_does_not_follow(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        with Meeting("apply", lambda: follows.unfollow(bob.id, ada.id)):
            requests.accept(ada.id, bob.id)
        assert follows.relationship(bob.id, ada.id) == follows.relationship(ada.id, bob.id)
        assert not follows.has_edge(bob.id, FOLLOW, ada.id)
        assert requesting(ada) == []

    def test_who_withdraws_between_look_and_acceptance_does_not_follow(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        with Meeting("last_changes", lambda: follows.unfollow(bob.id, ada.id), before=False):
            requests.accept(ada.id, bob.id)
        assert not follows.has_edge(bob.id, FOLLOW, ada.id)

    def test_who_is_accepted_while_withdrawing_does_not_follow(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        with Meeting("apply", lambda: requests.accept(ada.id, bob.id)):
            follows.unfollow(bob.id, ada.id)
        assert not follows.has_edge(bob.id, FOLLOW, ada.id)
        work_off_everything()
        assert home(bob) == []

    def test_a_block_that_comes_while_one_is_accepted_wins(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        with Meeting("apply", lambda: blocks.block(ada.id, bob.id)), pytest.raises(Exception, match="asks to follow"):
            requests.accept(ada.id, bob.id)
        assert not follows.has_edge(bob.id, FOLLOW, ada.id)

    def test_a_block_that_comes_while_one_asks_wins(self, ada: User, bob: User) -> None:
        with Meeting("apply", lambda: blocks.block(ada.id, bob.id)), pytest.raises(Exception, match="may not follow"):
            follows.follow(bob.id, ada.id)
        assert not follows.has_edge(bob.id, FOLLOW_REQUEST, ada.id)

    def test_a_tweet_posted_while_one_is_accepted_is_in_their_home(self, ada: User, bob: User) -> None:
        asked(bob, ada)
        assert home(bob) == []
        tweets: list[int] = []
        with Meeting("apply", lambda: tweets.append(post(ada))):
            requests.accept(ada.id, bob.id)
        work_off_everything()
        assert home(bob) == tweets

    def test_a_process_that_dies_as_it_accepts_leaves_an_order(self, ada: User, bob: User) -> None:
        tweet = post(ada)
        asked(bob, ada)
        work_off_everything()
        assert home(bob) == []
        with patch.object(follows, "_bring_into_force"):
            requests.accept(ada.id, bob.id)
        assert [order.kind for order in open_orders()] == [follows.GRAPH_ORDER]
        work_off_everything()
        assert home(bob) == [tweet]


@on_one_store
def test_who_withdraws_what_was_accepted_in_half_a_write_does_not_follow_when_it_is_whole(ada: User, bob: User) -> None:
    """The row that takes the request away stands, the one that makes the follow is still to come."""
    asked(bob, ada)
    op = ids.next()
    associations().apply([Change(bob.id, FOLLOW_REQUEST, ada.id, op, present=False)])
    assert Api(bob).call("DELETE", f"/users/{ada.username}/follow").json()["data"] == NOBODY
    associations().apply([Change(bob.id, FOLLOW, ada.id, op, present=True)])
    assert profile(ada, by=bob)["relationship"] == NOBODY


@pytest.mark.parametrize("store", ["cassandra"], indirect=True)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("rows", range(1, 12))
def test_accepting_again_what_broke_off_makes_it_whole(ada: User, bob: User, rows: int, backwards: bool) -> None:
    asked(bob, ada)
    assert profile(ada, by=bob)["followers_count"] == 0
    with torn_after(rows, backwards=backwards) as torn, suppress(Unavailable):
        requests.accept(ada.id, bob.id)
    requests.accept(ada.id, bob.id)
    assert torn.broke or rows > 5
    shown = profile(ada, by=bob)
    assert (shown["relationship"], shown["followers_count"]) == (NOBODY | {"following": True}, 1)


def test_graphql_does_the_same(ada: User, bob: User) -> None:
    relation = "relationship { following requested followedBy } errors { code field }"
    one, other = Door(bob), Door(ada)
    given = {"input": {"username": ada.username}}
    query = f"mutation F($input: FollowInput!) {{ follow(input: $input) {{ {relation} }} }}"
    asked = {"following": False, "requested": True, "followedBy": False}
    assert one.data(query, given)["follow"] == {"relationship": asked, "errors": []}
    listed = "{ followRequests(first: 5) { edges { node { username protected } } pageInfo { hasNextPage } } }"
    found = other.data(listed)["followRequests"]
    assert [each["node"] for each in found["edges"]] == [{"username": bob.username, "protected": False}]
    assert Door().errors(listed, status=200)[0]["extensions"]["code"] == "not_authenticated"
    for name in ("refuseFollowRequest", "acceptFollowRequest"):
        kind = f"{name[0].upper()}{name[1:]}Input"
        answered = f"mutation A($input: {kind}!) {{ {name}(input: $input) {{ {relation} }} }}"
        made = other.data(answered, {"input": {"username": bob.username}})[name]
        accepted = name == "acceptFollowRequest"
        assert made == {
            "relationship": {"following": False, "requested": False, "followedBy": accepted},
            "errors": [],
        }
        again = other.data(answered, {"input": {"username": bob.username}})[name]
        assert [each["code"] for each in again["errors"]] == ([] if accepted else ["not_found"])
        one.data(query, given)


@on_one_store
def test_protection_is_one_s_own_to_change() -> None:
    person = new_person()
    api, door = Api(person), Door(person)
    assert api.page("/me")["data"]["protected"] is False
    changed = api.call("PATCH", "/me", {"protected": True})
    assert changed.json()["data"]["protected"] is True
    problem(api.call("PATCH", "/me", {"protected": "yes"}), 422)
    problem(api.call("PATCH", "/me", {"protected": None}), 422)
    assert door.data("{ me { protected } }")["me"]["protected"] is True
    query = "mutation P($input: UpdateProfileInput!) { updateProfile(input: $input) { user { protected } } }"
    made = door.data(query, {"input": {"protected": False}})["updateProfile"]["user"]
    assert made == {"protected": False}
    tweet = post(person)
    shown = door.data(f'{{ tweet(id: "{tweet}") {{ author {{ protected }} }} }}')
    assert shown["tweet"]["author"]["protected"] is False
