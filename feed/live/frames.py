"""The frames of clients of `feed.v1`, and the codes that a socket is closed with; what they are told is told.py."""

from enum import IntEnum

import msgspec

from storage.errors import ServiceError

MAX_FRAME_CHARS = 4096
"""A client's frames are small: a token or a cursor at most."""


class CloseCode(IntEnum):
    SERVER_ERROR = 1011
    BAD_FRAME = 4400
    NOT_AUTHENTICATED = 4401
    FORBIDDEN = 4403
    AUTH_TIMEOUT = 4408
    TOO_MANY = 4429


class BadFrame(Exception):
    """The client sent what is no frame."""


class OverQuota(ServiceError):
    """The reader has asked for more than the quota, which begins anew in `retry_after_seconds`."""

    code = "rate_limited"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many requests; please try again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds


class ClientFrame(msgspec.Struct, frozen=True):
    """Any frame of a client; which fields count depends on `type`."""

    type: str
    stream: str = ""
    after: str | None = None
    token: str = ""


_decoder = msgspec.json.Decoder(ClientFrame)


def decode(text: str | None) -> ClientFrame:
    """Returns the client's frame. Raises `BadFrame` for binary, oversized or unreadable ones."""
    if text is None or len(text) > MAX_FRAME_CHARS:
        raise BadFrame
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadFrame from error
