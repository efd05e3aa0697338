"""The committed OpenAPI and AsyncAPI documents, and whether an answer, or a frame, is what they say."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS31Validator

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"
LIVE_DOCUMENT = DOCUMENT.with_name("asyncapi.json")


@cache
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return read


def check_documented(answer: Any) -> None:
    """Fails unless the document names the answer's status for its operation, and describes its body."""
    method, path = answer.request["REQUEST_METHOD"].lower(), answer.request["PATH_INFO"]
    operation = operation_of("get" if method == "head" else method, path)
    assert str(answer.status_code) in operation["responses"], f"{answer.status_code} is not documented"
    content = operation["responses"][str(answer.status_code)].get("content")
    if content is None or method == "head":
        assert answer.content == b""
        return
    described = content[answer["Content-Type"]]["schema"]
    body = answer.content.decode() if described == {"type": "string"} else answer.json()
    errors = [error.message for error in validator(described).iter_errors(body)]
    assert not errors, f"{method} {path}: {errors}"


def operation_of(method: str, path: str) -> dict[str, Any]:
    for template, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            operation: dict[str, Any] = operations[method]
            return operation
    raise AssertionError(f"{path} is not documented")


def validator(schema: dict[str, Any]) -> Any:
    return OAS31Validator({**schema, "components": document()["components"]})


@cache
def live_document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(LIVE_DOCUMENT.read_text())
    return read


def check_told(frame: dict[str, Any]) -> None:
    """Fails unless the AsyncAPI document describes a frame that a client was told."""
    errors = [error.message for error in _told(frame["type"]).iter_errors(frame)]
    assert not errors, f"{frame}: {errors}"


@cache
def _told(kind: str) -> Any:
    described = live_document()
    names = [each["$ref"].rpartition("/")[2] for each in described["operations"]["told"]["messages"]]
    schemas = described["components"]["schemas"]
    [schema] = [schemas[name] for name in names if schemas[name]["properties"]["type"]["const"] == kind]
    return OAS31Validator({**schema, "additionalProperties": False, "components": described["components"]})
