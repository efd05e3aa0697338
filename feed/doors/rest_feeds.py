"""The REST doors of the feeds: home and public."""

from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.entities import Viewer
from accounts.sessions.authentication import viewer_or_none
from accounts.sessions.fast_reads import FastRead
from feed.timelines.home import Prefetched, home_page, prefetch
from feed.timelines.public import public_page
from storage.redis.reads import Read
from storage.web.openapi import PAGE_PARAMETERS
from storage.web.rest import collection, page_request
from tweets.doors.documents import TWEETS, TWEETS_EXAMPLE
from tweets.reading.hydration import rendered


class HomeTimelineEndpoint(FastRead[Prefetched]):
    """GET /feed/home. The token and the timeline are read in one round trip, the tweets in the next."""

    def first_read(self, request: HttpRequest, viewer_id: int) -> Read[Prefetched]:
        return prefetch(viewer_id, page_request(request))

    def read(self, request: HttpRequest, viewer: Viewer, first: Prefetched | None) -> dict[str, object]:
        asked = page_request(request)
        return collection(request, asked, rendered(home_page(viewer, asked, prefetched=first)))

    @extend_schema(
        operation_id="home_timeline",
        summary="Your home timeline",
        description="Everything by the people you follow and by you, newest first, back to the first tweet.",
        tags=["feed"],
        parameters=PAGE_PARAMETERS,
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class PublicFeedEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="public_feed",
        summary="The public feed",
        description="Everybody's tweets, newest first, back to the first: without retweets and without replies to "
        "other people, and without those whom you hid. A tweet is in it as soon as it was posted.",
        tags=["feed"],
        parameters=PAGE_PARAMETERS,
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        return Response(collection(request, asked, rendered(public_page(viewer_or_none(request), asked))))
