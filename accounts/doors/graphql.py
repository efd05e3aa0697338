"""GraphQL types of people, and who is asking."""

import graphene
from graphql import GraphQLResolveInfo

from accounts.entities import Viewer
from storage.errors import NotSignedIn


class GraphQLContext:
    """What resolvers find as `info.context`."""

    def __init__(self, viewer: Viewer | None) -> None:
        self.viewer = viewer


def required_viewer(info: GraphQLResolveInfo) -> Viewer:
    """Returns who sent the request. Raises `NotSignedIn` when nobody did."""
    context: GraphQLContext = info.context
    if context.viewer is None:
        raise NotSignedIn("Send a token as Authorization: Bearer <token>.")
    return context.viewer


class Author(graphene.ObjectType):
    """The person who wrote a tweet."""

    class Meta:
        name = "User"

    id = graphene.ID(required=True)
    username = graphene.String(required=True)
    display_name = graphene.String(required=True)
    avatar_url = graphene.String()
    verified = graphene.Boolean(required=True)
