"""The live feed's sockets, `/ws/feed` of the running product: who is let in, which frames, and the end."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.conftest import Server
from tests.e2e.live_sockets import Opener, on_one_store, opener

pytestmark = pytest.mark.e2e


@pytest.fixture
def opened(server: Server) -> Iterator[Opener]:
    with ExitStack() as connections:
        yield opener(server, connections)


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

    def test_what_a_protocol_answers_by_itself_counts_too(self, server: Server, opened: Opener) -> None:
        live = opened(server.sign_up().token).ready()
        for _ in range(101):
            live.connection.ping()
        assert live.close_code() == 4429

    def test_before_signing_in_nothing_large_is_taken_and_nothing_compressed(self, opened: Opener) -> None:
        live = opened(compression="deflate")
        assert live.connection.protocol.extensions == []
        live.connection.send("x" * 100_000)
        assert live.close_code() == 1009
        live = opened()
        with suppress(ConnectionClosed):  # it may be told before the last part is sent
            live.connection.send(["x" * 10_000] * 10)
        assert live.close_code() == 1009

    def test_too_many_sockets_of_one_person(self, server: Server, opened: Opener) -> None:
        token = server.sign_up().token
        sockets = [opened(token).ready() for _ in range(20)]
        assert opened(token).close_code() == 4429
        sockets[0].connection.close()
        assert all(live.has_nothing_more() for live in sockets[1:])
        assert opened(token).ready().has_nothing_more()


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
