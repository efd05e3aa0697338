"""Documents that clients name by their hash: of a list, which may be the only one. Others are registered
(test_graphql_registered.py)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from config.graphql import persisted
from storage.redis import rate_limits
from tests.integration.querying import Door
from tests.integration.speaking import on_one_store
from tests.people import new_person

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

ME = "query Me($with: Boolean = false) { me { username bio @include(if: $with) } }"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def named(text: str, name: str | None = None) -> Any:
    return {"persistedQuery": {"version": 1, "sha256Hash": name or sha(text)}}


@pytest.fixture
def listed(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({sha(ME): ME}))
    settings.GRAPHQL_DOCUMENTS = str(path)
    return path


@pytest.fixture(autouse=True)
def not_registering(settings: Settings) -> None:
    settings.GRAPHQL_REGISTERING = False


@pytest.fixture
def ada() -> Door:
    return Door(new_person("ada"))


@pytest.mark.usefixtures("listed")
def test_a_listed_document_needs_no_text(ada: Door) -> None:
    body = {"extensions": named(ME), "variables": {"with": True}}
    assert ada.post(body).json() == {"data": {"me": {"username": "ada", "bio": ""}}}
    assert ada.post({"extensions": named(ME, sha(ME).upper())}).json() == {"data": {"me": {"username": "ada"}}}


@pytest.mark.parametrize("by_hash", [True, False])
def test_reading_a_listed_document_counts_as_the_one_request(
    ada: Door, listed: Path, settings: Settings, by_hash: bool
) -> None:
    settings.RATE_LIMITS = True
    large = "{ me { " + " ".join(f"a{number}: id" for number in range(60 + by_hash)) + " } }"
    other = large.replace("id", "username")
    listed.write_text(json.dumps({sha(large): large}))
    persisted._read.cache_clear()
    left = [
        int(answer["RateLimit"].split("r=")[1].split(";")[0])
        for answer in (
            ada.post({"query": "{ me { id } }"}),
            ada.post({"extensions": named(large)} if by_hash else {"query": large}),
            ada.post({"query": other}),
        )
    ]
    assert left[0] - left[1] == 1
    assert left[1] - left[2] > 1
    rate_limits._memory.storage.reset()


@pytest.mark.parametrize("code", ["PERSISTED_QUERY_NOT_FOUND", "PERSISTED_QUERY_NOT_SUPPORTED"])
def test_one_that_is_not_is_asked_for_as_apollo_s_clients_expect(
    request: pytest.FixtureRequest, ada: Door, code: str
) -> None:
    if code.endswith("FOUND"):
        request.getfixturevalue("listed")
    other = "{ me { id } }"
    answer = ada.post({"extensions": named(other)})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (200, code)
    assert error["message"] == "".join(part.title() for part in code.split("_"))
    assert "me" in ada.post({"query": other, "extensions": named(other)}).json()["data"]
    assert "data" not in ada.post({"extensions": named(other)}).json(), "it was not added"


def test_a_hash_that_is_not_the_text_s(ada: Door) -> None:
    answer = ada.post({"query": ME, "extensions": named(ME, sha("x"))})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")


@pytest.mark.parametrize(
    "extensions",
    [
        7,
        "x",
        [],
        {"persistedQuery": 7},
        {"persistedQuery": {}},
        {"persistedQuery": {"version": 2, "sha256Hash": "x"}},
        {"other": 1},
    ],
    ids=str,
)
def test_what_else_stands_in_extensions(ada: Door, extensions: Any) -> None:
    sound = extensions in ([], {"other": 1})
    answer = ada.post({"query": "{ __typename }", "extensions": extensions})
    assert answer.status_code == (200 if sound else 400)


class TestOnly:
    @pytest.fixture(autouse=True)
    def only(self, settings: Settings) -> None:
        settings.GRAPHQL_DOCUMENTS_ONLY = True

    @pytest.mark.usefixtures("listed")
    def test_listed_ones_are_executed_by_hash_or_text(self, ada: Door) -> None:
        for body in ({"query": ME}, {"extensions": named(ME)}, {"query": ME, "extensions": named(ME)}):
            assert ada.post(body).json() == {"data": {"me": {"username": "ada"}}}

    @pytest.mark.parametrize("query", ["{ __typename }", f"{ME} ", "{ nonsense", "mutation { x }"])
    @pytest.mark.usefixtures("listed")
    def test_no_other_is_even_read(self, ada: Door, query: str) -> None:
        for extensions in (None, named(query)):
            answer = ada.post({"query": query, "extensions": extensions})
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "not_listed")

    def test_without_a_list_there_are_none(self, ada: Door) -> None:
        assert ada.ask(ME).status_code == 400


def test_a_list_that_was_not_made_from_its_documents_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({sha("x"): ME}))
    with pytest.raises(ValueError, match="is not the hash"):
        persisted._read(str(path))
