"""A reference of the GraphQL bench: the home timeline as graphene-django's own `GraphQLView` serves it.

The view is the stock one, with the schema that one writes first: a type for each thing, a resolver for each field that
is of something else, which asks the product's services for its one item. Tokens, rate limits, timelines and hydration
are the product's, and so are settings, middleware and web server (bench/stock_settings.py changes the routes alone).
"""

import graphene
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from graphene_django.views import GraphQLView
from graphql import GraphQLResolveInfo

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Account
from accounts.sessions.authentication import signed_in_viewer
from feed.timelines.home import home_page
from storage.web.graphql import PageInfo, connection, page_request
from tweets.doors.graphql import Counts, Entities, ViewerFlags
from tweets.reading.hydration import TweetOut


class Author(graphene.ObjectType):
    id = graphene.ID(required=True)
    username = graphene.String(required=True)
    display_name = graphene.String(required=True)
    avatar_url = graphene.String()
    verified = graphene.Boolean(required=True)


class Tweet(graphene.ObjectType):
    id = graphene.ID(required=True)
    text = graphene.String(required=True)
    created_at = graphene.String(required=True)
    author = graphene.Field(Author, required=True)
    reply_to_id = graphene.ID()
    conversation_id = graphene.ID(required=True)
    quote_of = graphene.Field(lambda: Tweet)
    retweet_of = graphene.Field(lambda: Tweet)
    entities = graphene.Field(Entities, required=True)
    counts = graphene.Field(Counts, required=True)
    viewer = graphene.Field(ViewerFlags)

    @staticmethod
    def resolve_author(tweet: TweetOut, _info: GraphQLResolveInfo) -> Account:
        author_id = int(tweet.author.id)
        return accounts_by_id([author_id])[author_id]


class TweetEdge(graphene.ObjectType):
    node = graphene.Field(Tweet, required=True)
    cursor = graphene.String(required=True)


class TweetConnection(graphene.ObjectType):
    edges = graphene.List(graphene.NonNull(TweetEdge), required=True)
    page_info = graphene.Field(PageInfo, required=True)


class Query(graphene.ObjectType):
    home_timeline = graphene.Field(TweetConnection, first=graphene.Int(), required=True)

    @staticmethod
    def resolve_home_timeline(_root: None, info: GraphQLResolveInfo, first: int | None = None) -> TweetConnection:
        viewer = signed_in_viewer(info.context)
        assert viewer is not None  # noqa: S101 - the bench sends tokens
        asked = page_request(first=first)
        made: TweetConnection = connection(TweetConnection, TweetEdge, asked, home_page(viewer, asked))
        return made


def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("graphql", csrf_exempt(GraphQLView.as_view(schema=graphene.Schema(query=Query)))),
    path("healthz", healthz),
]
