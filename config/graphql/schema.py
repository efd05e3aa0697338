"""The one GraphQL schema, joined from the packages' parts; committed as schema.graphql.

A package's types, and the fields that it has among the roots', stand in its doors/graphql*.py. The
classes here have no docstrings: those would be descriptions in the schema.
"""

import graphene

from accounts.doors.graphql import AccountQueries
from accounts.doors.graphql_accounts import AccountMutations
from accounts.doors.graphql_confirming import ConfirmingMutations
from accounts.doors.graphql_relations import RelationMutations, RelationQueries
from accounts.doors.graphql_resets import ResetMutations
from accounts.doors.graphql_sessions import SessionMutations
from feed.doors.graphql import FeedMutations, FeedQueries
from feed.doors.graphql_live import LiveSubscriptions
from feed.doors.graphql_muted_words import MutedWordMutations, MutedWordQueries
from feed.doors.graphql_notifications import NotificationMutations, NotificationQueries
from tweets.doors.graphql import TweetQueries
from tweets.doors.graphql_mutations import TweetMutations


class Query(
    AccountQueries,
    RelationQueries,
    TweetQueries,
    FeedQueries,
    NotificationQueries,
    MutedWordQueries,
    graphene.ObjectType,
):
    pass


class Mutation(
    AccountMutations,
    ResetMutations,
    ConfirmingMutations,
    SessionMutations,
    RelationMutations,
    TweetMutations,
    FeedMutations,
    NotificationMutations,
    MutedWordMutations,
    graphene.ObjectType,
):
    pass


class Subscription(LiveSubscriptions, graphene.ObjectType):
    pass


schema = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscription)
