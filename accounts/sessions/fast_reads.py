"""Reads that are asked for so often that REST framework's own steps are half of what they cost.

A view of this kind is a view of REST framework's to everything but the way that its GET goes when
all is well: to the OpenAPI document, to other methods, and to errors, which go through the
handler of every view. What is left out for GET is what has one outcome here (negotiating
between one renderer and itself, wrapping the request, a template response's life): authentication,
permission and limits are asked in the same order, by the same functions.

    FastRead    answers who is signed in
    OpenRead    answers everybody; who is not signed in is counted by address
"""

from collections.abc import Mapping
from functools import partial
from typing import Generic, TypeVar, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.entities import Viewer
from accounts.sessions.authentication import count_nobody, rate_hits, viewer_and_read
from storage.errors import BadRequest
from storage.redis.reads import NOTHING, Read
from storage.web.rest import MsgspecRenderer, encoded

Place = Mapping[str, str]
"""The parts of a path that have a name."""
V = TypeVar("V", Viewer, Viewer | None)
X = TypeVar("X")


class _Read(APIView, Generic[V, X]):
    """Answers a V's GET with the JSON of what `read` returns.

    What it reads first in Redis, an X, travels in the round trip that checks the token, or counts who has none.
    Permissions and throttles are the defaults of its kind; a view with others is none.
    """

    def first_read(self, request: HttpRequest, viewer_id: int | None, place: Place) -> Read[X | None]:
        """Returns the read for the person whom the token claims, before that is proved. May raise `BadRequest`: then
        nothing is read, and `read` is asked if they are let in, to say the same."""
        return NOTHING

    def read(self, request: HttpRequest, viewer: V, first: X | None, place: Place) -> object:
        """Returns what is encoded as the body. Raises service errors, as any view's method.

        `first` is what `first_read` said, None when it could not be sent along or Redis did not answer.
        """
        raise NotImplementedError

    def let_in(self, request: HttpRequest, place: Place) -> tuple[V, X | None]:
        """Returns who asks, counted, and what the first read said. Raises what REST framework raises for who is not
        signed in and has to be, or asks too often."""
        raise NotImplementedError

    def documented(self, request: Request, **place: str) -> Response:
        """Returns what a view's `get` does, which stands for the OpenAPI document alone: `dispatch` answers."""
        return Response(self.read(request._request, cast(V, request.user), None, place))

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: str) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            return answer
        try:
            viewer, first = self.let_in(request, kwargs)
            body = encoded(self.read(request, viewer, first, kwargs))
        except Exception as error:
            return self._refused(request, error)
        return HttpResponse(body, content_type=MsgspecRenderer.media_type, headers={"Allow": _allowed(self)})

    def _ahead(self, request: HttpRequest, place: Place, viewer_id: int | None) -> Read[X | None]:
        try:
            return self.first_read(request, viewer_id, place)
        except BadRequest:
            return NOTHING

    def _refused(self, request: HttpRequest, error: Exception) -> HttpResponseBase:
        self.args, self.kwargs = (), {}
        self.request = self.initialize_request(request)
        self.headers = self.default_response_headers
        answer = self.handle_exception(error)
        self.response = self.finalize_response(self.request, answer)
        return self.response


class FastRead(_Read[Viewer, X]):
    """A read of somebody signed in."""

    def let_in(self, request: HttpRequest, place: Place) -> tuple[Viewer, X | None]:
        viewer, first = viewer_and_read(request, partial(self._ahead, request, place))
        if viewer is None:
            raise exceptions.NotAuthenticated
        _admit(request, viewer)
        return viewer, first


class OpenRead(_Read[Viewer | None, X]):
    """A read of anybody."""

    permission_classes = (IsAuthenticatedOrReadOnly,)

    def let_in(self, request: HttpRequest, place: Place) -> tuple[Viewer | None, X | None]:
        viewer, first = viewer_and_read(request, partial(self._ahead, request, place))
        if viewer is None:
            first = count_nobody(request, self._ahead(request, place, None))
        _admit(request, viewer)
        return viewer, first


def _admit(request: HttpRequest, viewer: Viewer | None) -> None:
    """Raises `Throttled`."""
    request.user = viewer  # type: ignore[assignment]
    exceeded = [hit.resets_seconds for hit in rate_hits(request) if hit.exceeded]
    if exceeded:
        raise exceptions.Throttled(max(exceeded))


def _allowed(view: APIView) -> str:
    """The methods that it answers, as REST framework says them in `Allow`; worked out once for each class."""
    kind = type(view)
    if kind not in _methods:
        _methods[kind] = ", ".join(view.allowed_methods)
    return _methods[kind]


_methods: dict[type[APIView], str] = {}
