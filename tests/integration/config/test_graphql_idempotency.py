"""Idempotency-Key at the GraphQL door: as at REST, whose keys these are."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings

from accounts.models import User
from accounts.sessions import authentication
from config.graphql import repeats
from storage import stores
from storage.errors import Forbidden, Unavailable
from storage.ids.snowflakes import now_us
from storage.ports.idempotency import RUNNING_SECONDS
from storage.redis.rate_limits import Policy
from storage.web import idempotent_requests
from tests.backends import counted_store_calls
from tests.integration.querying import CREATE, HOME
from tests.integration.speaking import on_one_store
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tweets.doors import graphql_mutations as tweet_fields
from tweets.stores.port import tweet_store

pytestmark = pytest.mark.usefixtures("product")

SEVERAL = """mutation($a: String!, $b: String!, $c: String!) {
  a: createTweet(input: {text: $a}) { tweet { id } errors { code } }
  b: createTweet(input: {text: $b}) { tweet { id } errors { code } }
  c: createTweet(input: {text: $c}) { tweet { id } errors { code } }
}"""
TEXTS = {"a": "one", "b": "two", "c": "three"}


@pytest.fixture
def person() -> User:
    return new_person()


@pytest.fixture
def ada(person: User) -> ApiClient:
    return ApiClient(person)


def ask(client: ApiClient, query: str, variables: Any = None, *, key: str = "k-1", **more: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables, **more})
    return client.post("/graphql", body, "application/json", headers={"Idempotency-Key": key})


def post(client: ApiClient, text: str = "once", *, key: str = "k-1") -> Any:
    return ask(client, CREATE, {"input": {"text": text}}, key=key)


def tweets_of(person: User) -> list[str]:
    return [str(each) for each in tweet_store().by_author(person.id, replies=True, limit=100)]


def test_a_repeated_mutation_posts_once_and_gets_the_first_answer(ada: ApiClient, person: User) -> None:
    first, second = post(ada), post(ada)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert second["Content-Type"] == first["Content-Type"] == "application/json"
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert second["X-Request-ID"] != first["X-Request-ID"]
    assert tweets_of(person) == [first.json()["data"]["createTweet"]["tweet"]["id"]]


@on_one_store
def test_without_a_key_it_posts_again(ada: ApiClient, person: User) -> None:
    for _ in range(2):
        ada.post("/graphql", {"query": CREATE, "variables": {"input": {"text": "x"}}}, "application/json")
    assert len(tweets_of(person)) == 2


@on_one_store
def test_the_same_key_with_another_request_is_refused(ada: ApiClient, person: User) -> None:
    post(ada)
    answers = [
        post(ada, "another"),
        ask(ada, CREATE, {"input": {"text": "once"}}, operationName="Create"),
        ada.post("/api/v1/tweets", {"text": "once"}, "application/json", headers={"Idempotency-Key": "k-1"}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert answer["Content-Type"] == "application/problem+json"
    assert len(tweets_of(person)) == 1


def test_twenty_simultaneous_mutations_with_one_key_make_one_tweet(ada: ApiClient, person: User) -> None:
    post(ada, "warm", key="warm")
    answers = run_together([lambda: post(ApiClient(token=ada.token))] * 20)
    assert {answer.status_code for answer in answers} <= {200, 409}
    made = {answer.content for answer in answers if answer.status_code == 200}
    assert len(made) == 1
    for twin in (answer for answer in answers if answer.status_code == 409):
        assert twin.json()["code"] == "idempotent_twin_running"
        assert int(twin["Retry-After"]) > 0
    assert len(tweets_of(person)) == 2


@on_one_store
def test_keys_of_two_people_do_not_meet(ada: ApiClient) -> None:
    other = new_person()
    assert post(ada).content != post(ApiClient(other)).content
    assert len(tweets_of(other)) == 1


@on_one_store
def test_a_mistake_that_the_user_can_mend_is_an_answer_too(ada: ApiClient) -> None:
    first, second = post(ada, ""), post(ada, "")
    assert first.json()["data"]["createTweet"]["errors"][0]["code"] == "blank"
    assert (second.content, second["Idempotency-Replayed"]) == (first.content, "true")


@on_one_store
def test_queries_and_writes_of_nobody_take_no_notice(ada: ApiClient, person: User) -> None:
    with patch.object(repeats, "claimed", side_effect=AssertionError):
        for key in ("k-1", "not, a key", ""):
            assert ask(ada, HOME, key=key).json()["data"]["homeTimeline"]["edges"] == []
            assert post(ApiClient(), key=key).json()["errors"][0]["extensions"]["code"] == "not_authenticated"
    assert post(ada).status_code == 200
    assert len(tweets_of(person)) == 1


@on_one_store
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"query": ""}', "application/json", 400),
        (b'{"query": "mutation {"}', "application/json", 400),
        (b'{"query": "mutation { nonsense }"}', "application/json", 400),
        (json.dumps({"query": CREATE}).encode(), "application/json", 400),
        (json.dumps({"query": CREATE, "variables": {"input": {"text": 5}}}).encode(), "application/json", 400),
        (json.dumps({"query": CREATE, "operationName": "No"}).encode(), "application/json", 400),
        (json.dumps({"query": CREATE, "variables": {"input": {"text": "once"}}}).encode(), "text/plain", 415),
        (b"-" * 70_000, "application/json", 413),
    ],
)
def test_what_was_refused_before_it_was_executed_is_not_remembered(
    ada: ApiClient, person: User, body: bytes, content_type: str, status: int
) -> None:
    with counted_store_calls() as calls:
        for _ in range(2):
            refused = ada.post("/graphql", body, content_type, headers={"Idempotency-Key": "k-1"})
            assert refused.status_code == status
            assert "Idempotency-Replayed" not in refused
    assert calls == []
    mended = post(ada)
    assert (mended.status_code, "Idempotency-Replayed" in mended) == (200, False)
    assert len(tweets_of(person)) == 1


@on_one_store
def test_neither_is_one_over_the_quota(ada: ApiClient) -> None:
    with override_settings(RATE_LIMITS=True), patch.object(authentication, "SIGNED_IN", Policy("default", 1, 60)):
        assert ada.get("/api/v1/me").status_code == 200
        assert post(ada).status_code == 429
    assert post(ada, "another").status_code == 200


@on_one_store
@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\tin it", "k-1, k-2", "k-1,k-1"])
def test_a_key_that_is_none_is_refused(ada: ApiClient, person: User, key: str) -> None:
    body = json.dumps({"query": CREATE, "variables": {"input": {"text": "x"}}})
    answer = ada.post("/graphql", body, "application/json", HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")
    assert tweets_of(person) == []


@on_one_store
def test_after_a_failure_that_had_written_the_retry_posts_nothing_more(ada: ApiClient, person: User) -> None:
    original = tweet_store().add

    def written_but_unanswered(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        raise Unavailable("store")

    with patch.object(tweet_store(), "add", written_but_unanswered):
        assert post(ada).json()["errors"][0]["extensions"]["code"] == "unavailable"
    retried = post(ada)
    assert "Idempotency-Replayed" not in retried
    assert tweets_of(person) == [retried.json()["data"]["createTweet"]["tweet"]["id"]]


@on_one_store
@pytest.mark.parametrize("failure", [RuntimeError("secret"), Forbidden("Not now.")])
def test_what_may_be_over_is_tried_again(ada: ApiClient, person: User, failure: Exception) -> None:
    with patch.object(tweet_fields, "create_tweet", side_effect=failure):
        assert "errors" in post(ada).json()
    assert "errors" not in post(ada).json()
    assert len(tweets_of(person)) == 1


def test_after_a_crash_between_write_and_answer_the_retry_posts_nothing_more(
    ada: ApiClient, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nothing catches it, as nothing catches kill -9."""

    with patch.object(repeats, "settle", side_effect=Killed), pytest.raises(Killed):
        ask(ada, SEVERAL, TEXTS)
    written = tweets_of(person)
    assert len(written) == 3
    assert ask(ada, SEVERAL, TEXTS).status_code == 409, "it may still be at it"
    late = now_us() + RUNNING_SECONDS * 1_000_000
    monkeypatch.setattr(idempotent_requests, "now_us", lambda: late)
    retried = ask(ada, SEVERAL, TEXTS).json()["data"]
    assert sorted((each["tweet"]["id"] for each in retried.values()), reverse=True) == written
    assert tweets_of(person) == written


