"""What a tweet is, as the store keeps it and the cache holds it."""

import msgspec

PATH_MAX = 16
"""Ancestors that a reply carries: most threads in one read, for 130 bytes in the row of a deep reply."""


class Mention(msgspec.Struct, frozen=True):
    """`@username`; indices count Unicode code points, end exclusive, the sign included.

    `id` is whose name it was when the tweet was posted, as clients are shown it: who has the name later is not meant.
    None if nobody had it, and in tweets of the versions before, which did not ask. A version that knows no `id` reads
    the tweet as well.
    """

    username: str
    indices: tuple[int, int]
    id: str | None = None


class Hashtag(msgspec.Struct, frozen=True):
    """`#tag`; the tag without its sign."""

    tag: str
    indices: tuple[int, int]


class Url(msgspec.Struct, frozen=True):
    """A link as it was typed."""

    url: str
    indices: tuple[int, int]


class Entities(msgspec.Struct, frozen=True):
    mentions: tuple[Mention, ...] = ()
    hashtags: tuple[Hashtag, ...] = ()
    urls: tuple[Url, ...] = ()


class Tweet(msgspec.Struct, frozen=True, omit_defaults=True):
    """One tweet. Immutable but for its deletion, and its restoration by staff.

    `in_home` was decided when it was posted: True for everything but a reply to somebody
    else, so that push and pull give the same home timeline.

    `path` holds the nearest ancestors, at most PATH_MAX, the parent last: what a reply
    replies to never changes, so a thread of any depth is read PATH_MAX levels at a time.

    `changed_op` is the operation that deleted or restored it last, 0 if none is known: of a deletion by staff and a
    restoration the greater one holds. `author_deleted_op` is its author's own deletion, 0 if there is none: that one
    stays, whatever staff do or did. The tweet stands only if neither deletion does; `deleted_by` says so.
    """

    id: int
    author_id: int
    text: str
    conversation_id: int
    in_home: bool
    entities: Entities = Entities()
    reply_to_id: int | None = None
    quote_of_id: int | None = None
    retweet_of_id: int | None = None
    deleted_by: int | None = None
    path: tuple[int, ...] = ()
    changed_op: int = 0
    author_deleted_op: int = 0

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def deleted(self) -> bool:
        return self.deleted_by is not None

    @property
    def deleted_by_author(self) -> bool:
        """Returns whether its author deleted it, then or also: it never comes back. Rows of before say by whom only."""
        return self.author_deleted_op != 0 or self.deleted_by == self.author_id

    @property
    def mentioned_ids(self) -> tuple[int, ...]:
        """Returns the people whom it mentions, each once, in the order of their first mention."""
        return tuple(dict.fromkeys(int(each.id) for each in self.entities.mentions if each.id is not None))

    @property
    def is_announced(self) -> bool:
        """Returns whether an order is written with it: it goes into homes, or into the lists of hashtags."""
        return self.in_home or bool(self.entities.hashtags)

    @property
    def in_public(self) -> bool:
        """Returns whether the public feed lists it: what homes show, but for retweets."""
        return self.in_home and self.retweet_of_id is None

    @property
    def known_path(self) -> tuple[int, ...]:
        """Returns the `path`; of a reply that was written without one, at least the parent."""
        return self.path or ((self.reply_to_id,) if self.reply_to_id is not None else ())

    @property
    def path_below(self) -> tuple[int, ...]:
        """Returns the `path` of a reply to this tweet."""
        return (*self.known_path, self.id)[-PATH_MAX:]


class Deletion(msgspec.Struct, frozen=True):
    """The end of one tweet, by the operation `op`; a retweet's, when it was undone."""

    op: int
    tweet_id: int
    author_id: int
