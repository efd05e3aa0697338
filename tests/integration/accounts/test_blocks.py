"""Blocking and muting: edges, doors, and who is hidden from whom outside home."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.entities import Relationship
from accounts.graph import blocks, follows
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW
from accounts.people import suspending
from storage.errors import Forbidden, NotFound, Refused
from storage.stores import associations
from tests.backends import counted_round_trips
from tests.integration.accounts.edges import standing
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tests.work import open_orders
from tweets.writing.posting import create_tweet

pytestmark = pytest.mark.usefixtures("product")


class TestTheGraph:
    def test_a_block_parts_both_ways_and_lifting_it_brings_no_follow_back(self) -> None:
        ada, bob = new_person(), new_person()
        follows.follow(ada.id, bob.id)
        follows.follow(bob.id, ada.id)
        blocks.block(ada.id, bob.id)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}
        assert follows.relationship(ada.id, bob.id) == Relationship(following=False, followed_by=False, blocking=True)
        assert follows.relationship(bob.id, ada.id) == Relationship(following=False, followed_by=False)
        assert associations().count_sources(bob.id, FOLLOW) == associations().count_sources(ada.id, FOLLOW) == 0
        blocks.unblock(ada.id, bob.id)
        assert standing(ada, bob) == set()
        follows.follow(bob.id, ada.id)
        assert standing(ada, bob) == {("back", FOLLOW)}

    def test_a_mute_leaves_the_follow_and_is_ones_own(self) -> None:
        ada, bob = new_person(), new_person()
        follows.follow(ada.id, bob.id)
        blocks.mute(ada.id, bob.id)
        assert follows.relationship(ada.id, bob.id) == Relationship(following=True, followed_by=False, muting=True)
        assert follows.relationship(bob.id, ada.id) == Relationship(following=False, followed_by=True)
        blocks.unmute(ada.id, bob.id)
        assert standing(ada, bob) == {("out", FOLLOW)}

    def test_both_may_block_and_each_lifts_only_their_own(self) -> None:
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        blocks.block(bob.id, ada.id)
        blocks.unblock(ada.id, bob.id)
        assert standing(ada, bob) == {("back", BLOCK), ("out", BLOCKED_BY)}
        with pytest.raises(Forbidden):
            follows.follow(ada.id, bob.id)

    def test_nobody_follows_across_a_block(self) -> None:
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        with counted_round_trips() as redis:
            with pytest.raises(Forbidden) as own:
                follows.follow(ada.id, bob.id)
            with pytest.raises(Forbidden) as others:
                follows.follow(bob.id, ada.id)
        assert redis == [], "nothing was written and undone"
        assert (own.value.code, others.value.code) == ("blocking", "blocked")
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}

    @pytest.mark.parametrize("change", [blocks.block, blocks.unblock, blocks.mute, blocks.unmute])
    def test_repeating_changes_nothing(self, change: Callable[[int, int], None]) -> None:
        ada, bob = new_person(), new_person()
        if change is blocks.unblock:
            blocks.block(ada.id, bob.id)
        elif change is blocks.unmute:
            blocks.mute(ada.id, bob.id)
        change(ada.id, bob.id)
        edges = standing(ada, bob)
        with counted_round_trips() as redis:
            change(ada.id, bob.id)
        assert (standing(ada, bob), open_orders()) == (edges, [])
        is_lifting = change in (blocks.unblock, blocks.unmute)
        assert len(redis) == (0 if is_lifting else 1), "what stands is written again, and put in force"

    @on_one_store
    def test_whom_one_cannot_block_or_mute(self) -> None:
        ada, suspended = new_person(), new_person()
        suspending.suspend(suspended, by=ada)
        for change in (blocks.block, blocks.mute):
            with pytest.raises(Refused):
                change(ada.id, ada.id)
            for gone in (suspended.id, 1):
                with pytest.raises(NotFound):
                    change(ada.id, gone)
        assert standing(ada, suspended) == set()

    @on_one_store
    def test_someone_suspended_can_be_unblocked_and_unmuted(self) -> None:
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        blocks.mute(ada.id, bob.id)
        suspending.suspend(bob, by=ada)
        blocks.unblock(ada.id, bob.id)
        blocks.unmute(ada.id, bob.id)
        assert standing(ada, bob) == set()


class TestEverywhereElse:
    def test_blocked_people_do_not_see_each_others_tweets_and_others_do(self) -> None:
        ada, bob, carol = new_person(), new_person(), new_person()
        of_ada, of_bob = post(ada), post(bob)
        blocks.block(ada.id, bob.id)
        clients = {name: ApiClient(person) for name, person in {"ada": ada, "bob": bob, "carol": carol}.items()}
        clients["nobody"] = ApiClient()

        def status(name: str, path: str) -> int:
            return clients[name].get(f"/api/v1/{path}").status_code

        assert [status(name, f"tweets/{of_ada}") for name in clients] == [200, 404, 200, 200]
        assert [status(name, f"tweets/{of_bob}") for name in clients] == [404, 200, 200, 200]
        assert [status(name, f"users/{ada.username}/tweets") for name in clients] == [200, 404, 200, 200]
        assert [status(name, f"users/{bob.username}/tweets") for name in clients] == [200, 200, 200, 200]
        assert clients["ada"].get(f"/api/v1/users/{bob.username}/tweets").json()["data"] == []
        assert clients["bob"].delete(f"/api/v1/tweets/{of_ada}").status_code == 404
        assert clients["carol"].delete(f"/api/v1/tweets/{of_ada}").status_code == 403

    def test_a_mute_hides_nothing_outside_home(self) -> None:
        reader, muted = new_person(), new_person()
        tweet = post(muted)
        blocks.mute(reader.id, muted.id)
        client = ApiClient(reader)
        assert client.get(f"/api/v1/tweets/{tweet}").status_code == 200
        assert len(client.get(f"/api/v1/users/{muted.username}/tweets").json()["data"]) == 1

    @pytest.mark.parametrize("field", ["reply_to", "quote_of"])
    def test_nobody_replies_to_or_quotes_across_a_block(self, field: str) -> None:
        ada, bob = new_person(), new_person()
        tweets = {ada.id: post(ada), bob.id: post(bob)}
        blocks.block(ada.id, bob.id)
        for author, other in ((ada, bob), (bob, ada)):
            target: dict[str, Any] = {field: tweets[other.id]}
            with pytest.raises(Refused) as refused:
                create_tweet(author=viewer(author), text="hello", **target)
            assert refused.value.field == field


@on_one_store
def test_the_doors() -> None:
    ada, _bob = new_person("ada"), new_person("bob")
    client = ApiClient(ada)

    def answer(method: str, path: str) -> tuple[int, Any]:
        response = getattr(client, method)(f"/api/v1/users/{path}")
        return response.status_code, response.json().get("data", response.json().get("code"))

    nobody = {"following": False, "followed_by": False, "blocking": False, "muting": False, "requested": False}
    assert answer("put", "bob/follow") == (200, {**nobody, "following": True})
    assert answer("put", "bob/mute") == (200, {**nobody, "following": True, "muting": True})
    assert answer("put", "BOB/block") == (200, {**nobody, "blocking": True, "muting": True})
    assert answer("put", "bob/block") == (200, {**nobody, "blocking": True, "muting": True})
    assert answer("put", "bob/follow") == (403, "blocking")
    assert answer("delete", "bob/mute") == (200, {**nobody, "blocking": True})
    assert answer("delete", "bob/block") == (200, nobody)
    assert answer("delete", "bob/block") == (200, nobody)
    assert answer("put", "ada/block") == (422, "blocking_oneself")
    assert answer("put", "ada/mute") == (422, "muting_oneself")
    assert answer("put", "nobody_here/block") == (404, "not_found")
    for path in ("bob/block", "bob/mute"):
        assert ApiClient().put(f"/api/v1/users/{path}").status_code == 401
