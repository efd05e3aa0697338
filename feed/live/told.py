"""What clients are told, as `feed.v1` has it: streams tell it whatever the socket speaks, which puts it into words."""

from functools import cached_property

import msgspec

from feed.live.frames import OverQuota
from feed.notifications.groups import NotificationOut
from storage.errors import ServiceError
from tweets.reading.outputs import CountsOut, TweetOut


class Frame(msgspec.Struct, frozen=True, tag_field="type", dict=True):
    """Any frame of the server's; `dict` holds its text, once somebody asked for it."""

    @cached_property
    def text(self) -> str:
        """The frame as clients of `feed.v1` read it."""
        return _encode(self).decode()


class Ready(Frame, frozen=True, tag="ready"):
    """The client has signed in."""


class Pong(Frame, frozen=True, tag="pong"):
    """The answer to a ping."""


class Subscribed(Frame, frozen=True, tag="subscribed"):
    """From here on the client is told what is new; what it has missed comes first."""

    stream: str


class TweetCame(Frame, frozen=True, tag="tweet"):
    """A tweet is there; the cursor is safe to resume from."""

    stream: str
    cursor: str
    tweet: TweetOut


class TweetLeft(Frame, frozen=True, tag="delete"):
    """A tweet is there no more."""

    stream: str
    id: str


class NotificationCame(Frame, frozen=True, tag="notification"):
    """A notification is there, or there again, in place of one of the same type and tweet; the cursor is safe to resume
    from."""

    stream: str
    cursor: str
    notification: NotificationOut


class CountsChanged(Frame, frozen=True, tag="counts"):
    """A tweet's counts have changed, to these; of a retweet its original's."""

    stream: str
    id: str
    counts: CountsOut


class Gap(Frame, frozen=True, tag="gap"):
    """The client fell behind, and is to page from `after` on."""

    stream: str
    after: str


class Failed(Frame, frozen=True, tag="error"):
    """What the client has asked for was refused, or has to wait."""

    code: str
    detail: str
    retry_after_seconds: int | msgspec.UnsetType = msgspec.UNSET


_encode = msgspec.json.Encoder().encode


def encode(frame: Frame) -> str:
    """Returns a frame as clients of `feed.v1` read it; made once of one that is told to many."""
    return frame.text


def failed(error: ServiceError) -> Failed:
    """Returns the frame that tells the client of an error which does not end the socket."""
    wait = error.retry_after_seconds if isinstance(error, OverQuota) else msgspec.UNSET
    return Failed(error.code, error.message, wait)
