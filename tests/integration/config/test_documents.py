"""The committed OpenAPI document and GraphQL schema: fresh, valid, complete, and served."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2
from graphql import build_schema, validate_schema
from openapi_spec_validator import OpenAPIV31SpecValidator

from config.graphql.schema import schema
from tests.documented import DOCUMENT, document, validator
from tests.routes import routes

GRAPHQL_SCHEMA = DOCUMENT.parents[1] / "schema.graphql"
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
]
UNDOCUMENTED = {"/api/v1/openapi.json", "/api/v1/asyncapi.json"}
"""The document itself."""


def test_the_openapi_document_is_fresh_and_made_without_warnings() -> None:
    generator: Any = SchemaGenerator
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        made = generator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS
    rendered = OpenApiJsonRenderer2().render(made, renderer_context={})
    assert json.loads(rendered) == document(), "out of date: run make openapi"


def test_the_graphql_schema_is_fresh_and_valid() -> None:
    assert GRAPHQL_SCHEMA.read_text().strip() == str(schema).strip(), "out of date: run make schema"
    assert validate_schema(build_schema(GRAPHQL_SCHEMA.read_text())) == []


def test_the_openapi_document_is_valid() -> None:
    assert document()["openapi"].startswith("3.1.")
    errors = [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()]
    assert errors == []


def test_every_route_and_method_is_in_it() -> None:
    documented = {(method.upper(), path) for path, operations in document()["paths"].items() for method in operations}
    assert documented == {
        (method, path) for method, path in routes() if path.startswith("/api/v1/") and path not in UNDOCUMENTED
    }


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_each_operation_says_what_it_takes_and_answers(path: str, method: str, operation: Any) -> None:
    assert operation["summary"]
    assert operation["tags"]
    assert "security" in operation or path.startswith("/api/v1/auth/")
    if "requestBody" in operation:
        assert operation["requestBody"]["content"].keys() == {"application/json"}
        assert "examples" in operation["requestBody"]["content"]["application/json"]
    parameters = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
    assert parameters == set(re.findall(r"\{(\w+)\}", path))


UNDOING = {"unlike", "unretweet", "unbookmark"}
"""They answer the tweet, or that it is done where the tweet may not be shown."""
NO_JSON = {"export_me": "application/x-ndjson"}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_each_operation_has_one_success_and_its_problems(path: str, method: str, operation: Any) -> None:
    successes = {status for status in operation["responses"] if status.startswith("2")}
    assert len(successes) == 1 or (operation["operationId"] in UNDOING and successes == {"200", "204"})
    media = NO_JSON.get(operation["operationId"], "application/json")
    for success in successes - {"204"}:
        assert "schema" in operation["responses"][success]["content"][media]
    kept = {status for status in operation["responses"] if status == "304"}
    problems = {status for status in operation["responses"] if status[0] in "45"}
    assert problems == operation["responses"].keys() - successes - kept
    for status in problems:
        answer = operation["responses"][status]
        assert answer["description"]
        assert answer["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert "503" in problems
    if {"bearer": []} in operation.get("security", []):
        assert problems >= {"401", "403"}
    if method != "get":
        assert problems >= {"400", "413", "415", "422"}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_each_body_says_that_it_takes_nothing_else(path: str, method: str, operation: Any) -> None:
    for described in operation.get("requestBody", {}).get("content", {}).values():
        schema: Any = document()["components"]["schemas"][described["schema"]["$ref"].rpartition("/")[2]]
        assert schema["additionalProperties"] is False


def test_what_can_be_asked_after_says_so() -> None:
    kept = {
        (path, method)
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
        if "304" in operation["responses"]
    }
    assert kept == {("/api/v1/tweets/{tweet_id}", "get"), ("/api/v1/users/{username}", "get")}
    for path, method in kept:
        operation: Any = document()["paths"][path][method]
        assert "If-None-Match" in [each["name"] for each in operation["parameters"]]
        assert "ETag" in operation["responses"]["200"]["headers"]
        assert "content" not in operation["responses"]["304"]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_each_example_is_what_it_is_an_example_of(path: str, method: str, operation: Any) -> None:
    contents = [operation.get("requestBody", {}).get("content", {})]
    contents += [answer.get("content", {}) for answer in operation["responses"].values()]
    for described in (described for content in contents for described in content.values()):
        for example in described.get("examples", {}).values():
            assert [error.message for error in validator(described["schema"]).iter_errors(example["value"])] == []


def test_ids_are_strings_everywhere() -> None:
    for name, component in document()["components"]["schemas"].items():
        for field, described in component.get("properties", {}).items():
            if field == "id" or field.endswith("_id"):
                assert "string" in str(described["type"]), f"{name}.{field}"
                assert "integer" not in str(described["type"]), f"{name}.{field}"


@pytest.mark.usefixtures("database")
class TestServed:
    def test_the_document_that_is_served_is_the_committed_one(self) -> None:
        answer = Client().get("/api/v1/openapi.json")
        assert answer.status_code == 200
        assert answer.json() == document()

    def test_the_page_that_shows_it_reaches_no_other_host(self) -> None:
        answer = Client().get("/api/docs/")
        assert answer.status_code == 200
        page = answer.content.decode()
        assert re.findall(r"""(?:src|href)=["'](?!/\w)[^"']*""", page) == []
        assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page) == []
        assert "/api/v1/openapi.json" in page

    def test_what_the_page_needs_is_served_too(self) -> None:
        page = Client().get("/api/docs/").content.decode()
        needed = re.findall(r"""(?:src|href)=["'](/static/[^"']+)""", page)
        assert len(needed) >= 3
        for path in needed:
            answer = Client().get(path)
            assert answer.status_code == 200, path
            answer.close()
