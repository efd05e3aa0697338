"""The live feed through real sockets: `/ws/feed` of the running product."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from deploy.supervisor.processes import wait_until
from tests.e2e.conftest import Person, Server

pytestmark = pytest.mark.e2e

FRAME_SECONDS = 60.0
"""How long the next frame may take: fan-out by a worker is on the way."""
on_one_store = pytest.mark.parametrize("server", ["embedded"], indirect=True)
"""For what happens before any store is asked."""

Frame = dict[str, Any]


class Live:
    """One socket, and what it says."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, kind: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": kind, **fields}))

    def next(self, seconds: float = FRAME_SECONDS) -> Frame:
        frame: Frame = json.loads(self.connection.recv(timeout=seconds))
        return frame

    def ready(self) -> "Live":
        assert self.next() == {"type": "ready"}
        return self

    def subscribe(self, after: str | None = None) -> "Live":
        self.send("subscribe", stream="home", **({} if after is None else {"after": after}))
        assert self.next() == {"type": "subscribed", "stream": "home"}
        return self

    def tweets(self, count: int) -> list[Frame]:
        frames = [self.next() for _ in range(count)]
        assert [(frame["type"], frame["stream"]) for frame in frames] == [("tweet", "home")] * count
        return frames

    def ids(self, count: int) -> list[str]:
        return [frame["tweet"]["id"] for frame in self.tweets(count)]

    def frames_until(self, tweet_id: str) -> list[Frame]:
        """The tweets that come, up to and with this one."""
        frames = self.tweets(1)
        while frames[-1]["tweet"]["id"] != tweet_id:
            frames += self.tweets(1)
        return frames

    def until(self, tweet_id: str) -> list[str]:
        """Their ids, each once, as a client has them that drops what it has seen."""
        return list(dict.fromkeys(frame["tweet"]["id"] for frame in self.frames_until(tweet_id)))

    def has_nothing_more(self) -> bool:
        """Whether what it says next is the answer to a ping of now."""
        self.send("ping")
        return self.next() == {"type": "pong"}

    def close_code(self, seconds: float = FRAME_SECONDS) -> int:
        """The code that it is closed with, whatever is said before."""
        deadline = time.monotonic() + seconds
        with suppress(ConnectionClosed):
            while True:
                self.connection.recv(timeout=deadline - time.monotonic())
        code = self.connection.close_code
        assert code is not None
        return code


Opener = Callable[..., Live]


@pytest.fixture
def opened(server: Server) -> Iterator[Opener]:
    """Opens sockets; closes what a test left open."""
    address = f"ws://{urlsplit(server.url).netloc}/ws/feed"

    def open_one(
        token: str | None = None, *, protocols: list[str] | None = None, origin: str | None = None, **options: Any
    ) -> Live:
        connecting = connect(
            options.pop("address", address),
            additional_headers=None if token is None else {"Authorization": f"Bearer {token}"},
            subprotocols=[Subprotocol(each) for each in protocols] if protocols is not None else None,
            origin=Origin(origin) if origin is not None else None,
            **options,
        )
        return Live(connections.enter_context(connecting))

    with ExitStack() as connections:
        yield open_one


def follower_of(server: Server, *authors: Person) -> Person:
    reader = server.sign_up()
    for author in authors:
        reader.follow(author)
    return reader


