"""Idempotency-Key at the REST door: a repeated write happens once and is answered the same."""

from io import BytesIO
from typing import Any
from unittest.mock import patch

import pytest
from msgspec import structs

from accounts.graph import follows
from config.http import idempotency
from storage.cassandra import session
from storage.embedded.idempotency import EmbeddedIdempotency
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.models import IdempotencyKey
from storage.ports.idempotency import RUNNING_SECONDS, IdempotencyClaim
from storage.redis.node import timeline_node
from storage.stores import idempotency_keys
from storage.web import idempotent_requests
from tests.backends import counted_store_calls, timeline_redis_down
from tests.integration.speaking import on_one_store
from tests.people import PASSWORD, ApiClient, new_person
from tests.threads import run_together
from tests.work import work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing import posting

pytestmark = pytest.mark.usefixtures("product")


def post(client: ApiClient, key: str = "k-1", text: str = "once") -> Any:
    return client.post(
        "/api/v1/tweets", {"text": text}, content_type="application/json", headers={"Idempotency-Key": key}
    )


def tweets_of(user_id: int) -> list[int]:
    return tweet_store().by_author(user_id, replies=True, limit=100)


def test_a_repeated_post_makes_one_tweet_and_gets_the_first_answer() -> None:
    author = new_person()
    client = ApiClient(author)
    first, second = post(client), post(client)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second["Location"] == first["Location"]
    assert second["Content-Type"] == first["Content-Type"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert second["X-Request-ID"] != first["X-Request-ID"]
    assert tweets_of(author.id) == [int(first.json()["data"]["id"])]


def test_twenty_simultaneous_posts_with_one_key_make_one_tweet() -> None:
    author = new_person()
    client = ApiClient(author)
    post(client, "warm", "warm")
    answers = run_together([lambda: post(ApiClient(token=client.token))] * 20)
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert all(int(answer["Retry-After"]) > 0 for answer in answers if answer.status_code == 409)
    assert len(tweets_of(author.id)) == 2
    assert post(client).content in made


def test_the_same_key_with_another_request_is_refused() -> None:
    author = new_person()
    client = ApiClient(author)
    tweet = post(client).json()["data"]["id"]
    other_body = post(client, text="another")
    other_route = client.delete(f"/api/v1/tweets/{tweet}", headers={"Idempotency-Key": "k-1"})
    for answer in (other_body, other_route):
        assert answer.status_code == 422
        assert answer.json()["code"] == "idempotency_key_reused"
    assert tweets_of(author.id) == [int(tweet)]


@on_one_store
def test_the_same_key_on_another_path_is_refused() -> None:
    client, people = ApiClient(new_person()), [new_person(), new_person()]
    answers = [
        client.put(f"/api/v1/users/{person.username}/follow", headers={"Idempotency-Key": "k"}) for person in people
    ]
    assert [answer.status_code for answer in answers] == [200, 422]


def test_keys_are_kept_for_a_day(product: str) -> None:
    author = new_person()
    client = ApiClient(author)
    post(client)
    if product == "cassandra":
        columns = ", ".join(f"TTL({name})" for name in ("op", "holder", "answer", "fingerprint"))
        cql = f"SELECT {columns} FROM idempotency_keys WHERE user = ? AND key = ?"  # noqa: S608
        [ends] = session.execute(cql, (author.id, "k-1"))
        assert all(86_300 < seconds <= 86_400 for seconds in ends)
        return
    begin = EmbeddedIdempotency(clock=lambda: now_us() + 86_300_000_000).begin
    assert begin(author.id, "k-1", IdempotencyClaim(b"", 1, 1)).answer is not None
    begin = EmbeddedIdempotency(clock=lambda: now_us() + 86_401_000_000).begin
    assert begin(author.id, "k-2", IdempotencyClaim(b"", 2, 2)).op == 2
    assert not IdempotencyKey.objects.filter(key="k-1").exists(), "the next one swept it up"


def test_keys_of_two_people_do_not_meet() -> None:
    one, other = new_person(), new_person()
    assert post(ApiClient(one)).content != post(ApiClient(other)).content


def test_after_a_crash_between_write_and_answer_the_retry_makes_no_second_tweet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    author = new_person()
    client = ApiClient(author)

    class Killed(BaseException):
        """Nothing catches it, as nothing catches kill -9."""

    with patch.object(idempotency, "settle", side_effect=Killed), pytest.raises(Killed):
        post(client)
    [tweet] = tweets_of(author.id)
    assert post(client).status_code == 409, "it may still be at it"
    late = now_us() + RUNNING_SECONDS * 1_000_000
    monkeypatch.setattr(idempotent_requests, "now_us", lambda: late)
    retried = post(client)
    assert (retried.status_code, retried.json()["data"]["id"]) == (201, str(tweet))
    assert tweets_of(author.id) == [tweet]
    work_off_everything()
    home = client.get("/api/v1/feed/home").json()["data"]
    assert [each["id"] for each in home] == [str(tweet)]


def test_after_a_failure_that_had_written_the_retry_makes_no_second_tweet() -> None:
    author = new_person()
    client = ApiClient(author)
    original = tweet_store().add

    def written_but_unanswered(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        raise Unavailable("store")

    with patch.object(tweet_store(), "add", written_but_unanswered):
        assert post(client).status_code == 503
    assert post(client).status_code == 201
    assert len(tweets_of(author.id)) == 1


@on_one_store
def test_a_surprise_in_a_view_lets_the_next_try_at_once() -> None:
    client = ApiClient(new_person())
    with patch.object(posting, "find_entities", side_effect=RuntimeError):
        assert post(client).status_code == 500
    assert post(client).status_code == 201


@on_one_store
def test_a_lasting_refusal_is_repeated_too() -> None:
    client = ApiClient(new_person())
    first, second = post(client, text=""), post(client, text="")
    assert (first.status_code, second.status_code) == (422, 422)
    assert second["Idempotency-Replayed"] == "true"
    assert second.content == first.content
    assert second["Content-Type"] == "application/problem+json"


def test_deleting_and_following_can_be_repeated_with_a_key() -> None:
    author, other = new_person(), new_person()
    client = ApiClient(author)
    tweet = post(client).json()["data"]["id"]
    for _ in range(2):
        gone = client.delete(f"/api/v1/tweets/{tweet}", headers={"Idempotency-Key": "gone"})
        assert (gone.status_code, gone.content) == (204, b"")
        assert "Content-Type" not in gone or gone["Content-Type"]
    for _ in range(2):
        followed = client.put(f"/api/v1/users/{other.username}/follow", headers={"Idempotency-Key": "follow"})
        assert followed.json()["data"]["following"] is True
    assert follows.relationship(author.id, other.id).following


@on_one_store
def test_a_client_that_hung_up_within_its_body_may_repeat_the_request() -> None:
    author = new_person()
    client = ApiClient(author)
    cut_off: dict[str, Any] = {"wsgi.input": BytesIO(b'{"text": '), "CONTENT_LENGTH": "16"}
    answer = client.generic(
        "POST", "/api/v1/tweets", content_type="application/json", headers={"Idempotency-Key": "k-1"}, **cut_off
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "incomplete_body")
    assert post(client).status_code == 201
    assert len(tweets_of(author.id)) == 1


@on_one_store
def test_without_a_good_token_the_key_means_nothing() -> None:
    for client in (ApiClient(), ApiClient(token="1." + "0" * 64)):
        assert post(client).status_code == 401


@on_one_store
def test_answers_with_tokens_are_never_kept() -> None:
    person = new_person()
    body = {"username": person.username, "password": PASSWORD}
    tokens = [
        ApiClient(person)
        .post("/api/v1/auth/token", body, content_type="application/json", headers={"Idempotency-Key": "k"})
        .json()["data"]["token"]
        for _ in range(2)
    ]
    assert tokens[0] != tokens[1]


def test_a_password_change_keeps_neither_body_nor_a_searchable_hash() -> None:
    person = new_person()
    client = ApiClient(person)
    body = {"password": "another-horse-42", "current_password": PASSWORD}
    for _ in range(2):
        answer = client.patch("/api/v1/me", body, content_type="application/json", headers={"Idempotency-Key": "pw"})
        assert answer.status_code == 200
    assert answer["Idempotency-Replayed"] == "true", "the old password would be refused"


@on_one_store
def test_reads_and_writes_without_a_key_cost_nothing_more() -> None:
    client = ApiClient(new_person())
    with patch.object(idempotency, "claim_request", side_effect=AssertionError):
        client.get("/api/v1/me", headers={"Idempotency-Key": "k"})
        answer = client.post("/api/v1/tweets", {"text": "x"}, content_type="application/json")
    assert answer.status_code == 201


def test_a_key_costs_two_conditional_writes(product: str) -> None:
    """Of a process that has known the generation for a while; before, a repeatable post keeps no body."""
    client = ApiClient(new_person())
    post(client, "warm")
    node = timeline_node()
    assert node.seen
    node.seen = {shard: structs.replace(each, since_us=0) for shard, each in node.seen.items()}
    with counted_store_calls() as calls:
        post(client, "counted")
    if product == "cassandra":
        assert calls == ["execute_if", "write_all", "write_all", "execute_if"]


def test_keys_hold_while_redis_is_down() -> None:
    author = new_person()
    client = ApiClient(author)
    with timeline_redis_down():
        assert post(client).content == post(client).content
    assert len(tweets_of(author.id)) == 1


def test_an_answer_that_cannot_be_kept_is_answered_all_the_same() -> None:
    author = new_person()
    client = ApiClient(author)
    with patch.object(idempotency_keys(), "replace", side_effect=Unavailable("store")):
        assert post(client).status_code == 201
    assert post(client).status_code == 409
