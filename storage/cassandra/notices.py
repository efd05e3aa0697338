"""Notices in Cassandra: a truth, and a listing a kind by slots of time (storage/ports/notices.py says what both are).

Nothing is read before it is written: each row is written at its place's own time, so of several writes of a notice the
last operation wins, in the truth and in each slot; the truth of what comes once at a time that falls as places grow, so
that the first wins. What is about no subject has its truth alone, and no listing. What is left over in older slots, or
by a late write, names another place than the truth, and is passed over where the listing is read, as edges' listings
are (docs/adr/003).

**Order.** A slot never holds anything of another slot's time. So slots are read in order, and what stands in one is
sorted once all of it was read.

**A notice that moves while it is read** (a tweet that is liked all the time) is found in the place where it was, with a
truth above. Going down it is taken as the truth says, or who looks at the front would hardly ever see it; going up it
is left to the next reading, whose range begins below.
"""

import time
from collections.abc import Collection, Iterable, Sequence

from storage.cassandra import session
from storage.cassandra.lasting import Lasting
from storage.cassandra.outbox import lasting
from storage.cassandra.session import Row, Statement
from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, id_month, make_id, now_us, write_timestamp
from storage.ports.notices import FORGOTTEN, Kind, Notice, slot_of
from storage.ports.ranges import Range

READING_SECONDS = 3.0
"""How long a listing may walk to fill a page; only one that is nearly all left over rows takes that long."""
FEWEST_ROWS, GROWTH = 20, 4
MOST_ROWS = 2_000
"""Rows of one step of a kind: some ten milliseconds."""
LATEST_US = 7 * 86_400_000_000
"""So long an order may have waited that writes a notice: else it is a dead letter, or nobody works."""
_FALLING_US = 1 << 60
"""From which a place's time is taken where the first write wins: later than any, and less than a timestamp may be.
Whoever deletes such a row has to do it as of this or later."""

_SET = "INSERT INTO notices (recipient, kind, subject, place) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
_LIST = (
    "INSERT INTO notices_by_time (recipient, kind, month, slot, subject, place) VALUES (?, ?, ?, ?, ?, ?)"
    " USING TIMESTAMP ?"
)
_LIST_MONTH = "INSERT INTO notice_months (recipient, kind, month) VALUES (?, ?, ?) USING TIMESTAMP ?"
_TRUTH = "SELECT place FROM notices WHERE recipient = ? AND kind = ? AND subject = ?"
_MONTHS = "SELECT kind, month FROM notice_months WHERE recipient = ?"
_ROWS = "SELECT slot, subject, place FROM notices_by_time WHERE recipient = ? AND kind = ? AND month = ?"
_DOWN = f"{_ROWS} AND (slot, subject) <= (?, ?) AND (slot) >= (?) ORDER BY slot DESC, subject DESC LIMIT ?"
_UP = f"{_ROWS} AND (slot, subject) > (?, ?) AND (slot) <= (?) ORDER BY slot ASC, subject ASC LIMIT ?"
_READ = "SELECT place FROM notices_read WHERE recipient = ?"
_MARK_READ = "INSERT INTO notices_read (recipient, place) VALUES (?, ?) USING TIMESTAMP ?"
_SOME = f"{_ROWS} LIMIT ?"
_FORGET = "DELETE FROM notices USING TIMESTAMP ? WHERE recipient = ? AND kind = ? AND subject = ?"
_UNLIST = (
    "DELETE FROM notices_by_time USING TIMESTAMP ?"
    " WHERE recipient = ? AND kind = ? AND month = ? AND slot = ? AND subject = ?"
)
_UNLIST_ALL = "DELETE FROM notices_by_time USING TIMESTAMP ? WHERE recipient = ? AND kind = ? AND month = ?"
_FORGET_READ = "DELETE FROM notices_read USING TIMESTAMP ? WHERE recipient = ?"


