"""GraphQL types of tweets, and what `User` and `Query` have of them.

Resolvers give graphene the outputs of hydration as they are: a type's fields are those of its
output, which tests/integration/tweets/test_shape.py holds against each other.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TypeVar, Unpack

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql import Identified, User, UserConnection, user_connection
from accounts.doors.graphql_context import viewer_of
from accounts.entities import Viewer
from storage.redis.count_cache import counts_of_many
from storage.web.batches import Later, later
from storage.web.graphql import (
    PageArguments,
    PageInfo,
    at_most,
    bad_page_size,
    connection,
    extend,
    page_arguments,
    page_request,
)
from storage.web.paging import MAX_LIMIT, Page, PageRequest
from storage.web.rest import parse_id
from tweets.caches.author_counts import TWEETS_BY_AUTHOR
from tweets.reading import many
from tweets.reading.hydration import TweetOut, original_id
from tweets.reading.threads import ANCESTORS_MAX

T = TypeVar("T")

INDICES = "Where it stands: from and to, in Unicode code points, the end exclusive."


class Mention(graphene.ObjectType):
    """`@username` in a text."""

    id = graphene.ID(
        description="Who had the name when it was posted, whoever has it now. Null if nobody had it, or nobody could "
        "say whose it was; and in tweets from before there were such ids."
    )
    username = graphene.String(required=True, description="As it was written.")
    indices = graphene.List(graphene.NonNull(graphene.Int), required=True, description=INDICES)


class Hashtag(graphene.ObjectType):
    """`#tag` in a text."""

    tag = graphene.String(required=True, description="Without its sign.")
    indices = graphene.List(graphene.NonNull(graphene.Int), required=True, description=INDICES)


class Url(graphene.ObjectType):
    """A link in a text."""

    url = graphene.String(required=True, description="As it was written.")
    indices = graphene.List(graphene.NonNull(graphene.Int), required=True, description=INDICES)


class Entities(graphene.ObjectType):
    """What stands in a text besides words."""

    mentions = graphene.List(graphene.NonNull(Mention), required=True, description="In their order.")
    hashtags = graphene.List(graphene.NonNull(Hashtag), required=True, description="In their order.")
    urls = graphene.List(graphene.NonNull(Url), required=True, description="In their order.")


class Counts(graphene.ObjectType):
    """How many have reacted to a tweet; to a retweet, to its original."""

    replies = graphene.Int(required=True, description="Direct ones.")
    retweets = graphene.Int(required=True, description="Retweets.")
    quotes = graphene.Int(required=True, description="Tweets that quote it.")
    likes = graphene.Int(required=True, description="Likes.")


class ViewerFlags(graphene.ObjectType):
    """What you have done to a tweet; to a retweet, to its original."""

    liked = graphene.Boolean(required=True, description="You like it.")
    retweeted = graphene.Boolean(required=True, description="You have retweeted it.")
    bookmarked = graphene.Boolean(required=True, description="You have bookmarked it.")


class Tweet(graphene.ObjectType):
    """A tweet; a retweet and a reply are tweets as well. Its lists are, of a retweet, those of the original."""

    id = graphene.ID(required=True, description="A decimal number; newer is larger.")
    text = graphene.String(required=True, description="What it says; of a retweet what the original says.")
    created_at = graphene.String(required=True, description="RFC 3339, UTC, milliseconds.")
    author = graphene.Field(graphene.NonNull(User), description="Who wrote it, or retweeted.")
    reply_to_id = graphene.ID(description="What it replies to; null when to nothing.")
    conversation_id = graphene.ID(required=True, description="The tweet with which the conversation began.")
    quote_of = graphene.Field(lambda: Tweet, description="Null when it is gone or hidden from you.")
    retweet_of = graphene.Field(lambda: Tweet, description="The original, if this is a retweet.")
    entities = graphene.Field(graphene.NonNull(Entities), description="Mentions, hashtags and links in the text.")
    counts = graphene.Field(graphene.NonNull(Counts), description="How many have reacted.")
    viewer = graphene.Field(ViewerFlags, description="What you have done to it; null when nobody is signed in.")
    replies = graphene.Field(
        lambda: graphene.NonNull(TweetConnection), description="Direct replies, newest first.", **page_arguments()
    )
    liked_by = graphene.Field(
        graphene.NonNull(UserConnection), description="Who likes it, the newest like first.", **page_arguments()
    )
    retweeted_by = graphene.Field(
        graphene.NonNull(UserConnection), description="Who retweeted it, the newest first.", **page_arguments()
    )
    thread = graphene.Field(lambda: graphene.NonNull(Thread), description="The tweet in its conversation.")

    @staticmethod
    def resolve_replies(tweet: TweetOut, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]) -> Later:
        return _list_of(original_id(tweet), many.replies_pages, info, page_request(**arguments), tweet_connection)

    @staticmethod
    def resolve_liked_by(tweet: TweetOut, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]) -> Later:
        return _list_of(original_id(tweet), many.likers_pages, info, page_request(**arguments), user_connection)

    @staticmethod
    def resolve_retweeted_by(tweet: TweetOut, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]) -> Later:
        return _list_of(original_id(tweet), many.retweeters_pages, info, page_request(**arguments), user_connection)

    @staticmethod
    def resolve_thread(tweet: TweetOut, _info: GraphQLResolveInfo) -> TweetOut:
        return tweet


class TweetEdge(graphene.ObjectType):
    """A tweet in a list."""

    node = graphene.Field(graphene.NonNull(Tweet), description="The tweet.")
    cursor = graphene.String(required=True, description="Its place in it.")


class TweetConnection(graphene.ObjectType):
    """A page of tweets."""

    edges = graphene.List(graphene.NonNull(TweetEdge), required=True, description="Newest first.")
    page_info = graphene.Field(graphene.NonNull(PageInfo), description="Where the page stands.")


class Thread(graphene.ObjectType):
    """A tweet in its conversation."""

    ancestors = graphene.List(
        graphene.NonNull(Tweet),
        required=True,
        last=graphene.Argument(
            graphene.Int, default_value=ANCESTORS_MAX, description=f"The nearest so many: 1 to {MAX_LIMIT}."
        ),
        description="What it answers, oldest first. One that is deleted or hidden from you is left out; those above "
        "it are still there.",
    )
    tweet = graphene.Field(graphene.NonNull(Tweet), description="The tweet itself.")
    replies = graphene.Field(
        graphene.NonNull(TweetConnection), description="Direct replies, newest first.", **page_arguments()
    )

    @staticmethod
    def resolve_ancestors(tweet: TweetOut, info: GraphQLResolveInfo, last: int | None) -> Later:
        nearest = ANCESTORS_MAX if last is None else last
        if not 1 <= nearest <= MAX_LIMIT:
            raise bad_page_size("last")
        return later(
            many.ancestors_of, viewer_of(info), of=int(original_id(tweet)), then=lambda found: found[-nearest:]
        )

    @staticmethod
    def resolve_tweet(tweet: TweetOut, _info: GraphQLResolveInfo) -> TweetOut:
        return tweet

    @staticmethod
    def resolve_replies(tweet: TweetOut, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]) -> Later:
        return _list_of(original_id(tweet), many.replies_pages, info, page_request(**arguments), tweet_connection)


class TweetsOfUser:
    """What a `User` has of tweets."""

    tweets_count = graphene.Int(
        required=True, description="How many tweets, replies included. Above 10,000 it may be a minute old."
    )
    tweets = graphene.Field(
        graphene.NonNull(TweetConnection),
        replies=graphene.Argument(
            graphene.Boolean, default_value=True, description="false leaves out replies to other people."
        ),
        description="Their tweets, newest first; empty while you block them.",
        **page_arguments(),
    )
    likes = graphene.Field(
        graphene.NonNull(TweetConnection),
        description="What they like, the newest like first; empty while you block them.",
        **page_arguments(),
    )

    @staticmethod
    def resolve_tweets_count(person: Identified, _info: GraphQLResolveInfo) -> Later:
        return later(counts_of_many, of=(TWEETS_BY_AUTHOR, int(person.id)))

    @staticmethod
    def resolve_tweets(
        person: Identified, info: GraphQLResolveInfo, replies: bool | None, **arguments: Unpack[PageArguments]
    ) -> Later:
        read = _home_entries if replies is False else _tweets
        return _list_of(person.id, read, info, page_request(**arguments), tweet_connection)

    @staticmethod
    def resolve_likes(person: Identified, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]) -> Later:
        return _list_of(person.id, many.likes_pages, info, page_request(**arguments), tweet_connection)


extend(User, TweetsOfUser)


class TweetQueries:
    """The fields of tweets that stand in the schema's `Query`."""

    tweet = graphene.Field(
        Tweet,
        id=graphene.Argument(graphene.ID, required=True, description="The tweet's."),
        description="The tweet with that id; null when there is none, it is gone, or hidden from you.",
    )
    tweets = graphene.Field(
        graphene.NonNull(graphene.List(Tweet)),
        ids=graphene.Argument(graphene.NonNull(graphene.List(graphene.NonNull(graphene.ID))), description="Up to 100."),
        description="The tweets with these ids, in their order; null where `tweet` is.",
    )

    @staticmethod
    def resolve_tweet(_root: None, info: GraphQLResolveInfo, id: str) -> Later:  # noqa: A002 - the argument's name in the schema
        return later(_tweets_by_id, viewer_of(info), of=parse_id(id))

    @staticmethod
    def resolve_tweets(_root: None, info: GraphQLResolveInfo, ids: list[str]) -> list[TweetOut | None]:
        return many.tweets_out([parse_id(each) for each in at_most(ids, "ids")], viewer_of(info))


def tweet_connection(asked: PageRequest, page: Page[TweetOut]) -> TweetConnection:
    """Returns a page of tweets as a Relay connection."""
    made: TweetConnection = connection(TweetConnection, TweetEdge, asked, page)
    return made


ReadPages = Callable[[Collection[int], Viewer | None, PageRequest], Mapping[int, object]]


def _list_of(
    owner: str,
    read: ReadPages,
    info: GraphQLResolveInfo,
    asked: PageRequest,
    connect: Callable[[PageRequest, Page[T]], object],
) -> Later:
    return later(read, viewer_of(info), asked, of=int(owner), then=partial(connect, asked))


def _tweets(people: Collection[int], viewer: Viewer | None, asked: PageRequest) -> Mapping[int, object]:
    return many.author_pages(people, viewer, asked, replies=True)


def _home_entries(people: Collection[int], viewer: Viewer | None, asked: PageRequest) -> Mapping[int, object]:
    return many.author_pages(people, viewer, asked, replies=False)


def _tweets_by_id(ids: Collection[int], viewer: Viewer | None) -> dict[int, TweetOut | None]:
    wanted = list(ids)
    return dict(zip(wanted, many.tweets_out(wanted, viewer), strict=True))
