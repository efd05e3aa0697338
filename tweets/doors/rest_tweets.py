"""The REST doors of tweets: post, read, delete, its conversation, an author's."""

from collections.abc import Mapping
from typing import NamedTuple, TypeGuard, cast

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from msgspec import Raw
from rest_framework.permissions import BasePermission, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.sessions.authentication import required_viewer, viewer_or_none
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
from tweets.reading.hydration import rendered
from tweets.reading.many import tweets_out
from tweets.reading.selectors import author_page, tweet_out
from tweets.reading.threads import ANCESTORS_MAX, replies_page, thread
from tweets.writing import posting

READABLE_BY_ALL: tuple[type[BasePermission], ...] = (IsAuthenticatedOrReadOnly,)


class TweetInput(Input):
    text = TextField(help_text="1–280 characters as Twitter weighs them: links 23, emoji and CJK 2.")
    reply_to = TextField(required=False, allow_null=True, help_text="The id of the tweet to reply to.")
    quote_of = TextField(required=False, allow_null=True, help_text="The id of the tweet to quote.")


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
    permission_classes = READABLE_BY_ALL

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


class TweetEndpoint(Revalidated):
    permission_classes = READABLE_BY_ALL

    @extend_schema(
        operation_id="get_tweet",
        summary="Read a tweet",
        tags=["tweets"],
        parameters=[TWEET_ID],
        responses={200: TWEET},
        examples=[TWEET_EXAMPLE],
    )
    def get(self, request: Request, tweet_id: str) -> Response:
        return Response(single(tweet_out(parse_id(tweet_id), viewer_or_none(request))))

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


class RepliesEndpoint(APIView):
    permission_classes = READABLE_BY_ALL

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
        asked = page_request(request)
        return Response(
            collection(request, asked, rendered(replies_page(parse_id(tweet_id), viewer_or_none(request), asked)))
        )


class ThreadEndpoint(APIView):
    permission_classes = READABLE_BY_ALL

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
        asked = page_request(request)
        found = thread(parse_id(tweet_id), viewer_or_none(request), asked)
        data = {"ancestors": found.ancestors, "tweet": found.tweet, "replies": found.replies.items}
        return Response({**collection(request, asked, found.replies), "data": data})


class AuthorTweetsEndpoint(APIView):
    permission_classes = READABLE_BY_ALL

    @extend_schema(
        operation_id="author_tweets",
        summary="Someone's tweets",
        description="Newest first.",
        tags=["users"],
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("replies", bool, default=True, description="false leaves out replies to other people."),
        ],
        responses={200: TWEETS},
        examples=[TWEETS_EXAMPLE],
    )
    def get(self, request: Request, username: str) -> Response:
        asked = page_request(request)
        page = author_page(username, viewer_or_none(request), asked, replies=flag(request, "replies", default=True))
        return Response(collection(request, asked, rendered(page)))


def _optional_id(text: str | None) -> int | None:
    return parse_id(text) if text is not None else None
