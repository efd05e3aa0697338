"""The stream of one tweet: its counts once a second, its replies, and its end for who may not see it any more."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import blocks
from accounts.graph.exclusions import Exclusions
from accounts.models import User
from accounts.people import services
from deploy.valkey import Valkey
from fanout.live.channel import tweet_channel
from feed.live import listener as listener_module
from feed.live import watching
from feed.live.channels import channels
from feed.live.listener import listener
from feed.live.streams import tweet as tweet_stream
from feed.live.streams.stream import Signal, SignalKind
from feed.live.streams.tweet import TweetStream
from feed.live.threads import housekeeping
from feed.live.told import Gap, TweetCame
from feed.live.turns import AT_A_TIME, turns
from feed.live.watching import watched
from storage.errors import Unavailable
from storage.redis.node import timeline_node
from storage.web.paging import decode_cursor
from tests.backends import connected_anew, counted_round_trips
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.tweeting import post, viewer
from tests.outages import server_down
from tests.people import ApiClient, new_person
from tweets.caches import counts
from tweets.stores.port import tweet_store
from tweets.writing import liking
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, unretweet

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)
NOTHING = {"replies": 0, "retweets": 0, "quotes": 0, "likes": 0}


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are looked at ten times a second, and blocks twice; no sweep makes good what was not published."""
    monkeypatch.setattr(listener_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(listener_module, "SIGHT_SECONDS", 0.5)
    monkeypatch.setattr(listener_module, "SWEEP_SECONDS", 600.0)


async def opened(tweet: int, *readers: User, after: str | None = None) -> list[Socket]:
    sockets = [await housekeeping(Socket, reader) for reader in readers]
    for socket in sockets:
        await socket.open(stream=f"tweet:{tweet}", after=after)
    return sockets


async def close(*sockets: Socket) -> None:
    for socket in sockets:
        await socket.close()


async def counts_until(socket: Socket, **expected: int) -> list[dict[str, int]]:
    """The counts that are told, up to those; replies that come in between are passed over."""
    told: list[dict[str, int]] = []
    while not told or told[-1] != NOTHING | expected:
        frame = await socket.frame()
        assert frame["type"] in ("counts", "tweet"), frame
        if frame["type"] == "counts":
            told.append(frame["counts"])
    return told


async def reply_of(socket: Socket) -> dict[str, Any]:
    """The next reply; counts that come in between are passed over."""
    while (frame := await socket.frame())["type"] == "counts":
        continue
    assert frame["type"] == "tweet", frame
    return frame


async def ended(socket: Socket, tweet: int) -> None:
    """The stream ends, and its tweet leaves the screen."""
    while (frame := await socket.frame())["type"] == "counts":
        continue
    assert frame == {"type": "delete", "stream": f"tweet:{tweet}", "id": str(tweet)}


def without_counts(tweet: dict[str, Any]) -> dict[str, Any]:
    """A tweet, without what changes while the others are written."""
    quoted = tweet["quote_of"]
    return tweet | {"counts": None, "quote_of": quoted and without_counts(quoted)}


def read(path: str, reader: User) -> Any:
    return ApiClient(reader).get(f"/api/v1{path}").json()


class TestCounts:
    def test_every_change_is_told_and_is_what_the_tweet_says_then(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)

        def quoted() -> int:
            return post(reader, "quoting", quote_of=tweet)

        def answered() -> int:
            return post(reader, "answering", reply_to=tweet)

        async def scenario() -> None:
            [socket] = await opened(tweet, reader)
            me = await housekeeping(viewer, reader)
            await housekeeping(liking.like, viewer=me, tweet_id=tweet)
            assert (await socket.frame()) == {
                "type": "counts",
                "stream": f"tweet:{tweet}",
                "id": str(tweet),
                "counts": NOTHING | {"likes": 1},
            }
            await housekeeping(retweet, viewer=me, tweet_id=tweet)
            await counts_until(socket, likes=1, retweets=1)
            quote = await housekeeping(quoted)
            await counts_until(socket, likes=1, retweets=1, quotes=1)
            reply = await housekeeping(answered)
            await counts_until(socket, likes=1, retweets=1, quotes=1, replies=1)
            assert (await housekeeping(read, f"/tweets/{tweet}", reader))["data"]["counts"] == {
                "likes": 1,
                "retweets": 1,
                "quotes": 1,
                "replies": 1,
            }
            await housekeeping(liking.unlike, viewer=me, tweet_id=tweet)
            await housekeeping(unretweet, viewer=me, tweet_id=tweet)
            for each in (quote, reply):
                await housekeeping(delete_tweet, tweet_id=each, viewer=me)
            assert (await counts_until(socket))[-1] == NOTHING
            await close(socket)

        run(scenario)

    @on_one_store
    def test_many_changes_are_few_frames_and_one_count_for_all_sockets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "LOOK_SECONDS", 1.0)
        author, people = new_person(), [new_person() for _ in range(12)]
        tweet = post(author)
        counted: list[list[int]] = []
        count = counts.counts_of

        def once(ids: list[int]) -> dict[int, counts.Counts]:
            counted.append(ids)
            return count(ids)

        async def scenario() -> None:
            sockets = await opened(tweet, *people[:3])
            began = time.monotonic()
            with patch.object(counts, "counts_of", once):
                for person in people:
                    await housekeeping(liking.like, viewer=viewer(person), tweet_id=tweet)
                told = [await counts_until(socket, likes=12) for socket in sockets]
            seconds = time.monotonic() - began
            assert all(len(each) <= 2 + seconds for each in told)
            assert len(counted) <= 3 + seconds
            await close(*sockets)

        run(scenario)

    @on_one_store
    def test_nothing_is_told_when_nothing_has_changed(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)
        liking.like(viewer=viewer(reader), tweet_id=tweet)

        async def scenario() -> None:
            [socket] = await opened(tweet, reader)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
            await housekeeping(liking.bookmark, viewer=viewer(reader), tweet_id=tweet)
            assert await socket.is_silent(0.5)
            await housekeeping(liking.unlike, viewer=viewer(reader), tweet_id=tweet)
            assert await counts_until(socket) == [NOTHING]
            await close(socket)

        run(scenario)

    @on_one_store
    def test_large_counts_are_looked_at_until_they_are_counted_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are not changed by what changes them, and may have been counted a moment before."""
        monkeypatch.setattr(counts, "LARGE", 2)
        monkeypatch.setattr(counts, "RECOUNT_LEASE_SECONDS", 1)
        author, people = new_person(), [new_person() for _ in range(3)]
        tweet = post(author)
        for person in people[:2]:
            liking.like(viewer=viewer(person), tweet_id=tweet)

        async def scenario() -> None:
            [socket] = await opened(tweet, author)
            monkeypatch.setattr(counts, "STALE_SECONDS", 0.0)
            await housekeeping(read, f"/tweets/{tweet}", author)
            monkeypatch.setattr(counts, "STALE_SECONDS", 1.0)
            await housekeeping(liking.like, viewer=viewer(people[2]), tweet_id=tweet)
            assert (await counts_until(socket, likes=3))[-1] == NOTHING | {"likes": 3}
            await close(socket)

        run(scenario)

    @on_one_store
    def test_a_retweet_s_are_its_original_s(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)
        retweet(viewer=viewer(reader), tweet_id=tweet)
        [entry] = tweet_store().retweets_of(tweet, reader.id)

        async def scenario() -> None:
            [socket] = await opened(entry, reader)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
            frame = await socket.frame()
            assert (frame["stream"], frame["id"], frame["counts"]["likes"]) == (f"tweet:{entry}", str(tweet), 1)
            reply = await housekeeping(post, author, "an answer", reply_to=tweet)
            assert (await reply_of(socket))["tweet"]["id"] == str(reply)
            await close(socket)

        run(scenario)


class TestReplies:
    def test_they_come_as_each_viewer_may_see_them_and_leave(self) -> None:
        author, answering, blocking = new_person(), new_person(), new_person()
        tweet, other = post(author), post(author)
        blocks.block(blocking.id, answering.id)
        old = post(answering, "from before", reply_to=tweet)

        async def scenario() -> None:
            one, two = await opened(tweet, author, blocking)
            await housekeeping(post, author, "of another tweet", reply_to=other)
            reply = await housekeeping(post, answering, "hidden from one", reply_to=tweet)
            below = await housekeeping(post, answering, "not direct", reply_to=reply)
            last = await housekeeping(post, author, "a quote and an answer", reply_to=tweet, quote_of=reply)
            assert below
            frames = [await reply_of(one), await reply_of(one)]
            assert [frame["tweet"]["id"] for frame in frames] == [str(reply), str(last)]
            page = await housekeeping(read, f"/tweets/{tweet}/replies", author)
            assert [without_counts(frame["tweet"]) for frame in frames] == [
                without_counts(each) for each in page["data"][1::-1]
            ]
            assert (await reply_of(two))["tweet"]["quote_of"] is None
            await housekeeping(delete_tweet, tweet_id=reply, viewer=viewer(answering))
            await housekeeping(delete_tweet, tweet_id=old, viewer=viewer(answering))
            await delivered()
            left = list[str]()
            while len(left) < 2:
                if (frame := await one.frame())["type"] == "delete":
                    left.append(frame["id"])
            assert left == [str(reply), str(old)]
            await close(one, two)

        run(scenario)

    def test_who_resumes_has_what_was_missed_and_the_counts(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)

        async def scenario() -> None:
            [socket] = await opened(tweet, reader)
            first = await housekeeping(post, author, "one", reply_to=tweet)
            cursor = (await reply_of(socket))["cursor"]
            await close(socket)
            page = await housekeeping(read, f"/tweets/{tweet}/replies", reader)
            missed = [await housekeeping(post, author, "more", reply_to=tweet) for _ in range(3)]
            gone = missed.pop(1)
            await housekeeping(delete_tweet, tweet_id=gone, viewer=viewer(author))
            await delivered()
            for after in (cursor, page["meta"]["prev_cursor"]):
                [again] = await opened(tweet, reader, after=after)
                frames = [await again.frame() for _ in range(5)]
                assert [int(frame["tweet"]["id"]) for frame in frames[:3]] == [first, *missed]
                assert frames[3] == {"type": "delete", "stream": f"tweet:{tweet}", "id": str(gone)}
                assert frames[4]["counts"] == NOTHING | {"replies": 3}
                await close(again)

        run(scenario)

    @on_one_store
    def test_a_reply_that_nobody_was_told_of_is_found_and_below_every_cursor(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its writer was gone between store and Redis."""
        monkeypatch.setattr(listener_module, "SWEEP_SECONDS", 0.2)
        author = new_person()
        tweet = post(author)

        async def scenario() -> None:
            [socket] = await opened(tweet, author)
            with patch("tweets.writing.posting.tell"):
                untold = await housekeeping(post, author, "untold", reply_to=tweet)
            told = await housekeeping(post, author, "told", reply_to=tweet)
            frame = await reply_of(socket)
            assert frame["tweet"]["id"] == str(told)
            [again] = await opened(tweet, author, after=frame["cursor"])
            replayed = [await reply_of(again) for _ in range(2)]
            assert [each["tweet"]["id"] for each in replayed] == [str(untold), str(told)]
            assert all(decode_cursor(each["cursor"]) < untold for each in (frame, *replayed))
            with patch.object(watching, "settled_place", lambda: told + 1):
                assert (await reply_of(socket))["tweet"]["id"] == str(untold)
                await until(lambda: watched._watches[tweet].place > told)
            await close(socket, again)

        run(scenario)


