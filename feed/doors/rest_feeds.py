"""The REST doors of the feeds: home and public."""

from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.entities import Viewer
from accounts.sessions.fast_reads import FastRead, OpenRead, Place
from feed.timelines.home import Prefetched, home_page, prefetch
from feed.timelines.public import public_page
from storage.redis.reads import NOTHING, Read
from storage.web.openapi import PAGE_PARAMETERS
from storage.web.rest import collection, page_request
from tweets.doors.documents import TWEETS, TWEETS_EXAMPLE
from tweets.reading.hydration import rendered


class HomeTimelineEndpoint(FastRead[Prefetched]):
    """GET /feed/home. The token and the timeline are read in one round trip, the tweets in the next."""

    def first_read(self, request: HttpRequest, viewer_id: int | None, place: Place) -> Read[Prefetched | None]:
        return NOTHING if viewer_id is None else prefetch(viewer_id, page_request(request))

    def read(self, request: HttpRequest, viewer: Viewer, first: Prefetched | None, place: Place) -> dict[str, object]:
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
        return self.documented(request)


class PublicFeedEndpoint(OpenRead[None]):
    def read(self, request: HttpRequest, viewer: Viewer | None, first: None, place: Place) -> dict[str, object]:
        asked = page_request(request)
        return collection(request, asked, rendered(public_page(viewer, asked)))

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
        return self.documented(request)
