"""The one GraphQL schema, joined from the packages' parts; committed as schema.graphql.

A package's types, and the fields that it has among the roots', stand in its doors/graphql.py. The
classes here have no docstrings: those would be descriptions in the schema.
"""

import graphene

from feed.doors.graphql import FeedQueries
from tweets.doors.graphql import TweetMutations


class Query(FeedQueries, graphene.ObjectType):
    pass


class Mutation(TweetMutations, graphene.ObjectType):
    pass


schema = graphene.Schema(query=Query, mutation=Mutation)
