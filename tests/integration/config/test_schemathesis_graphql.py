"""Generated GraphQL documents, valid by the schema: none is answered with a failure of ours, or with somebody's words.

`FUZZ_EXAMPLES` says how many each field of the roots gets.
"""

import itertools
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import given, settings

from config.wsgi import application
from tests.integration.config.test_schemathesis import EXAMPLES, QUIET, bearer, something

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


def operations() -> list[Any]:
    schema = schemathesis.graphql.from_wsgi("/graphql", application)
    return [cast(Any, result).ok() for result in schema.get_all_operations()]


def check(answer: Any) -> None:
    body = answer.json()
    assert answer.status_code in (200, 400), body
    for error in body.get("errors", ()):
        assert error["extensions"]["code"] not in ("server_error", "unavailable"), error
        assert [error["extensions"]["requestId"]] == answer.headers["x-request-id"]
    assert answer.status_code == 200 or "data" not in body


@pytest.mark.timeout(3_600)
def test_no_document_is_answered_with_a_failure_of_ours() -> None:
    """Every other one by somebody signed in, but for signing out, which would end that."""
    known, turns = something(), itertools.count()
    for operation in operations():

        @settings(max_examples=max(3, EXAMPLES // 5), **QUIET)
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            signed_in = next(turns) % 2 and "revokeToken" not in str(case.body)
            case.headers = bearer(known) if signed_in else {"Accept-Encoding": "identity"}
            check(case.call())

        send()
