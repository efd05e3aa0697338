"""Erasing somebody who has left, a piece at a time, until nothing names them any more.

Which steps there are, in their order, config/leaving.py says (accounts/people/erasing.py what one is). Who is to be
erased stands in SQL, and nowhere else: `User.left_at` without `erased_at`; and in a row of `Leaving`, how far that has
come. So whatever dies at whatever moment, the next run goes on from the last piece that was done; a piece that is done
twice does no harm.

**Who runs it.** A task of every few seconds (`erase_all`), RUN_SECONDS each, as the same worker does everything else of
maintenance. It works on whoever was worked on longest ago, so that nobody waits for those who take hours. The order
that leaving writes, and the desk, puts somebody first (`handle`). Of a person one run works at a time, by a claim that
ends by itself CLAIM_SECONDS after its last piece. Were two at it all the same, pieces would be done twice.

**The proof.** Behind the last step every step is asked whether it has traces of the person. First, whatever was let in
before they left has to have ended: that has written by PROVED_AFTER_US from their leaving on, or never will; and no
order from before that may be open, as an order writes as well, such as a notice of what somebody did to them. The same
goes for what erasing itself has written: the proof waits as long after the last piece that removed anything. Where
there are traces, erasing begins again from that step; only if no step has any, the person is erased.

For example, Ada leaves while a tweet of hers is being written:

1. Steps are worked off to the last one. Her tweet appears behind the step that would have deleted it.
2. Two minutes after she left all steps are asked; the tweets' step finds it. Erasing begins again there: round 1.
3. Behind the last step all are asked again. None has traces, and `erased_at` is set.

**What fails.** A backend that does not answer ends a run, and the next one tries again. So does whatever else a piece
raises, which is logged, and counted and shown at the desk: it is tried for ever, at most each RETRY_SECONDS, as
somebody has to mend it. One who cannot be erased holds up nobody else.

**What is progress.** Before the first proof, a piece further down; after it, fewer traces than the proof before has
found. What goes round and round is none, however much it does: an alert tells of who makes none, and of who takes long.
"""

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F, Q

from accounts.models import User
from accounts.people.erasing import Piece, Step
from accounts.people.leaving import is_leaving
from accounts.sql import sql_or_unavailable
from feed.models import LEAVING_ERROR_MAX, Leaving
from storage.errors import Unavailable
from storage.ids.snowflakes import id_us, now_us
from storage.ports.outbox import GRACE_US, Order
from storage.stores import outbox

RUN_SECONDS = 2.0
"""How long the task works on everybody together, and a piece longer at most: it comes every few seconds."""
A_TURN_SECONDS = 1.0
"""How long it works on one of them before the next one's turn."""
RETRY_SECONDS = 60
"""Between two tries at what failed, and two looks whether the proof may begin."""
AT_ONCE = 50
"""People whom a run looks at."""
CLAIM_SECONDS = 120
"""Far longer than a piece takes."""
PROVED_AFTER_US = GRACE_US
"""As long as a minute of the outbox stays open: what was written before is visible, or never will be."""
PROOF = "proof"
"""The step behind the others."""
ROUNDS_A_RUN = 3
"""So often, at most, a run begins again where the proof has found something."""

log = structlog.get_logger(__name__)

_steps: list[Step] = []


def register_steps(steps: Sequence[Step]) -> None:
    """Says what is erased, in this order. Raises `ValueError` for two of one name, and when it was said before."""
    names = [step.name for step in steps]
    if _steps or len({*names, PROOF}) != len(names) + 1:
        raise ValueError(f"steps are registered once, each with a name of its own: {names}")
    _steps.extend(steps)


def registered_steps() -> Sequence[Step]:
    """Returns the steps, in their order."""
    return tuple(_steps)


def traces_of(person_id: int) -> list[str]:
    """Returns the names of the steps that find something which names the person. Raises `Unavailable`."""
    return [step.name for step in _steps if step.has_traces(person_id)]


def handle(order: Order) -> None:
    """Handles a LEAVE_ORDER: the next run of the task begins with the person. Done before, as nothing hangs by it: who
    was never worked on comes first anyway. Raises `Unavailable`."""
    [person_id] = order.args
    outbox().mark_done(order.id)
    _put_first(person_id)


