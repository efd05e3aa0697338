"""What the rest of the product knows of a person: the account, and who is asking."""

from datetime import datetime
from typing import ClassVar

import msgspec

from storage.ids.snowflakes import id_time

USERNAME_MAX = 30
DISPLAY_NAME_MAX = 50
BIO_MAX = 160
"""Both as a person counts; see storage/characters.py."""


class Account(msgspec.Struct, frozen=True, array_like=True):
    """A person's account, as cached and as hydrated into tweets.

    Cached by position: a new field goes last and has a default, so that processes of two
    versions read each other's entries.
    """

    id: int
    username: str
    display_name: str
    bio: str
    avatar_url: str | None
    verified: bool
    suspended: bool
    is_staff: bool
    protected: bool | None = None
    """Their tweets are for accepted followers only (graph/protection.py). None in the cached entry of a process that
    knew of no protection: it is read anew (account_cache/accounts.py)."""
    muted_words_version: int | None = None
    """Of the words that they have muted, 0 if they never did: then nobody looks for any. None in the cached entry of a
    process that knew of no such words: it is read anew, and where SQL does not answer nobody says that there are none
    (feed/notifications/muted_words.py)."""

    @property
    def created(self) -> datetime:
        return id_time(self.id)


class Viewer(msgspec.Struct, frozen=True):
    """The signed-in person behind a request or a socket, and the token that proved it."""

    id: int
    account: Account
    token_digest: str

    @property
    def username(self) -> str:
        return self.account.username

    @property
    def is_staff(self) -> bool:
        return self.account.is_staff

    is_authenticated: ClassVar[bool] = True
    """What DRF's permission classes ask of a request's user."""


class Relationship(msgspec.Struct, frozen=True):
    """How a viewer stands to another person."""

    following: bool
    requested: bool = False
    """The viewer has asked to follow the other, who is protected and has not answered."""
    followed_by: bool = False
    blocking: bool = False
    muting: bool = False
