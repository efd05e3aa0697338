"""The neighbours of a page: in its body and in the Link field, as paths or as URLs. On every collection there is."""

import re
from typing import Any

import pytest

from tests.documented import check_documented, document
from tests.integration.config.raising import is_problem
from tests.integration.feed.protected_world import protect
from tests.integration.indexing import empty_index, index_everything
from tests.integration.tweeting import post
from tests.people import ApiClient, new_person
from tests.work import work_off_everything

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]

COLLECTIONS = sorted(
    path
    for path, operations in document()["paths"].items()
    if any(each["name"] == "cursor" for each in operations.get("get", {}).get("parameters", []))
)
WANTED = {"/api/v1/search/users": {"q": "same_"}, "/api/v1/search/tweets": {"q": "hello"}}
"""What a collection has to be asked besides."""
LINK = re.compile(r'<([^>]+)>; rel="(\w+)"')


class Scene:
    """Ada, signed in twice, whom ben and cy follow and who follows them; her two tweets, which both have marked and
    answered, of which she was notified. Two people ask to follow her."""

    def __init__(self) -> None:
        self.ada, ben, cy = new_person("ada"), new_person("ben"), new_person("cy")
        tweets = [post(self.ada, "hello #tag"), post(self.ada, "hello #tag")]
        self.client, _ = ApiClient(self.ada), ApiClient(self.ada)
        for other in (ben, cy):
            ApiClient(other).put("/api/v1/users/ada/follow")
            self.client.put(f"/api/v1/users/{other.username}/follow")
            post(other, reply_to=tweets[0])
            for mark in ("like", "retweet"):
                ApiClient(other).put(f"/api/v1/tweets/{tweets[0]}/{mark}")
        for tweet in tweets:
            for mark in ("like", "bookmark"):
                self.client.put(f"/api/v1/tweets/{tweet}/{mark}")
        for word in ("dull", "dry"):
            self.client.put(f"/api/v1/me/muted-words/{word}")
        for edge in ("mute", "block"):
            for _ in range(2):
                self.client.put(f"/api/v1/users/{new_person().username}/{edge}")
        work_off_everything()
        empty_index()
        index_everything()
        for name in ("same_one", "same_two"):
            new_person(name)
        protect(self.ada)
        for _ in range(2):
            ApiClient(new_person()).put("/api/v1/users/ada/follow")
        protect(self.ada, protected=False)
        self.names = {"username": "ada", "tweet_id": str(tweets[0]), "tag": "tag"}

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path.format(**self.names), query)
        check_documented(answer)
        return answer


@pytest.fixture
def scene(product: str) -> Scene:
    return Scene()


def links_of(answer: Any) -> dict[str, str]:
    return {rel: target for target, rel in LINK.findall(answer.get("Link", ""))}


@pytest.mark.parametrize("path", COLLECTIONS)
def test_the_field_names_the_neighbours_that_the_body_names(scene: Scene, path: str) -> None:
    answer = scene.get(path, limit=1, **WANTED.get(path, {}))
    links = answer.json()["links"]
    assert links["next"], "there is more"
    assert links_of(answer) == {rel: links[rel] for rel in ("next", "prev") if links[rel]}
    following = scene.get(links_of(answer)["next"])
    assert following.status_code == 200
    assert following.json()["data"] != answer.json()["data"]


@pytest.mark.parametrize("path", COLLECTIONS)
def test_they_are_urls_for_who_asks_so(scene: Scene, path: str) -> None:
    answer = scene.get(path, limit=1, links="absolute", **WANTED.get(path, {}))
    links = answer.json()["links"]
    assert all(link.startswith("http://testserver/api/v1/") for link in links.values() if link)
    assert links_of(answer) == {rel: links[rel] for rel in ("next", "prev") if links[rel]}
    again = scene.get(links["next"].removeprefix("http://testserver"))
    assert again.json()["links"]["self"] == links["next"], "and stay so"


def test_an_only_page_has_no_field_and_a_bad_wish_is_refused(scene: Scene) -> None:
    nobody = new_person()
    assert "Link" not in scene.get(f"/api/v1/users/{nobody.username}/followers")
    for wish in ("", "relative", "Absolute"):
        assert is_problem(scene.get("/api/v1/feed/home", links=wish), 400)["code"] == "bad_links"
    assert scene.get("/api/v1/feed/home", links="path").json()["links"]["self"].startswith("/api/v1/")


def test_what_is_no_page_has_none(scene: Scene) -> None:
    assert "Link" not in scene.get("/api/v1/users/ada")
