"""REST doors of one's own sessions: where one is signed in, and signing out there."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.sessions import listing
from accounts.sessions.authentication import required_viewer
from storage.web.openapi import (
    EXAMPLE_ID,
    EXAMPLE_TIME,
    IDS,
    PAGE_PARAMETERS,
    Document,
    collection_of,
    id_field,
)
from storage.web.rest import collection, page_request, parse_id, refuse_fields

CLIENT = (
    "What signed in there, by its own account: a browser and a system, or a program's name; null when it did not say, "
    "or signed in before this was kept."
)
LAST_USED = "Of the session that asks, now; of others it may lag behind by up to seven hours."


@extend_schema_serializer(component_name="OwnSession")
class OwnSessionSerializer(Document):
    id = id_field()
    created_at = serializers.DateTimeField(help_text="When it was signed in.")
    last_used_at = serializers.DateTimeField(help_text=LAST_USED)
    client = serializers.CharField(allow_null=True, help_text=CLIENT)
    current = serializers.BooleanField(help_text="It is the one that asks.")


SESSIONS = collection_of("SessionCollection", OwnSessionSerializer)
SESSIONS_EXAMPLE = OpenApiExample(
    "A page",
    value={
        "data": [
            {
                "id": EXAMPLE_ID,
                "created_at": EXAMPLE_TIME,
                "last_used_at": EXAMPLE_TIME,
                "client": "Firefox on Windows",
                "current": True,
            }
        ],
        "meta": {"next_cursor": None, "prev_cursor": "GDodEXAMPLE", "limit": 20},
        "links": {
            "self": "/api/v1/me/sessions",
            "next": None,
            "prev": "/api/v1/me/sessions?limit=20&since=GDodEXAMPLE",
        },
    },
    response_only=True,
)


class SessionsEndpoint(APIView):
    @extend_schema(
        operation_id="sessions",
        summary="Where you are signed in",
        description="One session for each token that is good, the newest first. Nothing of a token is shown.",
        tags=["me"],
        parameters=PAGE_PARAMETERS,
        responses={200: SESSIONS},
        examples=[SESSIONS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        return Response(collection(request, asked, listing.sessions_page(required_viewer(request), asked)))


class SessionEndpoint(APIView):
    @extend_schema(
        operation_id="revoke_session",
        summary="Sign out of a session",
        description="In force from the next request with its token on; its sockets are closed within a second. It may "
        "be the one that asks.",
        tags=["me"],
        parameters=[OpenApiParameter("session_id", IDS, OpenApiParameter.PATH)],
        responses={204: None},
    )
    def delete(self, request: Request, session_id: str) -> Response:
        refuse_fields(request)
        listing.end_session(required_viewer(request), parse_id(session_id))
        return Response(status=204)
