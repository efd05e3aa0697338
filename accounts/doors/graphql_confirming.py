"""GraphQL mutations of an e-mail address that is to be confirmed; their input and limits are REST's."""

from collections.abc import Mapping
from typing import TypedDict

import graphene
from graphql import GraphQLResolveInfo

from accounts.doors.graphql_context import request_of, required_viewer
from accounts.doors.rest_confirming import ASKED, ConfirmationInput
from accounts.people import confirming
from accounts.sessions.throttles import count_confirmation
from storage.web.graphql import checked, errors_field, input_argument, ok_field, payload, resolve_ok


class ConfirmEmailInput(graphene.InputObjectType):
    """What came by letter."""

    token = graphene.String(required=True, description="What stands in the letter: good for a day.")


class ConfirmEmailFields(TypedDict):
    """What a resolver is given of `ConfirmEmailInput`."""

    token: str


class RequestEmailConfirmationInput(graphene.InputObjectType):
    """There is nothing to say; but an input has to have a field."""

    client_mutation_id = graphene.String(description="Whatever you like; it stands in the payload.")


class RequestEmailConfirmationFields(TypedDict, total=False):
    """What a resolver is given of `RequestEmailConfirmationInput`."""

    client_mutation_id: str | None


class ConfirmEmail(graphene.Mutation):
    """Confirms an e-mail address. Nobody need be signed in; the same token again does no harm."""

    class Arguments:
        input = input_argument(ConfirmEmailInput)

    ok = ok_field()
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(_root: None, _info: GraphQLResolveInfo, input: ConfirmEmailFields) -> "ConfirmEmail":  # noqa: A002 - the argument's name in the schema
        def act() -> Mapping[str, object]:
            confirming.confirm(checked(ConfirmationInput, input)["token"])
            return {}

        made: ConfirmEmail = payload(ConfirmEmail, act)
        return made


class RequestEmailConfirmation(graphene.Mutation):
    """Has the letter sent again by which you confirm your e-mail address."""

    class Arguments:
        input = input_argument(RequestEmailConfirmationInput)

    ok = graphene.Boolean(required=True, description=f"It was taken. {ASKED}")
    client_mutation_id = graphene.String(description="That of the input.")
    errors = errors_field()
    resolve_ok = resolve_ok

    @staticmethod
    def mutate(
        _root: None,
        info: GraphQLResolveInfo,
        input: RequestEmailConfirmationFields,  # noqa: A002 - the argument's name in the schema
    ) -> "RequestEmailConfirmation":
        viewer = required_viewer(info)
        count_confirmation(request_of(info), viewer.id)

        def act() -> Mapping[str, object]:
            confirming.ask_again(viewer.id)
            return {"client_mutation_id": input.get("client_mutation_id")}

        made: RequestEmailConfirmation = payload(RequestEmailConfirmation, act)
        return made


class ConfirmingMutations:
    """The fields of confirming an address that stand in the schema's `Mutation`."""

    confirm_email = ConfirmEmail.Field()
    request_email_confirmation = RequestEmailConfirmation.Field()
