"""A person's page on the desk: who they are, what they wrote, what was said of them, and what may be done about it."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from knox.models import AuthToken

from accounts.models import User
from accounts.people.selectors import get_user
from accounts.sessions import two_step
from accounts.sql import sql_or_unavailable
from accounts.staff.log import entries_for
from accounts.staff.roles import Right, may, may_touch
from accounts.staff_rows import StaffAction
from feed.desk.acts import ACTS, Act
from feed.desk.neighbours import Neighbours, followees, followers
from feed.desk.pages import DeskPage, desk_page
from feed.desk.reasons import ReasonForm, errors_of
from feed.models import Report
from feed.moderation.evidence import newest_tweets
from feed.moderation.queue import decisions_about, reports_for
from storage.errors import Unavailable

SHOWN = 20
"""Of each list; what is older is not looked at here."""
RESET = "reset_two_step"


class Listed(msgspec.Struct, frozen=True):
    """Some of a list, or None when its store did not answer."""

    title: str
    rows: Sequence[Any] | None
    more: str = ""
    """Where the rest of it is, if there is more."""


@desk_page
class PersonPage(DeskPage):
    """Staff are superusers' to see, as in the list of people. Each store that does not answer leaves its part out."""

    route, name, title = "people/<id:user_id>/", "person", "Person"
    right = Right.VIEW_PEOPLE
    template_name = "desk/person.html"

    def get(self, request: HttpRequest, user_id: int) -> HttpResponseBase:
        return self._page(self._person(user_id))

    def post(self, request: HttpRequest, user_id: int) -> HttpResponseBase:
        person, wanted = self._person(user_id), request.POST.get("act", "")
        if wanted == RESET:
            return self._reset_two_step(person)
        act = ACTS.get(wanted)
        if act is None:
            return self.back("There is no such thing to do.", failed=True)
        self.ask(act.right)
        if person.pk == self.operator.pk:
            return self.back("You cannot act on yourself.", failed=True)
        form = act.form(request.POST)
        if not form.is_valid():
            return self.back(errors_of(form), failed=True)
        do = act.do_on_page or act.do
        do(person, self.operator, form.cleaned_data["reason"], form.cleaned_data.get("until"))
        return self.back(f"{act.done}: {person}.")

    @property
    def operator(self) -> User:
        return cast(User, self.request.user)

    def _person(self, user_id: int) -> User:
        """Raises `NotFound`; `PermissionDenied` for staff, unless a superuser asks."""
        person = get_user(user_id)
        if not may_touch(self.operator, person):
            raise PermissionDenied
        return person

    def _reset_two_step(self, person: User) -> HttpResponseBase:
        if not self.operator.is_superuser:
            raise PermissionDenied
        if person.pk == self.operator.pk:
            return self.back("You cannot act on yourself.", failed=True)
        form = ReasonForm(self.request.POST)
        if not form.is_valid():
            return self.back(errors_of(form), failed=True)
        two_step.reset(person, by=self.operator, reason=form.cleaned_data["reason"])
        return self.back(f"Two-step sign-in is to be set up anew: {person}.")

    def _page(self, person: User) -> HttpResponseBase:
        resets = self.operator.is_superuser and person.is_staff and person.pk != self.operator.pk
        context = {
            "title": str(person),
            "person": person,
            "acts": [(act, act.form(auto_id=f"id_{act.name}_%s")) for act in self._acts(person)],
            "resets_two_step": ReasonForm(auto_id="id_reset_%s") if resets else None,
            "tokens": _tokens(person.pk),
            "tweets": _listed("Newest tweets", lambda: newest_tweets(person.pk)),
            "neighbours": [
                _neighbours("Newest followers", "followers", lambda: followers(person.pk, self.operator)),
                _neighbours("Followed lately", "following", lambda: followees(person.pk, self.operator)),
            ],
        }
        if may(self.operator, Right.HANDLE_REPORTS):
            context |= {
                "reports": [
                    Listed("Reports about them", _reports(self.operator, person_id=person.pk)),
                    Listed("Reports by them", _reports(self.operator, reporter_id=person.pk)),
                ],
                "decisions": decisions_about(person.pk)[:SHOWN],
            }
        if may(self.operator, Right.VIEW_STAFF_LOG) or may(self.operator, Right.HANDLE_REPORTS):
            context["log"] = _log(person.pk, self.operator)
        return self.shown(context)

    def _acts(self, person: User) -> list[Act]:
        if person.pk == self.operator.pk:
            return []
        return [act for act in ACTS.values() if may(self.operator, act.right) and act.fits(person)]


def _listed(title: str, read: Callable[[], Sequence[Any]]) -> Listed:
    try:
        return Listed(title, read())
    except Unavailable:
        return Listed(title, None)


def _neighbours(title: str, page: str, read: Callable[[], Neighbours]) -> Listed:
    try:
        found = read()
    except Unavailable:
        return Listed(title, None)
    return Listed(title, [each.account for each in found.people], f"{page}/" if found.older is not None else "")


@sql_or_unavailable()
def _tokens(user_id: int) -> list[AuthToken]:
    """What they are signed in with at the API, newest first; nothing of a token itself is shown."""
    return list(AuthToken.objects.filter(user_id=user_id).order_by("-created")[:SHOWN])


@sql_or_unavailable()
def _reports(operator: User, **of: int) -> list[Report]:
    return list(reports_for(operator).filter(**of).select_related("person", "reporter").order_by("-id")[:SHOWN])


@sql_or_unavailable()
def _log(user_id: int, reader: User) -> list[StaffAction]:
    return list(entries_for(reader).filter(subject_kind="person", subject_id=user_id).order_by("-id")[:SHOWN])
