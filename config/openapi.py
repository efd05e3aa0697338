"""The OpenAPI document: bearer tokens, and the problems that each operation may answer with."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from config.problems import CONTENT_TYPE, KINDS


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The token that registering or signing in answered. It ends after 90 days, or when revoked.",
        }


PROBLEM = inline_serializer(
    name="Problem",
    fields={
        "type": serializers.CharField(help_text="/problems/<kind>, one for each status."),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="What happened this time, for people."),
        "instance": serializers.CharField(help_text="The path asked for."),
        "code": serializers.CharField(help_text="What exactly, for programs."),
        "request_id": serializers.CharField(allow_null=True, help_text="The answer's X-Request-ID."),
        "errors": serializers.DictField(
            child=serializers.ListField(child=serializers.CharField()),
            required=False,
            help_text="{field: [messages]}, for status 422 only.",
        ),
    },
)
"""RFC 9457, as problems.py makes it."""


class ProblemSchema(AutoSchema):
    """Adds to each operation the problems that it can answer with, by what it takes.

    What cannot be told from that, a view says itself: `also_answers = {"POST": (409,)}`.
    """

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            for status in self._problem_statuses(operation):
                operation["responses"].setdefault(str(status), self._problem_response(status))
        return operation

    def _problem_statuses(self, operation: dict[str, Any]) -> list[int]:
        places = {parameter["in"] for parameter in operation.get("parameters", [])}
        statuses = {503, *getattr(self.view, "also_answers", {}).get(self.method, ())}
        if any(operation.get("security", [])):
            statuses |= {401, 403}
        if "requestBody" in operation:
            statuses |= {400, 413, 415, 422}
        if "query" in places:
            statuses |= {400}
        if "path" in places:
            statuses |= {400, 404}
        if self.method in ("PUT", "PATCH", "POST"):
            statuses |= {422}
        return sorted(statuses)

    def _problem_response(self, status: int) -> dict[str, Any]:
        schema = self.resolve_serializer(PROBLEM, "response").ref
        return {"description": KINDS[status][1], "content": {CONTENT_TYPE: {"schema": schema}}}