@on_one_store
class TestWhoIsThere:
    def test_a_token_in_the_header(self, server: Server, opened: Opener) -> None:
        assert opened(server.sign_up().token).ready().has_nothing_more()

    def test_a_token_among_the_subprotocols_as_browsers_send_it(self, server: Server, opened: Opener) -> None:
        token = server.sign_up().token
        live = opened(protocols=["feed.v1", "bearer", token]).ready()
        assert live.connection.subprotocol == "feed.v1"
        assert opened(protocols=["bearer", token]).ready().connection.subprotocol == "bearer"

    def test_a_token_in_the_first_frame(self, server: Server, opened: Opener) -> None:
        live = opened(protocols=["feed.v1"])
        live.send("auth", token=server.sign_up().token)
        assert live.ready().has_nothing_more()

    @pytest.mark.parametrize("token", ["", "nonsense", f"1.{'0' * 64}", "ü"])
    def test_a_token_that_is_nobodys(self, opened: Opener, token: str) -> None:
        live = opened()
        live.send("auth", token=token)
        assert live.close_code() == 4401

    def test_a_bad_token_in_the_header_or_among_the_subprotocols(self, opened: Opener) -> None:
        assert opened("nonsense").close_code() == 4401
        assert opened(protocols=["bearer", "nonsense"]).close_code() == 4401
        assert opened(protocols=["feed.v1", "bearer"]).close_code() == 4401

    def test_a_token_in_the_address_is_not_looked_at(self, server: Server, opened: Opener) -> None:
        address = f"ws://{urlsplit(server.url).netloc}/ws/feed?token={server.sign_up().token}"
        live = opened(address=address)
        live.send("ping")
        assert live.close_code() == 4401

    @pytest.mark.parametrize("kind", ["ping", "subscribe", "unsubscribe", "nonsense"])
    def test_nothing_is_answered_before_signing_in(self, opened: Opener, kind: str) -> None:
        live = opened()
        live.send(kind, stream="home")
        assert live.close_code() == 4401

    def test_saying_nothing_for_five_seconds(self, opened: Opener) -> None:
        begun = time.monotonic()
        assert opened().close_code() == 4408
        assert time.monotonic() - begun >= 5

    def test_an_origin_must_be_allowed(self, server: Server, opened: Opener) -> None:
        token = server.sign_up().token
        for foreign in ("https://evil.example", "null", "http://[", f"{server.url}.evil.example", "http://"):
            assert opened(token, origin=foreign).close_code() == 4403
        assert opened(token, origin=server.url).ready().has_nothing_more()

    def test_no_other_address_answers(self, server: Server, opened: Opener) -> None:
        for path in ("/", "/ws/feed/", "/ws/other"):
            with pytest.raises(InvalidStatus) as refused:
                opened(server.sign_up().token, address=f"ws://{urlsplit(server.url).netloc}{path}")
            assert refused.value.response.status_code == 403


@on_one_store
class TestFrames:
    @pytest.mark.parametrize(
        "frame",
        [
            "",
            "{",
            "null",
            "[]",
            '"ping"',
            "{}",
            '{"type": 1}',
            '{"type": "nonsense"}',
            '{"type": "auth", "token": "again"}',
            '{"type": "subscribe", "stream": null}',
            '{"type": "subscribe", "stream": "home", "after": 7}',
            '{"type": "\\ud800"}',
            pytest.param('{"type": "ping", "more": ' + "[" * 4_000, id="nested"),
            pytest.param('{"type": "ping", "more": "' + "x" * 4_096 + '"}', id="oversized"),
            b'{"type": "ping"}',
        ],
    )
    def test_what_is_no_frame_ends_the_socket(self, server: Server, opened: Opener, frame: str | bytes) -> None:
        live = opened(server.sign_up().token).ready()
        live.connection.send(frame)
        assert live.close_code() == 4400

    def test_fields_from_the_future_do_no_harm(self, server: Server, opened: Opener) -> None:
        live = opened(server.sign_up().token).ready()
        live.send("ping", colour="blue")
        assert live.next() == {"type": "pong"}

    @pytest.mark.parametrize("kind", ["subscribe", "unsubscribe"])
    def test_an_unknown_stream_is_an_error_and_no_more(self, server: Server, opened: Opener, kind: str) -> None:
        live = opened(server.sign_up().token).ready()
        live.send(kind, stream="weather")
        error = live.next()
        assert (error["type"], error["code"]) == ("error", "unknown_stream")
        assert live.has_nothing_more()

    @pytest.mark.parametrize("cursor", ["", "nonsense", "7265412345678901248", "AAAAAAAAAAE.forged", "ü" * 50])
    def test_a_bad_cursor_is_an_error_and_subscribes_to_nothing(
        self, server: Server, opened: Opener, cursor: str
    ) -> None:
        person = server.sign_up()
        live = opened(person.token).ready()
        live.send("subscribe", stream="home", after=cursor)
        error = live.next()
        assert (error["type"], error["code"]) == ("error", "bad_cursor")
        watching = opened(person.token).ready().subscribe()
        watching.until(person.post("hello"))
        assert live.has_nothing_more()

    def test_too_many_frames(self, server: Server, opened: Opener) -> None:
        live = opened(server.sign_up().token).ready()
        for _ in range(100):
            live.send("ping")
        assert [live.next() for _ in range(100)] == [{"type": "pong"}] * 100
        live.send("ping")
        assert live.close_code() == 4429

    def test_too_many_sockets_of_one_person(self, server: Server, opened: Opener) -> None:
        token = server.sign_up().token
        sockets = [opened(token).ready() for _ in range(20)]
        assert opened(token).close_code() == 4429
        sockets[0].connection.close()
        assert all(live.has_nothing_more() for live in sockets[1:])
        assert opened(token).ready().has_nothing_more()


