"""Blocking and muting: who is hidden from whom, where, from when on, and against which races."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts import blocks, exclusions, graph, services
from accounts.entities import Relationship, Viewer
from accounts.exclusions import Exclusions
from accounts.kinds import BLOCK, BLOCKED_BY, FOLLOW, MUTE
from accounts.models import User
from fanout import timelines
from feed import rebuild
from feed.home import home_page
from feed.live.home_stream import HomeStream
from feed.live.registry import Signal, SignalKind
from storage.associations import Change
from storage.errors import Forbidden, NotFound, Refused
from storage.paging import PageRequest
from storage.redis import timeline_node
from storage.stores import associations, ids
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tests.work import open_orders, work_off_everything
from tweets.hydration import TweetView
from tweets.selectors import tweet_view
from tweets.services import create_tweet

pytestmark = pytest.mark.usefixtures("product")


def viewer(person: User) -> Viewer:
    return Viewer(account=person.account, token_digest="")


def post(author: User, text: str = "hello", **target: Any) -> int:
    return create_tweet(author=viewer(author), text=text, **target).id


def home(reader: User) -> list[int]:
    page = home_page(viewer(reader), PageRequest(limit=100))
    return [int(tweet.id) for tweet in page.items]


def in_redis(reader: User) -> list[int] | None:
    [answer] = timeline_node().round_trip(timelines.read_command(reader.id, count=2_000))
    window = timelines.window(answer)
    return window.ids if window is not None else None


def standing(one: User, other: User) -> set[tuple[str, str]]:
    """The edges between the two, by the truth."""
    pairs = {"out": (one.id, other.id), "back": (other.id, one.id)}
    kinds = (FOLLOW, BLOCK, BLOCKED_BY, MUTE)
    return {
        (way, kind) for way, (source, target) in pairs.items() for kind in kinds if graph.has_edge(source, kind, target)
    }


class TestTheGraph:
    def test_a_block_parts_both_ways_and_lifting_it_brings_no_follow_back(self) -> None:
        ada, bob = new_person(), new_person()
        graph.follow(ada.id, bob.id)
        graph.follow(bob.id, ada.id)
        blocks.block(ada.id, bob.id)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}
        assert graph.relationship(ada.id, bob.id) == Relationship(following=False, followed_by=False, blocking=True)
        assert graph.relationship(bob.id, ada.id) == Relationship(following=False, followed_by=False)
        assert associations().count_sources(bob.id, FOLLOW) == associations().count_sources(ada.id, FOLLOW) == 0
        blocks.unblock(ada.id, bob.id)
        assert standing(ada, bob) == set()
        graph.follow(bob.id, ada.id)
        assert standing(ada, bob) == {("back", FOLLOW)}

    def test_a_mute_leaves_the_follow_and_is_ones_own(self) -> None:
        ada, bob = new_person(), new_person()
        graph.follow(ada.id, bob.id)
        blocks.mute(ada.id, bob.id)
        assert graph.relationship(ada.id, bob.id) == Relationship(following=True, followed_by=False, muting=True)
        assert graph.relationship(bob.id, ada.id) == Relationship(following=False, followed_by=True)
        blocks.unmute(ada.id, bob.id)
        assert standing(ada, bob) == {("out", FOLLOW)}

    def test_both_may_block_and_each_lifts_only_their_own(self) -> None:
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        blocks.block(bob.id, ada.id)
        blocks.unblock(ada.id, bob.id)
        assert standing(ada, bob) == {("back", BLOCK), ("out", BLOCKED_BY)}
        with pytest.raises(Forbidden):
            graph.follow(ada.id, bob.id)

    def test_nobody_follows_across_a_block(self) -> None:
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        with counted_round_trips() as redis:
            with pytest.raises(Forbidden) as own:
                graph.follow(ada.id, bob.id)
            with pytest.raises(Forbidden) as others:
                graph.follow(bob.id, ada.id)
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
        assert (standing(ada, bob), redis, open_orders()) == (edges, [], [])

    def test_whom_one_cannot_block_or_mute(self) -> None:
        ada, suspended = new_person(), new_person()
        services.suspend(suspended, by=ada)
        for change in (blocks.block, blocks.mute):
            with pytest.raises(Refused):
                change(ada.id, ada.id)
            for gone in (suspended.id, 1):
                with pytest.raises(NotFound):
                    change(ada.id, gone)
        assert standing(ada, suspended) == set()

    def test_someone_suspended_can_be_unblocked_and_unmuted(self) -> None:
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        blocks.mute(ada.id, bob.id)
        services.suspend(bob, by=ada)
        blocks.unblock(ada.id, bob.id)
        blocks.unmute(ada.id, bob.id)
        assert standing(ada, bob) == set()


class TestRaces:
    def test_a_follow_written_while_the_block_is_made_does_not_stand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The follow has looked, found no block, and writes with the greater id after the block's write."""
        ada, bob = new_person(), new_person()
        original = graph.write
        looked = associations()

        def a_follow_after(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            monkeypatch.setattr(graph, "write", original)
            op = ids.next()
            looked.apply([Change(bob.id, FOLLOW, ada.id, op, present=True)])

        monkeypatch.setattr(graph, "write", a_follow_after)
        blocks.block(ada.id, bob.id)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}

    def test_a_block_made_while_the_follow_is_written_undoes_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The block stands whole before the follow's write, which has the greater id."""
        ada, bob = new_person(), new_person()
        original = graph.write

        def after_a_block(*args: Any, **kwargs: Any) -> None:
            monkeypatch.setattr(graph, "write", original)
            blocks.block(ada.id, bob.id)
            op = ids.next()
            original([Change(bob.id, FOLLOW, ada.id, op, present=True)], op=op, readers=[bob.id])

        monkeypatch.setattr(graph, "write", after_a_block)
        with pytest.raises(Forbidden):
            graph.follow(bob.id, ada.id)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}

    def test_following_again_after_the_block_was_lifted_survives_a_late_undo(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The undo's id was made while the block stood; the new follow's later."""
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        original = graph.standing_block

        def lifted_after(one: int, other: int) -> str | None:
            found = original(one, other)
            monkeypatch.setattr(graph, "standing_block", original)
            blocks.unblock(ada.id, bob.id)
            graph.follow(bob.id, ada.id)
            return found

        monkeypatch.setattr(graph, "standing_block", lifted_after)
        graph.part_if_blocked(bob.id, ada.id)
        assert standing(ada, bob) == {("back", FOLLOW)}

    def test_fifty_changes_of_one_pair_at_once_leave_truth_indexes_and_counts_alike(self) -> None:
        ada, bob = new_person(), new_person()
        changes: list[Callable[[], None]] = [
            lambda: graph.follow(ada.id, bob.id),
            lambda: graph.follow(bob.id, ada.id),
            lambda: graph.unfollow(ada.id, bob.id),
            lambda: blocks.block(ada.id, bob.id),
            lambda: blocks.unblock(ada.id, bob.id),
        ]
        for _ in range(2):
            run_together([tolerant(change) for change in itertools.islice(itertools.cycle(changes), 50)])
            self.assert_consistent(ada, bob)
        run_together([tolerant(change) for change in itertools.islice(itertools.cycle(changes[:4]), 50)])
        self.assert_consistent(ada, bob)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}, "blocked, and never lifted"

    def assert_consistent(self, ada: User, bob: User) -> None:
        edges = standing(ada, bob)
        assert (("out", BLOCK) in edges) == (("back", BLOCKED_BY) in edges)
        if ("out", BLOCK) in edges:
            assert not {("out", FOLLOW), ("back", FOLLOW)} & edges
        for way, source, target in (("out", ada.id, bob.id), ("back", bob.id, ada.id)):
            for kind in (FOLLOW, BLOCK, BLOCKED_BY):
                present = [target] if (way, kind) in edges else []
                store = associations()
                assert store.targets(source, kind) == present
                assert [edge.target for edge in store.newest_targets(source, kind, limit=10)] == present
                assert [edge.source for edge in store.newest_sources(target, kind, limit=10)] == [source] * len(present)
                assert store.count_targets(source, kind) == store.count_sources(target, kind) == len(present)
                assert store.bucket_sources(target, kind, 0, limit=10) == [source] * len(present)


def tolerant(change: Callable[[], None]) -> Callable[[], None]:
    """A change that may be refused, because of a block."""

    def run() -> None:
        try:
            change()
        except Forbidden:
            return

    return run


class TestHome:
    def test_a_mute_hides_at_once_and_unmuting_brings_everything_back(self) -> None:
        reader, loud, quiet = new_person(), new_person(), new_person()
        graph.follow(reader.id, loud.id)
        graph.follow(reader.id, quiet.id)
        first, kept = post(loud), post(quiet)
        work_off_everything()
        assert home(reader) == [kept, first]
        blocks.mute(reader.id, loud.id)
        assert home(reader) == [kept]
        assert in_redis(reader) == [kept], "rebuilt without the muted author"
        pushed = post(loud)
        work_off_everything()
        assert home(reader) == [kept]
        blocks.unmute(reader.id, loud.id)
        assert home(reader) == [pushed, kept, first]

    def test_a_late_push_of_a_blocked_author_is_not_shown(self) -> None:
        """The delivery had read the follower list before the block."""
        reader, author = new_person(), new_person()
        graph.follow(reader.id, author.id)
        tweet = post(author)
        blocks.block(author.id, reader.id)
        assert home(reader) == []
        timeline_node().round_trip(*timelines.deliver_commands(tweet, timelines.by_shard([reader.id])))
        assert in_redis(reader) == [tweet]
        assert home(reader) == []

    def test_pulled_pages_hide_muted_authors_and_stay_full(self, settings: Any) -> None:
        settings.TIMELINE_CAP = 2
        reader, loud, quiet = new_person(), new_person(), new_person()
        for author in (loud, quiet):
            graph.follow(reader.id, author.id)
        shown = [post(author) for author in (quiet, loud) * 6][::2]
        blocks.mute(reader.id, loud.id)
        assert home(reader) == shown[::-1]
        page = home_page(viewer(reader), PageRequest(limit=4, before=shown[5]))
        assert [int(tweet.id) for tweet in page.items] == shown[1:5][::-1]

    def test_quotes_of_hidden_people_are_null(self) -> None:
        reader, friend, other = new_person(), new_person(), new_person()
        graph.follow(reader.id, friend.id)
        quote = post(friend, quote_of=post(other))

        def quoted_at(view: TweetView) -> bool:
            return view.quote_of is not None

        def in_home() -> bool:
            [view] = home_page(viewer(reader), PageRequest()).items
            return quoted_at(view)

        def elsewhere() -> bool:
            return quoted_at(tweet_view(quote, viewer(reader)))

        assert (in_home(), elsewhere()) == (True, True)
        blocks.mute(reader.id, other.id)
        assert (in_home(), elsewhere()) == (False, True)
        blocks.unmute(reader.id, other.id)
        blocks.block(other.id, reader.id)
        assert (in_home(), elsewhere()) == (False, False)

    def test_a_change_while_redis_is_down_is_in_force_there_and_afterwards_by_its_order(self) -> None:
        reader, muted, blocker = new_person(), new_person(), new_person()
        for author in (muted, blocker):
            graph.follow(reader.id, author.id)
            post(author)
        work_off_everything()
        assert len(home(reader)) == 2
        with timeline_redis_down():
            blocks.mute(reader.id, muted.id)
            blocks.block(blocker.id, reader.id)
            assert home(reader) == []
        assert sorted(order.args for order in open_orders()) == sorted([(reader.id,), (blocker.id, reader.id)])
        work_off_everything()
        assert (home(reader), open_orders()) == ([], [])

    @pytest.mark.parametrize("change", [blocks.mute, blocks.block, lambda reader, author: blocks.block(author, reader)])
    def test_a_change_during_a_rebuild_is_not_lost(
        self, change: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the rebuild's reading of the graph and its merge."""
        reader, author = new_person(), new_person()
        graph.follow(reader.id, author.id)
        post(author)
        original = rebuild.home_authors

        def authors_then_a_change(reader_id: int) -> list[int]:
            found = original(reader_id)
            monkeypatch.setattr(rebuild, "home_authors", original)
            change(reader.id, author.id)
            return found

        monkeypatch.setattr(rebuild, "home_authors", authors_then_a_change)
        assert not rebuild.rebuild(reader.id)
        assert home(reader) == []

    def test_live_frames_hide_whom_home_hides(self) -> None:
        reader, muted, blocker, friend = (new_person() for _ in range(4))
        ids = [post(author) for author in (muted, blocker, friend)]
        blocks.mute(reader.id, muted.id)
        blocks.block(blocker.id, reader.id)

        frames: list[str] = []

        async def keep(frame: str) -> None:
            frames.append(frame)

        async def push() -> None:
            stream = HomeStream(viewer(reader), keep)
            for entry_id in ids:
                await stream.handle(Signal(SignalKind.TWEET, entry_id=entry_id))

        asyncio.run(push())
        assert [json.loads(frame)["tweet"]["id"] for frame in frames] == [str(ids[2])]

    def test_a_warm_page_with_exclusions_costs_no_more_than_any(self) -> None:
        reader, author, muted = new_person(), new_person(), new_person()
        for each in (author, muted):
            graph.follow(reader.id, each.id)
        blocks.mute(reader.id, muted.id)
        blocks.block(reader.id, new_person().id)
        for _ in range(3):
            post(author)
        work_off_everything()
        client = ApiClient(reader)
        for _ in range(2):
            assert len(client.get("/api/v1/feed/home").json()["data"]) == 3
        post(muted)
        work_off_everything()
        client.get("/api/v1/feed/home")
        with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
            answer = client.get("/api/v1/feed/home")
        assert len(answer.json()["data"]) == 3
        assert (len(redis), store, sql) == (2, [], [])


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


class TestExclusions:
    def test_they_are_read_from_redis_while_nothing_changes(self) -> None:
        ada, bob, carol, dan = (new_person() for _ in range(4))
        blocks.block(ada.id, bob.id)
        blocks.block(carol.id, ada.id)
        blocks.mute(ada.id, dan.id)
        expected = Exclusions(hidden=frozenset({bob.id, carol.id}), muted=frozenset({dan.id}))
        assert exclusions.exclusions_of(ada.id) == expected
        with counted_store_calls() as store:
            assert exclusions.exclusions_of(ada.id) == expected
        assert store == []

    def test_a_fill_that_missed_a_block_does_not_hide_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The reader reads the store, the block comes, and only then the reader's fill arrives."""
        ada, bob = new_person(), new_person()
        original = exclusions.from_store

        def read_then_blocked(viewer_id: int) -> Exclusions:
            found = original(viewer_id)
            monkeypatch.setattr(exclusions, "from_store", original)
            blocks.block(bob.id, ada.id)
            return found

        monkeypatch.setattr(exclusions, "from_store", read_then_blocked)
        exclusions.exclusions_of(ada.id)
        assert exclusions.exclusions_of(ada.id).hidden == {bob.id}

    def test_a_fill_from_before_redis_was_emptied_does_not_land(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Otherwise it would carry the version of nobody's, which is also that of an emptied Redis."""
        ada, bob = new_person(), new_person()
        original = exclusions.from_store

        def read_then_blocked_then_emptied(viewer_id: int) -> Exclusions:
            found = original(viewer_id)
            monkeypatch.setattr(exclusions, "from_store", original)
            blocks.block(bob.id, ada.id)
            timeline_node().round_trip(("FLUSHALL",))
            return found

        monkeypatch.setattr(exclusions, "from_store", read_then_blocked_then_emptied)
        exclusions.exclusions_of(ada.id)
        assert exclusions.exclusions_of(ada.id).hidden == {bob.id}

    def test_more_than_fit_the_cache_are_looked_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exclusions, "CACHED_A_KIND", 2)
        star, friend = new_person(), new_person()
        blockers, muted = [new_person() for _ in range(3)], [new_person() for _ in range(3)]
        for each in (friend, *muted):
            graph.follow(star.id, each.id)
        seen = post(friend)
        hidden, quiet = [post(each) for each in blockers], [post(each) for each in muted]
        for each in blockers:
            blocks.block(each.id, star.id)
        for each in muted:
            blocks.mute(star.id, each.id)
        assert exclusions.exclusions_of(star.id) == Exclusions(beyond=frozenset({BLOCKED_BY, MUTE}))
        for tweet in hidden:
            with pytest.raises(NotFound):
                tweet_view(tweet, viewer(star))
        assert [int(tweet_view(tweet, viewer(star)).id) for tweet in quiet] == quiet
        assert home(star) == [seen]

    def test_without_redis_they_come_from_the_store(self) -> None:
        ada, bob = new_person(), new_person()
        tweet = post(ada)
        blocks.block(ada.id, bob.id)
        with timeline_redis_down():
            assert exclusions.exclusions_of(ada.id).hidden == {bob.id}
            assert exclusions.exclusions_of(bob.id).hidden == {ada.id}
            with pytest.raises(NotFound):
                tweet_view(tweet, viewer(bob))


def test_the_doors() -> None:
    ada, _bob = new_person("ada"), new_person("bob")
    client = ApiClient(ada)

    def answer(method: str, path: str) -> tuple[int, Any]:
        response = getattr(client, method)(f"/api/v1/users/{path}")
        return response.status_code, response.json().get("data", response.json().get("code"))

    nobody = {"following": False, "followed_by": False, "blocking": False, "muting": False}
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
