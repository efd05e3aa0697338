"""The REST door of reports."""

from collections.abc import Mapping

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.entities import Viewer
from accounts.sessions.authentication import required_viewer
from feed.models import COMMENT_MAX, Reason
from feed.moderation.reports import ReportOut, report_person, report_tweet
from storage.web.inputs import Input, TextField
from storage.web.openapi import EXAMPLE_ID, EXAMPLE_TIME, Document, envelope_of, id_field
from storage.web.rest import parse_id, single


class ReportInput(Input):
    tweet_id = TextField(required=False, allow_null=True, help_text="The tweet to report.")
    username = TextField(required=False, allow_null=True, help_text="The person to report.")
    reason = serializers.ChoiceField(Reason.choices)
    comment = TextField(
        required=False, allow_blank=True, max_length=COMMENT_MAX, help_text=f"At most {COMMENT_MAX:,} characters."
    )

    def validate(self, attrs: Mapping[str, str | None]) -> Mapping[str, str | None]:
        if (attrs.get("tweet_id") is None) is (attrs.get("username") is None):
            raise serializers.ValidationError("Give tweet_id or username, and not both.")
        return attrs


class ReportSerializer(Document):
    id = id_field()
    tweet_id = serializers.CharField(allow_null=True)
    username = serializers.CharField(allow_null=True)
    reason = serializers.ChoiceField(Reason.choices)
    comment = serializers.CharField()
    created_at = serializers.DateTimeField()


REPORT = envelope_of("ReportEnvelope", ReportSerializer())


class ReportsEndpoint(APIView):
    @extend_schema(
        operation_id="report",
        summary="Report a tweet or a person",
        description="Give `tweet_id` or `username`. Reporting the same again while the first report is open answers "
        "that one, unchanged. What is gone, and oneself, cannot be reported: 422.",
        tags=["reports"],
        request=ReportInput,
        responses={201: REPORT},
        examples=[
            OpenApiExample("A tweet", value={"tweet_id": EXAMPLE_ID, "reason": "spam"}, request_only=True),
            OpenApiExample(
                "A report",
                value={
                    "data": {
                        "id": EXAMPLE_ID,
                        "tweet_id": EXAMPLE_ID,
                        "username": None,
                        "reason": "spam",
                        "comment": "",
                        "created_at": EXAMPLE_TIME,
                    }
                },
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        given = ReportInput(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(single(reported(required_viewer(request), given.validated_data)), status=201)


def reported(viewer: Viewer, fields: Mapping[str, str]) -> ReportOut:
    """Reports what a checked `ReportInput` names; errors as of the services. For every door."""
    reason, comment = fields["reason"], fields.get("comment", "")
    tweet_id = fields.get("tweet_id")
    if tweet_id is not None:
        return report_tweet(by=viewer, tweet_id=parse_id(tweet_id), reason=reason, comment=comment)
    return report_person(by=viewer, username=fields["username"], reason=reason, comment=comment)
