"""REST doors of how people stand to each other: follow, block, mute, and who follows whom."""

from collections.abc import Callable

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_accounts import EXAMPLE_USER, UserSerializer
from accounts.entities import Account
from accounts.graph import blocks, follows, listings, requests
from accounts.people import selectors
from accounts.sessions.authentication import required_viewer, viewer_or_none
from storage.web.openapi import PAGE_PARAMETERS, Document, collection_of, envelope_of
from storage.web.rest import collection, page_request, refuse_fields, single


class RelationshipSerializer(Document):
    following = serializers.BooleanField()
    requested = serializers.BooleanField(
        help_text="You have asked to follow them, and they, who are protected, have not answered."
    )
    followed_by = serializers.BooleanField()
    blocking = serializers.BooleanField()
    muting = serializers.BooleanField()


NOBODY = {"following": False, "requested": False, "followed_by": False, "blocking": False, "muting": False}
RELATIONSHIP = envelope_of("RelationshipEnvelope", RelationshipSerializer())
USERS = collection_of("UserCollection", UserSerializer)
EXAMPLE_PERSON = {name: value for name, value in EXAMPLE_USER.items() if not name.startswith("email")}
USERS_EXAMPLE = OpenApiExample(
    "A page",
    value={
        "data": [EXAMPLE_PERSON],
        "meta": {"next_cursor": None, "prev_cursor": "GDodEXAMPLE", "limit": 20},
        "links": {
            "self": "/api/v1/users/bob/followers",
            "next": None,
            "prev": "/api/v1/users/bob/followers?limit=20&since=GDodEXAMPLE",
        },
    },
    response_only=True,
)


def relationship_example(name: str, **differing: bool) -> OpenApiExample:
    return OpenApiExample(name, value={"data": {**NOBODY, **differing}}, response_only=True)


class FollowEndpoint(APIView):
    @extend_schema(
        operation_id="follow",
        summary="Follow someone",
        description="Idempotent; their past tweets are in your home timeline by the time this answers. "
        "403 when one of you blocks the other. Somebody protected is asked instead: `requested` is true until they "
        "accept or refuse, and asking again is the same.",
        tags=["users"],
        request=None,
        responses={200: RELATIONSHIP},
        examples=[
            relationship_example("Following", following=True),
            relationship_example("Asked", requested=True),
        ],
    )
    def put(self, request: Request, username: str) -> Response:
        return _changed(follows.follow, request, username)

    @extend_schema(
        operation_id="unfollow",
        summary="Unfollow someone",
        description="Idempotent; their tweets are out of your home timeline by the time this answers. A request to "
        "follow them is taken back.",
        tags=["users"],
        responses={200: RELATIONSHIP},
        examples=[relationship_example("Not following")],
    )
    def delete(self, request: Request, username: str) -> Response:
        return _changed(follows.unfollow, request, username)


class BlockEndpoint(APIView):
    @extend_schema(
        operation_id="block",
        summary="Block someone",
        description="Removes your follows, and requests to follow, both ways, and hides the two of you from each "
        "other: tweets, replies, quotes and list entries. They can no longer look you up (404) nor follow you (403); "
        "you still see their profile, so that you can unblock them. Idempotent; in force by the time this answers.",
        tags=["users"],
        request=None,
        responses={200: RELATIONSHIP},
        examples=[relationship_example("Blocking", blocking=True)],
    )
    def put(self, request: Request, username: str) -> Response:
        return _changed(blocks.block, request, username)

    @extend_schema(
        operation_id="unblock",
        summary="Unblock someone",
        description="Idempotent. Follows do not come back by themselves.",
        tags=["users"],
        responses={200: RELATIONSHIP},
        examples=[relationship_example("Not blocking")],
    )
    def delete(self, request: Request, username: str) -> Response:
        return _changed(blocks.unblock, request, username)


