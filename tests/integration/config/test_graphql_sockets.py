"""Who is let in to a GraphQL socket, and what ends it: each by its own close code."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from accounts.people import suspending
from accounts.sessions import tokens
from accounts.sessions.ending import end_all
from accounts.sessions.listing import end_session, sessions_page
from config.graphql.messages import MAX_ID_CHARS, MAX_MESSAGE_CHARS, EndCode
from feed.live import guard, places, socket
from feed.live.frames import CloseCode
from feed.live.threads import housekeeping
from storage.errors import Unavailable
from storage.web.paging import PageRequest
from tests.integration.config.graphql_sockets import SUBSCRIBE, GraphQLSocket, opened, run, token_of
from tests.people import new_person

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]
REVOKED_SECONDS = 3.0
"""One, and what a busy machine takes; the token is looked at by itself after thirty."""
SUBSCRIPTION = {"query": SUBSCRIBE}


class TestSigningIn:
    @pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
    def test_a_token_in_the_first_message(self, name: str) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await GraphQLSocket().open()
            await live.is_silent()
            await live.say("connection_init", payload={name: f"Bearer {token}", "more": 1})
            assert await live.message() == {"type": "connection_ack"}
            await live.close()

        run(scenario)

    @pytest.mark.parametrize("init", [{}, {"payload": None}, {"payload": {}}])
    def test_a_token_in_the_header(self, init: dict[str, Any]) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await GraphQLSocket(authorization=f"Bearer {token}").open()
            await live.is_silent()
            await live.say("connection_init", **init)
            assert await live.message() == {"type": "connection_ack"}
            await live.close()

        run(scenario)

    @pytest.mark.parametrize(
        "payload",
        [
            None,
            {},
            {"authorization": 7},
            {"authorization": ""},
            {"authorization": "nonsense"},
            {"authorization": "Bearer "},
            {"authorization": f"Bearer 1.{'0' * 64}"},
        ],
    )
    def test_no_token_or_one_that_is_nobodys(self, payload: Any) -> None:
        async def scenario() -> None:
            live = await GraphQLSocket().open()
            await live.say("connection_init", payload=payload)
            assert await live.closed() == CloseCode.NOT_AUTHENTICATED

        run(scenario)

    def test_nothing_is_subscribed_to_before_it(self) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await GraphQLSocket(authorization=f"Bearer {token}").open()
            await live.say("subscribe", id="1", payload=SUBSCRIPTION)
            assert await live.closed() == CloseCode.NOT_AUTHENTICATED

        run(scenario)

    def test_only_once(self) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await opened(token)
            await live.say("connection_init")
            assert await live.closed() == CloseCode.TOO_MANY

        run(scenario)

    def test_within_some_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guard, "AUTH_SECONDS", 1.0)

        async def scenario() -> None:
            live = await GraphQLSocket().open()
            await live.is_silent()
            assert await live.closed() == CloseCode.AUTH_TIMEOUT

        run(scenario)

    def test_while_a_backend_is_down_the_client_is_to_come_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(*_: object) -> None:
            raise Unavailable("postgresql")

        monkeypatch.setattr(socket, "authenticate", down)

        async def scenario() -> None:
            live = await GraphQLSocket().open()
            await live.say("connection_init", payload={"authorization": "Bearer 1.x"})
            assert await live.closed() == EndCode.TRY_AGAIN

        run(scenario)

    @pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("feed.v1", "bearer")])
    def test_only_clients_of_this_protocol(self, protocols: tuple[str, ...]) -> None:
        async def scenario() -> None:
            live = await GraphQLSocket(protocols=protocols).open()
            assert await live.closed() == EndCode.NO_PROTOCOL

        run(scenario)

    def test_an_origin_must_be_allowed(self) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await GraphQLSocket(origin="https://evil.example", host="feed.example").open()
            assert await live.closed() == CloseCode.FORBIDDEN
            own = await GraphQLSocket(origin="https://feed.example", host="feed.example").open()
            await own.begin(token)
            await own.close()

        run(scenario)

    def test_not_with_too_many_sockets_of_one_person(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(places, "SOCKETS_A_READER", 1)
        token = token_of(new_person())

        async def scenario() -> None:
            first, second = await opened(token), await GraphQLSocket().open()
            await second.say("connection_init", payload={"authorization": f"Bearer {token}"})
            assert await second.closed() == CloseCode.TOO_MANY
            await first.is_silent()
            await first.close()

        run(scenario)


class TestMessages:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "null",
            "[]",
            "{}",
            '{"type": 1}',
            '{"type": "nonsense"}',
            '{"type": "start", "id": "1"}',
            '{"type": "connection_ack"}',
            '{"type": "subscribe", "payload": {"query": "{ me { id } }"}}',
            '{"type": "subscribe", "id": "", "payload": {}}',
            '{"type": "subscribe", "id": 1, "payload": {}}',
            '{"type": "subscribe", "id": "1"}',
            '{"type": "subscribe", "id": "1", "payload": "{ me { id } }"}',
            '{"type": "complete"}',
            '{"type": "ping", "payload": []}',
            '{"type": "ping", "payload": 1e999}',
            '{"type": "connection_init", "payload": "Bearer"}',
            '{"type": "\\ud800"}',
            pytest.param(json.dumps({"type": "complete", "id": "x" * (MAX_ID_CHARS + 1)}), id="long id"),
            pytest.param('{"type": "ping", "payload": ' + "[" * 4_000, id="nested"),
            pytest.param('{"type": "ping", "more": "' + "x" * MAX_MESSAGE_CHARS + '"}', id="oversized"),
            None,
        ],
    )
    def test_what_is_no_message_ends_the_socket(self, text: str | None) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await opened(token)
            await live.say_text(text, **({"bytes": b"{}"} if text is None else {}))
            assert await live.closed() == CloseCode.BAD_FRAME

        run(scenario)

    def test_pings_are_answered_with_what_they_carry_and_pongs_are_heard(self) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await GraphQLSocket().open()
            for payload in ({"at": 7}, {"at": {"more": [None]}}):
                await live.say("ping", payload=payload)
                assert await live.message() == {"type": "pong", "payload": payload}
            await live.begin(token)
            await live.say("pong", payload={"at": 7})
            await live.is_silent()
            await live.close()

        run(scenario)

    def test_an_id_that_is_taken(self) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await opened(token)
            for _ in range(2):
                await live.say("subscribe", id="1", payload=SUBSCRIPTION)
            assert await live.closed() == EndCode.ID_TAKEN

        run(scenario)

    def test_too_many(self) -> None:
        token = token_of(new_person())

        async def scenario() -> None:
            live = await opened(token)
            for _ in range(guard.FRAMES_A_WINDOW - 1):
                await live.is_silent()
            await live.say("ping")
            assert await live.closed() == CloseCode.TOO_MANY

        run(scenario)


def revoked(person: User, token: str) -> None:
    tokens.revoke(tokens.authenticate(token))


def signed_out_everywhere(person: User, token: str) -> None:
    end_all(person.pk)


def out_of_that_session(person: User, token: str) -> None:
    other = tokens.authenticate(token_of(person))
    [session] = [each for each in sessions_page(other, PageRequest()).items if not each.current]
    end_session(other, int(session.id))


def suspended(person: User, token: str) -> None:
    suspending.suspend(person, by=new_person(staff=True))


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (revoked, CloseCode.NOT_AUTHENTICATED),
        (signed_out_everywhere, CloseCode.NOT_AUTHENTICATED),
        (out_of_that_session, CloseCode.NOT_AUTHENTICATED),
        (suspended, CloseCode.FORBIDDEN),
    ],
)
def test_a_socket_ends_with_its_token_within_a_second(ends: Callable[[User, str], None], code: CloseCode) -> None:
    person, other = new_person(), new_person()
    token, others = token_of(person), token_of(other)

    async def scenario() -> None:
        live, untouched = await opened(token), await opened(others)
        for each in (live, untouched):
            await each.subscribed()
        await housekeeping(ends, person, token)
        async with asyncio.timeout(REVOKED_SECONDS):
            assert await live.closed() == code
        await untouched.is_silent()
        await untouched.close()
        again = await GraphQLSocket().open()
        await again.say("connection_init", payload={"authorization": f"Bearer {token}"})
        assert await again.closed() == code

    run(scenario)
