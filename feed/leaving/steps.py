"""Steps of erasing somebody who has left (accounts/people/erasing.py) that compose packages, or are of this one."""

from django.db.models import QuerySet

from accounts.graph.notifications import KIND
from accounts.people.erasing import Piece, Step, deleted, row_steps
from fanout.delivery import celebrities
from feed.models import MutedWord, Report
from storage.ports.ranges import Range
from storage.stores import notices

NOTICE_KINDS = tuple(KIND.values())


LISTED_KINDS = tuple(kind for kind in NOTICE_KINDS if not kind.alone)


def _forget_notices(person_id: int, _place: int) -> Piece:
    """The newest first, so that the newest that is left is ever older."""
    count = notices().forget(person_id, NOTICE_KINDS)
    left = notices().newest(person_id, LISTED_KINDS, Range(None, None, 1)) if count else []
    return Piece(count, left[0].place if left else 1 if count else None)


def _has_notices(person_id: int) -> bool:
    newest = notices().newest(person_id, NOTICE_KINDS, Range(None, None, 1))
    return bool(newest) or notices().read_up_to(person_id) > 0


def _reported_by_nobody(reports: QuerySet[Report]) -> int:
    """What was reported stays, without who did it."""
    return reports.update(reporter=None)


DELIVERY_STEP = Step(
    "delivery",
    lambda person_id, _place: Piece(celebrities.forget(person_id)),
    celebrities.is_known,
)
NOTICES_STEP = Step("notices", _forget_notices, _has_notices)
REPORTS_STEP = row_steps("reports", lambda person_id: Report.objects.filter(reporter_id=person_id), _reported_by_nobody)
MUTED_WORDS_STEP = row_steps("muted words", lambda person_id: MutedWord.objects.filter(person_id=person_id), deleted)