class TestTheEnd:
    def test_of_a_tweet_that_is_deleted_and_of_authors_who_are_suspended_or_blocked(self) -> None:
        author, reader, blocked, staff = (new_person() for _ in range(4))
        staff.is_staff = True
        staff.save()
        one, two = post(author), post(author)

        async def scenario() -> None:
            sockets = await opened(one, author, reader)
            await housekeeping(delete_tweet, tweet_id=one, viewer=viewer(author))
            await delivered()
            for socket in sockets:
                await ended(socket, one)
            assert one not in watched.ids
            await sockets[1].say(type="subscribe", stream=f"tweet:{one}")
            assert (await sockets[1].frame())["code"] == "not_found"
            await sockets[1].subscribe(f"tweet:{two}")
            [other] = await opened(two, blocked)
            await housekeeping(blocks.block, author.id, blocked.id)
            await ended(other, two)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=two)
            await counts_until(sockets[1], likes=1)
            assert await other.is_silent(0.2)
            [sees] = await opened(two, staff)
            await housekeeping(services.suspend, author, by=await housekeeping(operator))
            await ended(sockets[1], two)
            await sees.say(type="ping")
            assert (await sees.frame()) == {"type": "pong"}, "staff see suspended people's"
            await close(sockets[1], other, sees)

        run(scenario)

    @on_one_store
    @pytest.mark.parametrize("what", ["a reply", "counts"])
    def test_nothing_is_told_after_a_block_however_soon(self, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "SIGHT_SECONDS", 60.0)
        author, readers = new_person(), [new_person(), new_person()]
        tweet = post(author)

        async def scenario() -> None:
            sockets = await opened(tweet, *readers)
            for reader in readers:
                await housekeeping(blocks.block, reader.id, author.id)
            if what == "counts":
                await housekeeping(liking.like, viewer=viewer(author), tweet_id=tweet)
            else:
                await housekeeping(post, author, "an answer", reply_to=tweet)
            for socket in sockets:
                assert await socket.frame() == {"type": "delete", "stream": f"tweet:{tweet}", "id": str(tweet)}
            assert await sockets[0].is_silent(0.3)
            await close(*sockets)

        run(scenario)


