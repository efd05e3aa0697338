"""Whom home and live frames hide, from when on, and the cache that says so."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.graph import blocks, exclusions, follows
from accounts.graph.exclusions import Exclusions
from accounts.graph.kinds import BLOCKED_BY, MUTE
from fanout.timelines import materialised, snapshots
from feed.live.streams.home import HomeStream
from feed.live.streams.stream import Signal, SignalKind
from feed.live.told import Frame, encode
from feed.timelines import rebuild
from feed.timelines.home import home_page
from storage.errors import NotFound
from storage.redis.node import timeline_node
from storage.redis.shards import by_shard
from storage.web.paging import PageRequest
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import ApiClient, new_person
from tests.work import open_orders, work_off_everything
from tweets.reading.hydration import TweetOut
from tweets.reading.selectors import tweet_out

pytestmark = pytest.mark.usefixtures("product")


class TestHome:
    def test_a_mute_hides_at_once_and_unmuting_brings_everything_back(self) -> None:
        reader, loud, quiet = new_person(), new_person(), new_person()
        follows.follow(reader.id, loud.id)
        follows.follow(reader.id, quiet.id)
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
        follows.follow(reader.id, author.id)
        tweet = post(author)
        blocks.block(author.id, reader.id)
        assert home(reader) == []
        timeline_node().round_trip(
            *materialised.deliver_commands(tweet, by_shard([reader.id]), snapshots.take_snapshot())
        )
        assert in_redis(reader) == [tweet]
        assert home(reader) == []

    def test_pulled_pages_hide_muted_authors_and_stay_full(self, settings: Any) -> None:
        settings.TIMELINE_CAP = 2
        reader, loud, quiet = new_person(), new_person(), new_person()
        for author in (loud, quiet):
            follows.follow(reader.id, author.id)
        shown = [post(author) for author in (quiet, loud) * 6][::2]
        blocks.mute(reader.id, loud.id)
        assert home(reader) == shown[::-1]
        page = home_page(viewer(reader), PageRequest(limit=4, before=shown[5]))
        assert [int(tweet.id) for tweet in page.items] == shown[1:5][::-1]

    def test_quotes_of_hidden_people_are_null(self) -> None:
        reader, friend, other = new_person(), new_person(), new_person()
        follows.follow(reader.id, friend.id)
        quote = post(friend, quote_of=post(other))

        def quoted_at(view: TweetOut) -> bool:
            return view.quote_of is not None

        def in_home() -> bool:
            [view] = home_page(viewer(reader), PageRequest()).items
            return quoted_at(view)

        def elsewhere() -> bool:
            return quoted_at(tweet_out(quote, viewer(reader)))

        assert (in_home(), elsewhere()) == (True, True)
        blocks.mute(reader.id, other.id)
        assert (in_home(), elsewhere()) == (False, True)
        blocks.unmute(reader.id, other.id)
        blocks.block(other.id, reader.id)
        assert (in_home(), elsewhere()) == (False, False)

    def test_a_change_while_redis_is_down_is_in_force_there_and_afterwards_by_its_order(self) -> None:
        reader, muted, blocker = new_person(), new_person(), new_person()
        for author in (muted, blocker):
            follows.follow(reader.id, author.id)
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
        follows.follow(reader.id, author.id)
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
        for author in (muted, friend):
            follows.follow(reader.id, author.id)
        blocks.mute(reader.id, muted.id)
        blocks.block(blocker.id, reader.id)
        home(reader)
        ids = [post(author) for author in (muted, blocker, friend)]
        work_off_everything()

        frames: list[Frame] = []

        async def keep(frame: Frame) -> None:
            frames.append(frame)

        async def push() -> None:
            stream = HomeStream(viewer(reader), keep)
            for entry_id in ids:
                await stream.handle(Signal(SignalKind.TWEET, entry_id=entry_id))

        asyncio.run(push())
        assert [json.loads(encode(frame))["tweet"]["id"] for frame in frames] == [str(ids[2])]

    def test_a_warm_page_with_exclusions_costs_no_more_than_any(self) -> None:
        reader, author, muted = new_person(), new_person(), new_person()
        for each in (author, muted):
            follows.follow(reader.id, each.id)
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

    def test_who_excludes_nobody_is_told_by_the_bytes(self) -> None:
        """And only under the version that is there now."""
        reader, other = new_person(), new_person()
        exclusions.refreshed(reader.id)
        keys = (exclusions.exclusions_key(reader.id), follows.graph_version_key(reader.id))
        [value, version] = timeline_node().round_trip(("GET", keys[0]), ("GET", keys[1]))
        assert exclusions.decode((value, version)) is exclusions.NOBODY
        assert exclusions.decode((value, b"another1")) is None
        blocks.block(reader.id, other.id)
        refreshed = exclusions.refreshed(reader.id)
        [value, version] = timeline_node().round_trip(("GET", keys[0]), ("GET", keys[1]))
        assert exclusions.decode((value, version)) == refreshed == Exclusions(hidden=frozenset({other.id}))

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
            follows.follow(star.id, each.id)
        seen = post(friend)
        hidden, quiet = [post(each) for each in blockers], [post(each) for each in muted]
        for each in blockers:
            blocks.block(each.id, star.id)
        for each in muted:
            blocks.mute(star.id, each.id)
        assert exclusions.exclusions_of(star.id) == Exclusions(beyond=frozenset({BLOCKED_BY, MUTE}))
        for tweet in hidden:
            with pytest.raises(NotFound):
                tweet_out(tweet, viewer(star))
        assert [int(tweet_out(tweet, viewer(star)).id) for tweet in quiet] == quiet
        assert home(star) == [seen]

    def test_without_redis_they_come_from_the_store(self) -> None:
        ada, bob = new_person(), new_person()
        tweet = post(ada)
        blocks.block(ada.id, bob.id)
        with timeline_redis_down():
            assert exclusions.exclusions_of(ada.id).hidden == {bob.id}
            assert exclusions.exclusions_of(bob.id).hidden == {ada.id}
            with pytest.raises(NotFound):
                tweet_out(tweet, viewer(bob))
