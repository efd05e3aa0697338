"""How people look to clients, at every door."""

import msgspec

from accounts.entities import Account
from accounts.models import User
from storage.ids.snowflakes import id_time, rfc3339


class UserOut(msgspec.Struct, frozen=True):
    """A person as anyone may see them."""

    id: str
    username: str
    display_name: str
    bio: str
    avatar_url: str | None
    verified: bool
    created_at: str
    protected: bool


class OwnUserOut(UserOut, frozen=True):
    """A person as they see themselves."""

    email: str
    email_confirmed: bool


def user_out(account: Account) -> UserOut:
    return UserOut(
        id=str(account.id),
        username=account.username,
        display_name=account.display_name,
        bio=account.bio,
        avatar_url=account.avatar_url,
        verified=account.verified,
        created_at=rfc3339(id_time(account.id)),
        protected=bool(account.protected),
    )


def unseen_user_out(account: Account) -> UserOut:
    """Returns someone whom the viewer may not look up, in a list of the viewer's own: by their username alone."""
    known = {"display_name": account.username, "bio": "", "avatar_url": None, "verified": False, "protected": False}
    return user_out(msgspec.structs.replace(account, **known))


def own_user_out(user: User) -> OwnUserOut:
    shown = msgspec.structs.asdict(user_out(user.account))
    return OwnUserOut(**shown, email=user.email, email_confirmed=user.confirmed_since is not None)
