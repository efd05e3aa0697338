"""What every GraphQL door is built from: Relay's page info, mistakes of the user's, page arguments.

Ids are strings and cursors are those of REST. A mistake that the user can mend comes back in
the payload's `errors`; anything else is raised and becomes a GraphQL error (config/graphql/door.py).
A class's docstring is its type's description in the schema.
"""

from collections.abc import Sequence

import graphene
from graphene.utils.str_converters import to_camel_case

from storage.errors import BadRequest, Refused, ServiceError
from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT, PageRequest, decode_cursor, encode_cursor
from storage.web.rest import parse_id


class PageInfo(graphene.ObjectType):
    has_next_page = graphene.Boolean(required=True)
    has_previous_page = graphene.Boolean(required=True)
    start_cursor = graphene.String(
        description="The first edge's. As `since` at REST and `after` on a socket, nothing is missed that comes later."
    )
    end_cursor = graphene.String()


class UserError(graphene.ObjectType):
    """What the user can mend."""

    field = graphene.String()
    message = graphene.String(required=True)
    code = graphene.String(required=True)


def user_error(error: ServiceError) -> UserError:
    """Returns the error as a payload lists it: its field by the input's own name."""
    field = to_camel_case(error.field) if isinstance(error, Refused) and error.field else None
    return UserError(field=field, message=error.message, code=error.code)


def first_argument() -> graphene.Int:
    """Returns the argument that says how many items a page has."""
    return graphene.Int(default_value=DEFAULT_LIMIT, description=f"1 to {MAX_LIMIT}.")


def after_argument() -> graphene.String:
    """Returns the argument that says where a page begins."""
    return graphene.String(description="A cursor; goes back in time from there.")


PAGE_SIZES = ("first", "last")
"""Arguments that say how many items a page has. A field that has one of them is a page (config/graphql/bounds.py)."""


def bad_page_size(name: str) -> BadRequest:
    """Returns the refusal of a page size that is none; `name` is the argument's."""
    return BadRequest(f"{name} must be from 1 to {MAX_LIMIT}.", code="bad_limit")


def page_request(first: int | None, after: str | None) -> PageRequest:
    """Returns what the two arguments ask for; null is the default. Raises `BadRequest`."""
    limit = DEFAULT_LIMIT if first is None else first
    if not 1 <= limit <= MAX_LIMIT:
        raise bad_page_size("first")
    return PageRequest(limit=limit, before=decode_cursor(after) if after is not None else None)


def page_info(asked: PageRequest, older: int | None, cursors: Sequence[str]) -> PageInfo:
    """Returns a connection's part about the page: its edges' `cursors`, and `older` as `Page` has it."""
    last = cursors[-1] if cursors else None
    return PageInfo(
        has_next_page=older is not None,
        has_previous_page=asked.before is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=encode_cursor(older) if older is not None else last,
    )


def optional_id(text: str | None, field: str) -> int | None:
    """Returns the id, None for null. Raises `Refused` of this field for what is none."""
    try:
        return parse_id(text) if text is not None else None
    except BadRequest as error:
        raise Refused(field, error.message, code=error.code) from error
