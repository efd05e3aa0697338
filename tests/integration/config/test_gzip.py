"""Answers to GET are gzipped for those who accept it; writes' and the admin's never are."""

import gzip
from typing import Any

import pytest

from config.http.middleware import GZIP_FROM_BYTES
from tests.integration.tweeting import post
from tests.people import ApiClient, new_person

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]


@pytest.fixture
def client(product: str) -> ApiClient:
    ada = new_person("ada")
    for _ in range(5):
        post(ada)
    return ApiClient(ada)


def without_cursors(content: bytes) -> bytes:
    """Two pages have different ones, as they carry what has settled."""
    return content.partition(b'],"meta":')[0]


@pytest.mark.parametrize(
    "path", ["/api/v1/feed/home", "/api/v1/users/ada/tweets", "/api/v1/openapi.json", "/api/docs/live/"]
)
@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.5"])
def test_a_read_is_packed_for_who_accepts_it(client: ApiClient, path: str, accepted: str) -> None:
    plain, packed = client.get(path), client.get(path, headers={"Accept-Encoding": accepted})
    assert len(plain.content) >= GZIP_FROM_BYTES
    assert packed["Content-Encoding"] == "gzip"
    assert without_cursors(gzip.decompress(packed.content)) == without_cursors(plain.content)
    assert int(packed["Content-Length"]) == len(packed.content) < len(plain.content)
    for answer in (plain, packed):
        assert "accept-encoding" in answer["Vary"].lower()


@pytest.mark.parametrize("accepted", [None, "", "identity", "br", "gzip;q=0", "gzip; q=0.0, br"])
def test_and_for_nobody_else(client: ApiClient, accepted: str | None) -> None:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    answer = client.get("/api/v1/feed/home", headers=headers)
    assert "Content-Encoding" not in answer
    assert answer.json()["data"]


def accepting(call: Any, path: str, **options: Any) -> Any:
    return call(path, headers={"Accept-Encoding": "gzip"}, **options)


def test_short_answers_and_those_that_may_hold_secrets_stay_as_they_are(client: ApiClient) -> None:
    query = {
        "query": "{ homeTimeline { edges { node { id text createdAt author { username displayName } } cursor } } }"
    }
    home = accepting(client.post, "/graphql", data=query, content_type="application/json")
    assert len(home.content) >= GZIP_FROM_BYTES
    answers = [home, accepting(client.get, "/api/v1/me"), accepting(client.get, "/admin/login/")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert not any("Content-Encoding" in answer for answer in answers)


def test_a_packed_answer_has_the_tag_of_the_plain_one(client: ApiClient) -> None:
    plain = client.get("/api/v1/openapi.json")
    packed = accepting(client.get, "/api/v1/openapi.json")
    assert packed["ETag"] == plain["ETag"]
    again = client.get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip", "If-None-Match": packed["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
