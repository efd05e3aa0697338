"""The eight messages of `graphql-transport-ws`.

    client → server   connection_init, subscribe, complete, ping, pong
    server → client   connection_ack, next, error, complete, ping, pong

A message that is none ends the socket (4400); a `subscribe` that asks for what cannot be is answered with an `error`.
"""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from feed.live.frames import BadFrame

PROTOCOL = "graphql-transport-ws"
MAX_MESSAGE_CHARS = 32 * 1024
"""A document of 20,000 characters, its variables, and what stands around them."""
MAX_ID_CHARS = 128
"""Clients number what they ask for, or take UUIDs."""
NOTHING = msgspec.Raw(b"null")


class EndCode(IntEnum):
    """What a socket of this protocol is closed with, besides the codes of every socket (feed/live/frames.py)."""

    TRY_AGAIN = 1013
    NO_PROTOCOL = 4406
    ID_TAKEN = 4409


class ClientMessage(msgspec.Struct, frozen=True):
    """Any message of a client; which fields count depends on `type`."""

    type: str
    id: str = ""
    payload: msgspec.Raw = NOTHING


class ServerMessage(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Any message of the server's."""


class Acknowledged(ServerMessage, frozen=True, tag="connection_ack"):
    """The client has signed in."""


class Pong(ServerMessage, frozen=True, tag="pong"):
    """The answer to a ping, with what that carried."""

    payload: dict[str, object] | msgspec.UnsetType = msgspec.UNSET


class Next(ServerMessage, frozen=True, tag="next"):
    """What happened, as the subscription's selection has it."""

    id: str
    payload: dict[str, object]


class Completed(ServerMessage, frozen=True, tag="complete"):
    """The subscription is over, as there is nothing more to tell."""

    id: str


class Refused(ServerMessage, frozen=True, tag="error"):
    """The subscription is over, or was never begun; why."""

    id: str
    payload: Sequence[dict[str, object]]


_decoder = msgspec.json.Decoder(ClientMessage)
_encode = msgspec.json.Encoder().encode


def decode(text: str | None) -> ClientMessage:
    """Returns the client's message. Raises `BadFrame` for a binary, oversized or unreadable one."""
    if text is None or len(text) > MAX_MESSAGE_CHARS:
        raise BadFrame
    try:
        message = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadFrame from error
    if len(message.id) > MAX_ID_CHARS:
        raise BadFrame
    return message


def encode(message: ServerMessage) -> str:
    """Returns a message as clients read it."""
    return _encode(message).decode()


def object_in(payload: msgspec.Raw) -> dict[str, object]:
    """Returns the object that a message carries, empty for none. Raises `BadFrame` for what is no object."""
    try:
        return msgspec.json.decode(payload, type=dict[str, object] | None) or {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadFrame from error
