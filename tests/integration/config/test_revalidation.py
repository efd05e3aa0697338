"""ETags, and 304 to who has the answer already: single tweets, profiles, the OpenAPI document."""

from typing import Any

import pytest

from tests.backends import counted_round_trips, counted_store_calls
from tests.documented import check_documented
from tests.integration.tweeting import post
from tests.people import ApiClient, new_person

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]


@pytest.fixture
def place(request: Any, product: str) -> str:
    ada = new_person("ada")
    return str(request.param).format(tweet=post(ada))


PLACES = pytest.mark.parametrize(
    "place", ["/api/v1/tweets/{tweet}", "/api/v1/users/ada", "/api/v1/openapi.json"], indirect=True
)


@PLACES
@pytest.mark.parametrize("written", ["{}", '"other", {}', "*", "{strong}", 'W/"other",{}'])
def test_who_has_the_answer_gets_304_without_a_body(place: str, written: str) -> None:
    client = ApiClient(new_person())
    first = client.get(place)
    assert first["ETag"].startswith('W/"')
    asked = written.format(first["ETag"], strong=first["ETag"].removeprefix("W/"))
    again = client.get(place, headers={"If-None-Match": asked})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("ETag", "Cache-Control"):
        assert again[name] == first[name]
    assert sorted(again["Vary"].split(", ")) == sorted(first["Vary"].split(", "))
    assert again["X-Request-ID"]
    assert client.head(place, headers={"If-None-Match": asked}).status_code == 304


@PLACES
@pytest.mark.parametrize("asked", ["", '"other"', 'W/"other"', "nonsense", '"'])
def test_who_has_another_answer_gets_this_one(place: str, asked: str) -> None:
    answer = ApiClient(new_person()).get(place, headers={"If-None-Match": asked})
    assert answer.status_code == 200
    assert answer.content


@pytest.mark.parametrize("place", ["/api/v1/tweets/{tweet}", "/api/v1/users/ada"], indirect=True)
def test_what_a_viewer_sees_is_kept_for_nobody_else(place: str) -> None:
    anonymous, viewer = ApiClient().get(place), ApiClient(new_person()).get(place)
    for answer in (anonymous, viewer):
        assert "private" in answer["Cache-Control"]
        assert "authorization" in answer["Vary"].lower()
        check_documented(answer)
    assert anonymous["ETag"] != viewer["ETag"]
    check_documented(ApiClient().get(place, headers={"If-None-Match": anonymous["ETag"]}))


def test_a_change_of_what_is_shown_changes_the_tag_and_the_same_shows_the_same() -> None:
    tweet = post(new_person("ada"))
    client, path = ApiClient(new_person()), f"/api/v1/tweets/{tweet}"
    before = client.get(path)["ETag"]
    client.put(f"{path}/like")
    liked = client.get(path, headers={"If-None-Match": before})
    assert liked.status_code == 200
    client.delete(f"{path}/like")
    assert client.get(path, headers={"If-None-Match": before}).status_code == 304


def test_a_tag_costs_no_round_trip() -> None:
    tweet = post(new_person("ada"))
    client, path = ApiClient(new_person()), f"/api/v1/tweets/{tweet}"
    client.get(path)
    with counted_round_trips() as first, counted_store_calls() as store:
        etag = client.get(path)["ETag"]
    with counted_round_trips() as second:
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert (len(first), len(second), store) == (2, 2, [])


def test_what_is_gone_is_404_whatever_the_client_has() -> None:
    ada = new_person("ada")
    path = f"/api/v1/tweets/{post(ada)}"
    client = ApiClient(ada)
    etag = client.get(path)["ETag"]
    assert client.delete(path).status_code == 204
    answer = client.get(path, headers={"If-None-Match": f"{etag}, *"})
    assert answer.status_code == 404
    assert "ETag" not in answer
