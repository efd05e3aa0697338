"""How people look to clients, at every door."""

import msgspec

from accounts.entities import Account
from accounts.models import User
from storage.ids import id_time
from storage.times import rfc3339


class UserView(msgspec.Struct, frozen=True):
    """A person as anyone may see them."""

    id: str
    username: str
    display_name: str
    bio: str
    avatar_url: str | None
    verified: bool
    created_at: str


class OwnUserView(UserView, frozen=True):
    """A person as they see themselves."""

    email: str


def user_view(account: Account) -> UserView:
    return UserView(
        id=str(account.id),
        username=account.username,
        display_name=account.display_name,
        bio=account.bio,
        avatar_url=account.avatar_url,
        verified=account.verified,
        created_at=rfc3339(id_time(account.id)),
    )


def own_user_view(user: User) -> OwnUserView:
    return OwnUserView(**msgspec.structs.asdict(user_view(user.account)), email=user.email)
