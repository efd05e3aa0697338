"""GraphQL: where one is signed in, and signing out there."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import TypedDict, Unpack

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql import Identified, User
from accounts.doors.graphql_context import required_viewer, viewer_of
from accounts.doors.rest_sessions import CLIENT, LAST_USED
from accounts.entities import Viewer
from accounts.sessions import listing
from accounts.sessions.listing import SessionOut
from storage.web.batches import Later, later
from storage.web.graphql import (
    PageArguments,
    PageInfo,
    connection,
    errors_field,
    extend,
    input_argument,
    ok_field,
    page_arguments,
    page_request,
    payload,
    required_id,
    resolve_ok,
)
from storage.web.paging import Page, PageRequest


class Session(graphene.ObjectType):
    """Somewhere you are signed in: there is one for each token that is good."""

    id = graphene.ID(required=True, description="A decimal number; newer is larger.")
    created_at = graphene.String(required=True, description="When it was signed in: RFC 3339, UTC, milliseconds.")
    last_used_at = graphene.String(required=True, description=LAST_USED)
    client = graphene.String(description=CLIENT)
    current = graphene.Boolean(required=True, description="It is the one that asks.")


class SessionEdge(graphene.ObjectType):
    """A session in a list."""

    node = graphene.Field(graphene.NonNull(Session), description="The session.")
    cursor = graphene.String(required=True, description="Its place in it.")


class SessionConnection(graphene.ObjectType):
    """A page of sessions."""

    edges = graphene.List(graphene.NonNull(SessionEdge), required=True, description="Newest first.")
    page_info = graphene.Field(graphene.NonNull(PageInfo), description="Where the page stands.")


class SessionsOfUser:
    """What a `User` has of sessions."""

    sessions = graphene.Field(
        SessionConnection,
        description="Where you are signed in, the newest first; null of everybody else.",
        **page_arguments(),
    )

    @staticmethod
    def resolve_sessions(
        person: Identified, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]
    ) -> Later | None:
        viewer, asked = viewer_of(info), page_request(**arguments)
        if viewer is None or int(person.id) != viewer.id:
            return None
        return later(_own_sessions, viewer, asked, of=viewer.id, then=partial(_session_connection, asked))


extend(User, SessionsOfUser)


class RevokeSessionInput(graphene.InputObjectType):
    """Where to sign out."""

    id = graphene.ID(required=True, description="The session's; it may be the one that asks.")


class RevokeSessionFields(TypedDict):
    """What a resolver is given of `RevokeSessionInput`."""

    id: str


class RevokeSession(graphene.Mutation):
    """Signs out of a session, in force from the next request on; its sockets are closed within a second."""

    class Arguments:
        input = input_argument(RevokeSessionInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: RevokeSessionFields) -> "RevokeSession":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            listing.end_session(viewer, required_id(input["id"], "id"))
            return {}

        made: RevokeSession = payload(RevokeSession, act, about="id")
        return made


class SessionMutations:
    """The fields of sessions that stand in the schema's `Mutation`."""

    revoke_session = RevokeSession.Field()


def _session_connection(asked: PageRequest, page: Page[SessionOut]) -> SessionConnection:
    made: SessionConnection = connection(SessionConnection, SessionEdge, asked, page)
    return made


def _own_sessions(_people: Collection[int], viewer: Viewer, asked: PageRequest) -> dict[int, Page[SessionOut]]:
    return {viewer.id: listing.sessions_page(viewer, asked)}
