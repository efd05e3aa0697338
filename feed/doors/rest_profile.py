"""The REST door of profiles, which compose accounts and tweets."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors.rest_accounts import UserSerializer
from accounts.doors.rest_relations import EXAMPLE_PERSON, NOBODY, RelationshipSerializer
from accounts.sessions.authentication import viewer_or_none
from feed.profile import profile
from storage.web.openapi import envelope_of
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
PROFILE_EXAMPLE = OpenApiExample(
    "Ada",
    value={
        "data": {
            **EXAMPLE_PERSON,
            "followers_count": 1815,
            "following_count": 12,
            "tweets_count": 7,
            "relationship": {**NOBODY, "following": True},
        }
    },
    response_only=True,
)


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
