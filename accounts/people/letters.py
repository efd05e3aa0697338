"""Sending letters: those of forgotten passwords (people/resets.py), and what addresses are told of their accounts
(people/confirming.py). A worker does, every few seconds (feed/tasks.py). What they say stands in letter_texts.py.

**A mail server holds nobody up for long.** Workers work orders off as well. So one of them sends at a time, who has
taken the turn, a key in the broker's Redis; after a server that failed nobody has a turn for RETRY_SECONDS, and after a
slow letter nobody for twice as long as it took. What hangs costs one worker settings.EMAIL_TIMEOUT a minute, for each
address that the server has.

**A letter is sent once**, as far as can be known. Who sends one has claimed its row, for longer than a run lasts: so it
is although the turn was lost with its Redis. A server that falls silent amid a letter may have taken it: that one is
tried again within DOUBTFUL_SECONDS of the asking, and no more. And a worker that dies, or loses SQL, between the
server's answer and the deletion of the row has the letter sent again.

**Forgotten passwords go first**: somebody waits for one who can do nothing until it comes, and how many sign up is up
to whoever likes to. Of the letters of a run every OTHERS_TURN-th is of the other sort, as long as there are any, so
that neither waits for the last of the other.

**Nothing that was asked for is lost silently.** The row stands until the letter was handed over. What cannot be written
to anybody is given up, and so is what a mailbox has refused MOST_REFUSALS times, as most of those do not exist. One
that takes none holds up no other, and is tried after a minute, two, four, and so on up to MOST_PAUSE_SECONDS;
everything else is tried again each RETRY_SECONDS. What has waited for as long as GIVEN_UP_SECONDS says is deleted. All
of it is logged.
"""

import math
import smtplib
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from enum import Enum, auto
from random import randrange
from time import monotonic

import structlog
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend

from accounts.letter_rows import AddressLetter, LetterRow, PasswordReset
from accounts.people.letter_texts import Letter, letter_of
from accounts.sql import sql_or_unavailable
from storage.errors import Unavailable
from storage.redis.node import broker_node

SENT_AT_ONCE = 500
"""Rows of one run, most of which may want no letter: whoever asks for addresses of nobody must not fill it. A worker
looks every few seconds."""
SENDING_SECONDS = 2.0
"""Of one run, after which no letter is begun: the same worker works orders off."""
SLOW_SECONDS = 2.0
"""A letter that took so long is the last of its run."""
RETRY_SECONDS = 60
"""Between two tries at a letter, and at a server that failed."""
MOST_PAUSE_SECONDS = 3_600
"""Between two tries at a mailbox that takes none; a full one is emptied within the day."""
MOST_REFUSALS = 5
"""For good (5xx), of one recipient: a quarter of an hour. A server that has our own address on a list says so too."""
OTHERS_TURN = 4
"""Of the letters of a run, where both sorts wait, this one is not of a forgotten password."""
DOUBTFUL_SECONDS = 180
"""After somebody asked: until then their letter is tried again although the server may have taken it."""
TURN_SECONDS = 150
"""For which a turn, and a row, are taken. A run takes SENDING_SECONDS and a letter, which is a dozen answers of the
server, each within settings.EMAIL_TIMEOUT; one that took longer all the same was slow, and gives back nobody's turn."""
GIVEN_UP_SECONDS: Mapping[type[LetterRow], int] = {PasswordReset: 3_600, AddressLetter: 86_400}
"""Who has waited an hour for a new password has asked again. Nobody waits for the others, and of a changed address one
is to hear although the mail server is away for a night."""
TURN = "sending-letters"

log = structlog.get_logger(__name__)


class _Fault(Enum):
    """Why a letter was not sent."""

    OF_THE_LETTER = auto()
    """For good."""
    OF_THE_MAILBOX = auto()
    """Greylisted or full, or what the letter says is not liked."""
    REFUSED = auto()
    """There is no such mailbox; of servers that say so of every one when they mean the sender."""
    DOUBTFUL = auto()
    """The server fell silent amid it: perhaps it has taken the letter."""
    OF_THE_SERVER = auto()
    """Who fails with every other one, too."""


def send_letters() -> int:
    """Sends the letters that are due, up to SENT_AT_ONCE; returns how many it is done with.

    First of all forgets what nobody waits for any more. None is sent where there is no mail server, none beside
    another run, and none for RETRY_SECONDS after a server that failed. Three to six SQL statements a letter, and two
    round trips; four statements if there is nothing to do. Raises `Unavailable` for SQL and the broker.
    """
    _forget_old()
    due = _due() if settings.SENDS_LETTERS else []
    if not due or not _take_turn():
        return 0
    rest, connection = RETRY_SECONDS, get_connection()
    try:
        done, rest = _send(due, connection)
    finally:
        with suppress(OSError):
            connection.close()
        _end_turn(rest)
    return done


def _send(due: list[LetterRow], connection: BaseEmailBackend) -> tuple[int, int]:
    """How many were done with, and for how many seconds the server is to be left alone."""
    done, until = 0, monotonic() + SENDING_SECONDS
    for asked in due:
        began = monotonic()
        if began >= until:
            break
        if not _claim(asked):
            continue
        letter = _letter_of(asked)
        last = _last_faults(asked)
        fault = None if letter is None else _sent(letter, connection, last)
        if fault is None or fault in last:
            _forget(asked)
            done += 1
        else:
            _put_off(asked, fault)
        if fault in (_Fault.OF_THE_SERVER, _Fault.DOUBTFUL):
            return done, RETRY_SECONDS
        if (took := monotonic() - began) >= SLOW_SECONDS:
            log.warning("letters_are_slow")
            return done, min(RETRY_SECONDS, math.ceil(2 * took))
    return done, 0


