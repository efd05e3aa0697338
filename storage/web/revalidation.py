"""Answers that a client may keep and ask after: an ETag, and 304 while nothing has changed.

The tag is of the body's bytes, so it changes with whatever is shown, the viewer's own marks included, and costs no
round trip. What is spared is the body on its way, not the work of making it. Weak, for it may travel gzipped.
"""

from hashlib import blake2b

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.views import APIView

KEPT = ("ETag", "Cache-Control", "Vary")
"""The fields that a 304 repeats."""


class Revalidated(APIView):
    """A view whose 200 to GET and HEAD has an ETag. If-None-Match with it is answered 304, without a body."""

    cache_control = "private, no-cache"
    """Nobody keeps it for others, and who keeps it asks each time."""
    varies_by: tuple[str, ...] = ("Authorization", "Accept-Encoding")

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        if request.method not in ("GET", "HEAD") or response.status_code != 200:
            return response
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        assert isinstance(response, HttpResponse)  # noqa: S101 - none of these views streams
        response["ETag"] = weak_etag(response.content)
        response["Cache-Control"] = self.cache_control
        patch_vary_headers(response, self.varies_by)
        return not_modified(response) if is_known(request, response["ETag"]) else response


def weak_etag(body: bytes) -> str:
    """Returns the ETag of an answer with this body."""
    return f'W/"{blake2b(body, digest_size=12).hexdigest()}"'


def is_known(request: HttpRequest, etag: str) -> bool:
    """Returns whether the client says that it has the answer of this ETag, as RFC 9110 13.1.2 compares them."""
    asked = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return asked == ["*"] or etag.removeprefix("W/") in (each.removeprefix("W/") for each in asked)


def not_modified(response: HttpResponse) -> HttpResponse:
    """Returns what is answered in place of `response` to a client that has it."""
    return HttpResponseNotModified(headers={name: response[name] for name in KEPT if name in response})
