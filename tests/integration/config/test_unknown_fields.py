"""No write passes over what it does not know: every route of the URLconf, and every body that cannot be read."""

import gzip
import json
from typing import Any

import pytest

from accounts.graph import follows
from accounts.people import confirming
from accounts.people.resets import token_for
from tests.integration.config.raising import is_problem
from tests.integration.feed.protected_world import protect
from tests.integration.tweeting import post
from tests.people import PASSWORD, ApiClient, new_person
from tests.routes import routes

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]

WRITES = sorted(
    (method, route)
    for method, route in routes()
    if method in ("POST", "PUT", "PATCH", "DELETE") and route.startswith("/api/v1/")
)
BODIES: dict[tuple[str, str], dict[str, str]] = {
    ("POST", "/api/v1/auth/register"): {"username": "new", "email": "new@example.org", "password": PASSWORD},
    ("POST", "/api/v1/auth/token"): {"username": "ada", "password": PASSWORD},
    ("POST", "/api/v1/auth/password-reset"): {"email": "ada@example.org"},
    ("POST", "/api/v1/auth/password-reset/confirm"): {"token": "<reset>", "password": f"{PASSWORD}-2"},
    ("POST", "/api/v1/auth/email/confirm"): {"token": "<confirmation>"},
    ("PATCH", "/api/v1/me"): {"bio": "changed"},
    ("DELETE", "/api/v1/me"): {"password": PASSWORD},
    ("PUT", "/api/v1/me/notifications/read"): {"up_to": "1745893026153750528"},
    ("POST", "/api/v1/tweets"): {"text": "hello"},
    ("POST", "/api/v1/reports"): {"username": "bob", "reason": "spam"},
}
"""What is right for a route that takes a body."""


class Scene:
    def __init__(self) -> None:
        self.ada, self.bob = new_person("ada"), new_person("bob")
        protect(self.ada)
        follows.follow(self.bob.id, self.ada.id)
        self.client = ApiClient(self.ada)
        [session] = self.client.get("/api/v1/me/sessions").json()["data"]
        self.names = {"username": "bob", "tweet_id": str(post(self.ada)), "session_id": session["id"], "word": "dull"}

    def ask(self, method: str, route: str, body: Any, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = raw.replace(b"<reset>", token_for(self.ada).encode())
        raw = raw.replace(b"<confirmation>", confirming.token_for(self.ada).encode())
        return self.client.generic(method, route.format(**self.names), raw, "application/json", headers=headers)


@pytest.fixture
def scene(product: str) -> Scene:
    return Scene()


@pytest.mark.parametrize(("method", "route"), WRITES)
def test_an_unknown_field_is_refused_and_named_at_every_write(scene: Scene, method: str, route: str) -> None:
    body = BODIES.get((method, route), {})
    errors = is_problem(scene.ask(method, route, {**body, "colour": "green"}), 422)["errors"]
    assert errors.keys() == {"colour"}
    assert errors["colour"][0].startswith("Unknown field; this takes")
    assert scene.ask(method, route, body).status_code < 300, "nothing had been done"


@pytest.mark.parametrize(("method", "route"), WRITES)
@pytest.mark.parametrize(
    "body",
    [b"[1]", b'"text"', b"1", b"null", b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a":' * 9_000],
)
def test_a_body_that_cannot_be_read_is_refused_at_every_write(
    scene: Scene, method: str, route: str, body: bytes
) -> None:
    is_problem(scene.ask(method, route, body), 400)


@pytest.mark.parametrize(("method", "route"), WRITES)
def test_packed_and_foreign_bodies_are_415_at_every_write(scene: Scene, method: str, route: str) -> None:
    packed = scene.ask(method, route, gzip.compress(b'{"a": 1}'), **{"Content-Encoding": "gzip"})
    is_problem(packed, 415)
    assert packed["Accept-Encoding"] == "identity"
    path = route.format(**scene.names)
    is_problem(scene.client.generic(method, path, b"a=1", "application/x-www-form-urlencoded"), 415)
    is_problem(scene.client.generic(method, path, b"{}", "application/json; charset=utf-16"), 415)


@pytest.mark.parametrize(("method", "route"), WRITES)
def test_a_body_may_be_missing_or_empty_where_none_is_taken(scene: Scene, method: str, route: str) -> None:
    if (method, route) in BODIES:
        assert scene.ask(method, route, b"\xef\xbb\xbf" + json.dumps(BODIES[method, route]).encode()).status_code < 300
        return
    path = route.format(**scene.names)
    if method == "PUT":
        assert scene.client.generic(method, path, b"", "application/x-www-form-urlencoded").status_code == 200
    assert scene.ask(method, route, b"{}").status_code < 300


@pytest.mark.parametrize(
    ("body", "field", "meant"),
    [
        ({"text": "hi", "replyTo": "1"}, "replyTo", "reply_to"),
        ({"text": "hi", "in_reply_to_status_id": "1"}, "in_reply_to_status_id", "reply_to"),
        ({"text": "hi", "quote_tweet_id": "1"}, "quote_tweet_id", "quote_of"),
        ({"status": "hi"}, "status", "text"),
    ],
)
def test_the_field_that_was_meant_is_named(scene: Scene, body: Any, field: str, meant: str) -> None:
    errors = is_problem(scene.ask("POST", "/api/v1/tweets", body), 422)["errors"]
    assert errors[field] == [f"Unknown field; did you mean `{meant}`?"]
    assert ("text" in errors) == ("text" not in body), "what is missing is told as well"


def test_signing_out_everywhere_is_asked_for_in_the_query(scene: Scene) -> None:
    errors = is_problem(scene.ask("DELETE", "/api/v1/auth/token", {"all": True}), 422)["errors"]
    assert errors == {"all": ["Unknown field; did you mean `all` in the query?"]}
    assert scene.client.get("/api/v1/me").status_code == 200


def test_the_name_of_an_account_cannot_be_changed_and_that_is_said(scene: Scene) -> None:
    errors = is_problem(scene.ask("PATCH", "/api/v1/me", {"username": "other", "bio": "changed"}), 422)["errors"]
    assert errors.keys() == {"username"}
    assert scene.client.get("/api/v1/me").json()["data"]["bio"] == ""
