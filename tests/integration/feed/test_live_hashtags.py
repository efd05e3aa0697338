"""The stream of a hashtag: what its list shows to each viewer, told once a hashtag, and without a hole."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest

from accounts.graph import blocks
from accounts.models import User
from accounts.people import suspending
from deploy.valkey import Valkey
from fanout.live.channel import hashtag_channel
from feed.live import pacing
from feed.live.listener import listener
from feed.live.registry import registry
from feed.live.threads import housekeeping
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.web.paging import decode_cursor
from tests.backends import connected_anew, counted_round_trips
from tests.ids import new_id
from tests.integration.config.graphql_sockets import opened as graphql_opened
from tests.integration.config.graphql_sockets import token_of
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.tweeting import post, viewer
from tests.outages import server_down
from tests.people import ApiClient, new_person
from tests.work import every_open_order, forget_watermark, open_orders, work_off_everything, work_off_wholly
from tweets.hashtags import hashtag_numbers
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)


@pytest.fixture
def tag() -> str:
    """One that no other test uses."""
    return f"tag{new_id()}"


@pytest.fixture(autouse=True)
def _forgotten_watermark() -> Iterator[None]:
    forget_watermark()
    yield
    registry.watermark = 0
    forget_watermark()


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


async def act(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Acts as people do, and then as workers do, while sockets are open."""
    result = await housekeeping(function, *args, **kwargs)
    await delivered()
    return result


async def opened(tag: str, *readers: User, after: str | None = None) -> list[Socket]:
    sockets = [await housekeeping(Socket, reader) for reader in readers]
    for socket in sockets:
        await socket.open(stream=f"hashtag:{tag}", after=after)
    return sockets


def page_of(tag: str, reader: User, query: str = "") -> list[dict[str, Any]]:
    """What GET /hashtags/{tag}/tweets shows to them."""
    answer = ApiClient(reader).get(f"/api/v1/hashtags/{quote(tag)}/tweets?limit=100{query}")
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def published(*trips: Sequence[Command]) -> list[tuple[object, object]]:
    """On which channels of hashtags these round trips tell what."""
    commands = [command for trip in trips for command in trip if command[0] in ("PUBLISH", "SPUBLISH")]
    return [(command[1], command[2]) for command in commands if ":live:hashtag:" in str(command[1])]


def test_each_viewer_is_told_what_the_list_shows_to_them(tag: str) -> None:
    ada, bob, gone = new_person(), new_person(), new_person()
    anybody, blocks_ada, blocked, mutes = (new_person() for _ in range(4))
    blocks.block(blocks_ada.id, ada.id)
    blocks.block(ada.id, blocked.id)
    blocks.mute(mutes.id, ada.id)
    suspending.suspend(gone, by=operator())

    def write() -> int:
        first = post(ada, f"first #{tag}")
        post(bob, f"what she said #{tag}", quote_of=first)
        post(bob, f"a reply #{tag.upper()}", reply_to=first)
        post(bob, f"another #{tag}2")
        post(bob, "none", reply_to=first)
        retweet(viewer=viewer(bob), tweet_id=first)
        post(gone, f"#{tag} of somebody suspended")
        delete_tweet(tweet_id=post(bob, f"gone at once #{tag}"), viewer=viewer(bob))
        return post(bob, f"last #{tag} #{tag}")

    async def scenario() -> None:
        readers = [anybody, blocks_ada, blocked, mutes, bob]
        sockets = await opened(tag, *readers)
        last = await act(write)
        for reader, socket in zip(readers, sockets, strict=True):
            told = [await socket.frame()]
            while told[-1]["tweet"]["id"] != str(last):
                told.append(await socket.frame())
            assert {(frame["type"], frame["stream"]) for frame in told} == {("tweet", f"hashtag:{tag}")}
            assert [frame["tweet"] for frame in told] == (await housekeeping(page_of, tag, reader))[::-1]
        assert len(await housekeeping(page_of, tag, anybody)) == 4
        assert len(await housekeeping(page_of, tag, blocked)) == 3
        for socket in sockets:
            await socket.close()

    run(scenario)


