"""REST doors of accounts: sign up, sign in and out, one's own account."""

from collections.abc import Sequence
from typing import Any, cast

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts.entities import BIO_MAX, DISPLAY_NAME_MAX, USERNAME_MAX
from accounts.graph.announcing import announce
from accounts.models import EMAIL_MAX, User
from accounts.people import leaving, selectors, services
from accounts.people.profiles import own_user_out
from accounts.people.rules import PASSWORD_MAX
from accounts.sessions import tokens
from accounts.sessions.authentication import required_viewer
from accounts.sessions.clients import client_name
from accounts.sessions.ending import end_all
from accounts.sessions.throttles import count_sign_up, password_try
from storage.web.inputs import FlagField, Input, TextField
from storage.web.openapi import EXAMPLE_ID, EXAMPLE_TIME, Document, envelope_of, id_field
from storage.web.rest import flag, refuse_fields, single

EMAIL_CONFIRMED = (
    "You have sent back what stood in a letter to the address; of another address no more. Nothing depends on it."
)


class UserSerializer(Document):
    id = id_field()
    username = serializers.CharField()
    display_name = serializers.CharField()
    bio = serializers.CharField()
    avatar_url = serializers.URLField(allow_null=True)
    verified = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    protected = serializers.BooleanField(help_text="Their tweets are for accepted followers only.")


class OwnUserSerializer(UserSerializer):
    email = serializers.EmailField()
    email_confirmed = serializers.BooleanField(help_text=EMAIL_CONFIRMED)


class SessionSerializer(Document):
    user = OwnUserSerializer()
    token = serializers.CharField(help_text="Send it as `Authorization: Bearer <token>`. It is shown only here.")


class RegisterInput(Input):
    username = TextField(
        help_text=f"1–{USERNAME_MAX} ASCII letters, digits and underscores; unique without regard to case."
    )
    email = TextField(help_text=f"At most {EMAIL_MAX} characters; unique without regard to case.")
    password = TextField(
        help_text=f"8–{PASSWORD_MAX} characters; not common, not only digits, not like the username. The same one on "
        "every keyboard: spaces of any kind and compatible forms of a character (NFKC) are one."
    )


class SignInInput(Input):
    username = TextField(help_text="Username or e-mail address, in any case; spaces around it do not matter.")
    password = TextField()


class ProfileInput(Input):
    display_name = TextField(
        required=False,
        allow_blank=True,
        help_text=f"At most {DISPLAY_NAME_MAX} characters as a person sees them, and one that is visible, on one line; "
        "empty for the username.",
    )
    bio = TextField(
        required=False,
        allow_blank=True,
        help_text=f"At most {BIO_MAX} characters as a person sees them, on any number of lines.",
    )
    protected = FlagField(
        required=False,
        help_text="true: your tweets, those of the past too, are for your followers and yourself alone, in force with "
        "the answer; who follows you already stays, and others ask (`/me/follow-requests`). false: they are for "
        "everybody again; nobody is accepted by that, and requests stay until you answer them, or until who asked "
        "follows you anew.",
    )
    email = TextField(
        required=False,
        help_text="Another one needs `current_password`. It is sent a letter to be confirmed by, and the one of before "
        "is told that it was changed.",
    )
    password = TextField(required=False, help_text="Ends every other token of this account. Needs `current_password`.")
    current_password = TextField(required=False)


class LeftSerializer(Document):
    left = serializers.BooleanField(help_text="Always true: what was yours is deleted from now on.")


class LeaveInput(Input):
    password = TextField(help_text="Yours: it counts as a try at it, as signing in does.")


EXAMPLE_USER = {
    "id": EXAMPLE_ID,
    "username": "ada",
    "display_name": "Ada Lovelace",
    "bio": "Notes on the Analytical Engine.",
    "avatar_url": None,
    "verified": False,
    "created_at": EXAMPLE_TIME,
    "protected": False,
    "email": "ada@example.org",
    "email_confirmed": True,
}
SESSION_EXAMPLE = OpenApiExample(
    "A session",
    value={"data": {"user": EXAMPLE_USER, "token": f"{EXAMPLE_ID}.{'5e' * 32}"}},
    response_only=True,
)
OWN_USER_EXAMPLE = OpenApiExample("Your account", value={"data": EXAMPLE_USER}, response_only=True)
LEFT = envelope_of("LeftEnvelope", LeftSerializer())
SESSION = envelope_of("SessionEnvelope", SessionSerializer())
OWN_USER = envelope_of("OwnUserEnvelope", OwnUserSerializer())
EVERYWHERE = "Ends every token of this account, and its sessions in the admin."


