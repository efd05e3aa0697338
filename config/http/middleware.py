"""What wraps every request, in the order of MIDDLEWARE in config/settings.py: what browsers may do, gzip, CORS, its
host, the bound on its body, the neighbours of a page, what is left of its quota, whether it is a repeatable write, and
the admin's own stack.
Its id and log line are config/observability/requests.py's, which stands first."""

import re
from collections.abc import Callable
from io import BytesIO

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.gzip import GZipMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers

from accounts.sessions.authentication import rate_hits
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


class SecurityFields(SecurityMiddleware):
    """Django's own, and the policy on every answer (security_headers.py); on pages what else belongs to them.

    What a view says itself stands. A subclass and no middleware more: one costs every request two calls.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        headers = response.headers
        if response.status_code == 304:
            # Who asked has the answer, with a policy that this one's would replace: a page would be dead.
            return response
        if not headers.get("Content-Type", "").startswith("text/html"):
            headers.setdefault(POLICY, NO_PAGE)
            return response
        if settings.DEBUG and response.status_code >= 400:
            headers.setdefault(POLICY, DEBUG_PAGE)
        for name, value in PAGE_FIELDS.items():
            headers.setdefault(name, value)
        return response


class GzippedReads(GZipMiddleware):
    """Compresses what a GET answers, for those who accept it.

    Not the answers of writes, some of which hold tokens, nor the admin's pages, which hold a CSRF token beside what
    others have written: a length that tells how well they compress would tell of those (BREACH). Reads of the API hold
    no secret, and are asked for with a token that no foreign page can make a browser send; the random bytes that
    Django adds come on top. Files are WhiteNoise's to compress.
    """

    get_response: Answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method != "GET" or response.streaming or request.path.startswith(ADMIN_PREFIX):
            return response
        if len(response.content) < GZIP_FROM_BYTES:  # type: ignore[attr-defined]  # it does not stream
            return response
        accepted = request.META.get("HTTP_ACCEPT_ENCODING", "")
        if "gzip" in accepted and not GZIP_REFUSED.search(accepted):
            compressed: HttpResponseBase = self.process_response(request, response)
            return compressed
        varying = response.headers.get("Vary", "")
        if "Accept-Encoding" not in varying:
            response.headers["Vary"] = f"{varying}, Accept-Encoding" if varying else "Accept-Encoding"
        return response


class CorsForBrowsers(CorsMiddleware):
    """CORS for those who send an Origin, which are browsers. Others' answers only say that they may vary."""

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


class HostsButForProbes(CommonMiddleware):
    """Refuses hosts that are not ours, but for `/healthz`: who probes a process asks it by its address."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info == PROBED_BY_ADDRESS else super().process_request(request)


class BodyLimitMiddleware:
    """Answers 413 to a write's body over MAX_BODY_BYTES, whether its length was announced or not.

    Of other methods the body means nothing, and is not read.

    Django takes a body without Content-Length (chunked) for empty. Where the server says
    that the input ends by itself, it is read here, up to the bound, and its length set.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in WRITES and not self._fits(request):
            return problem_response(too_large(), request)
        return self.get_response(request)

    def _fits(self, request: HttpRequest) -> bool:
        """Reads what came without its length."""
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


class LinkFieldMiddleware:
    """Names a page's neighbours in its Link field, as storage/web/rest.py has left them with the request."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if (links := link_field(request)) is not None:
            response["Link"] = links
        return response


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


class IdempotencyMiddleware:
    """Hands a REST write with an Idempotency-Key over to config/http/idempotency.py; costs other requests nothing."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.headers.get(HEADER) if request.method in WRITES else None
        if key is None or not REPEATABLE_PATHS.match(request.path):
            return self.get_response(request)
        return answer_once(request, key, self.get_response, announced_length=announced_length(request))


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
