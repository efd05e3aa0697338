"""What of somebody who has left is erased, as steps: how one is written, and those of SQL and Redis.

A *step* removes one sort of thing, a piece at a time, and says what of that sort still names the person. Whoever
erases (feed/leaving/saga.py) keeps the place after each piece, so that a step which was cut off goes on from there;
config/leaving.py lists all of them, in their order. A table, listing or cache that names people is a line there.

A step is idempotent: any piece may be done twice, by two at once, and after the person's last write, which came late.
It removes by the operations by which the person would have, so that counts, lists and timelines follow.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from django.db.models import QuerySet
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import AuthToken

from accounts.letter_rows import AddressLetter
from accounts.people.purge import READING
from accounts.session_rows import TokenUse
from accounts.sql import sql_or_unavailable
from storage.redis.node import timeline_node
from storage.redis.shards import user_tag

ROWS_A_PIECE = 500
"""Of SQL: a statement of some milliseconds."""
KEPT = (*READING, "news", "unread", "sockets", "right-from", "rate")
GUESSES = "guesses"
"""Erased with them, and no trace: whoever tries to sign in by the name that stays makes it anew, for some minutes."""
COUNTED = ("followers", "following", "tweets")
"""The families of keys `<user tag>:<family>:<id>`; what is counted also stands under `…:large`."""
UNTAGGED = ("rate:email-change", "rate:email-confirmation", "rate:export", "followers-counted")
"""Keys `<family>:<id>`."""


class Piece(msgspec.Struct, frozen=True):
    """What was done: how many things were removed, and where to go on below, None at the end of the step.

    `rest` falls from piece to piece as long as they come nearer to the end: that alone is taken for progress
    (feed/leaving/saga.py). Of a step that needs no place it is how much is left.
    """

    count: int = 0
    rest: int | None = None


class Step(msgspec.Struct, frozen=True):
    """One sort of thing. Both functions take the person, and raise `Unavailable`.

    `erase` removes a piece, which takes a few seconds at most, from a place on: 0 for the beginning.
    """

    name: str
    erase: Callable[[int, int], Piece]
    has_traces: Callable[[int], bool]
    """Whether anything is left; it looks anew from the beginning. Some reads."""


def row_steps(name: str, rows_of: Callable[[int], QuerySet[Any]], remove: Callable[[QuerySet[Any]], int]) -> Step:
    """Returns the step of a table of SQL: `remove` takes some of the person's rows, which it makes no longer theirs."""

    @sql_or_unavailable()
    def erase(person_id: int, _place: int) -> Piece:
        found = list(rows_of(person_id).order_by("pk").values_list("pk", flat=True)[:ROWS_A_PIECE])
        count = remove(rows_of(person_id).filter(pk__in=found)) if found else 0
        left = rows_of(person_id).count() if len(found) == ROWS_A_PIECE else 0
        return Piece(count, left or None)

    @sql_or_unavailable()
    def has_traces(person_id: int) -> bool:
        return rows_of(person_id).exists()

    return Step(name, erase, has_traces)


def deleted(rows: QuerySet[Any]) -> int:
    """Deletes the rows; returns how many."""
    return rows.delete()[0]


def asking_them(person_id: int) -> QuerySet[AddressLetter]:
    """Returns the letters to who has left that nobody is to have any more: all but those of a changed address."""
    return AddressLetter.objects.filter(user_id=person_id, kind=AddressLetter.Kind.CONFIRM)


def _letters_step() -> Step:
    """What tells an address of before of its change is sent first, or given up after a day (people/letters.py): until
    then it is a trace, for which the proof waits."""
    asking = row_steps("letters", asking_them, deleted)
    every = row_steps("letters", lambda person_id: AddressLetter.objects.filter(user_id=person_id), deleted)
    return Step("letters", asking.erase, every.has_traces)


def keys_of(person_id: int) -> list[list[str]]:
    """Returns the keys of Redis that are of nobody else, those of one slot together."""
    tag = user_tag(person_id)
    counted = [f"{tag}:{family}:{person_id}{large}" for family in COUNTED for large in ("", ":large")]
    kept = [f"{tag}:{family}:{person_id}" for family in KEPT]
    return [kept + counted, *([f"{family}:{person_id}"] for family in UNTAGGED)]


def _erase_keys(person_id: int, _place: int) -> Piece:
    guesses = f"{user_tag(person_id)}:{GUESSES}:{person_id}"
    *erased, _ = timeline_node().round_trip(*(("DEL", *keys) for keys in keys_of(person_id)), ("DEL", guesses))
    return Piece(sum(erased))


def _has_keys(person_id: int) -> bool:
    return any(timeline_node().round_trip(*(("EXISTS", *keys) for keys in keys_of(person_id))))


SESSION_STEPS: Sequence[Step] = (
    row_steps("tokens", lambda person_id: AuthToken.objects.filter(user_id=person_id), deleted),
    row_steps("sessions", lambda person_id: TokenUse.objects.filter(user_id=person_id), deleted),
    row_steps("authenticators", lambda person_id: TOTPDevice.objects.filter(user_id=person_id), deleted),
    row_steps("recovery codes", lambda person_id: StaticDevice.objects.filter(user_id=person_id), deleted),
    _letters_step(),
)
"""What they were signed in with, and letters to them: ended when they left, and here once more what was made at that
very moment."""

KEYS_STEP = Step("keys", _erase_keys, _has_keys)
"""What is in Redis of them and nobody else: behind the others, which read and write there."""