class TestNews:
    def test_new_tweets_come_as_they_arrive_and_whole(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        live = opened(reader.token).ready().subscribe()
        frames = []
        for number in range(3):
            tweet = author.post(f"number {number} #live")
            frames += live.tweets(1)
            assert frames[-1]["tweet"]["id"] == tweet
        rest = reader.home(limit=3)["data"]
        assert [frame["tweet"] for frame in frames] == rest[::-1]
        assert set(frames[0]) == {"type", "stream", "cursor", "tweet"}
        assert live.has_nothing_more()

    def test_ones_own_tweets_come_too(self, server: Server, opened: Opener) -> None:
        person = server.sign_up()
        live = opened(person.token).ready().subscribe()
        assert [person.post("my own")] == live.ids(1)
        assert live.has_nothing_more()

    def test_only_what_belongs_into_the_timeline_comes(self, server: Server, opened: Opener) -> None:
        author, stranger = server.sign_up(), server.sign_up()
        reader = follower_of(server, author)
        live = opened(reader.token).ready().subscribe()
        strange = stranger.post("unfollowed")
        author.post("a reply to somebody else", reply_to=strange)
        assert [author.post("the next in the timeline")] == live.ids(1)

    def test_deleting_is_told(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        live = opened(follower_of(server, author).token).ready().subscribe()
        gone = author.post("a slip")
        assert live.ids(1) == [gone]
        author.delete(gone)
        assert live.next() == {"type": "delete", "stream": "home", "id": gone}

    def test_two_sockets_of_one_person_both_get_everything(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        sockets = [opened(reader.token).ready().subscribe() for _ in range(2)]
        ids = {author.post(f"number {number}") for number in range(3)}
        assert [set(live.ids(3)) for live in sockets] == [ids, ids]

    def test_unsubscribing_stops_the_stream_and_subscribing_starts_it_anew(
        self, server: Server, opened: Opener
    ) -> None:
        person = server.sign_up()
        live, watching = opened(person.token).ready().subscribe(), opened(person.token).ready().subscribe()
        live.send("subscribe", stream="home")
        live.send("unsubscribe", stream="home")
        assert live.next() == {"type": "subscribed", "stream": "home"}
        assert live.has_nothing_more()
        watching.until(person.post("while nobody listens"))
        assert live.has_nothing_more()
        live.subscribe()
        assert [person.post("while somebody listens")] == live.ids(1)

    def test_someone_who_does_not_read_stops_nobody(self, server: Server, opened: Opener) -> None:
        """Some 30 MB wait for a client that takes none of it."""
        author = server.sign_up()
        live = opened(author.token).ready().subscribe()
        start = cursor_of(author, author.post("the first"))
        for number in range(20):
            live.until(author.post(f"number {number} " + "filler " * 35))
        stuck = opened(author.token, sock=small_socket(server), max_queue=1, close_timeout=0.5).ready()
        for _ in range(95):
            stuck.send("subscribe", stream="home", after=start)
        tweet = author.post("the next")
        assert live.ids(1) == [tweet]
        assert live.has_nothing_more()


def small_socket(server: Server) -> socket.socket:
    """A connected socket that buffers next to nothing."""
    parts = urlsplit(server.url)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.connect((parts.hostname, parts.port))
    return raw


class TestResuming:
    def test_from_a_frame_s_cursor_nothing_is_skipped(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        live = opened(reader.token).ready().subscribe()
        seen = [author.post("seen")]
        [frame] = live.tweets(1)
        live.connection.close()
        missed = [author.post(f"missed {number}") for number in range(3)]
        cursor_of(reader, *missed)
        again = opened(reader.token).ready().subscribe(after=frame["cursor"])
        now = author.post("live again")
        assert [each for each in again.until(now) if each not in seen] == [*missed, now]

    def test_from_the_first_page_s_prev_cursor_oldest_first(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        before = [author.post(f"before {number}") for number in range(3)]
        cursor = cursor_of(reader, *before)
        missed = [author.post(f"missed {number}") for number in range(3)]
        cursor_of(reader, *missed)
        replayed = opened(reader.token).ready().subscribe(after=cursor).until(missed[-1])
        assert replayed == [each for each in before if each in replayed] + missed

    def test_more_than_a_page_is_replayed_whole(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        first = author.post("the first")
        cursor = cursor_of(author, first)
        ids = [author.post(f"number {number}") for number in range(230)]
        replayed = opened(author.token).ready().subscribe(after=cursor).until(ids[-1])
        assert replayed == [first] * (first in replayed) + ids

    def test_every_cursor_of_a_replay_skips_nothing(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        first = author.post("the first")
        cursor = cursor_of(author, first)
        ids = [author.post(f"number {number}") for number in range(5)]
        frames = opened(author.token).ready().subscribe(after=cursor).frames_until(ids[-1])
        for frame in frames:
            later = [each for each in ids if int(each) > int(frame["tweet"]["id"])]
            again = opened(author.token).ready().subscribe(after=frame["cursor"])
            assert [each for each in again.until(author.post("now")) if each in later] == later

    def test_what_was_deleted_meanwhile_is_not_replayed(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        kept = author.post("kept")
        cursor = cursor_of(author, kept)
        gone, last = author.post("gone"), author.post("last")
        author.delete(gone)
        assert gone not in opened(author.token).ready().subscribe(after=cursor).until(last)


def cursor_of(reader: Person, *tweets: str) -> str:
    """The cursor above the reader's first page, once the tweets are on it."""

    def have_come() -> bool:
        return {*tweets} <= {tweet["id"] for tweet in reader.home()["data"]}

    assert wait_until(have_come, seconds=FRAME_SECONDS)
    cursor = reader.home()["meta"]["prev_cursor"]
    assert isinstance(cursor, str)
    return cursor


class TestTheEnd:
    def test_signing_out_closes_the_socket(self, server: Server, opened: Opener) -> None:
        person = server.sign_up()
        live = opened(person.token).ready().subscribe()
        other = opened(server.sign_up().token).ready()
        assert person.client.delete("/auth/token").status_code == 204
        assert live.close_code(seconds=20) == 4401
        assert other.has_nothing_more()

    @on_one_store
    def test_suspending_closes_the_socket(self, server: Server, opened: Opener) -> None:
        person = server.sign_up()
        live = opened(person.token).ready().subscribe()
        server.suspend(person)
        assert live.close_code(seconds=20) == 4403
        assert opened(person.token).close_code() == 4403
