"""Publishing to live processes: ids only, one channel a shard and one of deletions, every live process listens.

Entries come and go by the timelines of *readers*, whom a message names. That a tweet is gone is told once for all,
and names nobody: each process looks who of its sockets has something on the screen that shows it, such as a
retweet of it that reached them by somebody else's followers.

A message that is lost loses nothing: sockets resume from a watermark (watermark.py)
and live processes re-read the timeline after any interruption.
"""

from enum import StrEnum

import msgspec

from storage.redis.reads import Command
from storage.redis.shards import shard_tag


class LiveKind(StrEnum):
    TWEET = "tweet"
    DELETE = "delete"


class LiveMessage(msgspec.Struct, frozen=True):
    """An entry has arrived in, or left, the home timelines of `readers`."""

    kind: LiveKind
    entry_id: int
    readers: list[int]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LiveMessage)


def channel(shard: int) -> str:
    """The name of the shard's channel."""
    return f"{shard_tag(shard)}:live"


def publish_commands(kind: LiveKind, entry_id: int, present: dict[int, list[int]]) -> list[Command]:
    """Commands, one PUBLISH for each shard that has present readers."""
    return [
        ("PUBLISH", channel(shard), _encoder.encode(LiveMessage(kind, entry_id, readers)))
        for shard, readers in present.items()
    ]


GONE_CHANNEL = "live:gone"
"""Where tweets that were deleted are told."""


class GoneMessage(msgspec.Struct, frozen=True):
    """A tweet, or retweet, was deleted by the operation `op`."""

    op: int
    tweet_id: int
    author_id: int


_gone_decoder = msgspec.json.Decoder(GoneMessage)


def gone_command(op: int, tweet_id: int, author_id: int) -> Command:
    """Returns the command that tells every live process that the tweet, or retweet, was deleted."""
    return ("PUBLISH", GONE_CHANNEL, _encoder.encode(GoneMessage(op, tweet_id, author_id)))


def decode_gone(payload: bytes) -> GoneMessage:
    """Returns the message; raises `msgspec.DecodeError` for what is none."""
    return _gone_decoder.decode(payload)


def decode(payload: bytes) -> LiveMessage:
    """Returns the message; raises `msgspec.DecodeError` for what is none."""
    return _decoder.decode(payload)
