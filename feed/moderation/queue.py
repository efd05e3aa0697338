"""The queue of reports: what was reported and waits, by target, so that four reporters are one row.

Reports about staff are superusers' to see (accounts/staff/roles.py). The open reports are grouped by SQL each time: its
cost grows with what waits, not with what was ever reported.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from django.db.models import Count, Min, QuerySet

from accounts.models import User, privileged
from accounts.sql import sql_or_unavailable
from feed.models import Claim, Decision, Kind, Report, Status
from storage.errors import NotFound
from storage.ids.snowflakes import id_time

SHOWN = 50
"""Of reports about one target, of earlier decisions, and of somebody's reports."""


class Target(NamedTuple):
    """What reports are about."""

    kind: Kind
    id: int


class Waiting(msgspec.Struct, frozen=True):
    """One row of the queue; `claimed_by` is who works on it now."""

    target: Target
    username: str
    reports: int
    oldest_id: int
    reasons: tuple[str, ...]
    claimed_by: str | None

    @property
    def since(self) -> datetime:
        return id_time(self.oldest_id)


def reports_for(operator: User) -> QuerySet[Report]:
    """Returns the reports that this operator may see."""
    return Report.objects.all() if operator.is_superuser else Report.objects.exclude(privileged("person__"))


@sql_or_unavailable()
def waiting(operator: User, *, after: int = 0, limit: int) -> list[Waiting]:
    """Returns targets with open reports, the longest waiting first; those whose first report is above `after`.

    Three SQL queries.
    """
    by_target = reports_for(operator).filter(status=Status.OPEN).values("tweet_id", "person_id", "person__username")
    grouped = by_target.annotate(reports=Count("id"), oldest=Min("id")).filter(oldest__gt=after).order_by("oldest")
    rows = list(grouped[:limit])
    reasons = _reasons({row["person_id"] for row in rows})
    claims = _claims(_target(row["tweet_id"], row["person_id"]) for row in rows)
    return [
        Waiting(
            target=(target := _target(row["tweet_id"], row["person_id"])),
            username=row["person__username"],
            reports=row["reports"],
            oldest_id=row["oldest"],
            reasons=tuple(sorted(reasons.get(target, ()))),
            claimed_by=claims.get(target),
        )
        for row in rows
    ]


@sql_or_unavailable()
def person_of(target: Target, operator: User) -> User:
    """Returns whom the target concerns. Raises `NotFound` unless it was reported, and this operator may see that."""
    report = reports_about(target, operator).select_related("person").first()
    if report is None:
        raise NotFound("Nothing was reported of it.")
    return report.person


def reports_about(target: Target, operator: User) -> QuerySet[Report]:
    """Returns the reports of a target, newest first."""
    reports = reports_for(operator).order_by("-id")
    if target.kind == Kind.TWEET:
        return reports.filter(tweet_id=target.id)
    return reports.filter(tweet_id=None, person_id=target.id)


@sql_or_unavailable()
def decisions_about(person_id: int) -> list[Decision]:
    """Returns what was decided about a person and their tweets before, newest first. One SQL query."""
    return list(Decision.objects.filter(person_id=person_id).select_related("by").order_by("-id")[:SHOWN])


@sql_or_unavailable()
def standing_claim(target: Target) -> Claim | None:
    """Returns who works on it now. One SQL query."""
    claims = Claim.objects.filter(kind=target.kind, target_id=target.id, expires_at__gt=datetime.now(UTC))
    return claims.select_related("by").first()


def _reasons(people: Collection[int]) -> dict[Target, set[str]]:
    open_reports = Report.objects.filter(status=Status.OPEN, person_id__in=people)
    found: dict[Target, set[str]] = {}
    for tweet_id, person_id, reason in open_reports.values_list("tweet_id", "person_id", "reason").distinct():
        found.setdefault(_target(tweet_id, person_id), set()).add(reason)
    return found


def _claims(targets: Iterable[Target]) -> dict[Target, str]:
    ids = [target.id for target in targets]
    claims = Claim.objects.filter(target_id__in=ids, expires_at__gt=datetime.now(UTC)).select_related("by")
    return {Target(Kind(claim.kind), claim.target_id): claim.by.username for claim in claims}


def _target(tweet_id: int | None, person_id: int) -> Target:
    return Target(Kind.TWEET, tweet_id) if tweet_id is not None else Target(Kind.PERSON, person_id)
