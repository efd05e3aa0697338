"""Ending what somebody is signed in with: every API token and every session of the admin, in one place.

**Who comes here.** "Sign out everywhere", at the API and in the admin, calls `end_all`. Whoever changes a password does
not have to: `User.save` compares its hash with the row's, and has Django call `password_changed` of the validators in
AUTH_PASSWORD_VALIDATORS, of which `EndsSessions` is one. So Django's own forms and commands, a shell, and code that
has never heard of sessions end them as well. The hook is Django's for just this; a call out of `User.save` would turn
the packages' direction around, and one at each door is what a new door forgets. It runs in the transaction that
writes the hash: both hold, or neither. A hash replaced at sign-in (`User.check_password`) is no change.

**How the admin's sessions end.** Each holds a keyed hash of the person's security stamp, and Django compares it with
the row's at every request. So a new stamp ends all of them at once, in one row, wherever sessions are kept.

**Why nothing slips past.** The stamp is written first, so the row is locked while the tokens are looked for: one that
is being issued was committed before, and is found, or waits for the lock and sees the new password (tokens.issue).
A sign-in to the admin with the old password makes a session of the old stamp, which is none.
"""

import secrets

from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import STAMP_MAX, User
from accounts.sessions.tokens import revoke_all
from accounts.sql import sql_or_unavailable


@sql_or_unavailable()
@transaction.atomic
def end_all(user_id: int, *, but: str | None = None) -> str:
    """Ends every token of the person, except the one with the digest `but`, and every session of the admin.

    From the next request on, and on open sockets within a second. An authenticator that was shown in one of them and
    has not proved itself is forgotten. Returns the new security stamp, for a session that is to go on. Idempotent.
    Four to six SQL statements and, once committed, a round trip. Raises `Unavailable`.
    """
    stamp = secrets.token_hex(STAMP_MAX // 2)
    User.objects.filter(pk=user_id).update(security_stamp=stamp)
    TOTPDevice.objects.filter(user_id=user_id, confirmed=False).delete()
    revoke_all(user_id, but=but)
    return stamp


class EndsSessions:
    """A validator of passwords that refuses none, and ends all sessions of whoever has a new one."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Refuses nothing."""

    def password_changed(self, password: str, user: User) -> None:
        """Ends them, but for the token that `user` names; leaves the new stamp on `user`.

        So Django's forms can keep the session in which somebody changes their own password.
        """
        user.security_stamp = end_all(user.pk, but=user.keeps_token)

    def get_help_text(self) -> str:
        return "A new password signs out whoever is signed in with an old one."
