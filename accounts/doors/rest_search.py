"""The REST door that finds people."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_relations import USERS, USERS_EXAMPLE
from accounts.graph.people_search import QUERY_MAX, people_found
from accounts.sessions.authentication import viewer_or_none
from storage.web.openapi import PAGE_PARAMETERS
from storage.web.rest import collection, page_request

DOWNWARDS = [each for each in PAGE_PARAMETERS if each.name != "since"]


class PeopleSearchEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="search_users",
        summary="Find people",
        description="People whose username or display name begins with `q`, in any case: whom you follow first, then "
        "by username, then by display name. Suspended people, and those with whom you share a block, are left out. "
        "Read downwards only: there is no `since`, and no `prev_cursor`. A page goes on behind its last person, "
        "wherever they stand by then: who is called otherwise, followed, or no longer, may move it. Where very many "
        "are left out a page may be short; its `next_cursor` goes on. 400 for an empty `q`.",
        tags=["users"],
        parameters=[
            OpenApiParameter(
                "q",
                str,
                required=True,
                description=f"The beginning of a name, 1 to {QUERY_MAX} characters; an @ before it is passed over.",
            ),
            *DOWNWARDS,
        ],
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        page = people_found(request.query_params.get("q", ""), viewer_or_none(request), asked)
        return Response(collection(request, asked, page))
