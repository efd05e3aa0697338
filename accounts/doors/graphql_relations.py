"""GraphQL of how people stand to each other: follow, block, mute, and the reverse; requests to follow and answers."""

from collections.abc import Callable, Mapping
from typing import ClassVar, TypedDict, Unpack

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql import Relationship, UserConnection, user_connection
from accounts.doors.graphql_context import required_viewer
from accounts.entities import Account
from accounts.graph import blocks, follows, requests
from accounts.graph.listings import follow_requests_page
from accounts.people import selectors
from storage.web.graphql import PageArguments, errors_field, input_argument, page_arguments, page_request, payload


class OfPerson(graphene.InputObjectType):
    # The input of whatever concerns one person; each has a type of its own.

    class Meta:
        abstract = True

    username = graphene.String(required=True, description="The person's, in any case.")


class PersonFields(TypedDict):
    """What a resolver is given of such an input."""

    username: str


class Relating(graphene.Mutation):
    # What changes how the viewer stands to a person, and answers how that is after it.

    class Meta:
        abstract = True

    class Arguments:
        pass

    relationship = graphene.Field(Relationship, description="How you stand to them after it.")
    errors = errors_field()
    change: ClassVar[Callable[[int, int], None]]
    find: ClassVar[Callable[[str], Account]] = selectors.find_account

    @classmethod
    def mutate(cls, _root: None, info: GraphQLResolveInfo, input: PersonFields) -> "Relating":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            person = cls.find(input["username"])
            cls.change(viewer.id, person.id)
            return {"relationship": follows.relationship(viewer.id, person.id)}

        made: Relating = payload(cls, act, about="username")
        return made


class FollowInput(OfPerson):
    """Whom to follow."""


class Follow(Relating):
    """Follows a person; their past tweets are in your home timeline by the time this answers. One who is protected is
    asked instead. Idempotent."""

    class Arguments:
        input = input_argument(FollowInput)

    change = follows.follow


class UnfollowInput(OfPerson):
    """Whom not to follow any more."""


class Unfollow(Relating):
    """Ends a follow; their tweets are out of your home timeline by the time this answers. Takes a request back.
    Idempotent."""

    class Arguments:
        input = input_argument(UnfollowInput)

    change = follows.unfollow


class BlockInput(OfPerson):
    """Whom to block."""


class Block(Relating):
    """Blocks a person: ends follows, and requests, both ways and hides you from each other. Idempotent."""

    class Arguments:
        input = input_argument(BlockInput)

    change = blocks.block


class UnblockInput(OfPerson):
    """Whom not to block any more."""


class Unblock(Relating):
    """Lifts a block; follows do not come back by themselves. Idempotent."""

    class Arguments:
        input = input_argument(UnblockInput)

    change = blocks.unblock


class MuteInput(OfPerson):
    """Whom to mute."""


class Mute(Relating):
    """Leaves a person's tweets out of your home timeline; they do not learn of it. Idempotent."""

    class Arguments:
        input = input_argument(MuteInput)

    change = blocks.mute


class UnmuteInput(OfPerson):
    """Whom not to mute any more."""


class Unmute(Relating):
    """Ends a mute; their tweets are back in your home timeline by the time this answers. Idempotent."""

    class Arguments:
        input = input_argument(UnmuteInput)

    change = blocks.unmute


class AcceptFollowRequestInput(OfPerson):
    """Who has asked to follow you."""


class AcceptFollowRequest(Relating):
    """Has somebody follow you who has asked to; an error where nobody of that name has, or follows you. Idempotent."""

    class Arguments:
        input = input_argument(AcceptFollowRequestInput)

    change = requests.accept
    find = requests.find_requester


class RefuseFollowRequestInput(OfPerson):
    """Who has asked to follow you."""


class RefuseFollowRequest(Relating):
    """Takes a request to follow you away; an error where nobody of that name has asked. They are not told."""

    class Arguments:
        input = input_argument(RefuseFollowRequestInput)

    change = requests.refuse
    find = requests.find_requester


class RelationQueries:
    """The fields of how people stand to each other in the schema's `Query`."""

    follow_requests = graphene.Field(
        graphene.NonNull(UserConnection),
        description="Who asks to follow you, the newest request first, without whom you may not see.",
        **page_arguments(),
    )

    @staticmethod
    def resolve_follow_requests(
        _root: None, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]
    ) -> UserConnection:
        viewer = required_viewer(info)
        asked = page_request(**arguments)
        return user_connection(asked, follow_requests_page(viewer, asked))


class RelationMutations:
    """The fields of how people stand to each other in the schema's `Mutation`."""

    follow = Follow.Field()
    unfollow = Unfollow.Field()
    block = Block.Field()
    unblock = Unblock.Field()
    mute = Mute.Field()
    unmute = Unmute.Field()
    accept_follow_request = AcceptFollowRequest.Field()
    refuse_follow_request = RefuseFollowRequest.Field()
