"""What a GET of /graphql asks for: its address says what a POST says in its body, and is read as that."""

from collections.abc import Mapping
from io import BytesIO

import msgspec
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest

from config.graphql.variables import GraphQLParser
from storage.errors import BadRequest

IN_JSON = {"variables": "bad_variables", "extensions": "bad_query"}
"""The parameters that are written as JSON, and the code of one that is none."""


def given_in_address(request: HttpRequest) -> Mapping[str, object]:
    """Returns what the parameters of the address say; what is empty was not given.

    Raises `BadRequest`, and REST framework's `ParseError`, as for a body.
    """
    try:
        parameters = request.GET
    except TooManyFieldsSent as error:
        raise BadRequest("The address has too many parameters.", code="bad_query") from error
    written = {name: _in_json(name, parameters[name]) for name in parameters}
    return GraphQLParser().parse(BytesIO(msgspec.json.encode(written)))


def _in_json(name: str, text: str) -> object:
    if not text or name not in IN_JSON:
        return text or None
    try:
        return msgspec.json.decode(text.encode(), type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest(f"{name} must be JSON.", code=IN_JSON[name]) from error