@on_one_store
def test_several_writes_in_one_request_are_repeated_together(ada: ApiClient, person: User) -> None:
    first, second = ask(ada, SEVERAL, TEXTS), ask(ada, SEVERAL, TEXTS)
    assert (second.content, second["Idempotency-Replayed"]) == (first.content, "true")
    assert len(tweets_of(person)) == 3


@on_one_store
@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_a_failure_of_one_of_several_leaves_the_others_answered_and_written_once(
    ada: ApiClient, person: User, failing: str
) -> None:
    original = tweet_store().add
    calls: list[int] = []

    def one_fails(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        if len(calls) == list(TEXTS).index(failing) + 1:
            raise Unavailable("store")
        original(*args, **kwargs)

    with patch.object(tweet_store(), "add", one_fails):
        first = ask(ada, SEVERAL, TEXTS).json()
    assert [error["path"] for error in first["errors"]] == [[failing]]
    assert first["data"].pop(failing) is None
    done = ask(ada, SEVERAL, TEXTS).json()["data"]
    assert {each: done[each] for each in first["data"]} == first["data"]
    assert sorted(tweets_of(person)) == sorted(each["tweet"]["id"] for each in done.values())


def test_a_key_costs_two_conditional_writes(ada: ApiClient, product: str) -> None:
    post(ada, "warm", key="warm")
    stores.ids.close()
    stores.ids.next()  # its lease is new, and is not renewed amid the post
    with counted_store_calls() as calls:
        post(ada, "counted", key="counted")
    if product == "cassandra":
        assert calls.count("execute_if") == 2