def erase_all() -> int:
    """Goes on with whoever has left and is not erased, in turns, whom nobody has worked on for longest first; returns
    how many were erased. Raises `Unavailable` if nobody can be read."""
    ends, erased = time.monotonic() + RUN_SECONDS, 0
    waiting = _waiting()
    while waiting and (left := ends - time.monotonic()) > 0:
        person_id = waiting.pop(0)
        goes_on = _erase_guarded(person_id, min(left, A_TURN_SECONDS))
        if goes_on is None:
            erased += 1
        elif goes_on:
            waiting.append(person_id)
    return erased


def _erase_guarded(person_id: int, seconds: float) -> bool | None:
    """As `erase`; what fails besides SQL itself, such as what was to be kept of a failure, holds up nobody else."""
    try:
        return erase(person_id, seconds=seconds)
    except Unavailable:
        raise
    except Exception as error:
        log.exception("erasing_failed", user_id=person_id, step=None, error=type(error).__name__)
        return False


def erase(person_id: int, *, seconds: float) -> bool | None:
    """Works on somebody for that long, and a piece longer at most. Returns None once they are erased, else whether
    there is more to do at once: not while somebody else works on them, or the proof has to wait, or after a failure.

    Raises `Unavailable` when SQL does not answer; whatever else fails is kept with the person.
    """
    run = _claim(person_id)
    if run is None:
        return False
    ends = time.monotonic() + seconds
    try:
        while run.has_more() and time.monotonic() < ends:
            run.do_a_piece()
    except Unavailable as error:
        log.warning("erasing_waits", user_id=person_id, step=run.step, backend=error.backend)
        run.failed(error.message, counts=False)
    except Exception as error:
        log.exception("erasing_failed", user_id=person_id, step=run.step, error=type(error).__name__)
        run.failed(f"{type(error).__name__}: {error}", counts=True)
    finally:
        run.release()
    return None if run.is_over else run.has_more()


