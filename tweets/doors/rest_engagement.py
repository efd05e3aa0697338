"""The REST doors of what people do to tweets: like, retweet, bookmark, and the lists of who did."""

from typing import Protocol, cast

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.doors.rest_relations import USERS, USERS_EXAMPLE
from accounts.entities import Viewer
from accounts.sessions.authentication import required_viewer, viewer_or_none
from storage.web.openapi import PAGE_PARAMETERS
from storage.web.rest import collection, page_request, parse_id, refuse_fields, single
from tweets.doors.documents import EXAMPLE_TWEET, TWEET, TWEETS, TWEETS_EXAMPLE
from tweets.reading import selectors
from tweets.reading.hydration import rendered
from tweets.writing import liking, retweeting

ACTED_ON = "Idempotent; answers the tweet after it. Given a retweet, it acts on the original and answers that."
UNDONE = (
    f"{ACTED_ON} What you did can always be taken back, whatever became of the tweet or its author: where the tweet "
    "cannot be shown to you (any more), or there is none, this answers 204."
)


def marked_example(name: str, *, flag: str, count: str | None = None) -> OpenApiExample:
    counted: dict[str, object] = cast(dict[str, object], EXAMPLE_TWEET["counts"]) | ({count: 1} if count else {})
    flags: dict[str, object] = cast(dict[str, object], EXAMPLE_TWEET["viewer"]) | {flag: True}
    tweet = {**EXAMPLE_TWEET, "counts": counted, "viewer": flags}
    return OpenApiExample(name, value={"data": tweet}, response_only=True)


UNMARKED_EXAMPLE = OpenApiExample("The tweet", value={"data": EXAMPLE_TWEET}, response_only=True)


class LikeEndpoint(APIView):
    @extend_schema(
        operation_id="like",
        summary="Like a tweet",
        description=f"{ACTED_ON}",
        tags=["tweets"],
        request=None,
        responses={200: TWEET},
        examples=[marked_example("Liked", flag="liked", count="likes")],
    )
    def put(self, request: Request, tweet_id: str) -> Response:
        return _acted(liking.like, request, tweet_id)

    @extend_schema(
        operation_id="unlike",
        summary="Take a like back",
        description=UNDONE,
        tags=["tweets"],
        responses={200: TWEET, 204: None},
        examples=[UNMARKED_EXAMPLE],
    )
    def delete(self, request: Request, tweet_id: str) -> Response:
        return _undone(liking.unlike, request, tweet_id)


class RetweetEndpoint(APIView):
    @extend_schema(
        operation_id="retweet",
        summary="Retweet",
        description=f"{ACTED_ON} It is in your own timeline at once, in your "
        "followers' as soon as its fan-out ran. Your own tweets can be retweeted, too; those of somebody else who is "
        "protected cannot (403, `protected`).",
        tags=["tweets"],
        request=None,
        responses={200: TWEET},
        examples=[marked_example("Retweeted", flag="retweeted", count="retweets")],
    )
    def put(self, request: Request, tweet_id: str) -> Response:
        return _acted(retweeting.retweet, request, tweet_id)

    @extend_schema(
        operation_id="unretweet",
        summary="Undo a retweet",
        description=f"{UNDONE} It is gone from every timeline when this answers.",
        tags=["tweets"],
        responses={200: TWEET, 204: None},
        examples=[UNMARKED_EXAMPLE],
    )
    def delete(self, request: Request, tweet_id: str) -> Response:
        return _undone(retweeting.unretweet, request, tweet_id)


class BookmarkEndpoint(APIView):
    @extend_schema(
        operation_id="bookmark",
        summary="Bookmark a tweet",
        description=f"{ACTED_ON} Nobody else sees your bookmarks.",
        tags=["tweets"],
        request=None,
        responses={200: TWEET},
        examples=[marked_example("Bookmarked", flag="bookmarked")],
    )
    def put(self, request: Request, tweet_id: str) -> Response:
        return _acted(liking.bookmark, request, tweet_id)

    @extend_schema(
        operation_id="unbookmark",
        summary="Take a bookmark away",
        description=UNDONE,
        tags=["tweets"],
        responses={200: TWEET, 204: None},
        examples=[UNMARKED_EXAMPLE],
    )
    def delete(self, request: Request, tweet_id: str) -> Response:
        return _undone(liking.unbookmark, request, tweet_id)


class LikersEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="tweet_likes",
        summary="Who likes a tweet",
        description="The newest like first; of a retweet, those of the original. Protected people whom you do not "
        "follow are left out.",
        tags=["tweets"],
        parameters=PAGE_PARAMETERS,
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request, tweet_id: str) -> Response:
        asked = page_request(request)
        return Response(
            collection(request, asked, selectors.likers_page(parse_id(tweet_id), viewer_or_none(request), asked))
        )


class RetweetersEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="tweet_retweets",
        summary="Who retweeted a tweet",
        description="The newest retweet first; of a retweet, those of the original. Protected people whom you do "
        "not follow are left out.",
        tags=["tweets"],
        parameters=PAGE_PARAMETERS,
        responses={200: USERS},
        examples=[USERS_EXAMPLE],
    )
    def get(self, request: Request, tweet_id: str) -> Response:
        asked = page_request(request)
        return Response(
            collection(request, asked, selectors.retweeters_page(parse_id(tweet_id), viewer_or_none(request), asked))
        )


class UserLikesEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="user_likes",
        summary="What someone likes",
        description="The newest like first; empty of somebody protected whom you do not follow.",
        tags=["users"],
        parameters=PAGE_PARAMETERS,
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request, username: str) -> Response:
        asked = page_request(request)
        return Response(
            collection(request, asked, rendered(selectors.likes_page(username, viewer_or_none(request), asked)))
        )


class BookmarksEndpoint(APIView):
    @extend_schema(
        operation_id="bookmarks",
        summary="Your bookmarks",
        description="The newest bookmark first. Nobody else can see them.",
        tags=["me"],
        parameters=PAGE_PARAMETERS,
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        asked = page_request(request)
        return Response(collection(request, asked, rendered(selectors.bookmarks_page(required_viewer(request), asked))))


class Undo(Protocol):
    """Takes back what the viewer did to a tweet, if they did."""

    def __call__(self, *, viewer: Viewer, tweet_id: int) -> None: ...


class Act(Protocol):
    """Does something to a tweet for the viewer; answers the id of the tweet that it was done to."""

    def __call__(self, *, viewer: Viewer, tweet_id: int) -> int: ...


def _acted(act: Act, request: Request, tweet_id: str) -> Response:
    refuse_fields(request)
    viewer = required_viewer(request)
    return Response(single(selectors.tweet_out(act(viewer=viewer, tweet_id=parse_id(tweet_id)), viewer)))


def _undone(undo: Undo, request: Request, tweet_id: str) -> Response:
    refuse_fields(request)
    viewer, named = required_viewer(request), parse_id(tweet_id)
    undo(viewer=viewer, tweet_id=named)
    tweet = selectors.undone_out(named, viewer)
    return Response(single(tweet)) if tweet is not None else Response(status=204)
