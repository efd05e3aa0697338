"""Limits of signing in and up, of proving a password or forgetting it, and of changing or confirming an address:
stricter than those of everything else (sessions/authentication.py), and the same at every door.

A door that has a password to check begins with `password_try`, and hands what it returns to the service that checks it:

    tried = password_try(request)                                # counted by address
    person = services.sign_in(login=…, password=…, tried=tried)  # counted by account, then hashed
"""

import hashlib
import unicodedata
from collections.abc import Sequence

from django.conf import settings
from django.http import HttpRequest

from accounts.sessions.guesses import Guess, count_guess, take_back
from accounts.sessions.hashing_turns import TURNS
from storage.errors import TooMany
from storage.redis.rate_limits import Hit, Policy, hit_all
from storage.web.client_address import client_address

SIGN_INS_BY_ADDRESS = Policy("sign-in-address", 30, 60)
"""Each costs a password hash, right or wrong."""
SIGN_INS_BY_PAIR = Policy("sign-in-login", 10, 300)
"""Guesses at one account from one address: wrong passwords, however the account was named."""
SIGN_INS_BY_LOGIN = Policy("sign-in-login", 30, 300)
"""Guesses at one account from all addresses from which it has not been signed in to: three have to join to use it up,
and its owner still comes in from where they did before."""
SIGN_UPS = Policy("sign-up", 20, 3600)
"""A classroom can sign up; a farm of accounts takes its time."""
EMAILS_BY_PERSON = Policy("email-change", 5, 3600)
"""Each tells whether an address is taken."""
EMAILS_BY_ADDRESS = Policy("email-change-address", 20, 3600)
"""As many as one address could ask by signing up, however many accounts it has."""
RESETS_BY_ADDRESS = Policy("password-reset", 20, 3600)
"""Each is a letter to somebody, who may not have asked for it."""
LETTERS_BY_EMAIL = Policy("password-reset-email", 3, 3600)
"""Asked for, by whomever: who uses them up for somebody else has sent them what they need, if it did not end since."""

CONFIRMATIONS_BY_PERSON = Policy("email-confirmation", 10, 3600)
"""Letters that one asks for to one's own address; more than it is sent, so that nobody is told how many it was."""
CONFIRMATIONS_BY_EMAIL = Policy("email-confirmation-email", 3, 3600)
"""Asked for by whomever gives the address for theirs: it may be somebody else's, who has to be let alone."""
CHANGES_BY_EMAIL = Policy("email-changed-email", 3, 3600)
"""To an address that was never confirmed, that it stands in an account no more: for the same reason, and counted by
itself, so that the letters that ask do not use it up."""

LOGIN_CHARACTERS = 300
"""Of an unknown login, that are looked at: more than any name or address has."""


