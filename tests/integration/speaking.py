"""Speaking to the REST doors as a client does, every answer checked against the OpenAPI document."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from accounts.models import User
from tests.documented import check_documented
from tests.people import ApiClient

on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)
"""For what could not fail on one store and pass on the other: it is decided before any store is asked, or by code
above the ports, of whose answers tests/contract proves that they are the same, and a test beside it runs on both."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"[1-9]\d{16,18}")
TWEET_FIELDS = {
    "id",
    "text",
    "created_at",
    "author",
    "reply_to_id",
    "conversation_id",
    "quote_of",
    "retweet_of",
    "entities",
    "counts",
    "viewer",
}
MALFORMED_IDS = ["0", "-1", "1.5", "abc", "0x1f", "٣", "1" * 60, "9223372036854775808", "007", "%00", "%ED%A0%80"]


class Api:
    """Speaks for one person or for nobody; every answer must be documented and carry its request id."""

    def __init__(self, person: User | None = None, *, token: str | None = None) -> None:
        self.person = person
        self._client = ApiClient(person, token=token)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        options.setdefault("content_type", "application/json")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self._client.generic(method, f"/api/v1{path}", raw, **options)
        assert answer["X-Request-ID"]
        check_documented(answer)
        return answer

    def get(self, path: str, **query: Any) -> Any:
        return self.call(
            "GET", path, QUERY_STRING="&".join(f"{name}={quote(str(query[name]), safe='%')}" for name in query)
        )

    def page(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.get(path, **query)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    def ids(self, path: str, **query: Any) -> list[str]:
        return [tweet["id"] for tweet in self.page(path, **query)["data"]]

    def post(self, text: Any = "hello", **fields: Any) -> Any:
        return self.call("POST", "/tweets", {"text": text, **fields})

    def tweet(self, text: Any = "hello", **fields: Any) -> dict[str, Any]:
        answer = self.post(text, **fields)
        assert answer.status_code == 201, answer.content
        tweet: dict[str, Any] = answer.json()["data"]
        return tweet

    def delete(self, tweet_id: str) -> Any:
        return self.call("DELETE", f"/tweets/{tweet_id}")


def problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document, all of whose fields stand."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} == body.keys() - {"errors"}
    assert ("errors" in body) == (status == 422)
    assert (body["status"], body["request_id"]) == (status, answer["X-Request-ID"])
    assert "Traceback" not in answer.content.decode()
    assert code is None or body["code"] == code
    return body


def follow(api: Api, link: str) -> dict[str, Any]:
    """The page behind a link."""
    path, _, query = link.removeprefix("/api/v1").partition("?")
    answer = api.call("GET", path, QUERY_STRING=query)
    assert answer.status_code == 200
    page: dict[str, Any] = answer.json()
    return page
