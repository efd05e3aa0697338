"""The home stream of one socket when backends fail and clients fall behind: nothing is skipped."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import follows
from accounts.models import User
from accounts.people import suspending
from fanout.timelines import materialised
from feed.live.registry import registry
from feed.live.streams import home, replaying
from feed.live.streams.home import HomeStream
from feed.live.streams.stream import Signal, SignalKind
from feed.live.told import Frame, encode
from feed.timelines.home import home_page
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.web import walking
from storage.web.paging import PageRequest, decode_cursor
from tests.backends import timeline_redis_down
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.writing.posting import create_tweet, delete_tweet

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]


class Told:
    """A stream, and the frames that its client was sent."""

    def __init__(self, person: User) -> None:
        self.person = person
        self.viewer = viewer(person)
        self.frames: list[dict[str, Any]] = []
        self.stream = HomeStream(self.viewer, self._send)

    def again(self) -> "Told":
        """Another stream of the same person."""
        return Told(self.person)

    async def _send(self, frame: Frame) -> None:
        self.frames.append(json.loads(encode(frame)))

    async def subscribe(self, *, after: int | None, watermark: int) -> None:
        registry.watermark = watermark
        await self.stream.open(after, watermark)
        await self.stream.begin()

    async def tweet(self, tweet_id: int, *, watermark: int) -> None:
        registry.watermark = watermark
        await self.stream.handle(Signal(SignalKind.TWEET, self.stream.topic, watermark, tweet_id))

    def post(self) -> int:
        return create_tweet(author=self.viewer, text="hello").id

    def take(self, kind: str = "tweet") -> list[dict[str, Any]]:
        """The frames since the last time, which are all of this kind."""
        taken, self.frames = self.frames, []
        assert {frame["type"] for frame in taken} <= {kind}
        return taken

    def take_ids(self) -> list[int]:
        return [int(frame["tweet"]["id"]) for frame in self.take()]


@pytest.fixture
def told() -> Iterator[Told]:
    """Told about a timeline that is there; a socket's reader has read a page before, as clients do."""
    told = Told(new_person())
    home_page(told.viewer, PageRequest())
    yield told
    registry.watermark = 0


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def store_down(name: str) -> Any:
    return patch.object(home, name, side_effect=Unavailable("store"))


def test_what_an_outage_kept_back_is_replayed_before_anything_newer(told: Told) -> None:
    start = told.post()
    missed, next_one, last = told.post(), told.post(), told.post()

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=start)
        told.take("subscribed")
        with store_down("hydrate"), pytest.raises(Unavailable):
            await told.tweet(missed, watermark=start)
        await told.tweet(next_one, watermark=next_one - 1)
        assert told.take() == [], "waits, since an older one is missing"
        await told.stream.handle(Signal(SignalKind.RESYNC, watermark=next_one))
        assert told.take_ids() == [missed, next_one, last]

    run(scenario)


def test_a_replay_that_broke_off_goes_on_where_it_was(told: Told) -> None:
    ids = [told.post() for _ in range(5)]

    async def scenario() -> None:
        await told.stream.open(ids[0], ids[-1])
        registry.watermark = ids[-1]
        with store_down("home_page"), pytest.raises(Unavailable):
            await told.stream.begin()
        told.take("subscribed")
        await told.stream.handle(Signal(SignalKind.RESYNC))
        frames = told.take()
        assert [int(frame["tweet"]["id"]) for frame in frames] == ids[1:]
        assert [decode_cursor(frame["cursor"]) for frame in frames] == ids[1:]

    run(scenario)


def test_no_cursor_is_newer_than_the_watermark(told: Told) -> None:
    ids = [told.post() for _ in range(4)]

    async def scenario() -> None:
        await told.subscribe(after=ids[2], watermark=ids[1])
        assert told.frames.pop(0) == {"type": "subscribed", "stream": "home"}
        frames = told.take()
        assert [int(frame["tweet"]["id"]) for frame in frames] == ids[2:], "from the watermark, not from the cursor"
        assert {decode_cursor(frame["cursor"]) for frame in frames} == {ids[1]}
        await told.tweet(ids[3], watermark=ids[2])
        assert [decode_cursor(frame["cursor"]) for frame in told.take()] == [ids[2]]

    run(scenario)


