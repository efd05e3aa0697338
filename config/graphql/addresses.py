"""What a GET of /graphql asks for: its address says what a POST says in its body."""

from collections.abc import Mapping
from typing import cast

import msgspec
from django.http import QueryDict

from storage.errors import BadRequest

IN_JSON = {"variables": "bad_variables", "extensions": "bad_query"}
"""The parameters that are written as JSON, and the code of one that is none."""


def given_in_address(parameters: QueryDict) -> Mapping[str, object]:
    """Returns what the parameters of an address say; what is empty was not given. Raises `BadRequest`."""
    given: dict[str, object] = {name: parameters[name] or None for name in parameters}
    for name, code in IN_JSON.items():
        if (text := cast(str | None, given.get(name))) is not None:
            try:
                given[name] = msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise BadRequest(f"{name} must be JSON.", code=code) from error
    return given