class CassandraNotices:
    """See `storage.ports.notices.Notices`."""

    def add(self, notices: Sequence[Notice]) -> None:
        """Makes one round trip: two rows each, of what is about no subject one, and the month of what this process has
        not listed there yet."""
        statements = lasting.left_to_write([each for notice in notices for each in _statements(notice)])
        session.write_all(statements)
        lasting.remember(statements)

    def newest(self, recipient: int, kinds: Collection[Kind], within: Range) -> list[Notice]:
        """Makes three round trips: months and what has no listing, rows, truths. Further ones where much was left over,
        or month by month."""
        if within.low > within.high or within.limit <= 0:
            return []
        walk = _Walk(recipient, kinds, within)
        ends = time.monotonic() + READING_SECONDS
        while not walk.is_over:
            if time.monotonic() >= ends:
                raise Unavailable("cassandra")
            walk.step()
        return walk.newest()

    def read_up_to(self, recipient: int) -> int:
        rows = session.execute(_READ, (recipient,))
        return int(rows[0][0]) if rows else 0

    def mark_read(self, recipient: int, place: int) -> None:
        session.execute(_MARK_READ, (recipient, place, write_timestamp(place)))

    def forget(self, recipient: int, kinds: Collection[Kind]) -> int:
        """Makes a round trip for the months, one for each month until one holds something, and two to delete: the
        truths first, which are found by the listing."""
        known = {kind.name: kind for kind in kinds}
        months = [each for each in session.execute(_MONTHS, (recipient,)) if each[0] in known]
        for name, month in sorted(months, key=lambda each: -each[1]):
            rows = session.execute(_SOME, (recipient, name, month, FORGOTTEN))
            if rows:
                _forget(recipient, known[name], month, rows)
                return len(rows)
        return self._forget_what_is_not_listed(recipient, kinds)

    def _forget_what_is_not_listed(self, recipient: int, kinds: Collection[Kind]) -> int:
        """What is about no subject, and up to where was read; and what of places up to now is still to be written: it
        is as of before, so it is deleted already, wherever it would stand."""
        alone = [kind.name for kind in kinds if kind.alone]
        standing = session.execute_many(_TRUTH, [(recipient, name, 0) for name in alone])
        timestamp = now_us()
        months = {id_month(make_id(timestamp - each, 0)) for each in (0, LATEST_US)}
        listings = [(recipient, kind.name, month) for kind in kinds for month in months if not kind.alone]
        statements: list[Statement] = [(_FORGET, (timestamp, recipient, name, 0)) for name in alone]
        statements += [(_UNLIST_ALL, (timestamp, *each)) for each in listings]
        session.execute_all([*statements, (_FORGET_READ, (timestamp, recipient))])
        return sum(map(len, standing))


class _Walk:
    """The listings of some kinds, walked side by side as far as is needed to know the nearest `limit`."""

    def __init__(self, recipient: int, kinds: Collection[Kind], within: Range) -> None:
        self._recipient = recipient
        self._within = within
        alone = [kind for kind in kinds if kind.alone]
        named, *truths = session.execute_all(
            [(_MONTHS, (recipient,)), *((_TRUTH, (recipient, kind.name, 0)) for kind in alone)]
        )
        standing = [(kind, int(rows[0][0])) for kind, rows in zip(alone, truths, strict=True) if rows]
        self._alone = [
            Notice(recipient, kind, 0, place) for kind, place in standing if within.low <= place <= within.high
        ]
        months = _months(named, within)
        listed = [kind for kind in kinds if kind.name in months and not kind.alone]
        self._lanes = [_Lane(recipient, kind, months[kind.name], within) for kind in listed]
        self._truths: dict[tuple[str, int], int] = {}
        self._asked = max(within.limit, FEWEST_ROWS)

    @property
    def is_over(self) -> bool:
        return not self._unfinished()

    def step(self) -> None:
        """Reads on in every kind of which too little is known, and then the truth of what was found."""
        lanes = self._unfinished()
        for lane, rows in zip(lanes, session.execute_all([lane.statement(self._asked) for lane in lanes]), strict=True):
            lane.add(rows, self._asked)
        self._look_up(lanes)
        for lane in lanes:
            lane.keep(self._truths)
        self._asked = min(self._asked * GROWTH, MOST_ROWS)

    def newest(self) -> list[Notice]:
        found = [*self._alone, *(notice for lane in self._lanes for notice in lane.found)]
        found.sort(key=lambda notice: notice.place, reverse=True)
        return found[-self._within.limit :] if self._within.after is not None else found[: self._within.limit]

    def _unfinished(self) -> "list[_Lane]":
        return [lane for lane in self._lanes if not lane.is_at_end and len(lane.found) < self._within.limit]

    def _look_up(self, lanes: "Iterable[_Lane]") -> None:
        named = [(lane.kind.name, subject) for lane in lanes for _, subject in lane.candidates]
        unknown = [each for each in dict.fromkeys(named) if each not in self._truths]
        rows = session.execute_many(_TRUTH, [(self._recipient, *each) for each in unknown])
        self._truths |= {each: truth[0][0] if truth else 0 for each, truth in zip(unknown, rows, strict=True)}


