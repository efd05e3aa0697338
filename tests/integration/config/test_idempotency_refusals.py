"""What an Idempotency-Key does not stand for: what was never read, and what is no key."""

from io import BytesIO
from typing import Any, cast
from unittest.mock import patch

import pytest
from a2wsgi.wsgi import build_environ
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.test import override_settings

from accounts.sessions import authentication
from config.http import idempotency
from config.http.idempotency import HEADER, checked_key
from storage.errors import BadRequest, Unavailable
from storage.redis.rate_limits import Policy
from tests.integration.config.test_idempotency import post, tweets_of
from tests.integration.speaking import on_one_store
from tests.people import ApiClient, new_person
from tweets.stores.port import tweet_store

pytestmark = pytest.mark.usefixtures("product")


@on_one_store
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("folded", ["k-1, k-2", "k-1,k-2", "k-1, k-1", "k-1,", ",k-1", ", ", '"a", "b"', "a, b,c"])
def test_a_key_that_was_sent_twice_is_no_third_one(folded: str, answered: bool) -> None:
    """Servers fold the two headers into one value."""
    author = new_person()
    client = ApiClient(author)
    if answered:
        post(client, "k-1")
    refused = post(client, folded)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_idempotency_key")
    assert "more than once" in refused.json()["detail"]
    assert len(tweets_of(author.id)) == int(answered)


@on_one_store
def test_the_front_of_a_laptop_folds_them_into_one() -> None:
    """As the WSGI server in production does, without the space. One that kept the last one would write again."""
    headers = [(b"idempotency-key", b"k-1"), (b"idempotency-key", b"k-2")]
    scope: Any = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/", "query_string": b""}
    environ = cast(Any, build_environ)({**scope, "headers": headers}, BytesIO())
    with pytest.raises(BadRequest):
        checked_key(WSGIRequest(environ).headers[HEADER])


UNREADABLE: list[tuple[dict[str, Any], int]] = [
    ({"data": b"text=x", "content_type": "application/x-www-form-urlencoded"}, 415),
    ({"data": b'{"text": "x"}', "content_type": "text/plain"}, 415),
    ({"data": b'{"text": ', "content_type": "application/json"}, 400),
    ({"data": b'["x"]', "content_type": "application/json"}, 400),
    ({"data": b'{"text": "x", "reply_to": "no id"}', "content_type": "application/json"}, 400),
    ({"data": b'{"text": "' + b"x" * 70_000 + b'"}', "content_type": "application/json"}, 413),
    ({"data": b'{"text": "x"}', "content_type": "application/json", "path": "/api/v1/tweet"}, 404),
    ({"data": b'{"text": "x"}', "content_type": "application/json", "path": "/api/v1/feed/home"}, 405),
]


@on_one_store
@pytest.mark.parametrize(("asked", "status"), UNREADABLE, ids=str)
def test_what_was_refused_before_it_was_read_is_not_remembered(asked: dict[str, Any], status: int) -> None:
    author = new_person()
    client = ApiClient(author)
    given = {"path": "/api/v1/tweets", "headers": {"Idempotency-Key": "k-1"}, **asked}
    for _ in range(2):
        refused = client.post(**given)
        assert refused.status_code == status
        assert "Idempotency-Replayed" not in refused
    mended = post(client, text="mended")
    assert (mended.status_code, post(client, text="mended").content) == (201, mended.content)
    assert len(tweets_of(author.id)) == 1


@on_one_store
def test_the_same_body_in_another_content_type_is_the_same_request() -> None:
    author = new_person()
    client = ApiClient(author)
    raw = b'{"text": "once"}'
    headers = {"Idempotency-Key": "k-1"}
    assert client.post("/api/v1/tweets", raw, "text/plain", headers=headers).status_code == 415
    assert client.post("/api/v1/tweets", raw, "application/json", headers=headers).status_code == 201
    again = client.post("/api/v1/tweets", raw, "application/json", headers=headers)
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert len(tweets_of(author.id)) == 1


def test_a_refusal_after_a_failure_does_not_forget_that_it_may_have_written() -> None:
    author = new_person()
    client = ApiClient(author)
    raw = b'{"text": "once"}'
    headers = {"Idempotency-Key": "k-1"}
    original = tweet_store().add

    def written_but_unanswered(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        raise Unavailable("store")

    with patch.object(tweet_store(), "add", written_but_unanswered):
        assert client.post("/api/v1/tweets", raw, "application/json", headers=headers).status_code == 503
    assert client.post("/api/v1/tweets", raw, "text/plain", headers=headers).status_code == 415
    assert client.post("/api/v1/tweets", raw, "application/json", headers=headers).status_code == 201
    assert len(tweets_of(author.id)) == 1


@on_one_store
def test_a_person_over_their_quota_may_send_the_key_again() -> None:
    author = new_person()
    client = ApiClient(author)
    with override_settings(RATE_LIMITS=True), patch.object(authentication, "SIGNED_IN", Policy("default", 1, 60)):
        assert client.get("/api/v1/me").status_code == 200
        assert post(client).status_code == 429
    first = post(client, text="another")
    assert (first.status_code, "Idempotency-Replayed" in first) == (201, False)


@on_one_store
@override_settings(RATE_LIMITS=True)
@pytest.mark.parametrize(("fault", "status"), [(RuntimeError(), 500), (SuspiciousOperation(), 400)])
def test_a_fault_around_the_view_still_tells_what_is_left_of_the_quota(fault: Exception, status: int) -> None:
    client = ApiClient(new_person())
    with patch.object(idempotency, "claim_request", side_effect=fault):
        answer = post(client)
    assert (answer.status_code, "RateLimit" in answer) == (status, True)


@on_one_store
@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\tin it"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    author = new_person()
    answer = ApiClient(author).post(
        "/api/v1/tweets", {"text": "x"}, content_type="application/json", HTTP_IDEMPOTENCY_KEY=key
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_idempotency_key"
    assert tweets_of(author.id) == []
