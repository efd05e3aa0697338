"""REST doors of an e-mail address: confirming it with what stood in a letter, and asking for another letter."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_accounts import valid
from accounts.people import confirming
from accounts.sessions.authentication import required_viewer
from accounts.sessions.throttles import count_confirmation
from storage.web.inputs import Input, TextField
from storage.web.openapi import EXAMPLE_ID, Document, envelope_of
from storage.web.rest import refuse_fields, single

ASKED = (
    "A letter is sent to the address of your account, unless it is confirmed. The answer is the same if it is, and if "
    "three such letters to it were asked for within the hour, by whomever, and no other is sent."
)


class ConfirmationInput(Input):
    token = TextField(help_text="What stands in the letter.")


class ConfirmedSerializer(Document):
    email_confirmed = serializers.BooleanField(help_text="Always true.")


class ConfirmationAskedSerializer(Document):
    accepted = serializers.BooleanField(help_text="Always true.")


CONFIRMED = envelope_of("EmailConfirmedEnvelope", ConfirmedSerializer())
ASKED_AGAIN = envelope_of("ConfirmationAskedEnvelope", ConfirmationAskedSerializer())


class EmailConfirmationEndpoint(APIView):
    """Whoever reads the letter need not be signed in where they do."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    also_answers = {"POST": (403,)}

    @extend_schema(
        operation_id="confirm_email",
        summary="Confirm your e-mail address",
        description="With the token of the letter, which is good for a day, and for that address alone. The same token "
        "again is answered the same.",
        tags=["auth"],
        request=ConfirmationInput,
        responses={200: CONFIRMED},
        examples=[
            OpenApiExample("Ada", value={"token": f"{EXAMPLE_ID}.1vPXyZ.{'5e' * 21}A"}, request_only=True),
            OpenApiExample("Confirmed", value={"data": {"email_confirmed": True}}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        confirming.confirm(valid(ConfirmationInput, request)["token"])
        return Response(single({"email_confirmed": True}))


class ConfirmationLetterEndpoint(APIView):
    @extend_schema(
        operation_id="request_email_confirmation",
        summary="Have the letter sent again",
        description=ASKED,
        tags=["me"],
        request=None,
        responses={202: ASKED_AGAIN},
        examples=[OpenApiExample("Accepted", value={"data": {"accepted": True}}, response_only=True)],
    )
    def post(self, request: Request) -> Response:
        viewer = required_viewer(request)
        refuse_fields(request)
        count_confirmation(request._request, viewer.id)
        confirming.ask_again(viewer.id)
        return Response(single({"accepted": True}), status=202)
