"""GraphQL subscriptions: their fields, and an event as the schema has it.

A field is resolved once for each event, which is the root. What it listens to stands in config/graphql/events.py.
"""

import graphene
import msgspec
from graphql import GraphQLResolveInfo

from feed.doors.graphql_notifications import Notification
from feed.notifications.groups import NotificationOut
from tweets.doors.graphql import Tweet
from tweets.reading.hydration import TweetOut


class TweetCountsOut(msgspec.Struct, frozen=True):
    """A tweet's counts, and whose they are."""

    id: str
    replies: int
    retweets: int
    quotes: int
    likes: int


class EventOut(msgspec.Struct, frozen=True):
    """One thing that happened; what else could have is None."""

    cursor: str | None = None
    tweet: TweetOut | None = None
    deleted_id: str | None = None
    counts: TweetCountsOut | None = None
    notification: NotificationOut | None = None
    gap_after: str | None = None


class TweetCounts(graphene.ObjectType):
    """How many have reacted to a tweet by now."""

    id = graphene.ID(required=True, description="The tweet's.")
    replies = graphene.Int(required=True, description="Direct ones.")
    retweets = graphene.Int(required=True, description="Retweets.")
    quotes = graphene.Int(required=True, description="Tweets that quote it.")
    likes = graphene.Int(required=True, description="Likes.")


class TimelineEvent(graphene.ObjectType):
    """What happened, and the rest null. After a resume some come twice: drop what you have seen by its id."""

    cursor = graphene.String(description="With `tweet`: as `after` it is safe to resume from, here and at REST.")
    tweet = graphene.Field(Tweet, description="It came.")
    deleted_id = graphene.ID(description="The tweet with this id is gone.")
    counts = graphene.Field(TweetCounts, description="They have changed; told once a second at most.")
    gap_after = graphene.String(
        description="You fell behind, or resumed from too far back: page up from this cursor (`before`) for the rest."
    )


class NotificationEvent(graphene.ObjectType):
    """What came, or came again: it takes the place of a notification of the same type and tweet."""

    cursor = graphene.String(description="With `notification`: as `after` it is safe to resume from, here and at REST.")
    notification = graphene.Field(Notification, description="It came.")
    gap_after = graphene.String(
        description="You fell behind, or resumed from too far back: page up from this cursor (`before`) for the rest."
    )


def the_event(event: EventOut, _info: GraphQLResolveInfo, **_arguments: str | None) -> EventOut:
    """Resolves every field of `Subscription`: its arguments said what to listen to."""
    return event


def _events(
    description: str, *, of: type[graphene.ObjectType] = TimelineEvent, **arguments: graphene.Argument
) -> graphene.Field:
    """A field of `Subscription`; each can be resumed."""
    after = graphene.Argument(
        graphene.String,
        description="A cursor of an event, or of a page: first what may have been missed since, oldest first. "
        "Without it only what is new.",
    )
    return graphene.Field(of, resolver=the_event, description=description, **arguments, after=after)


class LiveSubscriptions:
    """The fields of the schema's `Subscription`."""

    home_timeline = _events("What comes into your home timeline, and what leaves it.")
    public_timeline = _events(
        "What comes into the public timeline as you see it, and what leaves it. Of more than anybody can read the "
        "newest, behind a `gapAfter`."
    )
    notifications = _events("What you are notified of, as it comes and when it happens again.", of=NotificationEvent)
    hashtag_timeline = _events(
        "What comes under a hashtag as you see it, and what leaves it. Of more than anybody can read the newest, "
        "behind a `gapAfter`.",
        tag=graphene.Argument(graphene.String, required=True, description="The hashtag, with its sign or without."),
    )
    tweet_activity = _events(
        "A tweet's counts when they change, and its direct replies as they come and leave. When it is gone, or hidden "
        "from you, `deletedId` is its own, and the subscription is complete.",
        id=graphene.Argument(
            graphene.ID,
            required=True,
            description="The tweet's; of a retweet you are told what happens to its original.",
        ),
    )
