"""The OpenAPI document against the product: whatever is sent, no 5xx and no answer that is not in it.

`FUZZ_EXAMPLES` says how many requests each operation gets; `make fuzz` sends many more than the
suite does.
"""

import itertools
import os
from collections.abc import Callable
from typing import Any, cast

import pytest
import schemathesis
from django.db import connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.account_cache import accounts
from config.wsgi import application
from storage.redis.node import timeline_node
from tests.conftest import empty_database
from tests.people import ApiClient, new_person

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
QUIET: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
}
"""Without shrinking: requests change the state, so a smaller one need not fail again."""


@pytest.fixture
def known(database: None, redis_servers: None) -> dict[str, str]:
    return something()


def something() -> dict[str, str]:
    """Somebody's token, and path parameters under which there is something."""
    person, other = new_person(), new_person()
    client = ApiClient(other)
    tweet = client.post("/api/v1/tweets", {"text": "hello"}, content_type="application/json").json()["data"]["id"]
    return {"token": ApiClient(person).token or "", "tweet_id": tweet, "username": other.username}


PLAIN = {"Accept-Encoding": "identity"}
"""What calls the application in this process does not unpack answers."""


def bearer(known: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {known['token']}", **PLAIN}


def operations() -> list[Any]:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    return [cast(Any, result).ok() for result in schema.get_all_operations()]


def fuzz(operation: Any, examples: int, prepare: Callable[[Any], None]) -> None:
    """Sends `examples` generated requests of one operation, each as `prepare` leaves it."""

    @settings(max_examples=examples, **QUIET)
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        prepare(case)
        case.call_and_validate(checks=CHECKS)

    send()


@pytest.mark.timeout(3_600)
def test_whatever_is_sent_the_answer_is_in_the_document(known: dict[str, str]) -> None:
    """Every operation, with good and bad input; every other request is about something that exists."""
    turns = itertools.count()

    def signed_in(case: Any) -> None:
        case.headers.update(bearer(known))
        if next(turns) % 2:
            for part in (case.path_parameters, case.body):
                if isinstance(part, dict):
                    part.update({name: known[name] for name in part.keys() & known.keys()})

    for operation in operations():
        if operation.definition.raw["operationId"] != "revoke_token":
            fuzz(operation, EXAMPLES, signed_in)


@pytest.mark.timeout(3_600)
def test_without_a_token_the_answer_is_in_the_document_too(known: dict[str, str]) -> None:
    def signed_out(case: Any) -> None:
        case.headers.pop("Authorization", None)
        case.headers.update(PLAIN)

    for operation in operations():
        fuzz(operation, max(3, EXAMPLES // 5), signed_out)


@pytest.mark.timeout(3_600)
@pytest.mark.usefixtures("known")
def test_what_one_operation_makes_the_others_take() -> None:
    """Along the document's links: tweets are posted, read and deleted in any order.

    Each scenario starts from nothing, for Hypothesis takes what an earlier one left for flakiness.
    """
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)

    class Machine(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            for alias in connections:
                empty_database(alias)
            timeline_node().round_trip(("FLUSHALL",))
            accounts.forget_all()
            self.known = something()

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": bearer(self.known)}

        def validate_response(self, response: Any, case: Any, **kwargs: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    steps = settings(max_examples=EXAMPLES, stateful_step_count=8, **QUIET)
    run_state_machine_as_test(Machine, settings=steps)
