"""What a tweet brings to many sockets of a process is read together, and each is told what they alone would be."""

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import blocks, exclusions, follows
from accounts.models import User
from fanout.timelines import materialised, standing
from feed.live import arrivals, sharing
from feed.live.streams import home as home_stream
from feed.live.threads import housekeeping
from feed.timelines.home import InHome, stands_in_home
from feed.timelines.standing import everyday, seen_at_home
from storage.errors import Unavailable
from storage.redis.node import RedisNode, timeline_node
from storage.redis.reads import Command
from storage.redis.shards import by_shard
from tests.backends import counted_round_trips
from tests.integration.feed.sockets import Socket, WiredSocket, delivered
from tests.integration.pulling import a_celebrity
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.reading import viewing
from tweets.reading.hydration import hydrate
from tweets.reading.many_viewers import seen_by, shared
from tweets.writing import liking
from tweets.writing.retweeting import retweet

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]


@pytest.fixture(autouse=True)
def clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests are younger than clocks may differ."""
    monkeypatch.setattr(viewing, "SKEW_US", 0)
    monkeypatch.setattr(viewing, "CLOCK_SKEW", 0)


@pytest.fixture(params=[Socket, WiredSocket], ids=["by pumps", "at once"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the server offers to write at once: each is told the same."""
    monkeypatch.setattr(sys.modules[__name__], "Socket", request.param)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def followers_of(author: User, count: int) -> list[User]:
    readers = [new_person() for _ in range(count)]
    for reader in readers:
        follows.follow(reader.id, author.id)
    work_off_everything()
    return readers


async def opened(readers: Sequence[User], author: User) -> list[Socket]:
    """Sockets that have been told a tweet, so that all caches are warm."""
    sockets = [await housekeeping(Socket, reader) for reader in readers]
    for socket in sockets:
        await socket.open()
    first = await told(author)
    for socket in sockets:
        await socket.until(first)
    return sockets


async def told(author: User) -> int:
    tweet = await housekeeping(post, author)
    await delivered()
    return tweet


@contextmanager
def trips_for_frames() -> Iterator[list[tuple[Command, ...]]]:
    """The round trips of the threads that read for frames."""
    trips: list[tuple[Command, ...]] = []
    original = RedisNode.round_trip

    def counted(self: RedisNode, *commands: Command) -> list[Any]:
        if commands and threading.current_thread().name.startswith("live-pages"):
            trips.append(commands)
        return original(self, *commands)

    with patch.object(RedisNode, "round_trip", counted):
        yield trips


def named(trips: Sequence[Sequence[Command]], what: str) -> list[Command]:
    return [command for trip in trips for command in trip if what in str(command)]


@pytest.mark.parametrize("count", [4, 50])
def test_a_tweet_costs_as_many_round_trips_for_fifty_sockets_as_for_four(count: int) -> None:
    author = new_person()
    readers = followers_of(author, count)
    loaded: list[tuple[int, ...]] = []

    def counted(ids: tuple[int, ...]) -> Any:
        loaded.append(ids)
        return shared(ids)

    async def scenario() -> None:
        sockets = await opened(readers, author)
        with patch.object(sharing, "shared", counted), trips_for_frames() as trips:
            tweet = await told(author)
            frames = [await socket.frame() for socket in sockets]
        assert {frame["tweet"]["id"] for frame in frames} == {str(tweet)}
        assert loaded == [(tweet,)]
        shards = len(by_shard(reader.id for reader in readers))
        assert len(trips) <= 1 + shards, "one for the tweet, and one for each message at most"
        assert len(named(trips, "exclusions")) <= shards
        assert not named(trips, "HMGET"), "nobody has changed a mark since it was posted"
        for socket in sockets:
            await socket.close()

    run(scenario)


def test_each_is_shown_their_own_flags_and_nobody_whom_they_must_not_see() -> None:
    author, friend = new_person(), new_person()
    _plain, likes, mutes_author, blocks_author, unfollows = readers = followers_of(author, 5)
    for reader in readers:
        follows.follow(reader.id, friend.id)
    work_off_everything()

    def act(tweet: int) -> None:
        liking.like(tweet_id=tweet, viewer=viewer(likes))

    def turn_away(tweet: int) -> None:
        blocks.mute(mutes_author.id, author.id)
        blocks.block(blocks_author.id, author.id)
        follows.unfollow(unfollows.id, author.id)
        retweet(tweet_id=tweet, viewer=viewer(friend))

    async def scenario() -> None:
        sockets = await opened(readers, author)
        tweet = await housekeeping(post, author)
        await housekeeping(act, tweet)
        await delivered()
        flags = [(await socket.frame())["tweet"]["viewer"]["liked"] for socket in sockets]
        assert flags == [False, True, False, False, False]
        await housekeeping(turn_away, tweet)
        await delivered()
        last = await told(friend)
        heard = [await socket.heard(last) for socket in sockets]
        assert [len(each) for each in heard] == [1, 1, 0, 0, 1], "a retweet of somebody hidden is shown to nobody"
        for socket in sockets:
            await socket.close()

    run(scenario)


