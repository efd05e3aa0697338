"""Signing in to the desk by a second step: being asked for a code, and setting an authenticator up.

The password comes first (accounts/doors/staff.py). Who then has an authenticator is asked for a code of it; who has
none sets one up before anything else opens. Both steps stand in the session: its key is a new one after each, and
whatever ends the session (accounts/sessions/ending.py) ends both.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import segno
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.sessions import two_step
from accounts.sessions.throttles import password_try

SESSION_KEY = "two_step"
SHOWN_KEY = "two_step_shown"
"""Under which the session has the id of the authenticator that it was shown, and may confirm."""
WRONG = "That code is wrong, was used before, or comes too soon after a wrong one. Wait for the next and try again."
View = Callable[[HttpRequest], HttpResponseBase]


def routes() -> list[URLPattern]:
    return [
        path("two-step/", ask_for_code, name="two_step"),
        path("two-step/set-up/", set_up, name="two_step_set_up"),
        path("two-step/codes/", recovery_codes, name="two_step_codes"),
    ]


def has_made_every_step(request: HttpRequest) -> bool:
    """Says whether this session has made the second step, or none is asked for (STAFF_TWO_STEP)."""
    return not settings.STAFF_TWO_STEP or request.session.get(SESSION_KEY) == str(request.user.pk)


def sent_to_the_second_step(request: HttpRequest) -> HttpResponseRedirect:
    step = "admin:two_step" if two_step.is_set_up(_person(request)) else "admin:two_step_set_up"
    return HttpResponseRedirect(f"{reverse(step)}?{urlencode({'next': _next(request)})}")


def _for_staff(view: View) -> View:
    """Lets in who has made the first step, and is staff. What is shown is kept by nobody."""

    @never_cache
    @require_http_methods(["GET", "POST"])
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        person = request.user
        if not (person.is_authenticated and person.is_active and person.is_staff):
            return HttpResponseRedirect(reverse("admin:login"))
        return view(request)

    return cast(View, guarded)


@_for_staff
def ask_for_code(request: HttpRequest) -> HttpResponseBase:
    """Asks for a code of the authenticator, or a recovery code; each try counts by address. Raises `TooMany`."""
    person = _person(request)
    if not two_step.is_set_up(person):
        return sent_to_the_second_step(request)
    if request.method == "GET":
        return _page(request, "desk/two_step.html", "Second step")
    password_try(request)
    if not two_step.verify(person, request.POST.get("code", "")):
        return _page(request, "desk/two_step.html", "Second step", {"error": WRONG})
    _note_second_step(request)
    return HttpResponseRedirect(_next(request))


@_for_staff
def set_up(request: HttpRequest) -> HttpResponseBase:
    """Shows a new authenticator's code as a picture, and makes it the person's once they have typed one of its codes.

    Who has one already comes here by it only, and is asked for a code of it once more: neither a password alone nor a
    session that stands open replaces it. Replacing it ends every other session.
    """
    person = _person(request)
    replaces = two_step.is_set_up(person)
    if replaces and request.session.get(SESSION_KEY) != str(person.pk):
        return sent_to_the_second_step(request)
    error = ""
    if request.method == "POST":
        password_try(request)
        shown = request.session.get(SHOWN_KEY)
        codes = two_step.confirm(person, shown, request.POST.get("code", ""), current=request.POST.get("current", ""))
        if codes is not None:
            _note_second_step(request)
            update_session_auth_hash(request, person)
            return _page(request, "desk/two_step_codes.html", "Recovery codes", {"codes": codes})
        error = WRONG
    new = two_step.new_authenticator(person, request.session.get(SHOWN_KEY))
    request.session[SHOWN_KEY] = new.id
    picture = segno.make(new.url, error="m").svg_data_uri(scale=5)
    told = {"picture": picture, "url": new.url, "error": error, "replaces": replaces}
    return _page(request, "desk/two_step_set_up.html", "Set up the second step", told)


@_for_staff
def recovery_codes(request: HttpRequest) -> HttpResponseBase:
    """Makes new recovery codes for a code of the authenticator or one of the older, and shows them once."""
    person = _person(request)
    if not two_step.is_set_up(person) or request.session.get(SESSION_KEY) != str(person.pk):
        return sent_to_the_second_step(request)
    if request.method == "GET":
        return _page(request, "desk/two_step_codes.html", "Recovery codes")
    password_try(request)
    codes = two_step.renew_codes(person, current=request.POST.get("current", ""))
    told = {"codes": codes, "error": "" if codes else WRONG}
    return _page(request, "desk/two_step_codes.html", "Recovery codes", told)


def _note_second_step(request: HttpRequest) -> None:
    request.session.cycle_key()
    request.session.pop(SHOWN_KEY, None)
    request.session[SESSION_KEY] = str(request.user.pk)


def _next(request: HttpRequest) -> str:
    """Where they wanted to go, if that is a page of this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    allowed = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if allowed else reverse("admin:index")


def _page(request: HttpRequest, template: str, title: str, context: dict[str, Any] | None = None) -> HttpResponse:
    around = {**admin.site.each_context(request), "title": title, "next": _next(request)}
    return TemplateResponse(request, template, {**around, **(context or {})})


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)
