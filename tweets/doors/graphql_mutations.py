"""GraphQL mutations of tweets: posting, deleting, and what people do to them; the services that REST calls."""

from collections.abc import Callable, Mapping
from typing import ClassVar, TypedDict

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql_context import operation_id, required_viewer
from accounts.entities import Viewer
from storage.web.graphql import errors_field, input_argument, optional_id, payload, required_id
from tweets.doors.graphql import Tweet
from tweets.reading import selectors
from tweets.writing import liking, posting, retweeting
from tweets.writing.posting import create_tweet, posted_out


class CreateTweetInput(graphene.InputObjectType):
    """A tweet to post."""

    text = graphene.String(
        required=True, description="1–280 characters as Twitter weighs them: links 23, emoji and CJK 2."
    )
    reply_to = graphene.ID(description="The tweet to reply to.")
    quote_of = graphene.ID(description="The tweet to quote.")


class CreateTweetFields(TypedDict, total=False):
    """What a resolver is given of `CreateTweetInput`: `text`, and what else the client wrote."""

    text: str
    reply_to: str | None
    quote_of: str | None


class CreateTweet(graphene.Mutation):
    """Posts a tweet as the signed-in person."""

    class Arguments:
        input = input_argument(CreateTweetInput)

    tweet = graphene.Field(Tweet, description="The new tweet.")
    errors = errors_field()

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: CreateTweetFields) -> "CreateTweet":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)
        repeatable_id = operation_id(info)

        def act() -> Mapping[str, object]:
            tweet = create_tweet(
                author=viewer,
                text=input["text"],
                reply_to=optional_id(input.get("reply_to"), "reply_to"),
                quote_of=optional_id(input.get("quote_of"), "quote_of"),
                tweet_id=repeatable_id,
            )
            return {"tweet": posted_out(tweet, viewer, repeatable=repeatable_id is not None)}

        made: CreateTweet = payload(CreateTweet, act)
        return made


class OfTweet(graphene.InputObjectType):
    # The input of whatever acts on one tweet; each has a type of its own.

    class Meta:
        abstract = True

    tweet_id = graphene.ID(required=True, description="The tweet.")


class TweetFields(TypedDict):
    """What a resolver is given of such an input."""

    tweet_id: str


class DeleteTweetInput(OfTweet):
    """What to delete."""


class DeleteTweet(graphene.Mutation):
    """Deletes a tweet; only its author or staff may. It is gone from every timeline when this answers."""

    class Arguments:
        input = input_argument(DeleteTweetInput)

    deleted_id = graphene.ID(description="The id of what is gone.")
    errors = errors_field()

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: TweetFields) -> "DeleteTweet":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            tweet_id = required_id(input["tweet_id"], "tweet_id")
            posting.delete_tweet(tweet_id=tweet_id, viewer=viewer)
            return {"deleted_id": str(tweet_id)}

        made: DeleteTweet = payload(DeleteTweet, act, about="tweet_id")
        return made


class Marking(graphene.Mutation):
    # What makes or takes back a mark of a tweet, and answers the tweet after it.

    class Meta:
        abstract = True

    class Arguments:
        pass

    tweet = graphene.Field(
        Tweet,
        description="The tweet after it; given a retweet, the original. Null where it cannot be shown to you: taking "
        "back works on what you did, whatever became of the tweet.",
    )
    errors = errors_field()
    change: ClassVar[Callable[[Viewer, int], object]]

    @classmethod
    def mutate(cls, _root: None, info: GraphQLResolveInfo, input: TweetFields) -> "Marking":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            return {"tweet": cls.change(viewer, required_id(input["tweet_id"], "tweet_id"))}

        made: Marking = payload(cls, act, about="tweet_id")
        return made


def _marked(act: Callable[..., int]) -> Callable[[Viewer, int], object]:
    def change(viewer: Viewer, tweet_id: int) -> object:
        return selectors.tweet_out(act(viewer=viewer, tweet_id=tweet_id), viewer)

    return change


def _undone(undo: Callable[..., None]) -> Callable[[Viewer, int], object]:
    def change(viewer: Viewer, tweet_id: int) -> object:
        undo(viewer=viewer, tweet_id=tweet_id)
        return selectors.undone_out(tweet_id, viewer)

    return change


class LikeInput(OfTweet):
    """What to like."""


class Like(Marking):
    """Likes a tweet. Idempotent."""

    class Arguments:
        input = input_argument(LikeInput)

    change = _marked(liking.like)


class UnlikeInput(OfTweet):
    """What to take a like back from."""


class Unlike(Marking):
    """Takes a like back. Idempotent."""

    class Arguments:
        input = input_argument(UnlikeInput)

    change = _undone(liking.unlike)


class RetweetInput(OfTweet):
    """What to retweet."""


class Retweet(Marking):
    """Retweets a tweet. Idempotent; it is in your own timeline at once."""

    class Arguments:
        input = input_argument(RetweetInput)

    change = _marked(retweeting.retweet)


class UnretweetInput(OfTweet):
    """What to take a retweet back from."""


class Unretweet(Marking):
    """Undoes a retweet. Idempotent; it is gone from every timeline when this answers."""

    class Arguments:
        input = input_argument(UnretweetInput)

    change = _undone(retweeting.unretweet)


class BookmarkInput(OfTweet):
    """What to bookmark."""


class Bookmark(Marking):
    """Bookmarks a tweet; nobody else sees your bookmarks. Idempotent."""

    class Arguments:
        input = input_argument(BookmarkInput)

    change = _marked(liking.bookmark)


class UnbookmarkInput(OfTweet):
    """What to take a bookmark away from."""


class Unbookmark(Marking):
    """Takes a bookmark away. Idempotent."""

    class Arguments:
        input = input_argument(UnbookmarkInput)

    change = _undone(liking.unbookmark)


class TweetMutations:
    """The fields of tweets that stand in the schema's `Mutation`."""

    create_tweet = CreateTweet.Field()
    delete_tweet = DeleteTweet.Field()
    like = Like.Field()
    unlike = Unlike.Field()
    retweet = Retweet.Field()
    unretweet = Unretweet.Field()
    bookmark = Bookmark.Field()
    unbookmark = Unbookmark.Field()