def test_who_is_cold_among_others_reads_the_page_and_who_is_in_no_cache_is_asked_alone() -> None:
    author = new_person()
    readers = followers_of(author, 6)
    cold, uncached = readers[0], readers[1]

    async def scenario() -> None:
        sockets = await opened(readers, author)
        await housekeeping(timeline_node().round_trip, materialised.discard_command(cold.id))
        await housekeeping(timeline_node().round_trip, ("DEL", exclusions.exclusions_key(uncached.id)))
        with patch.object(home_stream, "hydrate", wraps=hydrate) as alone:
            tweet = await told(author)
            came = [await socket.until(tweet) for socket in sockets]
        assert [len(each) for each in came] == [2, 1, 1, 1, 1, 1], "who catches up has what was not settled once more"
        assert [call.kwargs["viewer"].id for call in alone.call_args_list] == [uncached.id]
        for socket in sockets:
            await socket.close()

    run(scenario)


def test_one_that_reads_nothing_holds_up_nobody() -> None:
    author = new_person()
    readers = followers_of(author, 4)

    async def scenario() -> None:
        stalled, *others = await opened(readers, author)
        stalled._communicator.output_queue._maxsize = 1
        tweets = [await told(author) for _ in range(3)]
        for socket in others:
            assert [int((await socket.frame())["tweet"]["id"]) for _ in tweets] == tweets
        assert stalled._communicator.output_queue.qsize() == 1
        stalled._communicator.output_queue._maxsize = 0
        assert [int((await stalled.frame())["tweet"]["id"]) for _ in tweets] == tweets
        for socket in [stalled, *others]:
            await socket.close()

    run(scenario)


def test_a_look_that_fails_makes_each_catch_up() -> None:
    author = new_person()
    readers = followers_of(author, 3)

    async def scenario() -> None:
        sockets = await opened(readers, author)
        with patch.object(arrivals, "seen_at_home", side_effect=Unavailable("redis_timelines")):
            tweet = await told(author)
            assert [(await socket.frame())["type"] for socket in sockets] == ["error"] * 3
        for socket in sockets:
            assert (await socket.until(tweet))[-1] == tweet
            await socket.close()

    run(scenario)


def test_looks_are_bounded_and_what_is_asked_later_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "TOGETHER", 2)
    author = new_person()
    readers = followers_of(author, 5)
    tweet = post(author)
    asked: list[list[int]] = []

    def look(reader_ids: list[int], *_args: Any) -> dict[int, Any]:
        asked.append(reader_ids)
        return dict.fromkeys(reader_ids, ())

    async def scenario() -> None:
        looking = arrivals.Arrivals()
        with patch.object(arrivals, "seen_at_home", look):
            await asyncio.gather(*(looking.seen_by(viewer(each), tweet) for each in readers))
            await looking.seen_by(viewer(readers[0]), tweet)
        assert sorted(map(len, asked)) == [1, 1, 2, 2]

    run(scenario)


def test_who_is_not_cached_is_asked_of_once() -> None:
    """Beside what is read of all together: two round trips around reading the store."""
    author, reader = new_person(), new_person()
    tweets = shared([post(author)])
    seen_by([viewer(reader)], tweets)
    timeline_node().round_trip(("DEL", exclusions.exclusions_key(reader.id)))
    costs = []
    for _ in range(2):
        with counted_round_trips() as trips:
            [seen] = seen_by([viewer(reader)], tweets).values()
        assert [each.author.id for each in seen] == [str(author.id)]
        costs.append(len(trips))
    assert costs[0] - costs[1] == 2, "cold, then warm"


def test_together_they_are_told_what_each_is_told_alone() -> None:
    """Warm, cold, pulled, and of readers who do not have it at all."""
    pulled = a_celebrity()
    readers = followers_of(pulled, 3)
    stranger, cold = new_person(), readers[0]
    for reader in (*readers, stranger):
        home(reader)
    tweet, later = post(pulled), post(pulled)
    ids = [reader.id for reader in (*readers, stranger)]

    def both() -> tuple[dict[int, Any], dict[int, InHome]]:
        seen = seen_at_home(ids, tweet, shared([tweet]))
        return seen, {each: stands_in_home(each, tweet) for each in ids}

    together, alone = both()
    assert set(alone.values()) == {InHome.MISSING}
    assert not any(together.values())
    work_off_everything()
    home(readers[1])
    timeline_node().round_trip(materialised.discard_command(cold.id))
    together, alone = both()
    assert alone == {
        cold.id: InHome.UNKNOWN,
        readers[1].id: InHome.STANDS,
        readers[2].id: InHome.STANDS,
        stranger.id: InHome.MISSING,
    }
    assert together[cold.id] is InHome.UNKNOWN
    assert together[stranger.id] == ()
    shown = [[each.id for each in together[reader.id]] for reader in readers[1:]]
    assert shown == [[str(tweet)]] * 2
    assert later > tweet
    [found] = timeline_node().ask(standing.read(ids, tweet, pulled.id, everyday([tweet])))
    assert sorted(each for some in found.merging.values() for each in some) == sorted(r.id for r in readers[1:])
