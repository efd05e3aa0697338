"""The limits of passwords in the admin, and what people read there when they have come too often."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from accounts.sessions.hashing_turns import TURNS
from accounts.sessions.throttles import PasswordTry, password_try
from config.http.middleware import AdminOnly, Answer
from config.http.problems import ADMIN_PREFIX, KINDS, problem_of
from storage.errors import Crowded, ServiceError, TooMany, Unavailable

PROVEN_BY = "old_password"
"""The field of a form by which somebody signed in proves that it is them; Django checks it itself."""


class _Limits:
    """Counts each use of the field PROVEN_BY as a guess, and tells what is over as a page.

    Signing in is counted where the password is checked (accounts/doors/staff.py).
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            tried = _guess(request)
        except (TooMany, Unavailable) as error:
            return _page(error, request)
        return self.get_response(request) if tried is None else self._answered(request, tried)

    def _answered(self, request: HttpRequest, tried: PasswordTry) -> HttpResponseBase:
        """One turn is for all of the guess's hashes: none is half made."""
        try:
            with TURNS.turn():
                response = self.get_response(request)
        except Crowded as error:
            tried.was_not_made()
            return _page(error, request)
        if response.status_code == 503:
            tried.was_not_made()
        elif response.status_code == 302 and _changed_the_password(request):
            tried.was_right()
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Returns the page for what a view was refused; None leaves any other error as it is."""
        told = request.path.startswith(ADMIN_PREFIX) and isinstance(error, TooMany | Unavailable)
        return _page(cast(ServiceError, error), request) if told else None


class AdminLimits(AdminOnly, _Limits):
    pass


def _guess(request: HttpRequest) -> PasswordTry | None:
    """The guess that a form makes, counted. Raises `TooMany`."""
    if request.method != "POST" or PROVEN_BY not in request.POST or not request.user.is_authenticated:
        return None
    tried = password_try(request)
    tried.guess(request.user.pk)
    return tried


def _changed_the_password(request: HttpRequest) -> bool:
    """Whether the form was for that, by the name of Django's own route."""
    return request.resolver_match is not None and request.resolver_match.url_name == "password_change"


def _page(error: ServiceError, request: HttpRequest) -> HttpResponse:
    problem = problem_of(error)
    _, title = KINDS[problem.status]
    body = render_to_string("config/admin_refused.html", {"title": title, "detail": problem.detail})
    return HttpResponse(body, status=problem.status, headers={**problem.headers, "Cache-Control": "no-store"})
