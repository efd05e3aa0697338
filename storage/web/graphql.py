"""What every GraphQL door is built from: pages, mistakes of the user's, and types that several packages share.

Ids are strings and cursors are those of REST. A mistake that the user can mend comes back in
the payload's `errors`; anything else is raised and becomes a GraphQL error (config/graphql/door.py).
A class's docstring is its type's description in the schema.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypedDict, TypeVar, cast

import graphene
from graphene.types.utils import yank_fields_from_attrs
from graphene.utils.str_converters import to_camel_case
from graphql import GraphQLResolveInfo
from rest_framework.exceptions import ValidationError

from storage.errors import BadRequest, NotFound, Refused
from storage.web.inputs import Input
from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest, decode_cursor, decode_since, encode_cursor
from storage.web.rest import parse_id

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
C_co = TypeVar("C_co", covariant=True)
P = TypeVar("P")

PAGE_SIZES = ("first", "last")
"""Arguments that say how many items a page has. A field that has one of them is a page (config/graphql/bounds.py)."""


class PageInfo(graphene.ObjectType):
    """Where a page stands in its list."""

    has_next_page = graphene.Boolean(required=True, description="Whether there is something older.")
    has_previous_page = graphene.Boolean(
        required=True,
        description="Whether there is something newer: of a page with `before`, whether it is full, so that the next "
        "one may be empty; of another, whether it had `after`.",
    )
    start_cursor = graphene.String(
        description="The first edge's. As `since` at REST and `after` on a socket, nothing is missed that comes later."
    )
    end_cursor = graphene.String(description="Where to go on with `after`.")


class UserError(graphene.ObjectType):
    """What the user can mend."""

    field = graphene.String(description="The field of `input` that is meant, by its own name; null for the whole.")
    message = graphene.String(required=True, description="In words, for people.")
    code = graphene.String(required=True, description="For programs: `blank`, `too_long`, `gone`, `not_found` …")


class PageArguments(TypedDict, total=False):
    """What a resolver is given of a page's arguments."""

    first: int | None
    after: str | None
    last: int | None
    before: str | None


def page_arguments() -> dict[str, graphene.Argument]:
    """Returns the arguments of every page, for its field."""
    return {
        "first": graphene.Argument(
            graphene.Int, description=f"How many, newest first: 1 to {MAX_LIMIT}, default {DEFAULT_LIMIT}."
        ),
        "after": graphene.Argument(graphene.String, description="A cursor; goes back in time from there."),
        "last": graphene.Argument(
            graphene.Int,
            description=f"How many of the nearest above `before`, newest first: 1 to {MAX_LIMIT}, default "
            f"{DEFAULT_LIMIT}. As REST's `limit` with `since`.",
        ),
        "before": graphene.Argument(
            graphene.String, description="A cursor; goes up from there, to what is newer. As REST's `since`."
        ),
    }


def page_arguments_down() -> dict[str, graphene.Argument]:
    """Returns the arguments of a page whose list is read one way, in whatever order it has."""
    return {
        "first": graphene.Argument(graphene.Int, description=f"How many: 1 to {MAX_LIMIT}, default {DEFAULT_LIMIT}."),
        "after": graphene.Argument(graphene.String, description="A cursor; goes on from there."),
    }


def bad_page_size(name: str) -> BadRequest:
    """Returns the refusal of a page size that is none; `name` is the argument's."""
    return BadRequest(f"{name} must be from 1 to {MAX_LIMIT}.", code="bad_limit")


def page_request(
    *, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
) -> PageRequest:
    """Returns what the arguments ask for; null is as if it were not there. Raises `BadRequest`."""
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= MAX_LIMIT:
            raise bad_page_size(name)
    if before is None and last is None:
        limit = DEFAULT_LIMIT if first is None else first
        return PageRequest(limit=limit, before=decode_cursor(after) if after is not None else None)
    if first is not None or after is not None:
        raise BadRequest("first and after go down, last and before go up: give those of one way.", code="bad_cursor")
    if before is None:
        raise BadRequest("last needs before: a cursor to go up from.", code="bad_cursor")
    place, unsettled = decode_since(before)
    return PageRequest(limit=DEFAULT_LIMIT if last is None else last, after=place, unsettled=unsettled)


class MakeEdge(Protocol[T_co]):
    """A connection's type of edge."""

    def __call__(self, *, node: object, cursor: str) -> T_co: ...


class MakeConnection(Protocol[C_co]):
    """A connection's type."""

    def __call__(self, *, edges: Sequence[object], page_info: PageInfo) -> C_co: ...


