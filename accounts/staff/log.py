"""The log of what staff did: who, what, to whom or what, before, after, why, when, in which request.

**Services write it**, not doors, so that the admin and the API leave the same trace, and so does a command that calls
one of them (`reset_two_step`). Other commands leave none: `dead_letters`, `rebuild_timeline`,
`audit_timelines --repair`, `createsuperuser` and `changepassword` are for whoever runs the product, and know no member
of staff.

What changes SQL calls `record` inside the transaction that changes it: both hold, or neither. What changes another
store calls it before: then nothing is done without a trace, and an entry may stand for a try that the store did not
answer.

Nobody edits or deletes an entry: the model refuses it, the desk shows them only, and on PostgreSQL triggers refuse
it, and emptying the table, to whoever speaks SQL as the application does (migration 0004). SQLite has no such trigger:
its file belongs to whoever runs the process. Entries name people as they were called then, and outlive them.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet
from structlog.contextvars import get_contextvars

from accounts.entities import Viewer
from accounts.models import User, privileged
from accounts.staff.roles import Right, may
from accounts.staff_rows import REASON_MAX, StaffAction
from storage.errors import Refused

UNSTORABLE = re.compile("[\0\ud800-\udfff]")

BY_ITSELF = "(by itself)"
"""Who did what no person did: a suspension that ended at its time, a command."""
DECIDED = "decide: "
"""How the action begins that closes reports."""
KINDS = ("person", "tweet", "report", "order", "group")
ACTIONS = (
    *("suspend", "restore", "verify", "unverify", "sign out", "add", "change", "set a password"),
    *(f"{DECIDED}{verdict}" for verdict in ("dismiss", "warn", "delete", "suspend")),
    *("note", "delete", "restore tweet", "rebuild timeline", "replay dead letter", "drop dead letter"),
    *("set up two-step sign-in", "reset two-step sign-in", "renew recovery codes", "use a recovery code"),
    "hasten leaving",
    *("add a group", "change a group", "delete a group"),
)
"""What the log can be filtered by, without a search through it for what there is."""


class Subject(NamedTuple):
    """What something was done to, such as ("tweet", 7265412345678901248)."""

    kind: str
    id: int
    about: int | None = None
    """Whom it concerns, such as the tweet's author: entries that concern staff are superusers' to read."""


def person(user_id: int) -> Subject:
    return Subject("person", user_id, user_id)


def tweet(tweet_id: int, author_id: int) -> Subject:
    return Subject("tweet", tweet_id, author_id)


def entries_for(reader: User) -> QuerySet[StaffAction]:
    """Returns the entries that may be read by who has the right to read the log, or to see that part of it.

    Superusers read all of it. To others it tells nothing of whom they may not touch, nor of groups; of reports and what
    was decided about them only to who handles reports.
    """
    entries = StaffAction.objects.all()
    if reader.is_superuser:
        return entries
    staff = User.objects.filter(privileged(), pk=OuterRef("about"))
    entries = entries.filter(~Exists(staff)).exclude(subject_kind="group")
    if may(reader, Right.HANDLE_REPORTS):
        return entries
    return entries.exclude(subject_kind="report").exclude(action__startswith=DECIDED)


def record(
    *,
    by: User | Viewer | None,
    action: str,
    subject: Subject,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    """Writes one entry; in the caller's transaction, if there is one. One SQL statement.

    `before` and `after` are what JSON can hold, no secrets, and large numbers as strings; NUL and halves of surrogate
    pairs, which PostgreSQL's JSON cannot hold, are replaced. A longer text than a reason stands in `after`. None did
    it by itself.
    """
    StaffAction(
        by_id=None if by is None else by.id,
        by_name=BY_ITSELF if by is None else by.username,
        action=action,
        subject_kind=subject.kind,
        subject_id=subject.id,
        about=subject.about,
        before=_storable(before or {}),
        after=_storable(after or {}),
        reason=_storable(reason),
        request_id=str(get_contextvars().get("request_id", "")),
    ).save()


def _storable(value: Any) -> Any:
    """The same with what no database of ours holds replaced, however deep it stands."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_storable(key): _storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    return value


def checked_reason(reason: str) -> str:
    """Returns the reason without the white space around it. Raises `Refused` for none, one too long, and NUL."""
    reason = reason.strip()
    if not reason:
        raise Refused("reason", "Say why.", code="required")
    if len(reason) > REASON_MAX:
        raise Refused("reason", f"A reason has at most {REASON_MAX:,} characters.", code="too_long")
    if "\0" in reason:
        raise Refused("reason", "A reason has no NUL characters.")
    return reason
