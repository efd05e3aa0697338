"""The REST doors of tweets: post, read, delete, its conversation, an author's."""

from collections.abc import Mapping
from typing import NamedTuple, TypeGuard, cast

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from msgspec import Raw
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.entities import Viewer
from accounts.graph.listings import Ahead, ahead
from accounts.sessions.authentication import required_viewer, viewer_or_none
from accounts.sessions.fast_reads import OpenRead, Place
from storage.redis.reads import Read
from storage.web.inputs import Input, TextField
from storage.web.look_ups import found, given_one_of, listed_ids
from storage.web.openapi import IDS, IN_ORDER, PAGE_PARAMETERS, listing_parameter
from storage.web.rest import collection, flag, operation_id, page_request, parse_id, refuse_fields, single
from storage.web.revalidation import Revalidated
from tweets.doors.documents import (
    LOCATION,
    THREAD,
    THREAD_EXAMPLE,
    TWEET,
    TWEET_EXAMPLE,
    TWEET_ID,
    TWEETS,
    TWEETS_EXAMPLE,
    TWEETS_FOUND_EXAMPLE,
)
from tweets.entities import Tweet
from tweets.reading.hydration import jsons, rendered
from tweets.reading.many import tweets_out
from tweets.reading.selectors import author_page, tweet_out
from tweets.reading.threads import ANCESTORS_MAX, cached_tweet, replies_page, thread
from tweets.writing import posting


class TweetInput(Input):
    text = TextField(help_text="1–280 characters as Twitter weighs them: links 23, emoji and CJK 2.")
    reply_to = TextField(required=False, allow_null=True, help_text="The id of the tweet to reply to.")
    quote_of = TextField(
        required=False,
        allow_null=True,
        help_text="The id of the tweet to quote; not of somebody else who is protected.",
    )


FIELDS = frozenset(TweetInput().fields)


class Given(NamedTuple):
    """The fields of a post; ids as they were sent."""

    text: str
    reply_to: str | None
    quote_of: str | None


def given_in(data: Mapping[str, object]) -> Given:
    """Returns what a body says, as `TweetInput` would. Raises its `ValidationError`.

    A body that is plainly right is not put through the serializer, which costs as much as a tenth of
    a whole post; any other is, to be refused in its words.
    """
    text, reply_to, quote_of = data.get("text"), data.get("reply_to"), data.get("quote_of")
    if (
        _is_sound(text)
        and (reply_to is None or _is_sound(reply_to))
        and (quote_of is None or _is_sound(quote_of))
        and data.keys() <= FIELDS
    ):
        return Given(text, reply_to, quote_of)
    serializer = TweetInput(data=data)
    serializer.is_valid(raise_exception=True)
    checked = serializer.validated_data
    return Given(checked["text"], checked.get("reply_to"), checked.get("quote_of"))


def _is_sound(value: object) -> TypeGuard[str]:
    """Whether it is what a `TextField` asks for; a body that could be read has no lone surrogates."""
    return isinstance(value, str) and value != "" and "\0" not in value


