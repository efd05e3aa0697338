"""GraphQL: reading home and posting, through the services that REST calls.

Executed synchronously; ids are strings, cursors those of REST. A mistake of the user's comes
back in the payload's `errors`, anything else as a GraphQL error.
"""

from typing import Any

import graphene

from accounts.entities import Viewer
from feed.timelines.home import home_page
from storage.errors import BadRequest, NotSignedIn, Refused, ServiceError
from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest, decode_cursor, encode_cursor
from storage.web.rest import parse_id
from tweets.reading.hydration import TweetOut
from tweets.writing.posting import create_tweet, posted_out


class Mention(graphene.ObjectType):
    username = graphene.String(required=True)
    indices = graphene.List(graphene.NonNull(graphene.Int), required=True)


class Hashtag(graphene.ObjectType):
    tag = graphene.String(required=True)
    indices = graphene.List(graphene.NonNull(graphene.Int), required=True)


class Url(graphene.ObjectType):
    url = graphene.String(required=True)
    indices = graphene.List(graphene.NonNull(graphene.Int), required=True)


class Entities(graphene.ObjectType):
    mentions = graphene.List(graphene.NonNull(Mention), required=True)
    hashtags = graphene.List(graphene.NonNull(Hashtag), required=True)
    urls = graphene.List(graphene.NonNull(Url), required=True)


class Author(graphene.ObjectType):
    """The person who wrote a tweet."""

    class Meta:
        name = "User"

    id = graphene.ID(required=True)
    username = graphene.String(required=True)
    display_name = graphene.String(required=True)
    avatar_url = graphene.String()
    verified = graphene.Boolean(required=True)


class Counts(graphene.ObjectType):
    replies = graphene.Int(required=True)
    retweets = graphene.Int(required=True)
    quotes = graphene.Int(required=True)
    likes = graphene.Int(required=True)


class ViewerFlags(graphene.ObjectType):
    liked = graphene.Boolean(required=True)
    retweeted = graphene.Boolean(required=True)
    bookmarked = graphene.Boolean(required=True)


class Tweet(graphene.ObjectType):
    id = graphene.ID(required=True)
    text = graphene.String(required=True)
    created_at = graphene.String(required=True, description="RFC 3339, UTC, milliseconds.")
    author = graphene.NonNull(Author)
    reply_to_id = graphene.ID()
    conversation_id = graphene.ID(required=True)
    quote_of = graphene.Field(lambda: Tweet, description="Null when it is gone or hidden from you.")
    retweet_of = graphene.Field(lambda: Tweet)
    entities = graphene.NonNull(Entities)
    counts = graphene.NonNull(Counts)
    viewer = graphene.Field(ViewerFlags)


class PageInfo(graphene.ObjectType):
    has_next_page = graphene.Boolean(required=True)
    has_previous_page = graphene.Boolean(required=True)
    start_cursor = graphene.String()
    end_cursor = graphene.String()


class TweetEdge(graphene.ObjectType):
    node = graphene.NonNull(Tweet)
    cursor = graphene.String(required=True)


class TweetConnection(graphene.ObjectType):
    edges = graphene.List(graphene.NonNull(TweetEdge), required=True)
    page_info = graphene.NonNull(PageInfo)


class UserError(graphene.ObjectType):
    """What the user can mend."""

    field = graphene.String()
    message = graphene.String(required=True)
    code = graphene.String(required=True)


class CreateTweetInput(graphene.InputObjectType):
    text = graphene.String(required=True)
    reply_to = graphene.ID()
    quote_of = graphene.ID()


class CreateTweet(graphene.Mutation):
    """Posts a tweet as the signed-in person."""

    class Arguments:
        input = CreateTweetInput(required=True)

    tweet = graphene.Field(Tweet)
    errors = graphene.List(graphene.NonNull(UserError), required=True)

    @staticmethod
    def mutate(_root: None, info: Any, input: dict[str, Any]) -> "CreateTweet":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)
        try:
            tweet = create_tweet(
                author=viewer,
                text=input["text"],
                reply_to=_optional_id(input.get("reply_to")),
                quote_of=_optional_id(input.get("quote_of")),
            )
        except (Refused, BadRequest) as error:
            return CreateTweet(tweet=None, errors=[user_error(error)])
        return CreateTweet(tweet=posted_out(tweet, viewer), errors=[])


class Query(graphene.ObjectType):
    home_timeline = graphene.Field(
        graphene.NonNull(TweetConnection),
        first=graphene.Int(default_value=DEFAULT_LIMIT, description=f"1 to {MAX_LIMIT}."),
        after=graphene.String(description="A cursor; goes back in time from there."),
        description="The signed-in person's home timeline, newest first.",
    )

    @staticmethod
    def resolve_home_timeline(_root: None, info: Any, first: int | None, after: str | None = None) -> TweetConnection:
        viewer = required_viewer(info)
        first = DEFAULT_LIMIT if first is None else first
        if not 1 <= first <= MAX_LIMIT:
            raise BadRequest(f"first must be from 1 to {MAX_LIMIT}.", code="bad_limit")
        before = decode_cursor(after) if after is not None else None
        return connection(home_page(viewer, PageRequest(limit=first, before=before)), before)


class Mutation(graphene.ObjectType):
    create_tweet = CreateTweet.Field(required=True)


def required_viewer(info: Any) -> Viewer:
    """Who sent the request. Raises `NotSignedIn` when nobody did."""
    viewer = info.context.viewer
    if viewer is None:
        raise NotSignedIn("Send a token as Authorization: Bearer <token>.")
    return viewer  # type: ignore[no-any-return]  # graphene's context has no type


def connection(page: Page[TweetOut], before: int | None) -> TweetConnection:
    """A page as a Relay connection. A tweet's cursor is its own place, so any of them resumes."""
    edges = [TweetEdge(node=tweet, cursor=encode_cursor(int(tweet.id))) for tweet in page.items]
    return TweetConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=page.older is not None,
            has_previous_page=before is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=encode_cursor(page.older) if page.older is not None else edges[-1].cursor if edges else None,
        ),
    )


def user_error(error: ServiceError) -> UserError:
    return UserError(field=getattr(error, "field", None), message=error.message, code=error.code)


def _optional_id(text: str | None) -> int | None:
    return parse_id(text) if text is not None else None
