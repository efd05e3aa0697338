"""What staff do to people from the desk, each with its right: to one on their page, or to several from the list."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from accounts.models import User
from accounts.people import services, suspending
from accounts.staff.roles import Right
from feed.desk.reasons import ReasonForm, SuspensionForm

Do = Callable[[User, User, str, datetime | None], None]


class Act(msgspec.Struct, frozen=True):
    """`do` is called with the person, who does it, why, and until when."""

    name: str
    label: str
    done: str
    right: Right
    do: Do
    fits: Callable[[User], bool]
    """Whether it would change anything of the person."""
    form: type[ReasonForm] = ReasonForm
    do_on_page: Do | None = None
    """Instead of `do`, from the person's own page, where one sees what stands."""


def _suspend(person: User, by: User, reason: str, until: datetime | None) -> None:
    suspending.suspend(person, by=by, until=until, reason=reason)


def _suspend_on_page(person: User, by: User, reason: str, until: datetime | None) -> None:
    suspending.suspend(person, by=by, until=until, reason=reason, may_shorten=True)


def _restore(person: User, by: User, reason: str, _: datetime | None) -> None:
    suspending.restore(person, by=by, reason=reason)


def _verify(person: User, by: User, reason: str, _: datetime | None) -> None:
    services.set_verified(person, True, by=by, reason=reason)


def _unverify(person: User, by: User, reason: str, _: datetime | None) -> None:
    services.set_verified(person, False, by=by, reason=reason)


def _sign_out(person: User, by: User, reason: str, _: datetime | None) -> None:
    services.sign_out(person, by=by, reason=reason)


ACTS: Mapping[str, Act] = {
    act.name: act
    for act in (
        Act(
            name="suspend",
            label="Suspend: shut out and hide",
            done="Suspended",
            right=Right.SUSPEND_PEOPLE,
            do=_suspend,
            fits=lambda person: person.left_at is None,
            form=SuspensionForm,
            do_on_page=_suspend_on_page,
        ),
        Act(
            name="restore",
            label="Restore after a suspension",
            done="Restored",
            right=Right.SUSPEND_PEOPLE,
            do=_restore,
            fits=lambda person: person.suspended_at is not None and person.left_at is None,
        ),
        Act(
            name="verify",
            label="Mark as verified",
            done="Verified",
            right=Right.VERIFY_PEOPLE,
            do=_verify,
            fits=lambda person: not person.verified and person.left_at is None,
        ),
        Act(
            name="unverify",
            label="Take the mark of the verified away",
            done="No longer verified",
            right=Right.VERIFY_PEOPLE,
            do=_unverify,
            fits=lambda person: person.verified,
        ),
        Act(
            name="sign_out",
            label="Sign out everywhere",
            done="Signed out",
            right=Right.SIGN_OUT_PEOPLE,
            do=_sign_out,
            fits=lambda person: True,
        ),
    )
}