def _take_turn() -> bool:
    """Whether nobody else has it, nor is the server left alone. One round trip. Raises `Unavailable`."""
    [taken] = broker_node().round_trip(("SET", TURN, b"1", "NX", "EX", TURN_SECONDS))
    return bool(taken)


def _end_turn(rest: int) -> None:
    """Lets the next begin in so many seconds. If it is not heard, the turn ends by itself."""
    with suppress(Unavailable):
        broker_node().round_trip(("SET", TURN, b"1", "EX", rest) if rest else ("DEL", TURN))


@sql_or_unavailable()
def _forget_old() -> None:
    """Whether or not letters are sent: an address is not kept for longer."""
    now, count = datetime.now(UTC), 0
    for rows, seconds in GIVEN_UP_SECONDS.items():
        count += rows._default_manager.filter(asked_at__lte=now - timedelta(seconds=seconds)).delete()[0]
    if count:
        log.error("letters_given_up", count=count)


@sql_or_unavailable()
def _due() -> list[LetterRow]:
    """Of each sort the longest due first, and the sorts by their shares."""
    now = datetime.now(UTC)
    resets, others = (
        list[LetterRow](rows._default_manager.filter(due_at__lte=now).order_by("due_at")[:SENT_AT_ONCE])
        for rows in (PasswordReset, AddressLetter)
    )
    return _shared(resets, others)[:SENT_AT_ONCE]


def _shared(resets: list[LetterRow], others: list[LetterRow]) -> list[LetterRow]:
    """Begins anywhere in the turns: of a run that comes to one letter each sort has its share as well."""
    found, turn = list[LetterRow](), randrange(OTHERS_TURN)  # noqa: S311
    while resets and others:
        turn = turn % OTHERS_TURN + 1
        found.append((others if turn == OTHERS_TURN else resets).pop(0))
    return found + resets + others


@sql_or_unavailable()
def _claim(asked: LetterRow) -> bool:
    """Whether nobody else is at it."""
    again = datetime.now(UTC) + timedelta(seconds=TURN_SECONDS)
    return bool(type(asked)._default_manager.filter(pk=asked.pk, due_at=asked.due_at).update(due_at=again))


@sql_or_unavailable()
def _put_off(asked: LetterRow, fault: _Fault) -> None:
    """Behind all that wait now."""
    refusals, pause = asked.refusals, RETRY_SECONDS
    if fault in (_Fault.OF_THE_MAILBOX, _Fault.REFUSED):
        pause = min(MOST_PAUSE_SECONDS, RETRY_SECONDS << refusals)
        refusals += 1
    again = datetime.now(UTC) + timedelta(seconds=pause)
    type(asked)._default_manager.filter(pk=asked.pk).update(due_at=again, refusals=refusals)


@sql_or_unavailable()
def _forget(asked: LetterRow) -> None:
    asked.delete()


def _last_faults(asked: LetterRow) -> set[_Fault]:
    """After which the letter is not tried again."""
    last = {_Fault.OF_THE_LETTER}
    if datetime.now(UTC) - asked.asked_at >= timedelta(seconds=DOUBTFUL_SECONDS):
        last.add(_Fault.DOUBTFUL)
    if asked.refusals + 1 >= MOST_REFUSALS:
        last.add(_Fault.REFUSED)
    return last


@sql_or_unavailable()
def _letter_of(asked: LetterRow) -> Letter | None:
    return letter_of(asked)


def _sent(letter: Letter, connection: BaseEmailBackend, last: Collection[_Fault]) -> _Fault | None:
    """None if it was. It is given up after one of the `last`. What a server says is not logged: it may name people."""
    try:
        connection.open()
    except Exception as error:
        log.warning("letter_waits", user_id=letter.user_id, error=type(error).__name__)
        return _Fault.OF_THE_SERVER
    try:
        connection.send_messages([letter.message])
    except Exception as error:
        fault, kind = _fault_in(error), type(error).__name__
        if fault in last:
            log.error("letter_given_up", user_id=letter.user_id, error=kind)
        else:
            log.warning("letter_waits", user_id=letter.user_id, error=kind)
        return fault
    return None


def _fault_in(error: Exception) -> _Fault:
    """An answer to the sender is the server's own, whatever its number; one to the recipient or the letter may be."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        is_final = all(code >= 500 for code, _ in error.recipients.values())
        return _Fault.REFUSED if is_final else _Fault.OF_THE_MAILBOX
    if isinstance(error, smtplib.SMTPDataError):
        return _Fault.OF_THE_MAILBOX if error.smtp_code >= 500 else _Fault.OF_THE_SERVER
    if isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError):
        return _Fault.DOUBTFUL
    of_the_letter = isinstance(error, ValueError | MessageError) and not isinstance(error, OSError)
    return _Fault.OF_THE_LETTER if of_the_letter else _Fault.OF_THE_SERVER
