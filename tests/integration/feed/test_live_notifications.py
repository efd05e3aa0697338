"""The stream of notifications: goes live, resumes from a cursor, and tells what REST shows."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from accounts.graph import blocks
from accounts.models import User
from fanout.live.channel import news_channel
from fanout.live.watermark import watermark
from feed.live.channels import channels
from feed.live.registry import registry
from feed.live.streams import notifications as stream_module
from feed.live.streams.stream import NOTIFICATIONS, Signal, SignalKind, Topic
from feed.live.threads import housekeeping
from storage.ids import settling
from tests.integration.feed.notified import items, likes, page
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import every_open_order, forget_watermark, work_off_everything, work_off_wholly

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)
STREAM = "notifications"


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


async def act(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = await housekeeping(function, *args, **kwargs)
    await delivered()
    return result


async def opened(person: User, after: str | None = None) -> Socket:
    socket = await housekeeping(Socket, person)
    await socket.open(stream=STREAM, after=after)
    return socket


async def next_of(socket: Socket) -> dict[str, Any]:
    frame = await socket.frame()
    assert (frame["type"], frame["stream"]) == ("notification", STREAM), frame
    return frame


async def answers(socket: Socket) -> None:
    """Nothing has come before this answer."""
    await socket.say(type="ping")
    assert await socket.frame() == {"type": "pong"}


def test_what_comes_is_told_as_rest_shows_it_and_again_when_it_happens_again() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet = post(ada)
    likes(ben, tweet)
    work_off_everything()

    async def scenario() -> None:
        socket = await opened(ada)
        reply = await act(post, ben, "a reply", reply_to=tweet)
        told = [(await next_of(socket))["notification"]]
        assert told[0]["tweet"]["id"] == str(reply)
        await act(likes, cem, tweet)
        told.insert(0, (await next_of(socket))["notification"])
        assert told[0]["people_count"] == 2
        assert await housekeeping(items, ada) == told
        await answers(socket)
        await socket.close()

    run(scenario)


def test_who_subscribes_without_a_cursor_is_told_only_what_is_new() -> None:
    ada, ben = new_person(), new_person()
    tweets = [post(ada) for _ in range(3)]
    for tweet in tweets[:2]:
        likes(ben, tweet)
    work_off_everything()

    async def scenario() -> None:
        socket = await opened(ada)
        await act(likes, ben, tweets[2])
        assert (await next_of(socket))["notification"]["tweet"]["id"] == str(tweets[2])
        await answers(socket)
        await socket.close()

    run(scenario)


def test_who_resumes_from_a_frame_or_a_page_has_each_once_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all settled at once: a cursor stands just below what has come, or lower where an order ends late."""
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(registry, "watermark", 0)
    forget_watermark()
    ada, ben = new_person(), new_person()
    tweets = [post(ada) for _ in range(4)]
    likes(ben, tweets[0])
    work_off_everything()

    async def scenario() -> None:
        start = (await housekeeping(page, ada))["meta"]["prev_cursor"]
        socket = await opened(ada, after=start)
        await act(likes, ben, tweets[1])
        first = await next_of(socket)
        await socket.close()
        await act(likes, ben, tweets[2])
        again = await opened(ada, after=first["cursor"])
        seen = {first["notification"]["tweet"]["id"]}
        while str(tweets[2]) not in seen:
            seen.add((await next_of(again))["notification"]["tweet"]["id"])
        await act(likes, ben, tweets[3])
        while (told := (await next_of(again))["notification"]["tweet"]["id"]) in seen:
            pass  # told by the replay, and as it came
        assert told == str(tweets[3])
        assert seen - {str(tweets[0])} == {str(tweets[1]), str(tweets[2])}
        await again.close()
        from_the_page = await opened(ada, after=start)
        replayed = [(await next_of(from_the_page))["notification"]["tweet"]["id"] for _ in range(3)]
        if replayed[0] == str(tweets[0]):
            replayed = [*replayed[1:], (await next_of(from_the_page))["notification"]["tweet"]["id"]]
        assert replayed == [str(each) for each in tweets[1:]]
        await from_the_page.close()

    run(scenario)