@on_one_store
class TestRefusals:
    def test_in_the_words_of_rest(self) -> None:
        author, reader = new_person(), new_person()
        hidden = post(author)
        blocks.block(author.id, reader.id)
        names = {str(hidden): 404, "7": 404, "07": 400, "x": 400, "": 400, "9" * 30: 400}

        async def scenario() -> None:
            socket = await housekeeping(Socket, reader)
            await socket.sign_in()
            for name, status in names.items():
                await socket.say(type="subscribe", stream=f"tweet:{name}")
                frame = await socket.frame()
                problem = await housekeeping(read, f"/tweets/{name or 'x'}", reader)
                assert frame == {"type": "error", "code": problem["code"], "detail": problem["detail"]}
                assert problem["status"] == status
            await socket.say(type="subscribe", stream="public" * 700)
            assert (await socket.closed()) == 4400

        run(scenario)

    def test_of_more_subscriptions_than_a_socket_may_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("feed.live.subscriptions.MOST_STREAMS", 3)
        author = new_person()
        ids = [post(author) for _ in range(3)]

        async def scenario() -> None:
            [socket] = await opened(ids[0], author)
            await socket.subscribe(f"tweet:{ids[1]}")
            await socket.say(type="subscribe", stream="tweet:7")
            assert (await socket.frame())["code"] == "not_found"
            await socket.subscribe("public")
            await socket.say(type="subscribe", stream=f"tweet:{ids[2]}")
            refused = await socket.frame()
            assert (refused["type"], refused["code"]) == ("error", "too_many_subscriptions")
            await socket.subscribe("public")
            await socket.say(type="unsubscribe", stream="public")
            await socket.subscribe(f"tweet:{ids[2]}")
            await close(socket)

        run(scenario)


