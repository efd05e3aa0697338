"""GraphQL mutations of one's own account: signing up, in and out, and changing it.

What an input may hold is decided by REST's own serializers; how often one may sign in or up, by REST's limits.
"""

from collections.abc import Mapping
from typing import TypedDict

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors import rest_accounts
from accounts.doors.graphql import User
from accounts.doors.graphql_context import request_of, required_viewer
from accounts.graph.announcing import announce
from accounts.people import leaving, services
from accounts.people.profiles import own_user_out
from accounts.sessions import tokens
from accounts.sessions.clients import client_name
from accounts.sessions.ending import end_all
from accounts.sessions.throttles import count_sign_up, password_try
from storage.errors import NotSignedIn
from storage.web.graphql import (
    UserError,
    checked,
    errors_field,
    input_argument,
    ok_field,
    payload,
    resolve_ok,
)

TOKEN_FIELDS = frozenset({"register", "createToken"})
"""Mutations whose answers hold a token: they are kept under no Idempotency-Key (config/graphql/repeats.py)."""


class RegisterInput(graphene.InputObjectType):
    """Who signs up."""

    username = graphene.String(
        required=True,
        description="1 to 30 ASCII letters, digits and underscores; unique without regard to case.",
    )
    email = graphene.String(required=True, description="Unique without regard to case.")
    password = graphene.String(
        required=True, description="8 characters or more; not common, not only digits, not like the username."
    )


class CreateTokenInput(graphene.InputObjectType):
    """Who signs in."""

    username = graphene.String(required=True, description="Username or e-mail address, in any case.")
    password = graphene.String(required=True, description="The account's.")


class RevokeTokenInput(graphene.InputObjectType):
    """What to sign out of."""

    all = graphene.Boolean(default_value=False, description="Every token of the account, not this one alone.")


class UpdateProfileInput(graphene.InputObjectType):
    """What to change; what is not given, or null, stays as it is."""

    display_name = graphene.String(description="On one line; empty for the username.")
    bio = graphene.String(description="On any number of lines; may be empty.")
    protected = graphene.Boolean(
        description="Whether your tweets are for your followers alone. Who follows you stays; of those who have asked "
        "nobody is accepted by either."
    )
    email = graphene.String(description="Unique without regard to case. Needs `currentPassword`.")
    password = graphene.String(description="Ends every other token of the account. Needs `currentPassword`.")
    current_password = graphene.String(description="The one that holds.")


class RegisterFields(TypedDict):
    """What a resolver is given of `RegisterInput`."""

    username: str
    email: str
    password: str


class CreateTokenFields(TypedDict):
    """What a resolver is given of `CreateTokenInput`."""

    username: str
    password: str


class RevokeTokenFields(TypedDict, total=False):
    """What a resolver is given of `RevokeTokenInput`."""

    all: bool | None


class UpdateProfileFields(TypedDict, total=False):
    """What a resolver is given of `UpdateProfileInput`."""

    display_name: str | None
    bio: str | None
    protected: bool | None
    email: str | None
    password: str | None
    current_password: str | None


class Register(graphene.Mutation):
    """Signs up. Nobody need be signed in."""

    class Arguments:
        input = input_argument(RegisterInput)

    user = graphene.Field(User, description="The new account.")
    token = graphene.String(description="Send it as `Authorization: Bearer <token>`. It is shown only here.")
    errors = errors_field()

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: RegisterFields) -> "Register":  # noqa: A002 - the argument's name in the schema
        count_sign_up(request_of(info))

        def act() -> Mapping[str, object]:
            person = services.register(**checked(rest_accounts.RegisterInput, input))
            return {"user": own_user_out(person), "token": tokens.issue(person, client_name(request_of(info)))}

        made: Register = payload(Register, act)
        return made


class CreateToken(graphene.Mutation):
    """Signs in. Nobody need be signed in."""

    class Arguments:
        input = input_argument(CreateTokenInput)

    user = graphene.Field(User, description="Whose the token is.")
    token = graphene.String(description="Send it as `Authorization: Bearer <token>`. It is shown only here.")
    errors = errors_field()

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: CreateTokenFields) -> "CreateToken":  # noqa: A002 - the argument's name in the schema
        tried = password_try(request_of(info))

        def act() -> Mapping[str, object]:
            given = checked(rest_accounts.SignInInput, input)
            person = services.sign_in(login=given["username"], password=given["password"], tried=tried)
            return {"user": own_user_out(person), "token": tokens.issue(person, client_name(request_of(info)))}

        try:
            made: CreateToken = payload(CreateToken, act)
        except NotSignedIn as error:
            return CreateToken(errors=[UserError(field=None, message=error.message, code=error.code)])
        return made


class RevokeToken(graphene.Mutation):
    """Signs out, in force from the next request on."""

    class Arguments:
        input = input_argument(RevokeTokenInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: RevokeTokenFields) -> "RevokeToken":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)
        if input.get("all"):
            end_all(viewer.id)
        else:
            tokens.revoke(viewer)
        return RevokeToken(errors=[])


class UpdateProfile(graphene.Mutation):
    """Changes your account: all of what is given, or nothing."""

    class Arguments:
        input = input_argument(UpdateProfileInput)

    user = graphene.Field(User, description="The account after it.")
    errors = errors_field()

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: UpdateProfileFields) -> "UpdateProfile":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)

        def act() -> Mapping[str, object]:
            change = services.ProfileChange(**checked(rest_accounts.ProfileInput, input))
            tried = password_try(request_of(info)) if change.asks_for_password else None
            person = services.update_profile(viewer.id, change, token_digest=viewer.token_digest, tried=tried)
            return {"user": own_user_out(person)}

        made: UpdateProfile = payload(UpdateProfile, act)
        return made


class DeleteAccountInput(graphene.InputObjectType):
    """Who leaves."""

    password = graphene.String(required=True, description="Yours.")


class DeleteAccountFields(TypedDict):
    """What a resolver is given of `DeleteAccountInput`."""

    password: str


class DeleteAccount(graphene.Mutation):
    """Has you leave, for good: signed out everywhere and seen by nobody at once; all that is yours is deleted after
    that. The username stays taken. `GET /api/v1/me/export` gives you what is yours, before."""

    class Arguments:
        input = input_argument(DeleteAccountInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(_root: None, info: GraphQLResolveInfo, input: DeleteAccountFields) -> "DeleteAccount":  # noqa: A002 - the argument's name in the schema
        viewer = required_viewer(info)
        tried = password_try(request_of(info))

        def act() -> Mapping[str, object]:
            given = checked(rest_accounts.LeaveInput, input)
            announce(leaving.leave(viewer.id, given["password"], tried=tried))
            return {}

        made: DeleteAccount = payload(DeleteAccount, act)
        return made


class AccountMutations:
    """The fields of one's own account that stand in the schema's `Mutation`."""

    register = Register.Field()
    create_token = CreateToken.Field()
    revoke_token = RevokeToken.Field()
    update_profile = UpdateProfile.Field()
    delete_account = DeleteAccount.Field()
