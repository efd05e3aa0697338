"""Live streams: what one promises to its socket, what it is told, and by which topic.

    a message of fan-out → listener → registry: topic → the queues of its sockets → the socket's pump → stream

A socket holds any number of streams, each by the name that clients write (subscriptions.py). A
new one is a class that keeps the promises of `Stream`, and a line in the table (table.py).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from accounts.entities import Viewer
from feed.live.streams.shown import Shown
from feed.live.told import Frame


class Topic(NamedTuple):
    """A subject that signals are about, and the id of whose or which it is."""

    subject: str
    id: int


HOME = "home"
"""The subject of topics that are about a reader's home timeline."""
PUBLIC = Topic("public", 0)
"""The one topic that is about the public feed."""
HASHTAG = "hashtag"
"""The subject of topics that are about a hashtag, whose number is the id."""
TWEET = "tweet"
"""The subject of topics that are about one tweet."""
NOTIFICATIONS = "notifications"
"""The subject of topics that are about what somebody is notified of."""
READER = "reader"
"""The subject of topics that are about a reader's account and tokens: every socket listens to its own."""


class SignalKind(StrEnum):
    TWEET = "tweet"
    """An entry came into the topic's timeline."""
    DELETE = "delete"
    """An entry left it."""
    GONE = "gone"
    """A tweet was deleted, which an entry on the client's screen may be or retweet: `entry_id` is the tweet's."""
    SUSPENDED = "suspended"
    """`authors` were suspended, by whom, or with whose tweets, entries may be on the client's screen."""
    RESYNC = "resync"
    """Messages may have been missed: read from the last watermark."""
    OVERFLOW = "overflow"
    """The client fell behind, and signals were dropped."""
    SUBSCRIBE = "subscribe"
    """The client wants the stream of `wish` from now on."""
    UNSUBSCRIBE = "unsubscribe"
    """The client no longer wants the stream of this topic."""
    RECHECK = "recheck"
    """The reader's account or tokens have changed: is the socket still allowed?"""
    TWEETS = "tweets"
    """`entries` came, the newest last, to a topic that is told at a pace (pacing.py)."""
    SKIPPED = "skipped"
    """So many came to such a topic that some were left out."""
    PROTECTED = "protected"
    """People are protected `since` a moment ago: what they wrote leaves the screens of who does not follow them."""
    COUNTS = "counts"
    """The counts of the topic's tweet have changed."""
    HIDDEN = "hidden"
    """`viewers` may not see the topic's tweet any more."""


class Signal(msgspec.Struct, frozen=True):
    """One thing that a socket's pump is told."""

    kind: SignalKind
    topic: Topic | None = None
    """None of a RESYNC or OVERFLOW that is about everything the socket listens to; see `concerns`."""
    watermark: int = 0
    entry_id: int = 0
    published_up_to: int = 0
    """Of a RESYNC: up to there all was published to the reader, and above it nothing is sure, whatever watermarks came
    with signals before; 0 where those hold."""
    entries: tuple[int, ...] = ()
    viewers: frozenset[int] = frozenset()
    authors: frozenset[int] = frozenset()
    since: Mapping[int, int] = {}
    """Of PROTECTED: by person, the moment as an id."""
    wish: "Wish | None" = None
    """Of a SUBSCRIBE."""
    name: str = ""
    """Of a SUBSCRIBE: the stream as the client wrote it, which may have other ways to write it."""

    def concerns(self, topic: Topic) -> bool:
        """Returns whether a stream that listens to `topic` is to be told."""
        return self.topic is None or self.topic == topic


class Over(Exception):
    """A stream has ended by itself, and has told its client so."""


@dataclass(eq=False, slots=True)
class Wish:
    """A stream that a client has asked for; a newer one of the same topic replaces it until the pump has come to it."""

    stream: "Stream"
    after: int | None
    """The place to replay from, None for only what is new."""
    taken: bool = False
    """The pump has come to it."""
    begun: bool = False
    """It could be opened."""
    over: bool = False
    """The client has unsubscribed."""


class Stream(Protocol):
    """One stream of one socket. It belongs to the socket's pump: its methods are awaited one after the other.

    First `open`, then `begin`, then `handle` for each signal, then `close`. A stream that was
    made and never opened holds nothing. Whatever raises `Unavailable` is told to the client as
    an error, and the stream is sent a RESYNC when the backend may be back: so a stream
    remembers what it could not tell, and tells it then. What raises `NotFound` is told as an error, too, and
    ends the stream; so does what raises `Over`, of which the client is told nothing more.
    """

    wanted: bool
    """True at first. False once the client has asked for something else: a replay then may end anywhere, and leaves the
    stream behind, to be replayed by the next RESYNC if it is wanted again."""

    name: str
    """By which the client has subscribed, and which its frames carry; subscriptions.py sets it to another way to write
    the same."""

    @property
    def topic(self) -> Topic:
        """Returns what it listens to."""

    async def open(self, after: int | None, watermark: int) -> None:
        """Finds where to begin; nothing has been told to the client when it raises `Unavailable`.

        `after` is the place to replay from, None for only what is new. `watermark` is the one at
        the moment of subscribing, 0 while the process has none. Raises `NotFound` if there is nothing to stream.
        """

    async def begin(self) -> None:
        """Tells the client that it is subscribed, and what it has missed. Raises `Unavailable`."""

    async def handle(self, signal: Signal) -> None:
        """Tells the client what a signal of these says, if it is for the stream: TWEET, TWEETS, SKIPPED, COUNTS,
        DELETE, GONE, SUSPENDED, PROTECTED, HIDDEN, RESYNC, OVERFLOW. Raises `Unavailable`, `NotFound`, `Over`."""

    def expect(self) -> bool:
        """Lets somebody else read an entry for it, and then call `show`, while its pump waits for nothing.

        Returns whether it does: everything before has been told, and it is shown such entries as they are.
        """

    def show(self, shown: Shown, watermark: int) -> Sequence[Frame]:
        """Returns the frames of the entry that was expected, as its viewer sees it: none if it is not theirs.

        They are to be written before anything is awaited. The watermark is that of the moment when the entry came.
        """

    def shows(self, tweet_id: int) -> bool:
        """Returns whether the client may have an entry on its screen that is, or retweets, the tweet.

        Asked of every stream of the process for each deletion, between any two awaits: whatever is
        being read and will be sent counts, and so does everything before `open` has ended. Costs next to nothing.
        """

    def shows_any_by(self, authors: Set[int]) -> bool:
        """Returns the same of entries that are by, or retweet, one of the authors; may look at each entry."""

    def close(self) -> None:
        """Gives back what the stream holds; tells the client nothing, which may be gone."""


Send = Callable[[Frame], Awaitable[None]]
"""Tells the client something, in the words of the socket that it has."""
StreamFactory = Callable[[Viewer, Send], Stream]
"""Makes a stream, which costs nothing before it is opened."""