@on_one_store
class TestCosts:
    def test_writing_makes_no_round_trip_more_and_no_command(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)
        me = viewer(reader)
        acts: list[tuple[Callable[[], object], int, int]] = [
            (lambda: liking.like(viewer=me, tweet_id=tweet), 4, 5),
            (lambda: liking.unlike(viewer=me, tweet_id=tweet), 2, 3),
            (lambda: post(author), 1, 4),
            (lambda: post(author, reply_to=tweet), 3, 7),
        ]
        for act, _, _ in acts:
            act()
        for act, trips, commands in acts:
            with counted_round_trips() as made:
                act()
            assert [len(made), sum(map(len, made))] == [trips, commands], made
            assert not [command for trip in made for command in trip if command[0] == "PUBLISH"], "a script does it"

    def test_whether_viewers_may_still_see_is_one_round_trip_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "SIGHT_SECONDS", 600.0)
        monkeypatch.setattr(watching, "REFRESHED", 1)
        author, readers = new_person(), [new_person() for _ in range(3)]
        tweets = [post(author), post(author)]

        async def scenario() -> None:
            sockets = [socket for tweet in tweets for socket in await opened(tweet, *readers)]
            with counted_round_trips() as made:
                await watched.look_at_viewers()
            asked = [trip for trip in made if any("exclusions" in str(command) for command in trip)]
            assert [len(trip) for trip in asked] == [3]
            await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
            with patch.object(watching, "refreshed", return_value=Exclusions()) as refreshed:
                await watched.look_at_viewers()
            assert refreshed.call_count == 1, "the others' turn comes"
            await close(*sockets)

        run(scenario)

    def test_a_tweet_is_heard_of_while_it_is_watched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("feed.live.channels.KEPT_SECONDS", 0.0)
        monkeypatch.setattr(listener_module, "KEPT_SECONDS", 0.05)
        author = new_person()
        tweet = post(author)
        name = tweet_channel(tweet)

        def listeners() -> int:
            [[_, count]] = timeline_node().round_trip(("PUBSUB", "NUMSUB", name))
            return int(count)

        async def scenario() -> None:
            sockets = await opened(tweet, author, author)
            assert await housekeeping(listeners) == 1
            await sockets[0].close()
            await housekeeping(liking.like, viewer=viewer(author), tweet_id=tweet)
            await counts_until(sockets[1], likes=1)
            await sockets[1].close()
            while await housekeeping(listeners):
                await asyncio.sleep(0.05)
            assert tweet not in watched.ids

        run(scenario)


