"""GraphQL types of tweets, pages of them, and posting one through the service that REST calls.

Resolvers give graphene the outputs of hydration as they are: a type's fields are those of its
output, which tests/integration/tweets/test_shape.py holds against each other.
"""

from typing import TypedDict

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql import Author, operation_id, required_viewer
from storage.errors import BadRequest, Refused
from storage.web.graphql import PageInfo, UserError, optional_id, page_info, user_error
from storage.web.paging import Page, PageRequest, encode_cursor
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


class TweetEdge(graphene.ObjectType):
    node = graphene.NonNull(Tweet)
    cursor = graphene.String(required=True)


class TweetConnection(graphene.ObjectType):
    edges = graphene.List(graphene.NonNull(TweetEdge), required=True)
    page_info = graphene.NonNull(PageInfo)


def tweet_connection(asked: PageRequest, page: Page[TweetOut]) -> TweetConnection:
    """Returns a page as a Relay connection. A tweet's cursor is its own place, so any of them goes on downwards.

    That of the first one is `prev_cursor` at REST, from which nothing is missed that comes later.
    """
    cursors = [encode_cursor(int(tweet.id)) for tweet in page.items]
    if cursors:
        cursors[0] = page.newer_cursor or cursors[0]
    edges = [TweetEdge(node=tweet, cursor=cursor) for tweet, cursor in zip(page.items, cursors, strict=True)]
    return TweetConnection(edges=edges, page_info=page_info(asked, page.older, cursors))


class CreateTweetInput(graphene.InputObjectType):
    text = graphene.String(required=True)
    reply_to = graphene.ID()
    quote_of = graphene.ID()


class CreateTweetFields(TypedDict, total=False):
    """What a resolver is given of `CreateTweetInput`: `text`, and what else the client wrote."""

    text: str
    reply_to: str | None
    quote_of: str | None


class CreateTweet(graphene.Mutation):
    """Posts a tweet as the signed-in person."""

    class Arguments:
        input = CreateTweetInput(required=True)

    tweet = graphene.Field(Tweet)
    errors = graphene.List(graphene.NonNull(UserError), required=True)

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: CreateTweetFields) -> "CreateTweet":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)
        repeatable_id = operation_id(info)
        try:
            tweet = create_tweet(
                author=viewer,
                text=input["text"],
                reply_to=optional_id(input.get("reply_to"), "reply_to"),
                quote_of=optional_id(input.get("quote_of"), "quote_of"),
                tweet_id=repeatable_id,
            )
        except (Refused, BadRequest) as error:
            return CreateTweet(tweet=None, errors=[user_error(error)])
        return CreateTweet(tweet=posted_out(tweet, viewer, repeatable=repeatable_id is not None), errors=[])


class TweetMutations:
    """The fields of tweets that stand in the schema's `Mutation`."""

    create_tweet = CreateTweet.Field(required=True)
