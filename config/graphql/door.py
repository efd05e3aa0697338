"""The GraphQL door over HTTP: the graphene schema, executed synchronously, within bounds.

A DRF view, so that tokens, body limits and error documents are those of REST. What is wrong with a
document or its variables is the client's mistake: it is answered 400, says where, and is not logged.
"""

from collections.abc import Callable, Mapping
from typing import cast

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.graphql import GraphQLContext
from accounts.sessions.authentication import count_further, viewer_or_none
from config.graphql.answers import answered, formatted
from config.graphql.documents import Invalid, answers_a_token, is_write
from config.graphql.repeats import Executed, executed_once
from config.graphql.requests import prepared
from config.graphql.variables import GraphQLParser
from config.http.idempotency import HEADER
from storage.errors import BadRequest

NOT_KEPT = "idempotency_key_not_kept"


class GraphQLEndpoint(APIView):
    """POST /graphql with {query, variables, operationName}."""

    permission_classes = (AllowAny,)
    parser_classes = (GraphQLParser,)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        if key is not None:
            _ = request._request.body  # Kept, for it is part of what the key stands for.
        given = cast(Mapping[str, object], request.data)
        try:
            asked = prepared(given)
        except Invalid as refused:
            return Response({"errors": [formatted(error) for error in refused.errors]}, status=refused.status)
        viewer = viewer_or_none(request)
        repeatable = key is not None and viewer is not None and is_write(asked.operation)
        if repeatable and answers_a_token(asked.document, asked.operation):
            raise BadRequest(
                "An answer that holds a token is not kept: send it without Idempotency-Key.", code=NOT_KEPT
            )
        count_further(request._request, asked.size.requests - 1)

        def answer(operation_ids: Callable[[], int] | None = None) -> Executed:
            context = GraphQLContext(viewer, operation_ids, request._request, most_values=asked.size.most_values)
            return answered(asked, context)

        if repeatable:
            assert key is not None and viewer is not None  # noqa: S101, PT018 - for the types
            return executed_once(request._request, viewer, key, answer)
        executed = answer()
        return Response(executed.body, status=executed.status)