@on_one_store
def test_a_stream_that_waits_for_its_turn_to_be_read_keeps_its_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feed.live.channels.KEPT_SECONDS", 0.0)
    monkeypatch.setattr(listener_module, "KEPT_SECONDS", 0.05)
    author = new_person()
    tweet = post(author)

    async def scenario() -> None:
        socket, others_are_read = await housekeeping(Socket, author), asyncio.Event()
        replays = [asyncio.create_task(turns.take(-number, others_are_read.wait)) for number in range(AT_A_TIME)]
        await socket.sign_in()
        await socket.say(type="subscribe", stream=f"tweet:{tweet}")
        await until(lambda: tweet_channel(tweet) in channels.wanted)
        assert await socket.is_silent(0.5)
        others_are_read.set()
        await asyncio.gather(*replays)
        assert (await socket.frame())["type"] == "subscribed"
        await housekeeping(liking.like, viewer=viewer(author), tweet_id=tweet)
        async with asyncio.timeout(10):
            await counts_until(socket, likes=1)
        await close(socket)

    run(scenario)


@on_one_store
@pytest.mark.parametrize("kind", [SignalKind.RESYNC, SignalKind.OVERFLOW])
def test_what_was_dropped_before_an_outage_is_below_every_cursor_behind_it(kind: SignalKind) -> None:
    author, reader = new_person(), new_person()
    tweet = post(author)
    told: list[Any] = []

    async def send(frame: Any) -> None:
        told.append(frame)

    async def scenario() -> None:
        listener.start()
        stream = TweetStream(await housekeeping(viewer, reader), send, tweet)
        await stream.open(None, 0)
        await stream.begin()
        dropped, later = [await housekeeping(post, author, "an answer", reply_to=tweet) for _ in range(2)]
        with patch.object(tweet_stream, "tweet_out", side_effect=Unavailable("store")), pytest.raises(Unavailable):
            await stream.handle(Signal(kind))
        await stream.handle(Signal(SignalKind.TWEETS, stream.topic, later, entries=(later,)))
        await stream.handle(Signal(SignalKind.RESYNC))
        found = [int(frame.tweet.id) for frame in told if isinstance(frame, TweetCame)]
        if kind is SignalKind.RESYNC:
            assert found == [dropped, later]
        else:
            [gap] = [frame for frame in told if isinstance(frame, Gap)]
            assert decode_cursor(gap.after) < dropped
        stream.close()

    run(scenario)


@pytest.fixture
def _impatient() -> Iterator[None]:
    with connected_anew(timeline_node(), timeout_seconds=1.0):
        yield


@on_one_store
@pytest.mark.usefixtures("_impatient", "deferred_writes_run")
@pytest.mark.parametrize("how", ["dead", "flushed"])
def test_behind_an_outage_or_a_flush_counts_are_right_and_no_reply_is_missing(timeline_redis: Valkey, how: str) -> None:
    author, reader = new_person(), new_person()
    tweet = post(author)

    async def scenario() -> None:
        [socket] = await opened(tweet, reader)
        before = await housekeeping(post, author, "before", reply_to=tweet)
        assert (await reply_of(socket))["tweet"]["id"] == str(before)
        await counts_until(socket, replies=1)
        if how == "dead":
            with server_down(timeline_redis, "dead"):
                during = await housekeeping(post, author, "during", reply_to=tweet)
                await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
                await until(lambda: not listener._subscribed.is_set())
        else:
            await housekeeping(timeline_node().round_trip, ("FLUSHALL",))
            during = await housekeeping(post, author, "during", reply_to=tweet)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
        told, found = dict[str, int](), set[str]()
        while str(during) not in found or told != NOTHING | {"replies": 2, "likes": 1}:
            frame = await socket.frame()
            if frame["type"] == "counts":
                told = frame["counts"]
            elif frame["type"] == "tweet":
                found.add(frame["tweet"]["id"])
        await housekeeping(liking.unlike, viewer=viewer(reader), tweet_id=tweet)
        await counts_until(socket, replies=2)
        await close(socket)

    run(scenario)
