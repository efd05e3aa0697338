"""Who among staff may do what: the one table of rights and roles.

A *right* is a permission of Django's in the app `accounts`; a *role* is a group that has some of them. A page or an
action of the desk asks for its own right (`may`), never for a role, and never only whether somebody is staff.
Superusers have every right, as Django has it. Roles are given by superusers, who alone see and change groups
(accounts/admin.py).

A home timeline tells whom its reader follows, mutes and blocks; so it is shown to those who mend timelines, and to
nobody who only looks at, or judges, what was said in public.

**A new right** is a member of `Right`, a row in `TABLE`, a line in `StaffAction.Meta.permissions`, and a migration
that makes the permission and gives it to the groups of its roles, as 0004 does: a copy of the table as of then, which
touches nothing else, so that what a superuser took from a role stays taken.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from accounts.models import User
from accounts.sql import sql_or_unavailable

APP = "accounts"


class Role(StrEnum):
    VIEWER = "viewer"
    MODERATOR = "moderator"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """Each is the codename of a permission of the app `accounts`."""

    VIEW_PEOPLE = "view_user"
    CHANGE_PEOPLE = "change_user"
    ADD_PEOPLE = "add_user"
    SUSPEND_PEOPLE = "suspend_people"
    VERIFY_PEOPLE = "verify_people"
    SIGN_OUT_PEOPLE = "sign_out_people"
    HANDLE_REPORTS = "handle_reports"
    VIEW_TWEETS = "view_tweets"
    DELETE_TWEETS = "delete_tweets"
    RESTORE_TWEETS = "restore_tweets"
    VIEW_TIMELINES = "view_timelines"
    REBUILD_TIMELINES = "rebuild_timelines"
    VIEW_FANOUT = "view_fanout"
    REPLAY_DEAD_LETTERS = "replay_dead_letters"
    DROP_DEAD_LETTERS = "drop_dead_letters"
    VIEW_STAFF_LOG = "view_staff_log"
    HASTEN_LEAVING = "hasten_leaving"

    @property
    def permission(self) -> str:
        """The name that `has_perm` takes."""
        return f"{APP}.{self}"


EVERYBODY = frozenset(Role)
MODERATORS = frozenset({Role.MODERATOR, Role.ADMINISTRATOR})
OPERATORS = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})

TABLE: Mapping[Right, frozenset[Role]] = {
    Right.VIEW_PEOPLE: EVERYBODY,
    Right.CHANGE_PEOPLE: ADMINISTRATORS,
    Right.ADD_PEOPLE: ADMINISTRATORS,
    Right.SUSPEND_PEOPLE: MODERATORS,
    Right.VERIFY_PEOPLE: MODERATORS,
    Right.SIGN_OUT_PEOPLE: MODERATORS,
    Right.HANDLE_REPORTS: MODERATORS,
    Right.VIEW_TWEETS: EVERYBODY,
    Right.DELETE_TWEETS: MODERATORS,
    Right.RESTORE_TWEETS: MODERATORS,
    Right.VIEW_TIMELINES: OPERATORS,
    Right.REBUILD_TIMELINES: OPERATORS,
    Right.VIEW_FANOUT: EVERYBODY,
    Right.REPLAY_DEAD_LETTERS: OPERATORS,
    Right.DROP_DEAD_LETTERS: OPERATORS,
    Right.VIEW_STAFF_LOG: OPERATORS,
    Right.HASTEN_LEAVING: OPERATORS,
}


def may(person: Any, right: Right) -> bool:
    """Says whether a signed-in person (`request.user`) has the right. SQL once a request: Django keeps the answer."""
    return bool(person.is_active and person.is_staff and person.has_perm(right.permission))


def rights_of(person: Any) -> frozenset[Right]:
    """Returns every right of a signed-in person. SQL once a request."""
    return frozenset(right for right in Right if may(person, right))


def may_touch(operator: User, person: User) -> bool:
    """Says whether the operator may act on this person: staff are superusers' business. At most one SQL query."""
    return operator.is_superuser or not person.is_privileged


@sql_or_unavailable()
def may_touch_what_is_of(operator: User, person_id: int) -> bool:
    """Says the same of what that person wrote; who does not exist any more is nobody's. Up to two SQL queries."""
    person = None if operator.is_superuser else User.objects.filter(pk=person_id).first()
    return person is None or may_touch(operator, person)


@sql_or_unavailable()
def staff_may(user_id: int, right: Right, *, of: int | None = None) -> bool:
    """Says whether the person of that id has the right, for doors that know an account only; `of` is whose tweet or
    else it is about, as `may_touch` has it.

    Up to three SQL queries, and two more with `of`. Raises `Unavailable`.
    """
    operator = User.objects.filter(pk=user_id).first()
    if operator is None or not may(operator, right):
        return False
    return of is None or may_touch_what_is_of(operator, of)
