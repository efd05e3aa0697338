"""Acting on several people at once from their list: a page says on how many and on whom before anything is done.

It stands between the list and the act, and is sent back to the list with the same choice, why, and `confirmed`. The
operator and whoever has left are left out of the choice, and that is said; whom they may not touch is not in the list
(accounts/admin.py).
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import structlog
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.admin_lists import operator_of
from accounts.models import User
from accounts.staff.roles import may
from feed.desk.acts import ACTS, Act
from feed.desk.reasons import ReasonForm
from storage.errors import Unavailable

AT_ONCE = 100
"""People; each is a few statements and a round trip, and the request has to end."""
NAMED = 20

log = structlog.get_logger(__name__)
Action = Callable[[Any, HttpRequest, QuerySet[User]], HttpResponse | None]


def _action(act: Act) -> Action:
    """The admin's action, which is there for who has its right."""

    def acting(model_admin: Any, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        people = list(queryset[: AT_ONCE + 1])
        if len(people) > AT_ONCE:
            model_admin.message_user(request, f"At most {AT_ONCE} people at once.", messages.ERROR)
            return None
        operator = operator_of(request)
        chosen = [each for each in people if _may_be_chosen(each, operator)]
        form = act.form(request.POST if "confirmed" in request.POST else None)
        if not chosen:
            model_admin.message_user(request, f"{act.done}: nobody.{_left_out(people, operator)}", messages.ERROR)
            return None
        if form.is_bound and form.is_valid():
            done, fault = _do(act, chosen, operator, form)
            if done:
                told = f"{act.done}: {_names(done)}.{_left_out(people, operator)}"
                model_admin.message_user(request, told, messages.SUCCESS)
            if fault:
                told = f"{fault} Not {act.done.lower()}: {_names(chosen[len(done) :])}. Do it again with them."
                model_admin.message_user(request, told, messages.ERROR)
            return None
        return _confirmation(model_admin, request, act, form, chosen, left_out=len(people) - len(chosen))

    acting.__name__ = act.name
    described = admin.action(description=act.label, permissions=[str(act.right)])(acting)
    return cast(Action, described)


def _confirmation(
    model_admin: Any, request: HttpRequest, act: Act, form: ReasonForm, chosen: Sequence[User], *, left_out: int
) -> HttpResponse:
    """The page that asks whether it is meant, and of some acts how."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": act.label,
        "act": act,
        "form": form,
        "opts": model_admin.model._meta,
        "chosen": chosen[:NAMED],
        "count": len(chosen),
        "more": max(0, len(chosen) - NAMED),
        "left_out": left_out,
        "checkbox": ACTION_CHECKBOX_NAME,
        "ids": [each.pk for each in chosen],
    }
    return TemplateResponse(request, "desk/confirm.html", context)


def _do(act: Act, people: Sequence[User], operator: User, form: ReasonForm) -> tuple[Sequence[User], str]:
    """Acts on one after the other, up to the first with whom it fails; returns with whom it was done, and what failed.

    Each is done by itself, so what was done stands. With whom it failed it may have begun: every act may be done again.
    """
    for number, person in enumerate(people):
        try:
            act.do(person, operator, form.cleaned_data["reason"], form.cleaned_data.get("until"))
        except Unavailable as error:
            return people[:number], error.message
        except Exception as error:
            log.exception("act_failed", act=act.name, user_id=person.pk, error=type(error).__name__)
            return people[:number], f"It failed with {person}, and the logs say why."
    return people, ""


def _names(people: Sequence[User]) -> str:
    return ", ".join(map(str, people))


def _may_be_chosen(person: User, operator: User) -> bool:
    return person.pk != operator.pk and person.left_at is None


def _left_out(people: Sequence[User], operator: User) -> str:
    own = " You cannot act on yourself." if any(each.pk == operator.pk for each in people) else ""
    left = " Nobody can act on who has left." if any(each.left_at is not None for each in people) else ""
    return own + left


class BulkActs(admin.ModelAdmin):  # type: ignore[type-arg]
    """Mixed into the admin of people: a method for each right, as Django asks for what an action names."""

    actions = [_action(act) for act in ACTS.values()]

    def has_suspend_people_permission(self, request: HttpRequest) -> bool:
        return may(request.user, ACTS["suspend"].right)

    def has_verify_people_permission(self, request: HttpRequest) -> bool:
        return may(request.user, ACTS["verify"].right)

    def has_sign_out_people_permission(self, request: HttpRequest) -> bool:
        return may(request.user, ACTS["sign_out"].right)
