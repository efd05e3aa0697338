"""The REST doors of the feeds: home, public, and those of hashtags."""

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.entities import Viewer
from accounts.sessions.fast_reads import FastRead, OpenRead, Place
from feed.timelines.hashtags import hashtag_page, named_hashtag
from feed.timelines.home import Prefetched, home_page, prefetch
from feed.timelines.public import public_page
from storage.redis.reads import NOTHING, Read
from storage.web.openapi import PAGE_PARAMETERS
from storage.web.rest import collection, page_request
from tweets.doors.documents import TWEETS, TWEETS_EXAMPLE
from tweets.hashtags import MOST_LISTED, TYPED_MAX
from tweets.reading.hydration import rendered

HASHTAG = OpenApiParameter(
    "tag",
    {"type": "string", "minLength": 1, "maxLength": TYPED_MAX},
    OpenApiParameter.PATH,
    description="The hashtag, with its sign (`%23`) or without.",
)


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
        "other people, and without those whom you hid. Of protected people it has nothing, for nobody. Any other tweet "
        "is in it as soon as it was posted.",
        tags=["feed"],
        parameters=PAGE_PARAMETERS,
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        return self.documented(request)


class HashtagEndpoint(OpenRead[None]):
    def read(self, request: HttpRequest, viewer: Viewer | None, first: None, place: Place) -> dict[str, object]:
        asked = page_request(request)
        return collection(request, asked, rendered(hashtag_page(named_hashtag(place["tag"]), viewer, asked)))

    @extend_schema(
        operation_id="hashtag_tweets",
        summary="Tweets with a hashtag",
        description="Newest first, replies and quotes as well, without retweets and without those whom you hid. Case, "
        "width and composition make no difference: names are NFKC, case folded. A tweet is in it as soon as it was "
        f"posted, under the first {MOST_LISTED} of its hashtags. Empty for a hashtag that nobody has used; 400 "
        "(`bad_hashtag`) for what is none.",
        tags=["feed"],
        parameters=[HASHTAG, *PAGE_PARAMETERS],
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request, tag: str) -> Response:
        return self.documented(request, tag=tag)
