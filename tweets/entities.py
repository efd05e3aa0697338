"""What a tweet is, as the store keeps it and the cache holds it."""

import msgspec


class Mention(msgspec.Struct, frozen=True):
    """`@username`; indices count Unicode code points, end exclusive, the sign included."""

    username: str
    indices: tuple[int, int]


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
    """One tweet. Immutable but for its deletion.

    `in_home` was decided when it was posted: True for everything but a reply to somebody
    else, so that push and pull give the same home timeline.
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

    @property
    def deleted(self) -> bool:
        return self.deleted_by is not None
