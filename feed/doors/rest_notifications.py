"""The REST doors of notifications: what one is notified of, how much of it is new, and that it was read."""

from collections.abc import Sequence

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_accounts import EXAMPLE_USER, UserSerializer, valid
from accounts.entities import Viewer
from accounts.graph.notifications import NotificationType
from accounts.sessions.authentication import required_viewer
from accounts.sessions.fast_reads import FastRead, Place
from feed.notifications.groups import PEOPLE_SHOWN
from feed.notifications.pages import EVERY_TYPE, mark_read, notifications_page
from feed.notifications.unread import MOST_COUNTED, unread_count
from storage.errors import BadRequest
from storage.web.inputs import Input, TextField
from storage.web.openapi import (
    EXAMPLE_ID,
    EXAMPLE_TIME,
    PAGE_PARAMETERS,
    Document,
    collection_of,
    envelope_of,
    id_field,
)
from storage.web.rest import collection, page_request, parse_id, single
from tweets.doors.documents import EXAMPLE_TWEET, TweetInTweet

ID = (
    "Of what happened last. When it happens again, which of likes, retweets, follows and follow requests it may, the "
    "notification comes again, under a greater id: one of the same type and tweet takes the place of the one before."
)
PEOPLE = f"Who it was, the newest first: up to {PEOPLE_SHOWN} of those whom you may see, but never none."
PEOPLE_COUNT = "How many they are by now; of likes and retweets as the tweet's counts have it, without your own."
TWEET = (
    "What answers, quotes or mentions you; of likes and retweets your tweet that they are of; null of follows and "
    "follow requests."
)
READ = "Whether it is at or below what was marked as read."
COUNT = f"How many you have not read, exact up to {MOST_COUNTED}, which means so many or more."


@extend_schema_serializer(component_name="Notification")
class NotificationDocument(Document):
    """Something that others did, and that stands: what was undone, deleted or is hidden from you is left out."""

    id = id_field(ID)
    type = serializers.ChoiceField([str(each) for each in NotificationType])
    people = UserSerializer(many=True, help_text=PEOPLE)
    people_count = serializers.IntegerField(help_text=PEOPLE_COUNT)
    tweet = TweetInTweet(help_text=TWEET)
    created_at = serializers.DateTimeField(help_text="When it happened last.")
    read = serializers.BooleanField(help_text=READ)


@extend_schema_serializer(component_name="UnreadNotifications")
class UnreadDocument(Document):
    count = serializers.IntegerField(min_value=0, max_value=MOST_COUNTED, help_text=COUNT)


class ReadInput(Input):
    up_to = TextField(help_text="A notification's id: it and everything older is read.")


NOTIFICATIONS = collection_of("NotificationCollection", NotificationDocument)
UNREAD = envelope_of("UnreadNotificationsEnvelope", UnreadDocument())
UNREAD_EXAMPLE = OpenApiExample("Two are new", value={"data": {"count": 2}}, response_only=True)
EXAMPLE_NOTIFICATION = {
    "id": EXAMPLE_ID,
    "type": "like",
    "people": [EXAMPLE_USER],
    "people_count": 12,
    "tweet": EXAMPLE_TWEET,
    "created_at": EXAMPLE_TIME,
    "read": False,
}
NOTIFICATIONS_EXAMPLE = OpenApiExample(
    "A page",
    value={
        "data": [EXAMPLE_NOTIFICATION],
        "meta": {"next_cursor": None, "prev_cursor": "GDodEXAMPLE", "limit": 20},
        "links": {
            "self": "/api/v1/me/notifications",
            "next": None,
            "prev": "/api/v1/me/notifications?limit=20&since=GDodEXAMPLE",
        },
    },
    response_only=True,
)
TYPES = OpenApiParameter(
    "types",
    {
        "type": "array",
        "items": {"type": "string", "enum": [str(each) for each in NotificationType]},
        "minItems": 1,
        "uniqueItems": True,
    },
    style="form",
    explode=False,
    description="Only of these types, parted by commas; of all without it.",
)


class NotificationsEndpoint(FastRead[None]):
    def read(self, request: HttpRequest, viewer: Viewer, first: None, place: Place) -> dict[str, object]:
        asked = page_request(request)
        return collection(request, asked, notifications_page(viewer, asked, _types_in(request)))

    @extend_schema(
        operation_id="notifications",
        summary="What you are notified of",
        description="By when it happened last, newest first. Likes, retweets, follows and follow requests are one "
        "notification for all who did the same; mentions, replies and quotes one each. A tweet that answers, quotes "
        "and mentions you makes one, of the first of these. Nobody whom you block or mute notifies you.",
        tags=["me"],
        parameters=[TYPES, *PAGE_PARAMETERS],
        responses={200: NOTIFICATIONS},
        examples=[NOTIFICATIONS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        return self.documented(request)


class UnreadEndpoint(FastRead[None]):
    def read(self, request: HttpRequest, viewer: Viewer, first: None, place: Place) -> dict[str, object]:
        return single({"count": unread_count(viewer)})

    @extend_schema(
        operation_id="unread_notifications",
        summary="How much is new",
        description=f"{COUNT} What is hidden or deleted meanwhile is left out within a minute, whom you block or mute "
        "at once.",
        tags=["me"],
        responses={200: UNREAD},
        examples=[UNREAD_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        return self.documented(request)


class ReadEndpoint(APIView):
    @extend_schema(
        operation_id="read_notifications",
        summary="Mark notifications as read",
        description="Everything at or below an id. It never goes back: a smaller id than before changes nothing. "
        "Answers how many are left.",
        tags=["me"],
        request=ReadInput,
        responses={200: UNREAD},
        examples=[
            OpenApiExample("Up to one", value={"up_to": EXAMPLE_ID}, request_only=True),
            OpenApiExample("Nothing is new", value={"data": {"count": 0}}, response_only=True),
        ],
    )
    def put(self, request: Request) -> Response:
        viewer = required_viewer(request)
        mark_read(viewer, parse_id(valid(ReadInput, request)["up_to"]))
        return Response(single({"count": unread_count(viewer)}))


def _types_in(request: HttpRequest) -> Sequence[NotificationType]:
    """Raises `BadRequest` for what is no type, for none, and for two lists of them."""
    if "types" not in request.GET:
        return EVERY_TYPE
    if len(lists := request.GET.getlist("types")) > 1:
        raise BadRequest("types is one list, parted by commas.", code="bad_types")
    return types_named(lists[0].split(","))


def types_named(names: Sequence[str]) -> Sequence[NotificationType]:
    """Returns the types of these names, each once. Raises `BadRequest` for what is no type, and for none."""
    try:
        found = [NotificationType(name) for name in dict.fromkeys(names)]
    except ValueError as error:
        raise BadRequest(f"types are some of {', '.join(EVERY_TYPE)}.", code="bad_types") from error
    if not found:
        raise BadRequest("types lists nothing.", code="nothing_listed")
    return found