def test_who_missed_more_than_a_replay_holds_is_told_to_page(told: Told) -> None:
    ids = [told.post() for _ in range(7)]

    async def scenario() -> None:
        with patch.object(replaying, "REPLAY_PAGE", 2), patch.object(replaying, "REPLAY_LIMIT", 4):
            await told.subscribe(after=ids[0], watermark=ids[-1])
        gap = told.frames.pop()
        assert [int(frame["tweet"]["id"]) for frame in told.frames[1:]] == ids[1:5]
        assert gap == {"type": "gap", "stream": "home", "after": gap["after"]}
        assert decode_cursor(gap["after"]) == ids[4]

    run(scenario)


def test_who_fell_behind_is_told_to_page_from_what_was_sent(told: Told) -> None:
    first, _dropped, last = told.post(), told.post(), told.post()

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=first - 1)
        told.take("subscribed")
        await told.tweet(first, watermark=first - 1)
        assert told.take_ids() == [first]
        await told.stream.handle(Signal(SignalKind.OVERFLOW))
        [gap] = told.take("gap")
        assert decode_cursor(gap["after"]) == first - 1
        await told.tweet(last, watermark=last - 1)
        assert told.take_ids() == [last]

    run(scenario)


def test_a_tweet_pushed_by_a_stale_list_of_followers_is_not_told(told: Told) -> None:
    """Somebody's whom the reader has left since, or never followed: it does not stand in the timeline."""
    strange, own = Told(new_person()).post(), told.post()

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=strange - 1)
        told.take("subscribed")
        await told.tweet(strange, watermark=strange - 1)
        assert told.take() == []
        await told.tweet(own, watermark=own - 1)
        assert told.take_ids() == [own]

    run(scenario)


def test_a_tweet_for_a_timeline_that_is_not_there_is_told_by_making_it(told: Told) -> None:
    timeline_node().round_trip(materialised.discard_command(told.viewer.id))
    ids = [told.post() for _ in range(2)]

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=ids[0] - 1)
        told.take("subscribed")
        timeline_node().round_trip(materialised.discard_command(told.viewer.id))
        await told.tweet(ids[1], watermark=ids[0] - 1)
        assert told.take_ids() == ids

    run(scenario)


def test_who_subscribes_is_active_and_told_only_what_is_new(told: Told) -> None:
    timeline_node().round_trip(materialised.discard_command(told.viewer.id))
    old, new = told.post(), told.post()

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=old - 1)
        told.take("subscribed")
        await told.tweet(new, watermark=old - 1)
        assert told.take_ids() == [new]

    run(scenario)


def test_who_subscribes_while_redis_is_down_is_subscribed(told: Told) -> None:
    async def scenario() -> None:
        with timeline_redis_down():
            await told.subscribe(after=None, watermark=1)
        told.take("subscribed")

    run(scenario)


def test_a_tweet_that_is_gone_by_now_is_not_told(told: Told) -> None:
    gone = told.post()
    delete_tweet(tweet_id=gone, viewer=told.viewer)

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=gone - 1)
        told.take("subscribed")
        await told.tweet(gone, watermark=gone - 1)
        assert told.take() == []

    run(scenario)


def test_a_replay_in_which_nothing_is_found_in_time_goes_on_where_it_ended(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind more of a suspended author's entries than one page has the time for; each page has one step here."""
    author = new_person()
    follows.follow(told.person.id, author.id)
    start = told.post()
    hidden = [post(author) for _ in range(9)]
    last = told.post()
    work_off_everything()
    home_page(told.viewer, PageRequest())
    suspending.suspend(author, by=new_person(staff=True))
    monkeypatch.setattr(walking, "WALK_SECONDS", 0.0)
    monkeypatch.setattr(replaying, "REPLAY_PAGE", 2)

    async def scenario() -> None:
        await told.subscribe(after=start, watermark=last)
        shown = [frame["tweet"]["id"] for frame in told.frames if frame["type"] == "tweet"]
        assert shown == [str(last)]
        with patch.object(replaying, "REPLAY_LIMIT", 4):
            again = told.again()
            await again.subscribe(after=start, watermark=last)
        [gap] = [frame for frame in again.frames if frame["type"] == "gap"]
        assert decode_cursor(gap["after"]) == hidden[3], "two pages are a replay here; the next one begins there"

    run(scenario)
