"""GraphQL: reading timelines, and reporting, through the services that REST calls. Executed synchronously."""

from collections.abc import Mapping
from typing import TypedDict, Unpack

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql_context import required_viewer, viewer_of
from feed.doors.rest_reports import ReportInput as ReportSerializer
from feed.doors.rest_reports import reported
from feed.models import Reason
from feed.timelines.hashtags import hashtag_page, named_hashtag
from feed.timelines.home import home_page
from feed.timelines.public import public_page
from feed.timelines.searching import search_page
from storage.web.graphql import (
    PageArguments,
    checked,
    errors_field,
    input_argument,
    ok_field,
    optional_id,
    page_arguments,
    page_arguments_down,
    page_request,
    payload,
    resolve_ok,
)
from tweets.doors.graphql import TweetConnection, tweet_connection


class FeedQueries:
    """The fields of timelines that stand in the schema's `Query`."""

    home_timeline = graphene.Field(
        graphene.NonNull(TweetConnection),
        description="The signed-in person's home timeline, newest first.",
        **page_arguments(),
    )
    public_timeline = graphene.Field(
        graphene.NonNull(TweetConnection),
        description="Everybody's tweets, newest first: without retweets, without replies to other people, and without "
        "protected people's.",
        **page_arguments(),
    )
    hashtag_timeline = graphene.Field(
        graphene.NonNull(TweetConnection),
        tag=graphene.Argument(graphene.String, required=True, description="The hashtag, with its sign or without."),
        description="The tweets with a hashtag, newest first, whatever its case and width: replies and quotes as well, "
        "without retweets.",
        **page_arguments(),
    )

    search_tweets = graphene.Field(
        graphene.NonNull(TweetConnection),
        query=graphene.Argument(
            graphene.String,
            required=True,
            description='Words, "phrases", -words, #hashtags, from:name, since:2026-11-01, until:2026-12-01; each '
            "narrows what is found.",
        ),
        description="The tweets that have what the query asks for, newest first: replies and quotes as well, without "
        "retweets. Case and accents make no difference; 16 words, phrases, hashtags and people count. "
        "A page may be short where very many are left out.",
        **page_arguments_down(),
    )

    @staticmethod
    def resolve_search_tweets(
        _root: None, info: GraphQLResolveInfo, query: str, **arguments: Unpack[PageArguments]
    ) -> TweetConnection:
        asked = page_request(**arguments)
        return tweet_connection(asked, search_page(query, viewer_of(info), asked))

    @staticmethod
    def resolve_home_timeline(
        _root: None, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]
    ) -> TweetConnection:
        viewer = required_viewer(info)
        asked = page_request(**arguments)
        return tweet_connection(asked, home_page(viewer, asked))

    @staticmethod
    def resolve_public_timeline(
        _root: None, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]
    ) -> TweetConnection:
        asked = page_request(**arguments)
        return tweet_connection(asked, public_page(viewer_of(info), asked))

    @staticmethod
    def resolve_hashtag_timeline(
        _root: None, info: GraphQLResolveInfo, tag: str, **arguments: Unpack[PageArguments]
    ) -> TweetConnection:
        asked = page_request(**arguments)
        return tweet_connection(asked, hashtag_page(named_hashtag(tag), viewer_of(info), asked))


class ReportInput(graphene.InputObjectType):
    """What to report: a tweet or a person, not both."""

    tweet_id = graphene.ID(description="The tweet.")
    username = graphene.String(description="The person.")
    reason = graphene.String(required=True, description=f"One of {', '.join(Reason.values)}.")
    comment = graphene.String(description="For those who look into it.")


class ReportFields(TypedDict, total=False):
    """What a resolver is given of `ReportInput`."""

    tweet_id: str | None
    username: str | None
    reason: str
    comment: str | None


class Report(graphene.Mutation):
    """Reports a tweet or a person to those who moderate. The same again, while that is open, is the same report."""

    class Arguments:
        input = input_argument(ReportInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: ReportFields) -> "Report":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            optional_id(input.get("tweet_id"), "tweet_id")
            reported(viewer, checked(ReportSerializer, input))
            return {}

        made: Report = payload(Report, act)
        return made


class FeedMutations:
    """The fields of reports that stand in the schema's `Mutation`."""

    report = Report.Field()