class RegisterEndpoint(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(
        operation_id="register",
        summary="Sign up",
        description="The address is sent a letter to be confirmed by; nothing depends on that.",
        tags=["auth"],
        request=RegisterInput,
        responses={201: SESSION},
        examples=[
            OpenApiExample(
                "Ada",
                value={"username": "ada", "email": "ada@example.org", "password": "Engine-No-1843"},
                request_only=True,
            ),
            SESSION_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        count_sign_up(request._request)
        given = valid(RegisterInput, request)
        return _session(services.register(**given), request, 201)


class TokenEndpoint(APIView):
    """Signing in asks for no token, so a stale one in the header does not matter there."""

    also_answers = {"POST": (401, 403)}

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self._is_sign_in() else super().get_authenticators()

    def get_permissions(self) -> Sequence[BasePermission]:
        return [AllowAny()] if self._is_sign_in() else cast(Sequence[BasePermission], super().get_permissions())

    def get_throttles(self) -> list[BaseThrottle]:
        return [] if self._is_sign_in() else super().get_throttles()

    def _is_sign_in(self) -> bool:
        return self.request is not None and self.request.method == "POST"

    @extend_schema(
        operation_id="create_token",
        summary="Sign in",
        tags=["auth"],
        request=SignInInput,
        responses={200: SESSION},
        examples=[
            OpenApiExample("Ada", value={"username": "ada", "password": "Engine-No-1843"}, request_only=True),
            SESSION_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        tried = password_try(request._request)
        given = valid(SignInInput, request)
        person = services.sign_in(login=given["username"], password=given["password"], tried=tried)
        return _session(person, request, 200)

    @extend_schema(
        operation_id="revoke_token",
        summary="Sign out",
        description="In force from the next request on.",
        tags=["auth"],
        parameters=[OpenApiParameter("all", bool, default=False, description=EVERYWHERE)],
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        viewer = required_viewer(request)
        refuse_fields(request, in_query=("all",))
        if flag(request, "all", default=False):
            end_all(viewer.id)
        else:
            tokens.revoke(viewer)
        return Response(status=204)


class MeEndpoint(APIView):
    also_answers = {"DELETE": (403,)}

    @extend_schema(
        operation_id="get_me",
        summary="Your own account",
        tags=["me"],
        responses={200: OWN_USER},
        examples=[OWN_USER_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        return Response(single(own_user_out(selectors.get_user(required_viewer(request).id))))

    @extend_schema(
        operation_id="update_me",
        summary="Change your account",
        description="Only what is given changes; all of it or nothing.",
        tags=["me"],
        request=ProfileInput,
        responses={200: OWN_USER},
        examples=[
            OpenApiExample("A bio", value={"bio": "Notes on the Analytical Engine."}, request_only=True),
            OWN_USER_EXAMPLE,
        ],
    )
    def patch(self, request: Request) -> Response:
        viewer = required_viewer(request)
        change = services.ProfileChange(**valid(ProfileInput, request))
        tried = password_try(request._request) if change.asks_for_password else None
        person = services.update_profile(viewer.id, change, token_digest=viewer.token_digest, tried=tried)
        return Response(single(own_user_out(person)))

    @extend_schema(
        operation_id="delete_me",
        summary="Leave: delete your account",
        description="For good. Once it is answered you are signed out everywhere, and nobody sees you or what you "
        "wrote any more. Your tweets, likes, bookmarks, follows, blocks, mutes, notifications and sessions are deleted "
        "after that: it takes some minutes, or longer where there is very much. Your username stays taken. Take what "
        "is yours with you first: `GET /me/export`. Staff cannot leave (403).",
        tags=["me"],
        request=LeaveInput,
        responses={202: LEFT},
        examples=[
            OpenApiExample("Ada", value={"password": "Engine-No-1843"}, request_only=True),
            OpenApiExample("Left", value={"data": {"left": True}}, response_only=True),
        ],
    )
    def delete(self, request: Request) -> Response:
        viewer = required_viewer(request)
        tried = password_try(request._request)
        given = valid(LeaveInput, request)
        announce(leaving.leave(viewer.id, given["password"], tried=tried))
        return Response(single({"left": True}), status=202)


def valid(serializer: type[Input], request: Request) -> dict[str, Any]:
    """Returns the checked body. Raises DRF's `ValidationError`, which names each field."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return cast(dict[str, Any], checked.validated_data)


def _session(person: User, request: Request, status: int) -> Response:
    token = tokens.issue(person, client_name(request._request))
    return Response(single({"user": own_user_out(person), "token": token}), status=status)
