"""Reads that are asked for so often that REST framework's own steps are half of what they cost.

A view of this kind is a view of REST framework's to everything but the way that its GET goes when
all is well: to the OpenAPI document, to other methods, and to errors, which go through the
handler of every view. What is left out for GET is what has one outcome here (negotiating
between one renderer and itself, wrapping the request, a template response's life): authentication,
permission and limits are asked in the same order, by the same functions.
"""

from functools import partial
from typing import Generic, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.entities import Viewer
from accounts.sessions.authentication import rate_hits, required_viewer, viewer_and_read
from storage.redis.reads import Read
from storage.web.rest import MsgspecRenderer, encoded

X = TypeVar("X")


class FastRead(APIView, Generic[X]):
    """Answers a signed-in person's GET with the JSON of what `read` returns.

    What it reads first in Redis, an X, travels in the round trip that checks the token.
    Permissions and throttles are the defaults; a view with others is not one of this kind.
    """

    def first_read(self, request: HttpRequest, viewer_id: int) -> Read[X | None]:
        """Returns the read for the person whom the token claims, before that is proved. May raise `BadRequest`."""
        raise NotImplementedError

    def read(self, request: HttpRequest, viewer: Viewer, first: X | None) -> object:
        """Returns what is encoded as the body. Raises service errors, as any view's method.

        `first` is what `first_read` said, None when it could not be sent along or Redis did not answer.
        """
        raise NotImplementedError

    def get(self, request: Request) -> Response:
        """Stands for the OpenAPI document alone: `dispatch` answers GET and HEAD."""
        return Response(self.read(request._request, required_viewer(request), None))

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            return answer
        try:
            body = encoded(self.read(request, *self._let_in(request)))
        except Exception as error:
            return self._refused(request, error)
        return HttpResponse(body, content_type=MsgspecRenderer.media_type, headers={"Allow": "GET, HEAD, OPTIONS"})

    def _let_in(self, request: HttpRequest) -> tuple[Viewer, X | None]:
        """Raises what REST framework raises for who is not signed in, or asks too often."""
        viewer, first = viewer_and_read(request, partial(self.first_read, request))
        if viewer is None:
            raise exceptions.NotAuthenticated
        request.user = viewer  # type: ignore[assignment]
        exceeded = [hit.resets_seconds for hit in rate_hits(request) if hit.exceeded]
        if exceeded:
            raise exceptions.Throttled(max(exceeded))
        return viewer, first

    def _refused(self, request: HttpRequest, error: Exception) -> HttpResponseBase:
        self.args, self.kwargs = (), {}
        self.request = self.initialize_request(request)
        self.headers = self.default_response_headers
        answer = self.handle_exception(error)
        self.response = self.finalize_response(self.request, answer)
        return self.response