class PasswordTry:
    """One try at a password from one address. It is good for one guess."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._address = client_address(request)
        self._guess: Guess | None = None

    def guess(self, person_id: int | None, login: str = "") -> None:
        """Counts the guess by account, before the password is looked at: to be called before anything is hashed.

        Nobody's login counts as well, and nothing that is answered tells the two apart. One Redis round trip. Raises
        `TooMany`.
        """
        if not settings.RATE_LIMITS:
            return
        account = _number_of(login) if person_id is None else person_id
        self._guess = count_guess(account, self._address, here=SIGN_INS_BY_PAIR, everywhere=SIGN_INS_BY_LOGIN)
        if (hit := self._guess.exceeded) is not None:
            note_hits(self._request, [hit])
            raise TooMany(hit.resets_seconds)

    def was_right(self) -> None:
        """Takes the guess back: who knows the password may come as often as the address may. One Redis round trip."""
        self._take_back(right=True)

    def was_not_made(self) -> None:
        """Takes back a guess whose password was not looked at. One Redis round trip."""
        self._take_back(right=False)

    def email_probe(self, person_id: int) -> None:
        """Counts that somebody is about to be told whether an address is taken. Two round trips. Raises `TooMany`.

        Where they come from counts only within what they have themselves: nobody uses up their neighbours' tries.
        """
        count_or_refuse(self._request, (EMAILS_BY_PERSON, f"rate:email-change:{person_id}"))
        count_or_refuse(self._request, (EMAILS_BY_ADDRESS, f"rate:email-change:address:{self._address}"))

    def _take_back(self, *, right: bool) -> None:
        if self._guess is not None:
            take_back(self._guess, right=right)
            self._guess = None


def password_try(request: HttpRequest) -> PasswordTry:
    """Returns a try at a password, counted by its address. One Redis round trip. Raises `TooMany`.

    Raises `Crowded`, before anything is counted, when it would not have its turn to be hashed: a flood is refused at
    the least cost, and who is caught up in it loses no try. What was counted stands in the answer's RateLimit fields.
    """
    TURNS.refuse_crowd()
    tried = PasswordTry(request)
    count_or_refuse(request, (SIGN_INS_BY_ADDRESS, f"rate:sign-in:address:{client_address(request)}"))
    return tried


def count_sign_up(request: HttpRequest) -> None:
    """Counts somebody who signs up, and whatever is answered. One Redis round trip. Raises as `password_try` does."""
    TURNS.refuse_crowd()
    count_or_refuse(request, (SIGN_UPS, f"rate:sign-up:{client_address(request)}"))


def count_reset(request: HttpRequest) -> None:
    """Counts somebody who has forgotten a password. One Redis round trip. Raises `TooMany`."""
    count_or_refuse(request, (RESETS_BY_ADDRESS, f"rate:password-reset:address:{client_address(request)}"))


def may_have_a_letter(email: str) -> bool:
    """Counts a letter that is asked for, to an e-mail address; says whether it may have it. One Redis round trip.

    Whoever asks is not told: it says what others have asked for. Whether it was sent counts for nothing.
    """
    if not settings.RATE_LIMITS:
        return True
    [hit] = hit_all((LETTERS_BY_EMAIL, _letters_to(email)))
    return not hit.exceeded


def has_no_letter(email: str) -> None:
    """Takes back what `may_have_a_letter` counted just now, as it could not be noted. One Redis round trip."""
    if settings.RATE_LIMITS:
        hit_all((LETTERS_BY_EMAIL, _letters_to(email)), amount=-1)


def _letters_to(email: str) -> str:
    return f"rate:password-reset:email:{_number_of(email)}"


def count_confirmation(request: HttpRequest, person_id: int) -> None:
    """Counts somebody who wants another letter to confirm their address by. One Redis round trip. Raises `TooMany`."""
    count_or_refuse(request, (CONFIRMATIONS_BY_PERSON, f"rate:email-confirmation:{person_id}"))


def may_be_written_to(*letters: tuple[Policy, str]) -> list[bool]:
    """Counts letters to e-mail addresses, each under its policy; says whether each may be sent. One round trip, none
    for no letter."""
    if not settings.RATE_LIMITS or not letters:
        return [True] * len(letters)
    return [not hit.exceeded for hit in hit_all(*map(_letter_key, letters))]


def were_not_written_to(*letters: tuple[Policy, str]) -> None:
    """Takes back what `may_be_written_to` counted just now. One round trip, none for no letter."""
    if settings.RATE_LIMITS and letters:
        hit_all(*map(_letter_key, letters), amount=-1)


def _letter_key(letter: tuple[Policy, str]) -> tuple[Policy, str]:
    policy, email = letter
    return policy, f"rate:{policy.name.removesuffix('-email')}:email:{_number_of(email)}"


def count_or_refuse(request: HttpRequest, *counted: tuple[Policy, str]) -> None:
    """Counts a request under each key. One Redis round trip. Raises `TooMany`; nothing with RATE_LIMITS=off."""
    if not settings.RATE_LIMITS:
        return
    hits = hit_all(*counted)
    note_hits(request, hits)
    exceeded = [hit.resets_seconds for hit in hits if hit.exceeded]
    if exceeded:
        raise TooMany(max(exceeded))


def note_hits(request: HttpRequest, hits: Sequence[Hit]) -> None:
    """Adds to what the answer's RateLimit fields say."""
    request.rate_hits = [*getattr(request, "rate_hits", ()), *hits]  # type: ignore[attr-defined]


def _number_of(login: str) -> int:
    """What an unknown login counts under, in any case and with spaces around it or not, as a known one does."""
    folded = unicodedata.normalize("NFKC", login.strip()[:LOGIN_CHARACTERS]).casefold()
    return int.from_bytes(hashlib.sha256(folded.encode("utf-8", "replace")).digest()[:8])