class _Lane:
    """The listing of one kind, as far as it was walked."""

    def __init__(self, recipient: int, kind: Kind, months: Sequence[int], within: Range) -> None:
        self.kind = kind
        self.candidates: list[tuple[int, int]] = []
        """(place, subject) of whole slots, in order, whose truth was not looked up yet."""
        self.found: list[Notice] = []
        self._taken: set[int] = set()
        self._recipient = recipient
        self._within = within
        self._upwards = within.after is not None
        self._months = sorted(months, reverse=not self._upwards)
        first = slot_of(kind, within.low)
        self._ends = within.high if self._upwards else first
        self._next = (first - 1, MAX_ID) if self._upwards else (within.high, MAX_ID)
        self._slot: list[Row] = []
        """What was read of a slot of which there may be more."""

    @property
    def is_at_end(self) -> bool:
        return not self._months

    def statement(self, limit: int) -> Statement:
        """Returns what reads the next rows, so many at most."""
        return (
            _UP if self._upwards else _DOWN,
            (self._recipient, self.kind.name, self._months[0], *self._next, self._ends, limit),
        )

    def add(self, rows: Sequence[Row], asked: int) -> None:
        """Takes what the statement said. A slot whose end was not seen waits for the next rows."""
        self._slot += rows
        if len(rows) < asked:
            self._months.pop(0)
            cut = len(self._slot)
        else:
            slot, subject, _ = rows[-1]
            self._next = (slot, subject) if self._upwards else (slot, subject - 1)
            begun = next(place for place, row in enumerate(self._slot) if row[0] == slot)
            cut = len(self._slot) if self.kind.once else begun
        whole, self._slot = self._slot[:cut], self._slot[cut:]
        within = [(place, subject) for _, subject, place in whole if self._within.low <= place <= self._within.high]
        self.candidates += sorted(within, reverse=not self._upwards)

    def keep(self, truths: dict[tuple[str, int], int]) -> None:
        """Takes over which of the candidates stand where they are listed; going down, also what has just moved up."""
        for place, subject in self.candidates:
            truth = truths[self.kind.name, subject]
            moved = not self._upwards and place < truth <= self._within.high and subject not in self._taken
            if truth == place or moved:
                self.found.append(Notice(self._recipient, self.kind, subject, truth))
                self._taken.add(subject)
        self.candidates = []


def _forget(recipient: int, kind: Kind, month: int, rows: Sequence[Row]) -> None:
    """The truths as of later than any of their writes, which of what comes once is _FALLING_US."""
    timestamp = now_us()
    of_truth = _FALLING_US if kind.once else timestamp
    subjects = dict.fromkeys(subject for _, subject, _ in rows)
    session.execute_all([(_FORGET, (of_truth, recipient, kind.name, subject)) for subject in subjects])
    listed = [(recipient, kind.name, month, slot, subject) for slot, subject, _ in rows]
    session.execute_all([(_UNLIST, (timestamp, *each)) for each in listed])


def _statements(notice: Notice) -> list[Statement]:
    recipient, kind, subject, place = notice.recipient, notice.kind.name, notice.subject, notice.place
    month, timestamp = id_month(place), write_timestamp(place)
    truth: Statement = (
        _SET,
        (recipient, kind, subject, place, _FALLING_US - timestamp if notice.kind.once else timestamp),
    )
    if notice.kind.alone:
        return [truth]
    return [
        truth,
        (_LIST, (recipient, kind, month, slot_of(notice.kind, place), subject, place, timestamp)),
        Lasting(_LIST_MONTH, (recipient, kind, month, timestamp)),
    ]


def _months(named: Iterable[Row], within: Range) -> dict[str, list[int]]:
    """The months that hold something in the range, by kind."""
    found: dict[str, list[int]] = {}
    for kind, month in named:
        if id_month(within.low) <= month <= id_month(within.high):
            found.setdefault(kind, []).append(month)
    return found
