"""Every input field of the OpenAPI document does something: sent, it changes what is answered or what holds afterwards.

A field that is documented and not carried through is red here, and so is one without a row below.
"""

import json
import re
from functools import cache
from typing import Any

import pytest
from django.core import mail
from django.db import connections

from accounts.account_cache import accounts
from accounts.graph import follows
from accounts.models import User
from accounts.people import confirming, services
from accounts.people.letters import send_letters
from accounts.people.resets import token_for
from storage.ids.snowflakes import MAX_ID
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from tests.conftest import empty_database
from tests.documented import document
from tests.people import PASSWORD, ApiClient, new_person
from tests.work import work_off_everything

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]

Body = dict[str, Any]
NEW_PASSWORD = "another-horse-42"
BASES: dict[str, Body] = {
    "register": {"username": "new", "email": "new@example.org", "password": PASSWORD},
    "create_token": {"username": "asker", "password": PASSWORD},
    "ask_for_password_reset": {"email": "asker@example.org"},
    "reset_password": {"token": "<reset>", "password": NEW_PASSWORD},
    "confirm_email": {"token": "<confirmation>"},
    "update_me": {},
    "read_notifications": {"up_to": "1"},
    "create_tweet": {"text": "hello"},
    "report": {"username": "author", "reason": "spam"},
}
"""A body that each operation takes."""
CHANGES: dict[str, dict[str, str | tuple[Body, Body]]] = {
    "register": {"username": "other", "email": "other@example.org", "password": NEW_PASSWORD},
    "create_token": {"username": "author", "password": NEW_PASSWORD},
    "ask_for_password_reset": {"email": "author@example.org"},
    "reset_password": {"token": "<reset of another>", "password": PASSWORD},
    "confirm_email": {"token": "<confirmation of no more>"},
    "update_me": {
        "display_name": "Somebody",
        "bio": "Something.",
        "protected": ({}, {"protected": True}),
        "email": (
            {"email": "one@example.org", "current_password": PASSWORD},
            {"email": "other@example.org", "current_password": PASSWORD},
        ),
        "password": (
            {"password": PASSWORD, "current_password": PASSWORD},
            {"password": NEW_PASSWORD, "current_password": PASSWORD},
        ),
        "current_password": (
            {"password": NEW_PASSWORD, "current_password": PASSWORD},
            {"password": NEW_PASSWORD, "current_password": NEW_PASSWORD},
        ),
    },
    "read_notifications": {"up_to": str(MAX_ID)},
    "create_tweet": {"text": "hello again", "reply_to": "<tweet>", "quote_of": "<tweet>"},
    "report": {
        "username": "bystander",
        "reason": "other",
        "comment": "Look.",
        "tweet_id": ({"username": "author", "reason": "spam"}, {"tweet_id": "<tweet>", "reason": "spam"}),
    },
}
"""Another value of each field than its operation's base has; or two bodies that differ in it, if it needs others."""
VARYING = re.compile(r"\d{15,}|\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{32,}")
"""Ids, times, tokens and request ids, which differ from one request to the next."""


def operations() -> dict[str, tuple[str, str, list[str]]]:
    """Returns method, path and input fields of each operation that has a body, by its operation id."""
    found = {}
    for path, by_method in document()["paths"].items():
        for method, operation in by_method.items():
            if "requestBody" in operation:
                reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                schema = document()["components"]["schemas"][reference.rpartition("/")[2]]
                found[operation["operationId"]] = (method, path, [*schema["properties"]])
    return found


Outcome = tuple[int, str, list[int], list[str]]


def outcome(operation: str, body: Body) -> Outcome:
    """Returns what the request answers, who can sign in after it, and who is sent a letter, all of it from the same
    beginning."""
    return _outcome(operation, json.dumps(body))


@cache
def _outcome(operation: str, body: str) -> Outcome:
    for alias in connections:
        empty_database(alias)
    timeline_node().round_trip(("FLUSHALL",))
    begin(timeline_node())
    accounts.forget_all()
    asker, author, _ = (new_person(name) for name in ("asker", "author", "bystander"))
    services.update_profile(author.id, services.ProfileChange(bio="Somebody else."))
    client = ApiClient(asker)
    tweet = ApiClient(author).post("/api/v1/tweets", {"text": "one"}, "application/json").json()["data"]["id"]
    follows.follow(author.id, asker.id)
    work_off_everything()
    method, path, _ = operations()[operation]
    placed = {"<tweet>": tweet, "<reset>": token_for(asker), "<reset of another>": token_for(author)}
    placed["<confirmation>"] = confirming.token_for(asker)
    placed["<confirmation of no more>"] = confirming.token_for(User(pk=asker.pk, email="before@example.org"))
    for place, value in placed.items():
        body = body.replace(place, value)
    answer = client.generic(method.upper(), path, body, "application/json")
    mail.outbox.clear()
    send_letters()
    signed_in = [
        ApiClient().post("/api/v1/auth/token", {"username": name, "password": PASSWORD}, "application/json").status_code
        for name in ("asker", "new", "other")
    ]
    letters = [name for letter in mail.outbox for name in letter.to]
    return answer.status_code, VARYING.sub("…", answer.content.decode()), signed_in, letters


def test_every_documented_field_has_a_row() -> None:
    documented = {operation: {*fields} for operation, (_, _, fields) in operations().items()}
    assert {operation: {*fields} for operation, fields in CHANGES.items()} == documented
    assert BASES.keys() == CHANGES.keys()


@pytest.mark.parametrize("operation", BASES)
def test_the_same_request_has_the_same_outcome(operation: str) -> None:
    first = outcome(operation, BASES[operation])
    _outcome.cache_clear()
    assert first == outcome(operation, BASES[operation])
    assert first[0] in (200, 201, 202)


@pytest.mark.parametrize(("operation", "field"), [(each, field) for each in CHANGES for field in CHANGES[each]])
def test_a_field_changes_the_outcome_or_is_refused_by_name(operation: str, field: str) -> None:
    change = CHANGES[operation][field]
    base, changed = (BASES[operation], {**BASES[operation], field: change}) if isinstance(change, str) else change
    status, answer, *after = outcome(operation, changed)
    assert (status, answer, *after) != outcome(operation, base), f"{field} of {operation} changes nothing"
    if status == 422:
        refused: dict[str, Any] = json.loads(answer)
        assert field in refused["errors"]
        assert refused["code"] != "unknown_field"
    else:
        assert status in (200, 201, 202) or operation == "create_token"
