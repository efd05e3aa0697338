"""The one GraphQL schema, joined from the packages' parts; committed as schema.graphql."""

import graphene

from feed.doors import graphql as feed_schema

schema = graphene.Schema(query=feed_schema.Query, mutation=feed_schema.Mutation)
