"""The public stream after a gap: resumed from a cursor, behind an outage or a flush."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from accounts.people import suspending
from deploy.valkey import Valkey
from feed.live import sharing
from feed.live.listener import listener
from feed.live.registry import registry
from feed.live.streams import missed as left_meanwhile
from feed.live.streams import replaying
from feed.live.streams.stream import PUBLIC, Signal, SignalKind
from feed.live.threads import housekeeping
from feed.timelines.public import public_page
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.web.paging import PageRequest, decode_cursor, encode_cursor
from tests.backends import connected_anew
from tests.integration.feed.public_stream import Told, act, opened, run
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import delivered, until
from tests.integration.tweeting import post, viewer
from tests.outages import server_down
from tests.people import new_person
from tests.work import every_open_order, forget_watermark, open_orders, work_off_everything
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)


@pytest.fixture
def _forgotten_watermark() -> Iterator[None]:
    forget_watermark()
    yield
    registry.watermark = 0
    forget_watermark()


@on_one_store
@pytest.mark.usefixtures("_forgotten_watermark")
class TestResuming:
    def test_who_resumes_from_any_frame_or_page_has_everything(self) -> None:
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(reader)
            first = [await act(post, author) for _ in range(3)]
            cursors = [(await socket.frame())["cursor"] for _ in first]
            await socket.close()
            missed = [await act(post, author) for _ in range(3)]
            page = await housekeeping(public_page, viewer(reader), PageRequest(limit=1, before=missed[0]))
            for cursor in [*cursors, page.newer_cursor]:
                [again] = await opened(reader, after=cursor)
                found = await again.until(missed[-1])
                assert found[-3:] == missed, "oldest first"
                new = await act(post, author)
                assert set(await again.until(new)) <= {*found, new}, "and then live"
                missed = [*missed[1:], new]
                await again.close()

        run(scenario)

    def test_an_order_that_is_still_open_is_below_every_cursor(self) -> None:
        """Of two tweets the younger one is delivered first; whoever resumes from its frame gets the older one."""
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(reader)
            older = await housekeeping(post, author)
            [late] = await housekeeping(open_orders)
            with patch("tests.work.every_open_order", lambda: [each for each in every_open_order() if each != late]):
                younger = await act(post, author)
            frame = await socket.frame()
            assert frame["tweet"]["id"] == str(younger)
            assert decode_cursor(frame["cursor"]) < older
            await socket.close()
            [again] = await opened(reader, after=frame["cursor"])
            assert await again.until(younger) == [older, younger]
            await again.close()

        run(scenario)

    def test_more_than_a_replay_holds_is_a_gap(self) -> None:
        author, told = new_person(), Told(new_person())
        start = post(author)
        ids = [post(author) for _ in range(6)]

        async def scenario() -> None:
            with patch.object(replaying, "REPLAY_PAGE", 2), patch.object(replaying, "REPLAY_LIMIT", 4):
                await told.subscribe(after=start, watermark=ids[-1])
            assert told.ids() == ids[:4]
            assert decode_cursor(told.frames[-1].after) == ids[3]

        run(scenario)

    def test_what_was_deleted_or_suspended_meanwhile_is_told(self) -> None:
        author, bad, told = new_person(), new_person(), Told(new_person())
        start = post(author)
        deleted, answer, staying, last = post(author), post(bad, reply_to=start), post(bad), post(author)
        work_off_everything()
        delete_tweet(tweet_id=deleted, viewer=viewer(author))
        delete_tweet(tweet_id=answer, viewer=viewer(bad))
        suspending.suspend(bad, by=operator())
        work_off_everything()

        async def scenario() -> None:
            await told.subscribe(after=last, watermark=last)
            left = {frame.id for frame in told.frames[1:]}
            assert left == {str(deleted), str(staying)}, "a reply is in no public feed"
            again, once_more = Told(told.person), Told(told.person)
            with patch.object(left_meanwhile, "tweets_by_id", side_effect=AssertionError("known already")):
                await again.subscribe(after=last, watermark=last)
            assert {frame.id for frame in again.frames[1:]} == left
            with patch.object(left_meanwhile, "TOLD", 0):
                await once_more.subscribe(after=last, watermark=last)
            assert decode_cursor(once_more.frames[1].after) == last

        run(scenario)


@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("how", ["dead", "flushed"])
def test_an_outage_or_a_flush_skips_nothing(timeline_redis: Valkey, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    author, reader = new_person(), new_person()

    async def scenario() -> None:
        [socket] = await opened(reader)
        before = await act(post, author)
        assert await socket.until(before) == [before]
        if how == "dead":
            with server_down(timeline_redis, "dead"):
                during = await housekeeping(post, author)
                await until(lambda: not listener._subscribed.is_set())
        else:
            await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
            during = await housekeeping(post, author)
        await delivered()
        after = await act(post, author)
        assert [each for each in await socket.until(after) if each != before] == [during, after]
        await socket.close()

    with connected_anew(timeline_node(), timeout_seconds=1.0):
        run(scenario)


@on_one_store
def test_while_the_store_does_not_answer_tweets_wait_and_come_in_order() -> None:
    author, told = new_person(), Told(new_person())
    start, first, second = (post(author) for _ in range(3))

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=start)
        with patch.object(sharing, "shared", side_effect=Unavailable("store")), pytest.raises(Unavailable):
            await told.stream.handle(Signal(SignalKind.TWEETS, PUBLIC, start, entries=(first,)))
        await told.stream.handle(Signal(SignalKind.TWEETS, PUBLIC, start, entries=(second,)))
        assert told.ids() == []
        await told.stream.handle(Signal(SignalKind.RESYNC))
        assert told.ids() == [first, second]
        assert encode_cursor(start) in {frame.cursor for frame in told.frames[1:]}

    run(scenario)
    registry.watermark = 0
