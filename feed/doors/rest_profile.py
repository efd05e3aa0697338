"""The REST doors of profiles, which compose accounts and tweets."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_accounts import UserSerializer
from accounts.doors.rest_relations import EXAMPLE_PERSON, NOBODY, RelationshipSerializer
from accounts.people.rules import USERNAME
from accounts.sessions.authentication import viewer_or_none
from feed.profile import profile, profiles_by_id, profiles_by_name
from storage.errors import BadRequest
from storage.web.look_ups import found, given_one_of, listed, listed_ids, refuse_repeated
from storage.web.openapi import IDS, IN_ORDER, collection_of, envelope_of, listing_parameter
from storage.web.rest import single
from storage.web.revalidation import Revalidated


class ProfileSerializer(UserSerializer):
    followers_count = serializers.IntegerField(help_text="Above 10,000 it may be a minute old.")
    following_count = serializers.IntegerField()
    tweets_count = serializers.IntegerField(help_text="Replies included. Above 10,000 it may be a minute old.")
    relationship = RelationshipSerializer(
        allow_null=True, help_text="How you stand to this person; null for someone not signed in."
    )


PROFILE = envelope_of("ProfileEnvelope", ProfileSerializer())
PROFILES = collection_of("ProfileCollection", ProfileSerializer)
ADA = {
    **EXAMPLE_PERSON,
    "followers_count": 1815,
    "following_count": 12,
    "tweets_count": 7,
    "relationship": {**NOBODY, "following": True},
}
PROFILE_EXAMPLE = OpenApiExample("Ada", value={"data": ADA}, response_only=True)
PROFILES_EXAMPLE = OpenApiExample(
    "Two were asked for",
    value={
        "data": [ADA],
        "meta": {"next_cursor": None, "prev_cursor": None, "limit": 100},
        "links": {"self": "/api/v1/users?usernames=ada,nobody_here", "next": None, "prev": None},
    },
    response_only=True,
)


class ProfilesEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="get_users",
        summary="Several people's profiles",
        description=f"By `usernames` or by `ids`, one of the two. {IN_ORDER}",
        tags=["users"],
        parameters=[
            listing_parameter(
                "usernames",
                {"type": "string", "pattern": f"^{USERNAME.pattern}$"},
                "Who, in any case.",
                required=False,
            ),
            listing_parameter("ids", IDS, "Who.", required=False),
        ],
        responses={200: PROFILES},
        examples=[PROFILES_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        viewer = viewer_or_none(request)
        if given_one_of(request, "usernames", "ids") == "ids":
            return Response(found(request, profiles_by_id(listed_ids(request), viewer)))
        return Response(found(request, profiles_by_name(_listed_usernames(request), viewer)))


def _listed_usernames(request: Request) -> list[str]:
    usernames = listed(request, "usernames")
    if not all(map(USERNAME.fullmatch, usernames)):
        raise BadRequest("usernames lists what is no username.", code="malformed_username")
    refuse_repeated("usernames", [each.lower() for each in usernames])
    return usernames


class ProfileEndpoint(Revalidated):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="get_user",
        summary="Someone's profile",
        description="404 for someone who is suspended (staff still see them) or blocks you. Someone whom you block "
        "stays visible here, so that you can unblock them.",
        tags=["users"],
        responses={200: PROFILE},
        examples=[PROFILE_EXAMPLE],
    )
    def get(self, request: Request, username: str) -> Response:
        return Response(single(profile(username, viewer_or_none(request))))
