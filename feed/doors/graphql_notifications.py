"""GraphQL: what one is notified of, through the services that REST calls."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql import User
from accounts.doors.graphql_context import required_viewer
from feed.doors.rest_notifications import COUNT, ID, PEOPLE, PEOPLE_COUNT, READ, TWEET, types_named
from feed.notifications.pages import EVERY_TYPE, mark_read, notifications_page
from feed.notifications.unread import unread_count
from storage.web.graphql import (
    PageArguments,
    PageInfo,
    connection,
    errors_field,
    input_argument,
    ok_field,
    page_arguments,
    page_request,
    payload,
    required_id,
    resolve_ok,
)
from tweets.doors.graphql import Tweet


class Notification(graphene.ObjectType):
    """Something that others did, and that stands: what was undone, deleted or is hidden from you is left out."""

    id = graphene.ID(required=True, description=ID)
    type = graphene.String(required=True, description=f"One of {', '.join(EVERY_TYPE)}.")
    people = graphene.List(graphene.NonNull(User), required=True, description=PEOPLE)
    people_count = graphene.Int(required=True, description=PEOPLE_COUNT)
    tweet = graphene.Field(Tweet, description=TWEET)
    created_at = graphene.String(required=True, description="When it happened last: RFC 3339, UTC, milliseconds.")
    read = graphene.Boolean(required=True, description=READ)


class NotificationEdge(graphene.ObjectType):
    """A notification in a list."""

    node = graphene.Field(graphene.NonNull(Notification), description="The notification.")
    cursor = graphene.String(required=True, description="Its place in it.")


class NotificationConnection(graphene.ObjectType):
    """A page of notifications."""

    edges = graphene.List(graphene.NonNull(NotificationEdge), required=True, description="Newest first.")
    page_info = graphene.Field(graphene.NonNull(PageInfo), description="Where the page stands.")


class NotificationQueries:
    """The fields of notifications that stand in the schema's `Query`."""

    notifications = graphene.Field(
        graphene.NonNull(NotificationConnection),
        types=graphene.Argument(
            graphene.List(graphene.NonNull(graphene.String)), description="Only of these types; of all without it."
        ),
        description="What you are notified of, newest first by when it happened last.",
        **page_arguments(),
    )
    unread_notifications_count = graphene.Int(required=True, description=COUNT)

    @staticmethod
    def resolve_notifications(
        _root: None,
        info: GraphQLResolveInfo,
        types: Sequence[str] | None = None,
        **arguments: Unpack[PageArguments],
    ) -> NotificationConnection:
        viewer, asked = required_viewer(info), page_request(**arguments)
        page = notifications_page(viewer, asked, EVERY_TYPE if types is None else types_named(types))
        made: NotificationConnection = connection(NotificationConnection, NotificationEdge, asked, page)
        return made

    @staticmethod
    def resolve_unread_notifications_count(_root: None, info: GraphQLResolveInfo) -> int:
        return unread_count(required_viewer(info))


class MarkNotificationsReadInput(graphene.InputObjectType):
    """What was read."""

    up_to = graphene.ID(required=True, description="A notification's id: it and everything older is read.")


class MarkNotificationsReadFields(TypedDict):
    """What a resolver is given of `MarkNotificationsReadInput`."""

    up_to: str


class MarkNotificationsRead(graphene.Mutation):
    """Marks everything at or below an id as read. It never goes back."""

    class Arguments:
        input = input_argument(MarkNotificationsReadInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(
        _root: None,
        info: GraphQLResolveInfo,
        input: MarkNotificationsReadFields,  # noqa: A002 - the argument's name in the schema
    ) -> "MarkNotificationsRead":
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            mark_read(viewer, required_id(input["up_to"], "up_to"))
            return {}

        made: MarkNotificationsRead = payload(MarkNotificationsRead, act)
        return made


class NotificationMutations:
    """The fields of notifications that stand in the schema's `Mutation`."""

    mark_notifications_read = MarkNotificationsRead.Field()
