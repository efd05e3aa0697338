"""Publishing to live processes: ids only.

Entries come and go by the timelines of *readers*, whom a message names: one channel a shard. That a tweet is gone is
told once for all, and names nobody: each process looks who of its sockets has something on the screen that shows it,
such as a retweet of it that reached them by somebody else's followers. That is published in the author's shard, where a
tombstone says in the same step what came last (timelines/restoring.py). To all these every live process listens.

What comes into the public feed is told once for all, too; what comes under a hashtag, what happens to a tweet, and what
somebody is notified of, on channels of their own. To these a process listens while one of its sockets wants them. Redis
looks a channel up in a table, and with nobody there that is all that a message costs.

A message that is lost loses nothing: sockets resume from a watermark (watermark.py)
and live processes re-read the timeline after any interruption.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import shard_tag, timeline_shard, user_tag


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
_GONE, _BACK = "live:gone", "live:back"


def channel(shard: int) -> str:
    """The name of the shard's channel."""
    return f"{shard_tag(shard)}:live"


def publish_commands(kind: LiveKind, entry_id: int, present: dict[int, list[int]]) -> list[Command]:
    """Commands, one for each shard that has present readers."""
    word = publishing()
    return [
        (word, channel(shard), _encoder.encode(LiveMessage(kind, entry_id, readers)))
        for shard, readers in present.items()
    ]


def gone_channel(shard: int) -> str:
    """The name of the channel where tweets of the shard's authors that were deleted are told."""
    return f"{shard_tag(shard)}:{_GONE}"


class GoneMessage(msgspec.Struct, frozen=True):
    """A tweet, or retweet, was deleted by the operation `op`."""

    op: int
    tweet_id: int
    author_id: int


_gone_decoder = msgspec.json.Decoder(GoneMessage)


def gone_command(op: int, tweet_id: int, author_id: int) -> Command:
    """Returns the command that tells every live process that the tweet, or retweet, was deleted."""
    return (
        publishing(),
        gone_channel(timeline_shard(author_id)),
        _encoder.encode(GoneMessage(op, tweet_id, author_id)),
    )


def decode_gone(payload: bytes) -> GoneMessage:
    """Returns the message; raises `msgspec.DecodeError` for what is none."""
    return _gone_decoder.decode(payload)


def back_channel(shard: int) -> str:
    """The name of the channel where tweets of the shard's authors are told that staff have restored: whoever remembers
    their deletion has to forget it."""
    return f"{shard_tag(shard)}:{_BACK}"


class BackMessage(msgspec.Struct, frozen=True):
    """A tweet was restored by the operation `op`."""

    op: int
    tweet_id: int


_back_decoder = msgspec.json.Decoder(BackMessage)


def back_command(op: int, tweet_id: int, author_id: int) -> Command:
    """Returns the command that tells every live process that the tweet was restored."""
    return (publishing(), back_channel(timeline_shard(author_id)), _encoder.encode(BackMessage(op, tweet_id)))


def decode_back(payload: bytes) -> BackMessage:
    """Returns the message; raises `msgspec.DecodeError` for what is none."""
    return _back_decoder.decode(payload)


PUBLIC_CHANNEL = "live:public"
"""Where entries are told that may be in the public feed: fan-out does not know which of them are retweets."""


def came_command(entry_id: int) -> Command:
    """Returns the command that tells of an entry that was delivered, the one time that it is told there."""
    return ("PUBLISH", PUBLIC_CHANNEL, entry_id)


def publishing() -> str:
    """The command to publish with. To those who listen at the node that has the channel's slot, in a cluster."""
    return "SPUBLISH" if timeline_node().is_cluster else "PUBLISH"


_OF_A_TWEET = "live:tweet:"


def tweet_channel(tweet_id: int) -> str:
    """The name of a tweet's channel, in the slot of the tweet's counts: who changes these publishes in the same step.

    A message is the id of a new reply to the tweet; 0 when only its counts have changed.
    """
    return f"{shard_tag(timeline_shard(tweet_id))}:{_OF_A_TWEET}{tweet_id}"


def tweet_of(name: str) -> int | None:
    """Returns whose channel it is; None if it is no tweet's."""
    _, found, tweet_id = name.partition(_OF_A_TWEET)
    return int(tweet_id) if found else None


_NEWS = "live:news:"


def news_channel(person_id: int) -> str:
    """The name of the channel where a person's sockets hear that there are notifications."""
    return f"{user_tag(person_id)}:{_NEWS}{person_id}"


def news_command(person_id: int, place: int) -> Command:
    """Returns the command that tells a person's sockets of the notice that stands at `place`."""
    return (publishing(), news_channel(person_id), place)


def news_of(name: str) -> int | None:
    """Returns whose channel of notifications it is; None if it is none."""
    _, found, person_id = name.partition(_NEWS)
    return int(person_id) if found else None


_OF_A_HASHTAG = "live:hashtag:"


def hashtag_channel(number: int) -> str:
    """The name of the channel where entries are told that have the hashtag of this number."""
    return f"{shard_tag(timeline_shard(number))}:{_OF_A_HASHTAG}{number}"


def hashtag_of(name: str) -> int | None:
    """Returns the number of the hashtag whose channel it is; None if it is none's."""
    _, found, number = name.partition(_OF_A_HASHTAG)
    return int(number) if found else None


def tagged_commands(entry_id: int, numbers: Iterable[int]) -> list[Command]:
    """Returns the commands that tell of an entry once for each of its hashtags."""
    return [(publishing(), hashtag_channel(number), entry_id) for number in numbers]


OF_EACH_SHARD = (channel, gone_channel, back_channel)
"""What makes the names of the channels that every live process listens to."""


def is_of_gone(name: str) -> bool:
    """Returns whether it is a channel of tweets that were deleted."""
    return name.endswith(f":{_GONE}")


def is_of_back(name: str) -> bool:
    """Returns whether it is a channel of tweets that were restored."""
    return name.endswith(f":{_BACK}")


def decode(payload: bytes) -> LiveMessage:
    """Returns the message; raises `msgspec.DecodeError` for what is none."""
    return _decoder.decode(payload)