def connection(make: MakeConnection[C_co], edge: MakeEdge[object], asked: PageRequest, page: Page[T]) -> C_co:
    """Returns a page as a Relay connection. An edge's cursor is its place, so any of them goes on downwards.

    That of the first one, and of a page that goes up `startCursor`, is `prev_cursor` at REST, from which nothing is
    missed that comes later.
    """
    cursors = [encode_cursor(place) for place in page.places]
    if cursors and asked.after is None:
        cursors[0] = page.newer_cursor or cursors[0]
    edges = [edge(node=item, cursor=cursor) for item, cursor in zip(page.items, cursors, strict=True)]
    return make(edges=edges, page_info=_page_info(asked, page, cursors))


def _page_info(asked: PageRequest, page: Page[T], cursors: Sequence[str]) -> PageInfo:
    lowest = cursors[-1] if cursors else None
    if asked.after is not None:
        return PageInfo(
            has_next_page=True,
            has_previous_page=page.cut_short or len(cursors) == asked.limit,
            start_cursor=page.newer_cursor,
            end_cursor=lowest or encode_cursor(asked.after),
        )
    return PageInfo(
        has_next_page=page.older is not None,
        has_previous_page=asked.before is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=page.older_cursor or lowest,
    )


def optional_id(text: str | None, field: str) -> int | None:
    """Returns the id, None for null. Raises `Refused` of this field for what is none."""
    return required_id(text, field) if text is not None else None


def required_id(text: str, field: str) -> int:
    """Returns the id. Raises `Refused` of this field for what is none."""
    try:
        return parse_id(text)
    except BadRequest as error:
        raise Refused(field, error.message, code=error.code) from error


def at_most(things: Sequence[T], name: str) -> Sequence[T]:
    """Returns the things, which an argument lists. Raises `BadRequest` if they are more than the largest page."""
    if len(things) > MAX_LIMIT:
        raise BadRequest(f"{name} lists {len(things)}; {MAX_LIMIT} are allowed.", code="too_many")
    return things


def checked(serializer: type[Input], given: Mapping[str, object]) -> dict[str, Any]:
    """Returns what REST's own serializer makes of an input; null is as if it were not there. Raises its error."""
    checking = serializer(data={name: value for name, value in given.items() if value is not None})
    checking.is_valid(raise_exception=True)
    return cast(dict[str, Any], checking.validated_data)


class Failing(Protocol):
    """A payload."""

    errors: Sequence[UserError]


class MakePayload(Protocol[C_co]):
    """A mutation's type of payload."""

    def __call__(self, *, errors: Sequence[UserError], **changed: object) -> C_co: ...


def payload(make: MakePayload[C_co], act: Callable[[], Mapping[str, object]], *, about: str | None = None) -> C_co:
    """Returns the payload of what `act` did, or of what the user can mend.

    `about` is the field that names what may not be there. Whatever else is raised becomes a GraphQL error.
    """
    try:
        return make(errors=[], **act())
    except (Refused, BadRequest, ValidationError) as error:
        return make(errors=user_errors(error))
    except NotFound as error:
        return make(errors=[UserError(field=_own_name(about), message=error.message, code=error.code)])


def user_errors(error: Refused | BadRequest | ValidationError) -> list[UserError]:
    """Returns all that is wrong, each with the input's own name of the field."""
    if isinstance(error, Refused):
        named = [(name, message, error.code) for name, messages in error.errors.items() for message in messages]
    elif isinstance(error, BadRequest):
        return [UserError(field=None, message=error.message, code=error.code)]
    else:
        details = cast(Mapping[str, Sequence[Mapping[str, str]]], error.get_full_details())
        named = [(name, each["message"], each["code"]) for name, some in details.items() for each in some]
    return [UserError(field=_own_name(name), message=str(message), code=code) for name, message, code in named]


def _own_name(field: str | None) -> str | None:
    return to_camel_case(field) if field and field != "non_field_errors" else None


def errors_field() -> graphene.List:
    """Returns the field of every payload that lists what the user can mend."""
    return graphene.List(
        graphene.NonNull(UserError), required=True, description="What to mend; empty when it was done."
    )


def ok_field() -> graphene.Boolean:
    """Returns the field of a payload that has nothing else to say; `resolve_ok` resolves it."""
    return graphene.Boolean(required=True, description="It was done.")


def resolve_ok(made: Failing, _info: GraphQLResolveInfo) -> bool:
    """Returns whether there was nothing to mend."""
    return not made.errors


def input_argument(of: type[graphene.InputObjectType]) -> graphene.Argument:
    """Returns the one argument of a mutation."""
    return graphene.Argument(of, required=True, description="What is to be done.")


def extend(described: type[graphene.ObjectType], fields: type) -> None:
    """Adds the fields of a class, and what resolves them, to a type of a package below; call it at import."""
    described._meta.fields.update(yank_fields_from_attrs(vars(fields), _as=graphene.Field))
    for name, value in vars(fields).items():
        if name.startswith("resolve_"):
            setattr(described, name, value)
