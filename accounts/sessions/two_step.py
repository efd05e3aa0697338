"""The second step of staff's sign-in: codes of an authenticator (TOTP, RFC 6238), and recovery codes for its loss.

Devices and their throttling are django-otp's: a code is good once, and after each wrong one of a person the next is
looked at later, by twice the time. Whoever guesses at one therefore has some seventeen tries a day, from however many
addresses; each try counts by address as well, as one at a password does (`tried`).

**An authenticator that has not proved itself belongs to the session that it was shown in**, and to no other: whoever
knew a password once cannot have it confirmed later by its owner. It goes with whatever ends sessions (`end_all`). Where
one is set up already, a session alone replaces neither it nor the recovery codes: that takes a code of what is there.

An authenticator's secret stands in SQL as it is: a code cannot be checked by a digest. Recovery codes are 80 random
bits, shown once, and stand there as digests. Neither is ever logged. Whoever has lost both is let in anew by a
superuser (`reset`), who has to know whom they speak to.
"""

import hashlib
import secrets
from base64 import b32encode

import msgspec
import structlog
from django.db import transaction
from django.db.models import QuerySet
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from accounts.sessions.ending import end_all
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log

RECOVERY_CODES = 10
DIGEST_CHARACTERS = 16
"""What django-otp's column holds: 80 bits in base32."""
LONGEST_CODE = 40
"""Of what is looked at: a recovery code with the spaces and dashes that people put into it has less."""
TOTP_DIGITS = 6

log = structlog.get_logger(__name__)


class NewAuthenticator(msgspec.Struct, frozen=True):
    """One that is not used before `confirm`; its otpauth: URL holds the secret."""

    id: int
    url: str


@sql_or_unavailable()
def is_set_up(person: User) -> bool:
    """Says whether the person has an authenticator that has proved itself. One SQL query."""
    return bool(TOTPDevice.objects.filter(user_id=person.pk, confirmed=True).exists())


@sql_or_unavailable()
def new_authenticator(person: User, shown: object = None) -> NewAuthenticator:
    """Returns the one that this session was shown, by its id, until it is confirmed or gone; else a new one.

    The session keeps the id. What other sessions were shown is good no longer. Up to three SQL statements.
    """
    with transaction.atomic():
        device = _unconfirmed(person, shown).first()
        if device is None:
            TOTPDevice.objects.filter(user_id=person.pk, confirmed=False).delete()
            device = TOTPDevice.objects.create(user_id=person.pk, name="authenticator", confirmed=False)
    return NewAuthenticator(device.pk, str(device.config_url))


@sql_or_unavailable()
def confirm(person: User, shown: object, code: str, *, current: str = "") -> list[str] | None:
    """Makes the authenticator that this session was shown the person's only one, if the code is its.

    Returns recovery codes, to be shown once; None for a wrong code. Where one is set up already, `current` is a code of
    that, or a recovery code: what was there before is good no longer, and whatever the person was signed in with ends.
    The new stamp is left on `person`, so that the session at hand can go on.
    """
    with transaction.atomic():
        _lock(person)
        device = _unconfirmed(person, shown).select_for_update().first()
        if device is None or not device.verify_token(_digits(code)):
            return None
        replaces = is_set_up(person)
        if replaces and not verify(person, current):
            return None
        TOTPDevice.objects.filter(user_id=person.pk).exclude(pk=device.pk).delete()
        device.confirmed = True
        device.save()
        codes = _new_codes(person)
        _log(person, "set up two-step sign-in")
        if replaces:
            person.security_stamp = end_all(person.pk)
    return codes


@sql_or_unavailable()
def renew_codes(person: User, *, current: str) -> list[str] | None:
    """Returns new recovery codes, to be shown once; older ones are good no longer. None for a wrong `current` code."""
    with transaction.atomic():
        if not verify(person, current):
            return None
        codes = _new_codes(person)
        _log(person, "renew recovery codes")
    return codes


@sql_or_unavailable()
def verify(person: User, code: str) -> bool:
    """Says whether the code is one of the authenticator now, or a recovery code, which is used up by it.

    A few SQL statements, in one transaction with a lock on what is looked at.
    """
    with transaction.atomic():
        if len(_digits(code)) == TOTP_DIGITS:
            device = TOTPDevice.objects.select_for_update().filter(user_id=person.pk, confirmed=True).first()
            right = device is not None and device.verify_token(_digits(code))
        else:
            right = _use_recovery_code(person, code)
    if not right:
        log.warning("wrong_second_step", user_id=person.pk)
    return right


@sql_or_unavailable()
def reset(person: User, *, by: User | None, reason: str = "") -> None:
    """Forgets the person's second step, so that they set it up anew with their next sign-in; ends their sessions."""
    with transaction.atomic():
        _lock(person)
        TOTPDevice.objects.filter(user_id=person.pk).delete()
        StaticDevice.objects.filter(user_id=person.pk).delete()
        end_all(person.pk)
        staff_log.record(by=by, action="reset two-step sign-in", subject=staff_log.person(person.pk), reason=reason)


def _lock(person: User) -> None:
    """First the person and then their devices, as `end_all` does, so that two of these wait for one another in turn."""
    User.objects.select_for_update().filter(pk=person.pk).first()


def _unconfirmed(person: User, shown: object) -> QuerySet[TOTPDevice]:
    unconfirmed: QuerySet[TOTPDevice] = TOTPDevice.objects.filter(user_id=person.pk, confirmed=False, pk=shown)
    return unconfirmed


def _use_recovery_code(person: User, code: str) -> bool:
    device = StaticDevice.objects.select_for_update().filter(user_id=person.pk).first()
    if device is None or not device.verify_token(_digest(code)):
        return False
    _log(person, "use a recovery code")
    return True


def _new_codes(person: User) -> list[str]:
    StaticDevice.objects.filter(user_id=person.pk).delete()
    device = StaticDevice.objects.create(user_id=person.pk, name="recovery codes")
    codes = ["-".join(secrets.token_hex(2) for _ in range(5)) for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_digest(code)) for code in codes)
    return codes


def _digest(code: str) -> str:
    """What stands in SQL of a recovery code, in whatever case and with whatever between its parts it was typed."""
    plain = "".join(each for each in code[:LONGEST_CODE].lower() if each.isalnum())
    return b32encode(hashlib.sha256(plain.encode()).digest())[:DIGEST_CHARACTERS].decode()


def _digits(code: str) -> str:
    plain = "".join(code[:LONGEST_CODE].split())
    return plain if plain.isascii() and plain.isdecimal() else ""


def _log(person: User, action: str) -> None:
    staff_log.record(by=person, action=action, subject=staff_log.person(person.pk))
