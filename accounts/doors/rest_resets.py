"""REST doors of a forgotten password: asking for a letter, and setting another one with what stands in it."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_accounts import OWN_USER, OWN_USER_EXAMPLE, valid
from accounts.people import resets
from accounts.people.profiles import own_user_out
from accounts.sessions.throttles import count_reset, password_try
from storage.web.inputs import Input, TextField
from storage.web.openapi import EXAMPLE_ID, Document, envelope_of
from storage.web.rest import single


class ResetInput(Input):
    email = TextField(help_text="That of the account, in any case.")


class NewPasswordInput(Input):
    token = TextField(help_text="What stands in the letter.")
    password = TextField(help_text="As at signing up.")


class AcceptedSerializer(Document):
    accepted = serializers.BooleanField(help_text="Always true: whether the address is anybody's is not told.")


ACCEPTED = envelope_of("AcceptedEnvelope", AcceptedSerializer())


class PasswordResetEndpoint(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(
        operation_id="ask_for_password_reset",
        summary="Forget your password",
        description="A letter is sent to the address if it is somebody's. The answer, and how long it takes, are the "
        "same for every address; so are they when three letters to it were asked for within the hour, and no other is "
        "sent.",
        tags=["auth"],
        request=ResetInput,
        responses={202: ACCEPTED},
        examples=[
            OpenApiExample("Ada", value={"email": "ada@example.org"}, request_only=True),
            OpenApiExample("Accepted", value={"data": {"accepted": True}}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        count_reset(request._request)
        resets.ask(valid(ResetInput, request)["email"])
        return Response(single({"accepted": True}), status=202)


class NewPasswordEndpoint(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()
    also_answers = {"POST": (403,)}

    @extend_schema(
        operation_id="reset_password",
        summary="Set another password",
        description="With the token of the letter, which is good once and for an hour. Ends every token of the "
        "account and its sessions in the admin; sign in after it. A password that is refused leaves the token good.",
        tags=["auth"],
        request=NewPasswordInput,
        responses={200: OWN_USER},
        examples=[
            OpenApiExample(
                "Ada",
                value={"token": f"{EXAMPLE_ID}.d0mxq5-{'5e' * 16}", "password": "Engine-No-1843"},
                request_only=True,
            ),
            OWN_USER_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        password_try(request._request)
        given = valid(NewPasswordInput, request)
        return Response(single(own_user_out(resets.reset_password(given["token"], given["password"]))))