@on_one_store
def test_graphql_tells_the_same(tag: str) -> None:
    author, reader = new_person(), new_person()

    async def scenario() -> None:
        socket = await graphql_opened(await housekeeping(token_of, reader))
        query = "subscription ($tag: String!) { hashtagTimeline(tag: $tag) { cursor deletedId tweet { id text } } }"
        await socket.subscribed("1", query, variables={"tag": f"#{tag}"})
        tweet = await act(post, author, f"#{tag}")
        message = await socket.message()
        event = message["payload"]["data"]["hashtagTimeline"]
        assert (event["tweet"]["id"], event["deletedId"]) == (str(tweet), None)
        assert decode_cursor(event["cursor"]) < tweet
        await act(delete_tweet, tweet_id=tweet, viewer=viewer(author))
        message = await socket.message()
        assert message["payload"]["data"]["hashtagTimeline"]["deletedId"] == str(tweet)
        await socket.close()

    run(scenario)


@on_one_store
class TestCosts:
    def test_it_is_published_once_a_hashtag_by_the_worker_and_costs_no_round_trip(self, tag: str) -> None:
        author = new_person()
        with counted_round_trips() as posting:
            tweet = post(author, f"#{tag} #{tag.upper()} #{tag}2")
        assert published(*posting) == []
        with counted_round_trips() as trips:
            work_off_everything()
        numbers = hashtag_numbers([tag, f"{tag}2"])
        assert published(*trips) == [(hashtag_channel(number), tweet) for number in numbers]
        assert len(trips) == 2, "the snapshot, and the push"

    def test_a_reply_to_somebody_else_is_one_round_trip(self, tag: str) -> None:
        tweet = post(new_person())
        work_off_everything()
        reply = post(new_person(), f"#{tag}", reply_to=tweet)
        [order] = open_orders()
        with counted_round_trips() as trips:
            work_off_wholly(order)
        [number] = hashtag_numbers([tag])
        assert published(*trips) == [(hashtag_channel(number), reply)]
        assert len(trips) == 1

    def test_an_order_that_is_worked_off_again_is_told_once(self, tag: str) -> None:
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(tag, reader)
            tweet = await housekeeping(post, author, f"#{tag}")
            [order] = await housekeeping(open_orders)
            for _ in range(3):
                await housekeeping(work_off_wholly, order)
            last = await act(post, author, f"#{tag}")
            assert [(await socket.frame())["tweet"]["id"] for _ in range(2)] == [str(tweet), str(last)]
            await socket.close()

        run(scenario)

    def test_of_a_flood_the_newest_are_told_behind_a_gap(self, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pacing, "AT_A_TIME", 3)
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(tag, reader)
            ids = await housekeeping(lambda: [post(author, f"#{tag}") for _ in range(9)])
            await delivered()
            frames = [await socket.frame()]
            while frames[-1]["type"] == "gap" or frames[-1]["tweet"]["id"] != str(ids[-1]):
                frames.append(await socket.frame())
            gaps = [frame for frame in frames if frame["type"] == "gap"]
            told = [int(frame["tweet"]["id"]) for frame in frames if frame["type"] == "tweet"]
            assert gaps
            assert len(told) < len(ids)
            page = await housekeeping(page_of, tag, reader, f"&since={gaps[0]['after']}")
            assert set(ids) <= {int(each["id"]) for each in page} | set(told)
            await socket.close()

        run(scenario)


