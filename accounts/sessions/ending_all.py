"""Ending whatever anybody is signed in with, as after SQL was restored from an earlier moment: it brings back what had
been ended since, and nobody knows what that was."""

import secrets

from django.contrib.sessions.models import Session
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import AuthToken

from accounts.letter_rows import PasswordReset
from accounts.models import STAMP_MAX, User
from accounts.session_rows import AccountChange, TokenUse
from accounts.sql import sql_or_unavailable
from storage.ids.snowflakes import now_us

CHUNK = 500
"""People, or sessions, of one transaction: a few statements, each well below what a statement may take."""


def end_everybodys() -> int:
    """Ends every token and every session of the admin; returns how many people there are. Passwords stay.

    Whoever had asked for a letter (people/resets.py) is forgotten, too: of an earlier moment, it was sent then.

    Notes of it are written with it, by which Redis, were it not emptied, and open sockets hear of it within seconds.
    Six SQL statements for CHUNK people. Idempotent; raises `Unavailable`, and is then done again.
    """
    people = after = 0
    while chunk := _next_people(after):
        after = chunk[-1]
        people += len(chunk)
        _end(chunk)
    while _delete_some_sessions():
        pass
    _forget_who_asked()
    return people


@sql_or_unavailable()
def _next_people(after: int) -> list[int]:
    return list(User.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK])


@sql_or_unavailable()
@transaction.atomic
def _end(people: list[int]) -> None:
    """The stamps first, as in ending.py. All of a chunk may have one: sessions are bound to it and to the person."""
    User.objects.filter(pk__in=people).update(security_stamp=secrets.token_hex(STAMP_MAX // 2))
    TOTPDevice.objects.filter(user_id__in=people, confirmed=False).delete()
    tokens = AuthToken.objects.filter(user_id__in=people)
    ended: dict[int, list[str]] = {}
    for user_id, digest in tokens.values_list("user_id", "digest"):
        ended.setdefault(user_id, []).append(digest)
    tokens.delete()
    TokenUse.objects.filter(user_id__in=people).delete()
    at = now_us()
    AccountChange.objects.bulk_create(
        [AccountChange(user_id=each, digests=" ".join(digests), at_us=at) for each, digests in ended.items()]
    )


@sql_or_unavailable()
def _delete_some_sessions() -> bool:
    """Whether there were any left."""
    keys = list(Session.objects.order_by().values_list("pk", flat=True)[:CHUNK])
    Session.objects.filter(pk__in=keys).delete()
    return bool(keys)


@sql_or_unavailable()
def _forget_who_asked() -> None:
    PasswordReset.objects.all().delete()
