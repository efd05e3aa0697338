"""Reporting tweets and people to those who moderate, and their notes; what becomes of it is decided in deciding.py."""

import msgspec
from django.db import IntegrityError, transaction

from accounts.entities import Viewer
from accounts.models import User
from accounts.people.selectors import find_user, get_user
from accounts.sql import sql_or_unavailable
from accounts.staff import log as staff_log
from feed.models import COMMENT_MAX, Reason, Report, Status
from storage.errors import NotFound, Refused
from storage.ids.snowflakes import created_at
from tweets.reading.selectors import reported_author


class ReportOut(msgspec.Struct, frozen=True):
    """A report as its author sees it: `tweet_id` or `username` is what it is about, the other is null."""

    id: str
    tweet_id: str | None
    username: str | None
    reason: str
    comment: str
    created_at: str


def report_tweet(*, by: Viewer, tweet_id: int, reason: str, comment: str = "") -> ReportOut:
    """Reports a tweet; while that report is open, the same again answers it unchanged.

    Blocks hide nothing here: who has just blocked somebody must still be able to report them. Of a protected person
    their followers may report, to others there is no such tweet.
    Raises `Refused` (a tweet that is gone, or the reporter's own; reason, comment) and
    `Unavailable`. One store read and three SQL statements.
    """
    try:
        author = get_user(reported_author(tweet_id, by))
    except NotFound as error:
        raise Refused("tweet_id", "That tweet does not exist or was deleted.", code="gone") from error
    return _report(by=by, person=author, tweet_id=tweet_id, reason=reason, comment=comment)


def report_person(*, by: Viewer, username: str, reason: str, comment: str = "") -> ReportOut:
    """Reports a person; while that report is open, the same again answers it unchanged.

    Raises `Refused` (nobody of that name, suspended, oneself; reason, comment) and
    `Unavailable`. Three SQL statements.
    """
    try:
        person = find_user(username)
    except NotFound as error:
        raise _nobody() from error
    if person.suspended_at is not None:
        raise _nobody()
    return _report(by=by, person=person, tweet_id=None, reason=reason, comment=comment)


@sql_or_unavailable()
@transaction.atomic
def note_report(report: Report, before: str, *, by: User) -> None:
    """Writes the report's note, which was `before`, and nothing else of it."""
    if report.note != before:
        report.save(update_fields=["note"])
        staff_log.record(
            by=by,
            action="note",
            subject=staff_log.Subject("report", report.pk, report.person_id),
            before={"note": before},
            after={"note": report.note},
        )


@sql_or_unavailable()
def _report(*, by: Viewer, person: User, tweet_id: int | None, reason: str, comment: str) -> ReportOut:
    if person.id == by.id:
        raise Refused("tweet_id" if tweet_id else "username", "You cannot report yourself.", code="reporting_oneself")
    comment = _checked(reason, comment)
    standing = Report.objects.filter(reporter_id=by.id, person=person, tweet_id=tweet_id, status=Status.OPEN)
    report = standing.first()
    if report is None:
        report = Report(reporter_id=by.id, person=person, tweet_id=tweet_id, reason=reason, comment=comment)
        try:
            with transaction.atomic():
                report.save()
        except IntegrityError:
            report = standing.get()
    return _view(report, person)


def _checked(reason: str, comment: str) -> str:
    """The comment without the white space around it. Raises `Refused`."""
    if reason not in Reason.values:
        raise Refused("reason", f"reason is one of {', '.join(Reason.values)}.")
    comment = comment.strip()
    if len(comment) > COMMENT_MAX:
        raise Refused("comment", f"A comment has at most {COMMENT_MAX:,} characters.", code="too_long")
    if "\0" in comment:
        raise Refused("comment", "A comment has no NUL characters.")
    return comment


def _view(report: Report, person: User) -> ReportOut:
    return ReportOut(
        id=str(report.id),
        tweet_id=str(report.tweet_id) if report.tweet_id is not None else None,
        username=person.username if report.tweet_id is None else None,
        reason=report.reason,
        comment=report.comment,
        created_at=created_at(report.id),
    )


def _nobody() -> Refused:
    return Refused("username", "There is no such person.", code="gone")