class TweetsEndpoint(APIView):
    permission_classes = (IsAuthenticatedOrReadOnly,)

    @extend_schema(
        operation_id="get_tweets",
        summary="Read several tweets",
        description=IN_ORDER,
        tags=["tweets"],
        parameters=[listing_parameter("ids", IDS, "Which tweets.", required=True)],
        responses={200: TWEETS},
        examples=[TWEETS_FOUND_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        given_one_of(request, "ids")
        tweets = tweets_out(listed_ids(request), viewer_or_none(request))
        return Response(found(request, [Raw(each.json) for each in tweets if each is not None]))

    @extend_schema(
        operation_id="create_tweet",
        summary="Post a tweet",
        description="Answered when the tweet is durable; it is in your own timeline at once, in your followers' as "
        "soon as its fan-out ran.",
        tags=["tweets"],
        parameters=[LOCATION],
        request=TweetInput,
        responses={201: TWEET},
        examples=[
            OpenApiExample("Hello", value={"text": "Hello @bob, see https://example.org #intro"}, request_only=True),
            TWEET_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        given = given_in(cast(Mapping[str, object], request.data))
        viewer = required_viewer(request)
        repeatable_id = operation_id(request)
        tweet = posting.create_tweet(
            author=viewer,
            text=given.text,
            reply_to=_optional_id(given.reply_to),
            quote_of=_optional_id(given.quote_of),
            tweet_id=repeatable_id,
        )
        view = posting.posted_out(tweet, viewer, repeatable=repeatable_id is not None)
        return Response(single(view), status=201, headers={"Location": f"{request.path}/{view.id}"})


class TweetEndpoint(Revalidated, OpenRead[None]):
    def read(self, request: HttpRequest, viewer: Viewer | None, first: None, place: Place) -> dict[str, object]:
        return single(Raw(tweet_out(parse_id(place["tweet_id"]), viewer).json))

    @extend_schema(
        operation_id="get_tweet",
        summary="Read a tweet",
        tags=["tweets"],
        parameters=[TWEET_ID],
        responses={200: TWEET},
        examples=[TWEET_EXAMPLE],
    )
    def get(self, request: Request, tweet_id: str) -> Response:
        return self.documented(request, tweet_id=tweet_id)

    @extend_schema(
        operation_id="delete_tweet",
        summary="Delete a tweet",
        description="Only its author or staff may. It is gone from every timeline when this answers.",
        tags=["tweets"],
        parameters=[TWEET_ID],
        responses={204: None},
    )
    def delete(self, request: Request, tweet_id: str) -> Response:
        refuse_fields(request)
        posting.delete_tweet(tweet_id=parse_id(tweet_id), viewer=required_viewer(request))
        return Response(status=204)


class RepliesEndpoint(OpenRead[None]):
    def read(self, request: HttpRequest, viewer: Viewer | None, first: None, place: Place) -> dict[str, object]:
        asked = page_request(request)
        return collection(request, asked, rendered(replies_page(parse_id(place["tweet_id"]), viewer, asked)))

    @extend_schema(
        operation_id="tweet_replies",
        summary="Replies to a tweet",
        description="Direct replies, newest first.",
        tags=["tweets"],
        parameters=[TWEET_ID, *PAGE_PARAMETERS],
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request, tweet_id: str) -> Response:
        return self.documented(request, tweet_id=tweet_id)


class ThreadEndpoint(OpenRead[Tweet]):
    """The tweet is read in the round trip that checks the token, all that is shown in the next."""

    def first_read(self, request: HttpRequest, viewer_id: int | None, place: Place) -> Read[Tweet | None]:
        return cached_tweet(parse_id(place["tweet_id"]))

    def read(self, request: HttpRequest, viewer: Viewer | None, first: Tweet | None, place: Place) -> dict[str, object]:
        asked = page_request(request)
        found = thread(parse_id(place["tweet_id"]), viewer, asked, first=first)
        data = {
            "ancestors": jsons(found.ancestors),
            "tweet": Raw(found.tweet.json),
            "replies": jsons(found.replies.items),
        }
        return {**collection(request, asked, found.replies), "data": data}

    @extend_schema(
        operation_id="tweet_thread",
        summary="A tweet in its conversation",
        description=f"What it answers, up to {ANCESTORS_MAX} levels up, oldest first; the tweet; and a page of its "
        "direct replies, newest first. `limit`, the cursors and the links are those of the replies. "
        "An ancestor that is deleted or hidden from you is left out; those above it are still there.",
        tags=["tweets"],
        parameters=[TWEET_ID, *PAGE_PARAMETERS],
        responses={200: THREAD},
        examples=[THREAD_EXAMPLE],
    )
    def get(self, request: Request, tweet_id: str) -> Response:
        return self.documented(request, tweet_id=tweet_id)


class AuthorTweetsEndpoint(OpenRead[Ahead]):
    """What the viewer may see is read in the round trip that checks the token, the tweets in the next."""

    def first_read(self, request: HttpRequest, viewer_id: int | None, place: Place) -> Read[Ahead]:
        return ahead(viewer_id)

    def read(self, request: HttpRequest, viewer: Viewer | None, first: Ahead | None, place: Place) -> dict[str, object]:
        asked, replies = page_request(request), flag(request, "replies", default=True)
        page = author_page(place["username"], viewer, asked, replies=replies, first=first)
        return collection(request, asked, rendered(page))

    @extend_schema(
        operation_id="author_tweets",
        summary="Someone's tweets",
        description="Newest first; empty of somebody protected whom you do not follow.",
        tags=["users"],
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("replies", bool, default=True, description="false leaves out replies to other people."),
        ],
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request, username: str) -> Response:
        return self.documented(request, username=username)


def _optional_id(text: str | None) -> int | None:
    return parse_id(text) if text is not None else None