class Run:
    """One run's work on one person, by its claim."""

    def __init__(self, row: Leaving, left_at: datetime) -> None:
        self._row = row
        self._left_at = left_at
        self._waits = False
        self._rounds_left = ROUNDS_A_RUN
        self.is_over = False

    @property
    def step(self) -> str:
        """What it works on: a step that is registered, the first one at the beginning, or PROOF."""
        known = {each.name for each in _steps} | {PROOF}
        return self._row.step if self._row.step in known else _steps[0].name

    def has_more(self) -> bool:
        """Returns whether there is anything to be done now."""
        return not (self.is_over or self._waits)

    def do_a_piece(self) -> None:
        """Does the next piece, and keeps the place behind it. Raises what the step does."""
        if self.step == PROOF:
            self._prove()
            return
        number = next(place for place, each in enumerate(_steps) if each.name == self.step)
        step = _steps[number]
        piece = step.erase(self._row.person_id, self._row.place if self._row.step == step.name else 0)
        following = _steps[number + 1].name if number + 1 < len(_steps) else PROOF
        self._keep(step.name, piece, following)

    def failed(self, error: str, *, counts: bool) -> None:
        """Keeps why it goes no further now, in characters that every database takes."""
        self._waits = True
        told = ascii(error)[1:-1][:LEAVING_ERROR_MAX]
        self._write(error=told, tries=F("tries") + 1 if counts else F("tries"))

    @sql_or_unavailable()
    def release(self) -> None:
        """Lets others work on the person; at once if they were put first meanwhile."""
        now = datetime.now(UTC)
        due_at = now + timedelta(seconds=RETRY_SECONDS) if self._waits else now
        held = Leaving.objects.filter(pk=self._row.pk, claim=self._row.claim)
        held.filter(worked_at__isnull=False).update(worked_at=now, due_at=due_at)
        held.update(claim="", claimed_until=now)

    def _keep(self, done: str, piece: Piece, following: str) -> None:
        erased = {**self._row.erased}
        if piece.count:
            erased[done] = erased.get(done, 0) + piece.count
        step, place = (done, piece.rest) if piece.rest is not None else (following, 0)
        is_further = step != done or not self._row.place or place < self._row.place
        marks: dict[str, object] = {}
        if is_further and self._row.rounds == 0:
            marks |= self._now()
        if piece.count:
            marks["removed_at"] = datetime.now(UTC)
        self._done(step=step, place=place, erased=erased, **marks)

    def _prove(self) -> None:
        if not _has_settled(max(self._left_at, self._row.removed_at or self._left_at)):
            self._waits = True
            return
        traces = traces_of(self._row.person_id)
        if traces:
            log.warning("traces_found", user_id=self._row.person_id, step=traces[0], found=traces)
            self._rounds_left -= 1
            self._waits = self._rounds_left <= 0
            fewer = self._row.traces is None or len(traces) < self._row.traces
            rounds = self._row.rounds + 1
            self._done(step=traces[0], place=0, rounds=rounds, traces=len(traces), **self._now() if fewer else {})
        else:
            self._end()

    @sql_or_unavailable()
    def _end(self) -> None:
        with transaction.atomic():
            if not self._done(**self._now()):
                return
            User.objects.filter(pk=self._row.person_id, erased_at=None).update(erased_at=datetime.now(UTC))
        self.is_over = True
        log.info("account_erased", user_id=self._row.person_id, count=self._row.rounds)

    @staticmethod
    def _now() -> dict[str, datetime]:
        """Of what brings the person nearer to the end: going round where nothing goes is none."""
        return {"moved_at": datetime.now(UTC)}

    def _done(self, **columns: object) -> bool:
        """Says whether the claim was still this run's."""
        is_written = self._write(tries=0, error="", **columns)
        for name, value in columns.items():
            setattr(self._row, name, value)
        return is_written

    @sql_or_unavailable()
    def _write(self, **columns: object) -> bool:
        """Writes while the claim is this run's, and renews it; says whether it did. Whose claim has ended stops:
        another one works on."""
        columns["claimed_until"] = datetime.now(UTC) + timedelta(seconds=CLAIM_SECONDS)
        is_written = bool(Leaving.objects.filter(pk=self._row.pk, claim=self._row.claim).update(**columns))
        self._waits = self._waits or not is_written
        return is_written


def _has_settled(since: datetime) -> bool:
    """Says whether everything has been written that was let in or begun before then, and what it ordered is done."""
    settles_us = int(since.timestamp() * 1_000_000) + PROVED_AFTER_US
    if now_us() < settles_us:
        return False
    oldest = outbox().oldest_open()
    return oldest is None or id_us(oldest) > settles_us


@sql_or_unavailable()
def _waiting() -> list[int]:
    """Who is to be worked on now: first who never was, then whom nobody has worked on for longest. One SQL query."""
    due = Q(leaving=None) | Q(leaving__due_at=None) | Q(leaving__due_at__lte=datetime.now(UTC))
    longest_ago = F("leaving__worked_at").asc(nulls_first=True)
    return list(is_leaving().filter(due).order_by(longest_ago, "left_at").values_list("pk", flat=True)[:AT_ONCE])


@sql_or_unavailable()
def _put_first(person_id: int) -> None:
    Leaving.objects.filter(pk=person_id).update(worked_at=None, due_at=None)


@sql_or_unavailable()
def _claim(person_id: int) -> Run | None:
    """None for who is erased, or here, or worked on by somebody else. Three SQL statements or four."""
    left_at = User.objects.filter(pk=person_id, erased_at=None).values_list("left_at", flat=True).first()
    if left_at is None:
        return None
    now = datetime.now(UTC)
    Leaving.objects.get_or_create(pk=person_id, defaults={"moved_at": now, "claimed_until": now})
    claim, until = secrets.token_hex(16), now + timedelta(seconds=CLAIM_SECONDS)
    free = Leaving.objects.filter(pk=person_id, claimed_until__lte=now)
    if not free.update(claim=claim, claimed_until=until, worked_at=now):
        return None
    return Run(Leaving.objects.get(pk=person_id), left_at)
