"""Working on what was reported: claiming a target, so that two never work on one, and deciding about it.

A decision takes the token of the claim first, so that one claim decides once. What is decided is then done, by the
services that every door calls; then, in one transaction, the decision stands, all reports of the target that were seen
are closed by it, and the claim is gone. What could not be done is not decided: the reports stay open, and deciding
again repeats what does no harm twice. Where a process dies amid it, the claim lasts its time, and is then anybody's.
"""

import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts.entities import Viewer
from accounts.models import User
from accounts.people import suspending
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from accounts.staff.roles import Right, may, may_touch
from feed.models import Claim, Decision, Kind, Report, Status, Verdict
from feed.moderation.queue import Target, person_of, reports_about
from storage.errors import Forbidden, NotFound, Refused, Unavailable
from tweets.writing.posting import delete_tweet

DECIDED = "Decided about reports of it."
"""Why something was done, where the note of the decision is not for everybody who reads that."""
CLAIM = timedelta(minutes=15)
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
def claim(target: Target, *, by: User) -> Claim:
    """Makes the target this moderator's to work on, and returns their claim. Again, it lasts longer.

    Raises `Refused` while somebody else works on it, or it is being decided, `Forbidden`, and `NotFound`. A few SQL
    statements.
    """
    _check(target, by)
    now = datetime.now(UTC)
    given = {"by": by, "token": _new_token(), "expires_at": now + CLAIM}
    with transaction.atomic():
        standing, made = Claim.objects.select_for_update().get_or_create(
            kind=target.kind, target_id=target.id, defaults=given
        )
        if made:
            return standing
        if standing.expires_at > now:
            if standing.by_id != by.id:
                raise Refused("claim", f"@{standing.by.username} is working on it.", code="claimed")
            if not standing.token:
                raise Refused("claim", "You are deciding about it just now.", code="claimed")
            del given["token"]
        for name, value in given.items():
            setattr(standing, name, value)
        standing.save(update_fields=[*given])
    return standing


@sql_or_unavailable()
def release(target: Target, *, by: User) -> None:
    """Ends this moderator's claim, unless they are deciding by it. Idempotent."""
    _claims(target, by).exclude(token="").delete()


def decide(
    target: Target, *, by: User, token: str, seen: int, verdict: str, note: str, until: datetime | None = None
) -> Decision:
    """Does what is decided, and closes by it every report of the target up to the id `seen`; later ones wait.

    `token` is that of the claim, and decides once: of a double click, or of two pages of one case, the second is
    refused before anything is done. When something fails, the claim has a new one. `until` ends a suspension by itself.
    Raises `Refused` (an unknown verdict; no note; another token; no open report), `Forbidden`, `NotFound` and
    `Unavailable`. Costs what is done, and some SQL statements.
    """
    if verdict not in Verdict.values or (verdict == Verdict.DELETE and target.kind != Kind.TWEET):
        raise Refused("verdict", "That cannot be decided about it.")
    note = staff_log.checked_reason(note)
    if not may(by, RIGHTS[Verdict(verdict)]):
        raise Forbidden("You have not the right to decide that.")
    person = _check(target, by)
    _take(target, by, token)
    try:
        _refuse_without_report(target, by, seen)
        _carry_out(target, person, verdict, by=by, note=note, until=until)
        return _close(target, person, verdict, by=by, note=note, seen=seen)
    except Exception:
        with suppress(Unavailable):
            _give_back(target, by)
        raise


@sql_or_unavailable()
def _take(target: Target, by: User, token: str) -> None:
    """Takes the token of the claim, which nobody else can have then. Raises `Refused` for any other."""
    standing = _claims(target, by).filter(token=token).exclude(token="")
    if not standing.update(token="", expires_at=datetime.now(UTC) + CLAIM):
        raise Refused("claim", "It was decided meanwhile, or is not yours any more. Look at it again.", code="claimed")


@sql_or_unavailable()
def _refuse_without_report(target: Target, by: User, seen: int) -> None:
    if not reports_about(target, by).filter(status=Status.OPEN, id__lte=seen).exists():
        raise _closed()


@sql_or_unavailable()
def _give_back(target: Target, by: User) -> None:
    _claims(target, by).filter(token="").update(token=_new_token())


def _claims(target: Target, by: User) -> QuerySet[Claim]:
    return Claim.objects.filter(kind=target.kind, target_id=target.id, by=by)


def _new_token() -> str:
    return secrets.token_hex(16)


def _closed() -> Refused:
    return Refused("verdict", "No report of it is open any more.", code="closed")


def _check(target: Target, by: User) -> User:
    """Returns whom it concerns. Raises `NotFound` for what was not reported, or not for these eyes; `Forbidden` for
    what is about oneself, and about staff."""
    person = person_of(target, by)
    if person.id == by.id:
        raise Forbidden("Nobody decides about themselves.")
    if not may_touch(by, person):
        raise Forbidden("Staff are superusers' business.")
    return person


def _carry_out(target: Target, person: User, verdict: str, *, by: User, note: str, until: datetime | None) -> None:
    """The note stands in the log's entry of the decision, which not all read who read these."""
    if verdict == Verdict.SUSPEND:
        suspending.suspend(person, by=by, until=until, reason=DECIDED)
    elif verdict == Verdict.DELETE:
        try:
            delete_tweet(tweet_id=target.id, viewer=Viewer(by.id, by.account, ""), reason=DECIDED)
        except NotFound:
            log.info("reported_tweet_is_gone", tweet_id=target.id)


@sql_or_unavailable()
@transaction.atomic
def _close(target: Target, person: User, verdict: str, *, by: User, note: str, seen: int) -> Decision:
    """Writes it down, once for a claim whose token was taken; single reports that have a note of their own keep it."""
    if not _claims(target, by).filter(token="").delete()[0]:
        raise _closed()
    decision = Decision.objects.create(
        kind=target.kind, target_id=target.id, person=person, verdict=verdict, note=note, by=by
    )
    tweet_id = target.id if target.kind == Kind.TWEET else None
    about = Report.objects.filter(tweet_id=tweet_id, person=person, status=Status.OPEN, id__lte=seen)
    about.filter(note="").update(note=note)
    closed = about.update(status=Status.CLOSED, closed_by=by, decision=decision)
    if not closed:
        raise _closed()
    staff_log.record(
        by=by,
        action=f"{staff_log.DECIDED}{verdict}",
        subject=staff_log.Subject(str(target.kind), target.id, person.pk),
        before={"open reports": closed},
        reason=note,
    )
    log.info(
        "reports_decided", target_kind=target.kind, target_id=target.id, verdict=verdict, reports=closed, by_id=by.id
    )
    return decision
