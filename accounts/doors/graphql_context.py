"""Who is asking by GraphQL, and what else resolvers are told of the request."""

from collections.abc import Callable

from django.http import HttpRequest
from graphql import GraphQLResolveInfo

from accounts.entities import Viewer
from storage.errors import NotSignedIn


class GraphQLContext:
    """What resolvers find as `info.context`."""

    def __init__(
        self,
        viewer: Viewer | None,
        operation_ids: Callable[[], int] | None = None,
        request: HttpRequest | None = None,
        *,
        most_values: int | None = None,
    ) -> None:
        self.viewer = viewer
        self.operation_ids = operation_ids
        self.request = request
        """Over HTTP; None on a socket."""
        self.most_values = most_values
        """How many values the answer may have; None for any number."""


def viewer_of(info: GraphQLResolveInfo) -> Viewer | None:
    """Returns who sent the request, None for nobody."""
    context: GraphQLContext = info.context
    return context.viewer


def required_viewer(info: GraphQLResolveInfo) -> Viewer:
    """Returns who sent the request. Raises `NotSignedIn` when nobody did."""
    viewer = viewer_of(info)
    if viewer is None:
        raise NotSignedIn("Send a token as Authorization: Bearer <token>.")
    return viewer


def request_of(info: GraphQLResolveInfo) -> HttpRequest:
    """Returns the HTTP request by which a mutation comes."""
    context: GraphQLContext = info.context
    assert context.request is not None  # noqa: S101 - on a socket there are no mutations
    return context.request


def operation_id(info: GraphQLResolveInfo) -> int | None:
    """Returns the id under which a write with an Idempotency-Key happens, also when it is repeated; else None.

    Asked for once by each write that takes one. Costs a conditional write from the second on.
    Raises `Unavailable`.
    """
    context: GraphQLContext = info.context
    return None if context.operation_ids is None else context.operation_ids()