class TestResuming:
    def test_who_resumes_from_any_frame_or_page_has_everything(self, tag: str) -> None:
        author, other, reader = new_person(), new_person(), new_person()
        root = post(other)
        work_off_everything()

        async def scenario() -> None:
            [socket] = await opened(tag, reader)
            first = [await act(post, author, f"#{tag}") for _ in range(2)]
            cursors = [(await socket.frame())["cursor"] for _ in first]
            await socket.close()
            missed = [await act(post, author, f"#{tag}"), await act(post, author, f"#{tag}", reply_to=root)]
            answer = await housekeeping(lambda: ApiClient(reader).get(f"/api/v1/hashtags/{tag}/tweets?limit=1"))
            for cursor in [*cursors, answer.json()["meta"]["prev_cursor"]]:
                [again] = await opened(tag, reader, after=cursor)
                if cursor in cursors:
                    assert (await again.until(missed[-1]))[-2:] == missed, "oldest first"
                new = await act(post, author, f"#{tag}", reply_to=root)
                assert new in await again.until(new), "and then live"
                missed = [missed[-1], new]
                await again.close()

        run(scenario)

    @on_one_store
    def test_an_order_that_is_still_open_is_below_every_cursor(self, tag: str) -> None:
        """Also that of a reply, which goes to no home."""
        author, reader = new_person(), new_person()
        root = post(new_person())
        work_off_everything()

        async def scenario() -> None:
            [socket] = await opened(tag, reader)
            older = await housekeeping(post, author, f"#{tag}", reply_to=root)
            [late] = await housekeeping(open_orders)
            with patch("tests.work.every_open_order", lambda: [each for each in every_open_order() if each != late]):
                younger = await act(post, author, f"#{tag}")
            frame = await socket.frame()
            assert frame["tweet"]["id"] == str(younger)
            assert decode_cursor(frame["cursor"]) < older
            await socket.close()
            [again] = await opened(tag, reader, after=frame["cursor"])
            assert await again.until(younger) == [older, younger]
            await again.close()

        run(scenario)

    @on_one_store
    def test_what_was_deleted_or_suspended_meanwhile_is_told(self, tag: str) -> None:
        author, bad, reader = new_person(), new_person(), new_person()
        before = post(author, f"#{tag}")
        work_off_everything()

        async def scenario() -> None:
            [socket] = await opened(tag, reader)
            ids = [await act(post, person, f"#{tag}") for person in (author, author, bad)]
            cursor = [await socket.frame() for _ in ids][-1]["cursor"]
            await socket.close()
            elsewhere = await act(post, author, f"#{tag}2")
            for each in (ids[0], elsewhere, before):
                await act(delete_tweet, tweet_id=each, viewer=viewer(author))
            await act(suspending.suspend, bad, by=await housekeeping(operator))
            [again] = await opened(tag, reader, after=cursor)
            left: set[str] = set()
            while len(left) < 3:
                frame = await again.frame()
                if frame["type"] == "delete":
                    left.add(frame["id"])
            assert left == {str(each) for each in (ids[0], before, ids[2])}
            await again.say(type="ping")
            assert await again.frame() == {"type": "pong"}
            await again.close()

        run(scenario)


def test_deletions_and_suspensions_leave_screens_at_once(tag: str) -> None:
    author, bad, reader = new_person(), new_person(), new_person()
    root = post(author)
    work_off_everything()

    async def scenario() -> None:
        [socket] = await opened(tag, reader)
        tweet, other = await act(post, author, f"#{tag}", reply_to=root), await act(post, bad, f"#{tag}")
        assert await socket.until(other) == [tweet, other]
        await act(delete_tweet, tweet_id=tweet, viewer=viewer(author))
        assert await socket.frame() == {"type": "delete", "stream": f"hashtag:{tag}", "id": str(tweet)}
        await act(suspending.suspend, bad, by=await housekeeping(operator))
        assert await socket.frame() == {"type": "delete", "stream": f"hashtag:{tag}", "id": str(other)}
        await socket.close()

    run(scenario)


