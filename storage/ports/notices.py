"""The notice port: who is to be told of what, by when it happened last, and up to where each has read.

A *notice* says that something happened for a recipient: its kind, what it is about (the subject), and its *place*, the
id of the order that says so. Of one recipient, kind and subject there is one, however often it happens: the greatest
place holds (of what comes once, the least), in whatever order notices are written, so one that is written again, or
late, changes nothing. Who has
done what is not kept here but asked of whatever keeps it; so nothing has to be taken back here.

For example, ben likes ada's tweet 7 as 100 and cem as 120, and 100 is worked off twice and last:

1. (ada, like, 7) stands at 120, and its place in ada's list is that of 120.
2. Ada has read up to 110: there is something new. She reads up to 120.
3. Dia likes it as 130: the notice moves to the front, and is new again.

**A flood is no list.** What comes again and again is listed once in SLOT_US at most, however often it comes: a million
likes of a day are 144 rows. What comes once (`Kind.once`) is listed at its own place.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from storage.ids.snowflakes import id_us, make_id
from storage.ports.ranges import Range

SLOT_US = 600_000_000
"""Ten minutes: so many rows are passed over of what happens all the time, and as long a stretch is read as a whole to
put it in order, which is a row for each subject of that time. Fixed: another one would list a notice twice."""


FORGOTTEN = 500
"""Notices that are forgotten at once: some hundred milliseconds."""


class Kind(msgspec.Struct, frozen=True):
    """A kind of notices. `once`: of one subject there is one event only. `alone`: it is about no subject, so of each
    recipient there is one notice."""

    name: str
    once: bool
    alone: bool = False


class Notice(msgspec.Struct, frozen=True):
    """Something of that kind about `subject` (0 for none) happened for the recipient, last at `place`."""

    recipient: int
    kind: Kind
    subject: int
    place: int


def slot_of(kind: Kind, place: int) -> int:
    """Returns the place under which a store lists a notice that stands at `place`: never above it, nor of another
    month."""
    if kind.once:
        return place
    us = id_us(place)
    return max(make_id(us - us % SLOT_US, 0), 0)


class Notices(Protocol):
    """Notices of one backend. Raises `Unavailable` when it does not answer."""

    def add(self, notices: Sequence[Notice]) -> None:
        """Writes the notices; each stands at the greatest place that it was ever written with, of a `once` kind at the
        least. Idempotent.

        After `Unavailable` some may stand: write all again.
        """

    def newest(self, recipient: int, kinds: Collection[Kind], within: Range) -> list[Notice]:
        """Returns the recipient's notices of these kinds whose places are in the range, newest first; fewer only at the
        end."""

    def read_up_to(self, recipient: int) -> int:
        """Returns the greatest place that the recipient has ever marked as read, 0 if none."""

    def mark_read(self, recipient: int, place: int) -> None:
        """Marks everything up to `place` as read. Never goes back. Idempotent."""

    def forget(self, recipient: int, kinds: Collection[Kind]) -> int:
        """Removes some of the recipient's notices of these kinds, FORGOTTEN at most, the newest first, in a month kind
        by kind; once none of them is left, up to where they have read, too. Returns how many went, 0 when nothing is
        left. Idempotent.
        """
