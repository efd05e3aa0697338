"""GraphQL mutations of a forgotten password; their inputs and limits are REST's."""

from collections.abc import Mapping
from typing import TypedDict

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors import rest_resets
from accounts.doors.graphql import User
from accounts.doors.graphql_context import request_of
from accounts.people import resets
from accounts.people.profiles import own_user_out
from accounts.sessions.throttles import count_reset, password_try
from storage.web.graphql import checked, errors_field, input_argument, ok_field, payload, resolve_ok


class AskForPasswordResetInput(graphene.InputObjectType):
    """Who has forgotten their password."""

    email = graphene.String(required=True, description="The account's e-mail address, in any case.")


class ResetPasswordInput(graphene.InputObjectType):
    """Another password."""

    token = graphene.String(required=True, description="What stands in the letter: good once, and for an hour.")
    password = graphene.String(required=True, description="As at signing up.")


class AskForPasswordResetFields(TypedDict):
    """What a resolver is given of `AskForPasswordResetInput`."""

    email: str


class ResetPasswordFields(TypedDict):
    """What a resolver is given of `ResetPasswordInput`."""

    token: str
    password: str


class AskForPasswordReset(graphene.Mutation):
    """Has a letter sent to an address, if it is somebody's, which is not told. Nobody need be signed in."""

    class Arguments:
        input = input_argument(AskForPasswordResetInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: AskForPasswordResetFields) -> "AskForPasswordReset":  # noqa: A002 - the argument's name in the schema
        count_reset(request_of(info))

        def act() -> Mapping[str, object]:
            resets.ask(checked(rest_resets.ResetInput, input)["email"])
            return {}

        made: AskForPasswordReset = payload(AskForPasswordReset, act)
        return made


class ResetPassword(graphene.Mutation):
    """Sets another password, and ends whatever its account is signed in with. Nobody need be signed in."""

    class Arguments:
        input = input_argument(ResetPasswordInput)

    user = graphene.Field(User, description="Whose it is now; sign in after it.")
    errors = errors_field()

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: ResetPasswordFields) -> "ResetPassword":  # noqa: A002 - the argument's name in the schema
        password_try(request_of(info))

        def act() -> Mapping[str, object]:
            given = checked(rest_resets.NewPasswordInput, input)
            return {"user": own_user_out(resets.reset_password(given["token"], given["password"]))}

        made: ResetPassword = payload(ResetPassword, act)
        return made


class ResetMutations:
    """The fields of a forgotten password that stand in the schema's `Mutation`."""

    ask_for_password_reset = AskForPasswordReset.Field()
    reset_password = ResetPassword.Field()
