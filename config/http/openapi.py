"""The OpenAPI document: bearer tokens, and the problems that each operation may answer with."""

from typing import NotRequired, TypedDict, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from config.http.middleware import REPEATABLE_PATHS, WRITES
from config.http.problems import CONTENT_TYPE, KINDS
from storage.web.revalidation import Revalidated

Parameter = TypedDict("Parameter", {"in": str, "name": str, "schema": object, "description": str})


class RequestBody(TypedDict):
    content: dict[str, dict[str, dict[str, str]]]


class Operation(TypedDict):
    """What is read and written here of one operation of the document."""

    operationId: str
    responses: dict[str, dict[str, object]]
    parameters: NotRequired[list[Parameter]]
    security: NotRequired[list[dict[str, object]]]
    requestBody: NotRequired[RequestBody]


class OpenAPI(TypedDict):
    paths: dict[str, dict[str, Operation]]
    components: dict[str, dict[str, dict[str, object]]]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.sessions.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, object]:
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
"""RFC 9457, as http/problems.py makes it."""


IDEMPOTENCY_KEY: Parameter = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-+\--~]([ -+\--~]*[!-+\--~])?$"},
    "description": "Chosen by you, one for each write: repeating the request with it, for 24 hours, acts once and "
    "gives the first answer again, with `Idempotency-Replayed: true`. 409 while the first is still at it; 422 when "
    "the key was used for another request. A request that could not be read (400, 401, 413, 415, 429) leaves it free. "
    "No comma: two of these headers would be one.",
}
IF_NONE_MATCH: Parameter = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of an answer that you have: 304 while it is the same.",
}
FIELDS: dict[str, dict[str, object]] = {
    "ETag": {"schema": {"type": "string"}, "description": "Changes with the body: send it as `If-None-Match`."},
    "Accept-Encoding": {"schema": {"type": "string"}, "description": "`identity`, to a body that was packed."},
    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."},
    "RateLimit": {"schema": {"type": "string"}, "description": 'What is left: `"default";r=299;t=52`.'},
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": 'The quota: `"default";q=300;w=60`.'},
    "WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`"},
}
FIELDS_OF = {
    401: ["WWW-Authenticate"],
    409: ["Retry-After"],
    415: ["Accept-Encoding"],
    429: ["Retry-After", "RateLimit", "RateLimit-Policy"],
    503: ["Retry-After"],
}


class ProblemSchema(AutoSchema):
    """Adds to each operation the problems that it can answer with, by what it takes.

    What cannot be told from that, a view says itself: `also_answers = {"POST": (409,)}`.
    """

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, object] | None:
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is not None:
            self._add_problems(cast(Operation, operation))
        return operation

    def _add_problems(self, operation: Operation) -> None:
        if self._is_repeatable(operation):
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        if self.method == "GET" and isinstance(self.view, Revalidated):
            operation.setdefault("parameters", []).append(IF_NONE_MATCH)
            etag = {"ETag": FIELDS["ETag"]}
            operation["responses"]["200"]["headers"] = etag
            operation["responses"]["304"] = {"description": "You have it already", "headers": etag}
        for status in self._problem_statuses(operation):
            operation["responses"].setdefault(str(status), self._problem_response(status))

    def _is_repeatable(self, operation: Operation) -> bool:
        """Whether config/http/idempotency.py repeats its answer."""
        return self.method in WRITES and bool(REPEATABLE_PATHS.match(self.path)) and any(operation.get("security", []))

    def _problem_statuses(self, operation: Operation) -> list[int]:
        places = {parameter["in"] for parameter in operation.get("parameters", [])}
        statuses = {429, 503, *getattr(self.view, "also_answers", {}).get(self.method, ())}
        if any(operation.get("security", [])):
            statuses |= {401, 403}
        if self.method in WRITES:
            statuses |= {400, 413, 415, 422}
        if self._is_repeatable(operation):
            statuses |= {409}
        if "query" in places:
            statuses |= {400}
        if "path" in places:
            statuses |= {400, 404}
        return sorted(statuses)

    def _problem_response(self, status: int) -> dict[str, object]:
        schema = self.resolve_serializer(PROBLEM, "response").ref
        response: dict[str, object] = {"description": KINDS[status][1], "content": {CONTENT_TYPE: {"schema": schema}}}
        headers = {name: FIELDS[name] for name in FIELDS_OF.get(status, ())}
        return {**response, "headers": headers} if headers else response


def close_inputs(result: OpenAPI, **_: object) -> OpenAPI:
    """Says, as a postprocessing hook, that what a body may hold is all that it may hold (storage/web/inputs.py)."""
    for operation in (each for path in result["paths"].values() for each in path.values()):
        for described in operation.get("requestBody", {}).get("content", {}).values():
            component = described["schema"]["$ref"].rpartition("/")[2]
            result["components"]["schemas"][component]["additionalProperties"] = False
    return result


LINKS = {
    "create_tweet": ("201", "tweet_id", "$response.body#/data/id"),
    "register": ("201", "username", "$response.body#/data/user/username"),
}
"""What these operations answer with is a path parameter of others."""


def link_operations(result: OpenAPI, **_: object) -> OpenAPI:
    """Says, as a postprocessing hook, which operations take what another one has made, so that tools can follow."""
    operations = [each for path in result["paths"].values() for each in path.values()]
    for maker in operations:
        if maker["operationId"] in LINKS:
            status, name, place = LINKS[maker["operationId"]]
            maker["responses"][status]["links"] = {
                taker["operationId"]: {"operationId": taker["operationId"], "parameters": {name: place}}
                for taker in operations
                if any(each["in"] == "path" and each["name"] == name for each in taker.get("parameters", []))
            }
    return result
