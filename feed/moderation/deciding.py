"""Working on what was reported: claiming a target, so that two never work on one, and deciding about it.

What is decided is done first, by the services that every door calls; then, in one transaction, the decision stands, all
reports of the target are closed by it, and the claim is gone. What could not be done is not decided: the reports stay
open, and deciding again repeats what does no harm twice.
"""

from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction

from accounts.entities import Viewer
from accounts.models import User
from accounts.people import services
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from accounts.staff.roles import Right, may, may_touch
from feed.models import Claim, Decision, Kind, Report, Status, Verdict
from feed.moderation.queue import Target, person_of, reports_about
from storage.errors import Forbidden, NotFound, Refused
from tweets.writing.posting import delete_tweet

CLAIM_MINUTES = 15
"""As long as one target takes a moderator who reads; claiming again begins them anew."""

RIGHTS = {
    Verdict.DISMISS: Right.HANDLE_REPORTS,
    Verdict.WARN: Right.HANDLE_REPORTS,
    Verdict.DELETE: Right.DELETE_TWEETS,
    Verdict.SUSPEND: Right.SUSPEND_PEOPLE,
}
"""What each takes besides reading reports."""

log = structlog.get_logger(__name__)


@sql_or_unavailable()
def claim(target: Target, *, by: User) -> datetime:
    """Makes the target this moderator's to work on; until when. Again, it lasts longer.

    Raises `Refused` while somebody else works on it, `Forbidden`, and `NotFound`. A few SQL statements.
    """
    _check(target, by)
    now = datetime.now(UTC)
    until = now + timedelta(minutes=CLAIM_MINUTES)
    with transaction.atomic():
        standing, made = Claim.objects.select_for_update().get_or_create(
            kind=target.kind, target_id=target.id, defaults={"by": by, "expires_at": until}
        )
        if not made and standing.by_id != by.id and standing.expires_at > now:
            raise Refused("claim", f"@{standing.by.username} is working on it.", code="claimed")
        standing.by, standing.expires_at = by, until
        standing.save()
    return until


@sql_or_unavailable()
def release(target: Target, *, by: User) -> None:
    """Ends this moderator's claim. Idempotent."""
    Claim.objects.filter(kind=target.kind, target_id=target.id, by=by).delete()


def decide(target: Target, *, by: User, verdict: str, note: str, until: datetime | None = None) -> Decision:
    """Does what is decided, and closes every report of the target by it.

    `until` ends a suspension by itself. Raises `Refused` (an unknown verdict; no note; a claim of somebody else's; no
    open report), `Forbidden`, `NotFound` and `Unavailable`. Costs what is done, and some SQL statements.
    """
    if verdict not in Verdict.values or (verdict == Verdict.DELETE and target.kind != Kind.TWEET):
        raise Refused("verdict", "That cannot be decided about it.")
    note = staff_log.checked_reason(note)
    if not may(by, RIGHTS[Verdict(verdict)]):
        raise Forbidden("You have not the right to decide that.")
    claim(target, by=by)
    if not reports_about(target, by).filter(status=Status.OPEN).exists():
        raise Refused("verdict", "No report of it is open any more.", code="closed")
    person = person_of(target, by)
    _carry_out(target, person, verdict, by=by, note=note, until=until)
    return _close(target, person, verdict, by=by, note=note)


def _check(target: Target, by: User) -> None:
    """Raises `NotFound` for what was not reported, or not for these eyes; `Forbidden` for what is about oneself."""
    person = person_of(target, by)
    if person.id == by.id:
        raise Forbidden("Nobody decides about themselves.")
    if not may_touch(by, person):
        raise Forbidden("Staff are superusers' business.")


def _carry_out(target: Target, person: User, verdict: str, *, by: User, note: str, until: datetime | None) -> None:
    if verdict == Verdict.SUSPEND:
        services.suspend(person, by=by, until=until, reason=note)
    elif verdict == Verdict.DELETE:
        try:
            delete_tweet(tweet_id=target.id, viewer=Viewer(by.id, by.account, ""), reason=note)
        except NotFound:
            log.info("reported_tweet_is_gone", tweet_id=target.id)


@sql_or_unavailable()
@transaction.atomic
def _close(target: Target, person: User, verdict: str, *, by: User, note: str) -> Decision:
    decision = Decision.objects.create(
        kind=target.kind, target_id=target.id, person=person, verdict=verdict, note=note, by=by
    )
    about = Report.objects.filter(tweet_id=target.id if target.kind == Kind.TWEET else None, person=person)
    closed = about.filter(status=Status.OPEN).update(status=Status.CLOSED, closed_by=by, decision=decision, note=note)
    staff_log.record(
        by=by,
        action=f"{staff_log.DECIDED}{verdict}",
        subject=staff_log.Subject(str(target.kind), target.id, person.pk),
        before={"open reports": closed},
        reason=note,
    )
    release(target, by=by)
    log.info("reports_decided", kind=target.kind, target_id=target.id, verdict=verdict, reports=closed, by=by.id)
    return decision
