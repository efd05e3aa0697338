"""GraphQL: reading timelines, through the services that REST calls. Executed synchronously."""

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql import required_viewer
from feed.timelines.home import home_page
from storage.web.graphql import after_argument, first_argument, page_request
from tweets.doors.graphql import TweetConnection, tweet_connection


class FeedQueries:
    """The fields of timelines that stand in the schema's `Query`."""

    home_timeline = graphene.Field(
        graphene.NonNull(TweetConnection),
        first=first_argument(),
        after=after_argument(),
        description="The signed-in person's home timeline, newest first.",
    )

    @staticmethod
    def resolve_home_timeline(
        _root: None, info: GraphQLResolveInfo, first: int | None, after: str | None = None
    ) -> TweetConnection:
        viewer = required_viewer(info)
        asked = page_request(first, after)
        return tweet_connection(asked, home_page(viewer, asked))