def test_a_cursor_does_not_pass_what_waits_for_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A like whose order is open when others are told: whoever resumes from their frames gets it."""
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(registry, "watermark", 0)
    ada, ben = new_person(), new_person()
    tweets = [post(ada) for _ in range(2)]
    work_off_everything()

    async def scenario() -> None:
        socket = await opened(ada)
        await housekeeping(likes, ben, tweets[0])
        forget_watermark()
        waiting = await housekeeping(watermark.read)
        [late] = await housekeeping(every_open_order)
        await housekeeping(likes, ben, tweets[1])
        [*_, second] = await housekeeping(every_open_order)
        assert late.id < second.id
        assert waiting < late.id
        await housekeeping(work_off_wholly, second)
        frame = await next_of(socket)
        assert frame["notification"]["tweet"]["id"] == str(tweets[1])
        await socket.close()
        await delivered()
        await until(lambda: registry.watermark > second.id)
        again = await opened(ada, after=frame["cursor"])
        told = {(await next_of(again))["notification"]["tweet"]["id"] for _ in range(2)}
        assert told == {str(each) for each in tweets}
        await again.close()

    run(scenario)


def test_whom_one_mutes_is_not_told_of() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet = post(ada)
    blocks.mute(ada.id, ben.id)

    async def scenario() -> None:
        socket = await opened(ada)
        await act(likes, ben, tweet)
        await act(post, ben, "a reply", reply_to=tweet)
        await act(likes, cem, tweet)
        assert [each["username"] for each in (await next_of(socket))["notification"]["people"]] == [cem.username]
        await answers(socket)
        await socket.close()

    run(scenario)


@on_one_store
def test_what_was_missed_is_told_by_the_next_resync() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)

    async def scenario() -> None:
        socket = await opened(ada)
        channel = news_channel(ada.id)
        assert channel in channels.wanted
        await housekeeping(likes, ben, tweet)
        await housekeeping(lambda: items(ada))
        assert (await next_of(socket))["notification"]["tweet"]["id"] == str(tweet)
        registry.tell(Signal(SignalKind.RESYNC, Topic(NOTIFICATIONS, ada.id), registry.watermark))
        registry.tell(Signal(SignalKind.OVERFLOW, Topic(NOTIFICATIONS, ada.id), registry.watermark))
        await answers(socket)
        await socket.close()

    run(scenario)


@on_one_store
def test_of_more_than_a_replay_sends_the_rest_is_to_be_paged_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "REPLAY_LIMIT", 4)
    monkeypatch.setattr(stream_module, "REPLAY_PAGE", 2)
    ada, ben = new_person(), new_person()
    tweets = [post(ada) for _ in range(6)]
    likes(ben, tweets[0])
    work_off_everything()
    start = page(ada)["meta"]["prev_cursor"]
    for tweet in tweets[1:]:
        likes(ben, tweet)
    work_off_everything()

    async def scenario() -> None:
        socket = await opened(ada, after=start)
        frames = [await socket.frame() for _ in range(5)]
        assert [frame["type"] for frame in frames] == ["notification"] * 4 + ["gap"]
        rest = (await housekeeping(page, ada, f"limit=100&since={frames[-1]['after']}"))["data"]
        assert str(tweets[-1]) in {each["tweet"]["id"] for each in rest}
        await socket.close()

    run(scenario)


@on_one_store
def test_that_there_was_more_is_read_once_with_what_there_is() -> None:
    ada, ben = new_person(), new_person()

    async def scenario() -> None:
        frames: list[Any] = []

        async def send(frame: Any) -> None:
            frames.append(frame)

        stream = await housekeeping(stream_module.NotificationsStream, viewer(ada), send)
        await stream.open(None, registry.watermark)
        await stream.begin()
        await housekeeping(likes, ben, await housekeeping(post, ada))
        await housekeeping(work_off_everything)
        topic = Topic(NOTIFICATIONS, ada.id)
        await stream.handle(Signal(SignalKind.SKIPPED, topic, registry.watermark))
        assert len(frames) == 1, "nothing was read for it"
        await stream.handle(Signal(SignalKind.TWEETS, topic, registry.watermark))
        assert len(frames) == 2
        stream.close()

    run(scenario)
