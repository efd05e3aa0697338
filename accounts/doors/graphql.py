"""GraphQL types of people, and who is asking."""

from collections.abc import Callable

import graphene
from graphql import GraphQLResolveInfo

from accounts.entities import Viewer
from storage.errors import NotSignedIn


class GraphQLContext:
    """What resolvers find as `info.context`."""

    def __init__(self, viewer: Viewer | None, operation_ids: Callable[[], int] | None = None) -> None:
        self.viewer = viewer
        self.operation_ids = operation_ids


def required_viewer(info: GraphQLResolveInfo) -> Viewer:
    """Returns who sent the request. Raises `NotSignedIn` when nobody did."""
    context: GraphQLContext = info.context
    if context.viewer is None:
        raise NotSignedIn("Send a token as Authorization: Bearer <token>.")
    return context.viewer


def operation_id(info: GraphQLResolveInfo) -> int | None:
    """Returns the id under which a write with an Idempotency-Key happens, also when it is repeated; else None.

    Asked for once by each write that takes one. Costs a conditional write from the second on.
    Raises `Unavailable`.
    """
    context: GraphQLContext = info.context
    return None if context.operation_ids is None else context.operation_ids()


class Author(graphene.ObjectType):
    """The person who wrote a tweet."""

    class Meta:
        name = "User"

    id = graphene.ID(required=True)
    username = graphene.String(required=True)
    display_name = graphene.String(required=True)
    avatar_url = graphene.String()
    verified = graphene.Boolean(required=True)
