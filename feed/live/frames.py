"""The frames of `feed.v1`, and the codes that a socket is closed with."""

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
_encoder = msgspec.json.Encoder()


def decode(text: str | None) -> ClientFrame:
    """Returns the client's frame. Raises `BadFrame` for binary, oversized or unreadable ones."""
    if text is None or len(text) > MAX_FRAME_CHARS:
        raise BadFrame
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadFrame from error


def encode(kind: str, **fields: object) -> str:
    """Returns a frame of the server's."""
    return _encoder.encode({"type": kind, **fields}).decode()


def error_frame(error: ServiceError) -> str:
    """Returns the frame that tells the client of an error which does not end the socket."""
    wait = {"retry_after_seconds": error.retry_after_seconds} if isinstance(error, OverQuota) else {}
    return encode("error", code=error.code, detail=error.message, **wait)
