"""GraphQL: muted words, through the services that REST calls."""

from collections.abc import Mapping
from typing import TypedDict, Unpack

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql_context import required_viewer
from feed.doors.rest_muted_words import MATCHES, TYPED, WORD
from feed.notifications import muted_words
from storage.web.graphql import (
    PageArguments,
    PageInfo,
    connection,
    errors_field,
    input_argument,
    ok_field,
    page_arguments,
    page_request,
    payload,
    resolve_ok,
)


class MutedWord(graphene.ObjectType):
    """A word, phrase or hashtag: mentions, replies and quotes whose tweets have it do not notify you."""

    id = graphene.ID(required=True, description="A decimal number; newer is larger.")
    word = graphene.String(required=True, description=WORD)
    created_at = graphene.String(required=True, description="When it was muted: RFC 3339, UTC, milliseconds.")


class MutedWordEdge(graphene.ObjectType):
    """A muted word in a list."""

    node = graphene.Field(graphene.NonNull(MutedWord), description="The word.")
    cursor = graphene.String(required=True, description="Its place in it.")


class MutedWordConnection(graphene.ObjectType):
    """A page of muted words."""

    edges = graphene.List(graphene.NonNull(MutedWordEdge), required=True, description="Newest first.")
    page_info = graphene.Field(graphene.NonNull(PageInfo), description="Where the page stands.")


class MutedWordQueries:
    """The fields of muted words that stand in the schema's `Query`."""

    muted_words = graphene.Field(
        graphene.NonNull(MutedWordConnection),
        description="Words that you have muted, newest first.",
        **page_arguments(),
    )

    @staticmethod
    def resolve_muted_words(
        _root: None, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]
    ) -> MutedWordConnection:
        asked = page_request(**arguments)
        page = muted_words.muted_words_page(required_viewer(info), asked)
        made: MutedWordConnection = connection(MutedWordConnection, MutedWordEdge, asked, page)
        return made


class MuteWordInput(graphene.InputObjectType):
    """What to mute."""

    word = graphene.String(required=True, description=f"{TYPED} {MATCHES}")


class UnmuteWordInput(graphene.InputObjectType):
    """What to mute no more."""

    word = graphene.String(required=True, description=TYPED)


class WordFields(TypedDict):
    """What a resolver is given of `MuteWordInput` and `UnmuteWordInput`."""

    word: str


class MuteWord(graphene.Mutation):
    """Mutes a word, phrase or hashtag. What matches the same is muted once."""

    class Arguments:
        input = input_argument(MuteWordInput)

    muted_word = graphene.Field(MutedWord, description="As it is looked for.")
    errors = errors_field()

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: WordFields) -> "MuteWord":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            return {"muted_word": muted_words.mute_word(viewer, input["word"])}

        made: MuteWord = payload(MuteWord, act)
        return made


class UnmuteWord(graphene.Mutation):
    """Mutes a word no more."""

    class Arguments:
        input = input_argument(UnmuteWordInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: WordFields) -> "UnmuteWord":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            muted_words.unmute_word(viewer, input["word"])
            return {}

        made: UnmuteWord = payload(UnmuteWord, act)
        return made


class MutedWordMutations:
    """The fields of muted words that stand in the schema's `Mutation`."""

    mute_word = MuteWord.Field()
    unmute_word = UnmuteWord.Field()