@on_one_store
@pytest.mark.parametrize("is_reply", [False, True])
def test_what_staff_have_restored_arrives_once_more(tag: str, is_reply: bool) -> None:
    """In the public stream as well, if it stands there."""
    author, reader, staff = new_person(), new_person(), new_person(staff=True)
    root = post(new_person())
    work_off_everything()

    async def scenario() -> None:
        [socket] = await opened(tag, reader)
        public = await housekeeping(Socket, reader)
        await public.open(stream="public")
        told = [socket] if is_reply else [socket, public]
        tweet = await act(post, author, f"#{tag}", reply_to=root if is_reply else None)
        first = [await each.frame() for each in told]
        await act(delete_tweet, tweet_id=tweet, viewer=viewer(staff))
        gone = [await each.frame() for each in told]
        await act(restore_tweet, tweet_id=tweet, viewer=viewer(staff), reason="A mistake.")
        again = [await each.frame() for each in told]
        for frames in zip(first, gone, again, strict=True):
            assert [frame["type"] for frame in frames] == ["tweet", "delete", "tweet"]
            assert frames[2]["tweet"]["id"] == str(tweet)
        await socket.close()
        await public.close()

    run(scenario)


@on_one_store
class TestNames:
    def test_frames_have_the_name_that_the_client_wrote(self) -> None:
        author, reader = new_person(), new_person()
        word = f"ＴＡＧ{new_id()}"

        async def scenario() -> None:
            [socket] = await opened(f"#{word}", reader)
            tweet = await act(post, author, f"#{word.lower()}")
            frame = await socket.frame()
            assert (frame["tweet"]["id"], frame["stream"]) == (str(tweet), f"hashtag:#{word}")
            await socket.say(type="unsubscribe", stream=f"hashtag:{word.lower()}")
            await act(post, author, f"#{word}")
            await socket.say(type="ping")
            assert await socket.frame() == {"type": "pong"}
            await socket.close()

        run(scenario)

    @pytest.mark.parametrize("typed", ["", "1", "a b", "#", "👩", "x" * 300])
    def test_what_is_no_hashtag_is_an_error_and_the_socket_stays(self, typed: str) -> None:
        reader = new_person()

        async def scenario() -> None:
            socket = await housekeeping(Socket, reader)
            await socket.sign_in()
            await socket.say(type="subscribe", stream=f"hashtag:{typed}")
            frame = await socket.frame()
            assert (frame["type"], frame["code"]) == ("error", "bad_hashtag")
            await socket.subscribe("hashtag:good")
            await socket.close()

        run(scenario)

    def test_another_hashtag_of_the_same_number_is_not_shown(self, tag: str) -> None:
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            [socket] = await opened(tag, reader)
            other = await housekeeping(post, author, f"#{tag}2")
            [number] = hashtag_numbers([tag])
            await housekeeping(timeline_node().round_trip, ("PUBLISH", hashtag_channel(number), other))
            tweet = await act(post, author, f"#{tag}")
            assert await socket.until(tweet) == [tweet]
            await socket.close()

        run(scenario)


@on_one_store
@pytest.mark.parametrize("how", ["dead", "flushed"])
def test_an_outage_or_a_flush_skips_nothing(timeline_redis: Valkey, how: str, tag: str) -> None:
    author, reader = new_person(), new_person()

    async def scenario() -> None:
        [socket] = await opened(tag, reader)
        before = await act(post, author, f"#{tag}")
        assert await socket.until(before) == [before]
        if how == "dead":
            with server_down(timeline_redis, "dead"):
                during = await housekeeping(post, author, f"#{tag}")
                await until(lambda: not listener._subscribed.is_set())
        else:
            await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
            during = await housekeeping(post, author, f"#{tag}")
        await delivered()
        after = await act(post, author, f"#{tag}")
        assert [each for each in await socket.until(after) if each != before] == [during, after]
        await socket.close()

    with connected_anew(timeline_node(), timeout_seconds=1.0):
        run(scenario)