class MuteEndpoint(APIView):
    @extend_schema(
        operation_id="mute",
        summary="Mute someone",
        description="Leaves their tweets, and other people's retweets of them, out of your home timeline and of "
        "nothing else; they do not learn of it. Idempotent; in force by the time this answers.",
        tags=["users"],
        request=None,
        responses={200: RELATIONSHIP},
        examples=[relationship_example("Following, and muting", following=True, muting=True)],
    )
    def put(self, request: Request, username: str) -> Response:
        return _changed(blocks.mute, request, username)

    @extend_schema(
        operation_id="unmute",
        summary="Unmute someone",
        description="Idempotent; their tweets are back in your home timeline by the time this answers.",
        tags=["users"],
        responses={200: RELATIONSHIP},
        examples=[relationship_example("Following", following=True)],
    )
    def delete(self, request: Request, username: str) -> Response:
        return _changed(blocks.unmute, request, username)


class FollowersEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="followers",
        summary="Who follows someone",
        description="The newest follow first. Suspended people, and those with whom you share a block, are left out. "
        "404 for someone who blocks you.",
        tags=["users"],
        parameters=PAGE_PARAMETERS,
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request, username: str) -> Response:
        asked = page_request(request)
        page = listings.followers_page(username, viewer_or_none(request), asked)
        return Response(collection(request, asked, page))


class FollowingEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="following",
        summary="Whom someone follows",
        description="The newest follow first. Suspended people, and those with whom you share a block, are left out. "
        "404 for someone who blocks you.",
        tags=["users"],
        parameters=PAGE_PARAMETERS,
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request, username: str) -> Response:
        asked = page_request(request)
        page = listings.following_page(username, viewer_or_none(request), asked)
        return Response(collection(request, asked, page))


OWN_LIST = (
    "Nobody else can see it. Everybody whom you may {undo} is in it: who is suspended, or blocks you, by their "
    "username alone."
)


class BlocksEndpoint(APIView):
    @extend_schema(
        operation_id="blocks",
        summary="Whom you block",
        description=f"The newest block first. {OWN_LIST.format(undo='unblock')}",
        tags=["me"],
        parameters=PAGE_PARAMETERS,
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        return Response(collection(request, asked, listings.blocks_page(required_viewer(request), asked)))


class MutesEndpoint(APIView):
    @extend_schema(
        operation_id="mutes",
        summary="Whom you mute",
        description=f"The newest mute first. {OWN_LIST.format(undo='unmute')}",
        tags=["me"],
        parameters=PAGE_PARAMETERS,
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        return Response(collection(request, asked, listings.mutes_page(required_viewer(request), asked)))


class FollowRequestsEndpoint(APIView):
    @extend_schema(
        operation_id="follow_requests",
        summary="Who asks to follow you",
        description="The newest request first; there are some while you are protected, and those stay that you had "
        "not answered when you ceased to be. Suspended people, and those with whom you share a block, are left out.",
        tags=["me"],
        parameters=PAGE_PARAMETERS,
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        return Response(collection(request, asked, listings.follow_requests_page(required_viewer(request), asked)))


class FollowRequestEndpoint(APIView):
    @extend_schema(
        operation_id="accept_follow_request",
        summary="Accept a request to follow you",
        description="They follow you when this answers, as by a follow of theirs. Idempotent; 404 when they neither "
        "ask nor follow you.",
        tags=["me"],
        request=None,
        responses={200: RELATIONSHIP},
        examples=[relationship_example("They follow you", followed_by=True)],
    )
    def put(self, request: Request, username: str) -> Response:
        return _changed(requests.accept, request, username, find=requests.find_requester)

    @extend_schema(
        operation_id="refuse_follow_request",
        summary="Refuse a request to follow you",
        description="They are not told, and may ask again unless you block them. 404 when they do not ask (any more).",
        tags=["me"],
        responses={200: RELATIONSHIP},
        examples=[relationship_example("They do not follow you")],
    )
    def delete(self, request: Request, username: str) -> Response:
        return _changed(requests.refuse, request, username, find=requests.find_requester)


def _changed(
    change: Callable[[int, int], None],
    request: Request,
    username: str,
    *,
    find: Callable[[str], Account] = selectors.find_account,
) -> Response:
    """Makes the change between the viewer and the person of that name; answers how they stand after it."""
    refuse_fields(request)
    viewer, person = required_viewer(request), find(username)
    change(viewer.id, person.id)
    return Response(single(follows.relationship(viewer.id, person.id)))
