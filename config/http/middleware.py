"""What wraps every request: its id and log line, the bound on its body, and the admin's own stack."""

import re
import secrets
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import structlog
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.encoding import escape_uri_path
from structlog.contextvars import bound_contextvars

from accounts.sessions.authentication import rate_hits
from config.http.problems import ADMIN_PREFIX, problem_response, too_large
from config.observability.metrics import observe
from storage.redis.rate_limits import fields

Answer = Callable[[HttpRequest], HttpResponseBase]

log = structlog.get_logger("request")

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
METHODS_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")


class RequestIdMiddleware:
    """Gives the request an id (the client's, if sane), puts it on the answer and on every log line.

    Logs one line a request, and counts it. Stands first, so that no answer leaves without the header.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request_id = request_id_of(request)
        with bound_contextvars(request_id=request_id):
            response = self.get_response(request)
            seconds = time.perf_counter() - started
            observe(request, response, seconds)
            log.info(
                "request",
                method=request.method,
                path=escape_uri_path(request.path),
                status=response.status_code,
                ms=round(seconds * 1000, 1),
                user_id=getattr(getattr(request, "user", None), "id", None),
            )
        response["X-Request-ID"] = request_id
        return response


def request_id_of(request: HttpRequest) -> str:
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if SANE_REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


class CorsForBrowsers(CorsMiddleware):
    """Steps aside for who sends no Origin, which is everyone but a browser: the answer only says that it may vary."""

    get_response: Answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_ORIGIN" in request.META or request.method == "OPTIONS":
            answer: HttpResponseBase = super().__call__(request)  # type: ignore[assignment]  # the server is WSGI
            return answer
        response = self.get_response(request)
        if _cors_path.match(request.path_info):
            patch_vary_headers(response, ("origin",))
        return response


_cors_path = re.compile(settings.CORS_URLS_REGEX)


class BodyLimitMiddleware:
    """Answers 413 to a body over MAX_BODY_BYTES, whether its length was announced or not.

    Django takes a body without Content-Length (chunked) for empty. Where the server says
    that the input ends by itself, it is read here, up to the bound, and its length set.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if announced_length(request) > settings.MAX_BODY_BYTES or not self._read_unannounced(request):
            return problem_response(too_large(), request)
        return self.get_response(request)

    def _read_unannounced(self, request: HttpRequest) -> bool:
        """False when it is too long."""
        if request.method not in METHODS_WITH_BODY or request.META.get("CONTENT_LENGTH") or not ends_by_itself(request):
            return True
        body = request.META["wsgi.input"].read(settings.MAX_BODY_BYTES + 1)
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._stream = BytesIO(body)
        return len(body) <= settings.MAX_BODY_BYTES


def announced_length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdigit() else 0


def ends_by_itself(request: HttpRequest) -> bool:
    """Granian says so; behind a2wsgi, which leaves its scope in the environment, it is so."""
    return bool(request.META.get("wsgi.input_terminated")) or "asgi.scope" in request.META


class RateLimitFieldsMiddleware:
    """Tells the client what is left of its quota, on whatever answers a throttled route."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if hits := rate_hits(request):
            for name, value in fields(hits).items():
                response[name] = value
        return response


class AdminOnly:
    """Mixed into a middleware: runs it for the admin's pages and steps aside for the API.

    Sessions, CSRF and messages cost the API a fifth of its throughput and do nothing for
    bearer tokens. Subclasses of Django's own, so that the admin's system checks find them.
    """

    get_response: Any
    _past_all: Answer

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)  # type: ignore[call-arg]
        # Django wraps each middleware in a function that names it; those below that would step aside, too, are skipped.
        below = getattr(get_response, "__wrapped__", None)
        self._past_all = below._past_all if isinstance(below, AdminOnly) else get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = super().__call__ if request.path.startswith(ADMIN_PREFIX) else self._past_all  # type: ignore[misc]
        response: HttpResponseBase = answer(request)
        return response


class AdminSessions(AdminOnly, SessionMiddleware):
    pass


class AdminCsrf(AdminOnly, CsrfViewMiddleware):
    def process_view(
        self,
        request: HttpRequest,
        callback: Callable[..., HttpResponseBase],
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseForbidden | None:
        if not request.path.startswith(ADMIN_PREFIX):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class AdminAuthentication(AdminOnly, AuthenticationMiddleware):
    pass


class AdminMessages(AdminOnly, MessageMiddleware):
    pass


class AdminFrames(AdminOnly, XFrameOptionsMiddleware):
    pass
