"""The REST door of taking one's data along."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.sessions.authentication import count_further, required_viewer
from accounts.sessions.throttles import count_or_refuse
from feed.leaving.export import LINES, Line, More, export
from storage.redis.rate_limits import Policy
from storage.web.openapi import EXAMPLE_ID, EXAMPLE_TIME
from storage.web.rest import encoded

NDJSON = "application/x-ndjson"
EXPORTS = Policy("export", 10, 86_400)
"""Begun by a person, once there is something to be read. Going on after whatever cursor counts for as many requests as
it costs, and that alone bounds it: a cursor is good for ever."""
COSTS_REQUESTS = 10
"""An answer of LINES takes as many reads as so many pages."""
EXAMPLE_CURSOR = "dHdlZXQtEXAMPLE"
EXAMPLE = OpenApiExample(
    "Lines",
    value="".join(
        f"{encoded(each).decode()}\n"
        for each in (
            Line("tweet", EXAMPLE_CURSOR, {"id": EXAMPLE_ID, "created_at": EXAMPLE_TIME}),
            More(EXAMPLE_CURSOR),
        )
    ),
    media_type=NDJSON,
    response_only=True,
)


class ExportEndpoint(APIView):
    @extend_schema(
        operation_id="export_me",
        summary="Take your data with you",
        description="All that is yours, one JSON object a line: `type` says of what sort it is, `data` is it, and "
        "`cursor` is the place behind it. Your account, sessions, tweets, likes, bookmarks, whom you follow and who "
        "follows you, requests to follow, blocks, mutes, and reports that you made. Of what others wrote there is what "
        f'you may see of it. An answer has some {LINES:,} lines; its last one is `{{"type": "more"}}`, with the cursor '
        'to ask for the rest `after`, or `{"type": "end"}`. So nothing is lost when a download breaks off: ask again '
        f"after the last cursor that you have. It may be begun {EXPORTS.quota} times a day; each answer counts as "
        f"{COSTS_REQUESTS} requests. Not in it: tweets that you deleted, notifications, what you signed in with "
        "besides sessions (authenticators, recovery codes), who blocks or mutes you, and what staff noted or decided.",
        tags=["me"],
        parameters=[OpenApiParameter("after", str, description="A cursor of a line; without one it begins anew.")],
        responses={(200, NDJSON): OpenApiTypes.STR},
        examples=[EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        viewer, after = required_viewer(request), request.query_params.get("after")
        lines = export(viewer, after)
        count_further(request._request, COSTS_REQUESTS - 1)
        first = next(lines)
        if after is None:
            count_or_refuse(request._request, (EXPORTS, f"rate:export:{viewer.id}"))
        body = b"".join(encoded(line) + b"\n" for line in (first, *lines))
        name = f'attachment; filename="{viewer.account.username}.ndjson"'
        return HttpResponse(
            body, content_type=NDJSON, headers={"Cache-Control": "no-store", "Content-Disposition": name}
        )
