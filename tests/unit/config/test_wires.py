"""What a connection writes at once, past the application: never where the application would have to wait."""

import asyncio
from typing import Any
from unittest.mock import Mock

from uvicorn.config import Config
from uvicorn.server import ServerState

from config.http.sockets import SocketProtocol
from feed.live.told import Pong


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None: ...


def opened() -> tuple[SocketProtocol, Mock]:
    config = Config(nothing, log_config=None)
    config.load()
    protocol = SocketProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    transport = Mock()
    transport.is_closing.return_value = False
    protocol.transport = transport
    protocol.handshake_complete = True
    return protocol, transport


def test_frames_are_written_as_they_are_sent_while_the_client_reads() -> None:
    async def scenario() -> None:
        protocol, transport = opened()
        assert protocol.write_now([Pong(), Pong()])
        assert [call.args for call in transport.write.call_args_list] == [(b'\x81\x0f{"type":"pong"}',)] * 2
        protocol.pause_writing()
        assert not protocol.write_now([Pong()])
        assert not protocol.writable.is_set()
        protocol.resume_writing()
        assert protocol.write_now([Pong()])
        assert transport.write.call_count == 3

    asyncio.run(scenario())


def test_nothing_is_written_before_the_handshake_nor_once_somebody_has_closed() -> None:
    async def scenario() -> None:
        for name, value in {"handshake_complete": False, "close_sent": True, "_failed": True}.items():
            protocol, transport = opened()
            setattr(protocol, name, value)
            assert not protocol.write_now([Pong()]), name
            transport.write.assert_not_called()
        protocol, transport = opened()
        transport.is_closing.return_value = True
        assert not protocol.write_now([Pong()])

    asyncio.run(scenario())


def test_what_uvicorn_keeps_of_a_connection_stands_in_slots() -> None:
    """Its next version may name something else: then this says what is to be added to the slots."""

    async def scenario() -> None:
        protocol, _ = opened()
        assert vars(protocol) == {}

    asyncio.run(scenario())
