"""What wraps every request, in the order of MIDDLEWARE in config/settings.py: what is put on every answer; hosts,
bounds and the fields of what is no file; and the admin's own stack.
Its id and log line are config/observability/requests.py's, which stands first."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import cast

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.gzip import GZipMiddleware
from django.middleware.security import SecurityMiddleware

from accounts.sessions.authentication import rate_hits
from config.http.fields import Prepared, prepared, put_missing, vary_by
from config.http.idempotency import HEADER, answer_once
from config.http.problems import ADMIN_PREFIX, problem_response, too_large
from config.http.security_headers import DEBUG_PAGE, NO_PAGE, PAGE_FIELDS, POLICY
from storage.redis.rate_limits import fields
from storage.web.rest import link_field

Answer = Callable[[HttpRequest], HttpResponseBase]

WRITES = ("POST", "PUT", "PATCH", "DELETE")
"""The methods that may have a body, and may be repeated under a key."""
REPEATABLE_PATHS = re.compile(r"/api/v1/(?!auth/)")
"""Answers below /auth/ hold tokens, which are stored nowhere."""
GZIP_FROM_BYTES = 1024
"""What is shorter fits into one packet as it is."""
GZIP_REFUSED = re.compile(r"\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)")
PROBED_BY_ADDRESS = "/healthz"
HOSTS_KEPT = 64
"""Spellings of our hosts that are known again; behind a wildcard there are as many as clients like."""


class EveryAnswer(SecurityMiddleware):
    """What is put on every answer, a file's too: what browsers may do with it, gzip, CORS. Made for one link of
    Django's chain, as each costs a request three calls.

    What a view says itself stands. The policy is on every answer (security_headers.py); on pages what else belongs to
    them.
    """

    get_response: Answer

    def __init__(self, get_response: Answer) -> None:
        super().__init__(get_response)
        self._cors = CorsMiddleware(get_response)
        self._gzip = GZipMiddleware(get_response)
        self._constant: dict[bool, Prepared] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._with_cors(request)
        if request.method == "GET" and not response.streaming and not request.path.startswith(ADMIN_PREFIX):
            response = self._gzipped(request, cast(HttpResponse, response))
        self._protect(request, response)
        return response

    def _with_cors(self, request: HttpRequest) -> HttpResponseBase:
        """CORS is for those who send an Origin, which are browsers. Others' answers only say that they may vary."""
        if "HTTP_ORIGIN" in request.META or request.method == "OPTIONS":
            answer: HttpResponseBase = self._cors(request)  # type: ignore[assignment]  # the server is WSGI
            return answer
        response = self.get_response(request)
        if _cors_path.match(request.path_info):
            vary_by(response, "origin")
        return response

    def _gzipped(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Compresses what a GET answers, for those who accept it.

        Not the answers of writes, some of which hold tokens, nor the admin's pages, which hold a CSRF token beside what
        others have written: a length that tells how well they compress would tell of those (BREACH). Reads of the API
        hold no secret, and are asked for with a token that no foreign page can make a browser send; the random bytes
        that Django adds come on top. Files are WhiteNoise's to compress.
        """
        if len(response.content) < GZIP_FROM_BYTES:
            return response
        accepted = request.META.get("HTTP_ACCEPT_ENCODING", "")
        if "gzip" in accepted and not GZIP_REFUSED.search(accepted):
            return cast(HttpResponse, self._gzip.process_response(request, response))
        vary_by(response, "Accept-Encoding")
        return response

    def _protect(self, request: HttpRequest, response: HttpResponseBase) -> None:
        fields = self._djangos_own(request)
        if response.status_code == 304:
            # Who asked has the answer, with a policy that this one's would replace: a page would be dead.
            put_missing(response, fields)
        elif not response.headers.get("Content-Type", "").startswith("text/html"):
            put_missing(response, {**fields, **_NO_PAGE})
        elif settings.DEBUG and response.status_code >= 400:
            put_missing(response, {**fields, **_DEBUG_PAGE})
        else:
            put_missing(response, {**fields, **_PAGE})

    def _djangos_own(self, request: HttpRequest) -> Prepared:
        """Returns what Django's own middleware puts on an answer that says nothing itself: one or the other for all."""
        secure = request.is_secure()
        if secure not in self._constant:
            blank = HttpResponse()
            said = self.process_response(request, HttpResponse()).headers.items()
            self._constant[secure] = prepared({name: value for name, value in said if name not in blank.headers})
        return self._constant[secure]


_cors_path = re.compile(settings.CORS_URLS_REGEX)
_NO_PAGE = prepared({POLICY: NO_PAGE})
_PAGE = prepared(PAGE_FIELDS)
_DEBUG_PAGE = prepared({**PAGE_FIELDS, POLICY: DEBUG_PAGE})


class BoundsAndFields(CommonMiddleware):
    """What stands between the files and the views, made for one link of Django's chain.

    Before a view: a host that is not ours is refused, but for `/healthz`, as who probes a process asks it by its
    address; so is a body that is too long; a REST write with an Idempotency-Key goes to idempotency.py.
    On its answer: a page's neighbours (Link), as storage/web/rest.py has left them with the request; what is left of
    a quota, on whatever answers a throttled route; its length.
    """

    get_response: Answer

    def __init__(self, get_response: Answer) -> None:
        super().__init__(get_response)
        self._ours: set[str] = set()
        self._allowed: object = None
        # A fault around the view becomes an answer here, as one in it does below, so that it has its fields, too.
        self._written = cast(Answer, convert_exception_to_response(self._write))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        if request.path_info != PROBED_BY_ADDRESS and not self._is_known(request):
            response = self._at_the_host(request)
        if response is None:
            response = self._answer(request)
        if not response.streaming:
            length = str(len(cast(HttpResponse, response).content))
            put_missing(response, {"content-length": ("Content-Length", length)})
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in WRITES:
            if not fits(request):
                return problem_response(too_large(), request)
            response = self._written(request)
        else:
            response = self.get_response(request)
        if hits := rate_hits(request):
            for name, value in fields(hits).items():
                response[name] = value
        if (links := link_field(request)) is not None:
            response["Link"] = links
        return response

    def _write(self, request: HttpRequest) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        if key is None or not REPEATABLE_PATHS.match(request.path):
            return self.get_response(request)
        return answer_once(request, key, self.get_response, announced_length=announced_length(request))

    def _is_known(self, request: HttpRequest) -> bool:
        """Whether the host was looked at already, as it is written there, and is one of ours."""
        return request.META.get("HTTP_HOST") in self._ours and settings.ALLOWED_HOSTS is self._allowed

    def _at_the_host(self, request: HttpRequest) -> HttpResponseBase | None:
        """Returns where Django sends whoever asks this host, or None. Raises `DisallowedHost` if it is not ours."""
        elsewhere = self.process_request(request)
        if elsewhere is None and "HTTP_HOST" in request.META:
            self._know(request.META["HTTP_HOST"])
        return elsewhere

    def _know(self, host: str) -> None:
        if settings.ALLOWED_HOSTS is not self._allowed or len(self._ours) >= HOSTS_KEPT:
            self._ours, self._allowed = set(), settings.ALLOWED_HOSTS
        self._ours.add(host)


def fits(request: HttpRequest) -> bool:
    """Returns whether a write's body is of at most MAX_BODY_BYTES, whether its length was announced or not.

    Of other methods the body means nothing, and is not read.

    Django takes a body without Content-Length (chunked) for empty. Where the server says
    that the input ends by itself, it is read here, up to the bound, and its length set.
    """
    if request.META.get("CONTENT_LENGTH") or not ends_by_itself(request):
        return announced_length(request) <= settings.MAX_BODY_BYTES
    body = request.META["wsgi.input"].read(settings.MAX_BODY_BYTES + 1)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)
    return len(body) <= settings.MAX_BODY_BYTES


def announced_length(request: HttpRequest) -> int:
    """Returns how many bytes the client said that the body has; 0 when it did not say."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdigit() else 0


def ends_by_itself(request: HttpRequest) -> bool:
    """Returns whether the server ends the input where the body ends.

    Granian says so; behind a2wsgi, which leaves its scope in the environment, it is so.
    """
    return bool(request.META.get("wsgi.input_terminated")) or "asgi.scope" in request.META


class AdminOnly:
    """A mixin for a middleware: runs it for the admin's pages and steps aside for the API.

    Sessions, CSRF and messages cost the API a fifth of its throughput and do nothing for
    bearer tokens. Subclasses of Django's own, so that the admin's system checks find them.
    """

    _past_all: Answer

    def __init__(self, get_response: Answer) -> None:
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
        callback_args: tuple[object, ...],
        callback_kwargs: dict[str, object],
    ) -> HttpResponseForbidden | None:
        if not request.path.startswith(ADMIN_PREFIX):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class AdminAuthentication(AdminOnly, AuthenticationMiddleware):
    pass


class AdminMessages(AdminOnly, MessageMiddleware):
    pass
