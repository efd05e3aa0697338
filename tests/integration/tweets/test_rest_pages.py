"""The REST doors of pages: an author's tweets, home, cursors and links, and what routes there are. On both stores.

Every answer is compared with the committed OpenAPI document as well.
"""

import pytest

from accounts.graph import follows
from storage.web.paging import decode_cursor, encode_cursor
from tests.integration.speaking import Api, follow, on_one_store, problem
from tests.people import ApiClient, new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")


class TestAuthorsTweets:
    def test_newest_first_in_any_spelling_of_the_name(self, ada: Api, nobody: Api) -> None:
        ids = [ada.tweet(str(number))["id"] for number in range(3)]
        page = nobody.page("/users/ADA/tweets")
        assert [tweet["id"] for tweet in page["data"]] == ids[::-1]
        assert all(tweet["viewer"] is None for tweet in page["data"])

    def test_replies_to_others_can_be_left_out(self, ada: Api) -> None:
        other = Api(new_person()).tweet()
        root = ada.tweet()
        thread = ada.tweet(reply_to=root["id"])
        aside = ada.tweet(reply_to=other["id"])
        quote = ada.tweet(quote_of=other["id"])
        everything = [quote["id"], aside["id"], thread["id"], root["id"]]
        assert ada.ids("/users/ada/tweets") == ada.ids("/users/ada/tweets", replies="true") == everything
        without = [quote["id"], thread["id"], root["id"]]
        assert ada.ids("/users/ada/tweets", replies="false") == without
        first = ada.page("/users/ada/tweets", replies="false", limit=2)
        assert "replies=false" in first["links"]["next"]
        assert [tweet["id"] for tweet in follow(ada, first["links"]["next"])["data"]] == without[2:]

    @on_one_store
    @pytest.mark.parametrize("value", ["no", "0", "False", ""])
    def test_replies_is_true_or_false(self, ada: Api, value: str) -> None:
        problem(ada.get("/users/ada/tweets", replies=value), 400, "bad_flag")

    @on_one_store
    @pytest.mark.parametrize("name", ["nobody", "a" * 31, "%00", "a.b", "@ada", "é", "%ED%A0%80"])
    def test_an_unknown_person_is_not_found(self, nobody: Api, name: str) -> None:
        problem(nobody.get(f"/users/{name}/tweets"), 404)


@pytest.fixture(params=["/feed/home", "/users/ada/tweets"])
def collection(request: pytest.FixtureRequest) -> str:
    """A collection that holds what ada wrote."""
    path: str = request.param
    return path


class TestPages:
    @on_one_store
    def test_an_empty_collection(self, ada: Api, collection: str) -> None:
        assert ada.page(collection) == {
            "data": [],
            "meta": {"next_cursor": None, "prev_cursor": None, "limit": 20},
            "links": {"self": f"/api/v1{collection}", "next": None, "prev": None},
        }

    def test_next_leads_to_the_end_and_no_further(self, ada: Api, collection: str) -> None:
        ids = [ada.tweet()["id"] for _ in range(6)][::-1]
        first = ada.page(collection, limit=4)
        assert [tweet["id"] for tweet in first["data"]] == ids[:4]
        assert first["meta"]["limit"] == 4
        assert first["links"]["self"] == f"/api/v1{collection}?limit=4"
        assert first["links"]["next"] == f"/api/v1{collection}?limit=4&cursor={first['meta']['next_cursor']}"
        assert first["links"]["prev"] == f"/api/v1{collection}?limit=4&since={first['meta']['prev_cursor']}"
        second = follow(ada, first["links"]["next"])
        assert [tweet["id"] for tweet in second["data"]] == ids[4:]
        assert second["meta"]["next_cursor"] is None
        assert second["links"]["next"] is None

    @on_one_store
    def test_a_page_that_ends_exactly_at_the_end_has_no_next(self, ada: Api, collection: str) -> None:
        for _ in range(3):
            ada.tweet()
        assert ada.page(collection, limit=3)["links"]["next"] is None

    def test_prev_brings_what_is_newer_the_nearest_first(self, ada: Api, collection: str) -> None:
        ada.tweet()
        prev = ada.page(collection, limit=2)["links"]["prev"]
        same = follow(ada, prev)
        assert (same["data"], same["links"]["next"]) == ([], None)
        newer = [ada.tweet()["id"] for _ in range(5)]
        seen: list[str] = []
        while page := follow(ada, prev)["data"]:
            assert [tweet["id"] for tweet in page] == sorted((tweet["id"] for tweet in page), key=int, reverse=True)
            seen += [tweet["id"] for tweet in reversed(page)]
            prev = follow(ada, prev)["links"]["prev"]
        assert seen == newer

    def test_pages_are_full_while_there_is_more(self, ada: Api, collection: str) -> None:
        ids = [ada.tweet(str(number))["id"] for number in range(12)]
        for place in (1, 2, 3, 7, 10):
            assert ada.delete(ids[place]).status_code == 204
        kept = [tweet_id for place, tweet_id in enumerate(ids) if place not in (1, 2, 3, 7, 10)][::-1]
        first = ada.page(collection, limit=5)
        assert [tweet["id"] for tweet in first["data"]] == kept[:5]
        assert [tweet["id"] for tweet in follow(ada, first["links"]["next"])["data"]] == kept[5:]

    def test_a_cursor_outlives_the_tweet_that_it_points_at(self, ada: Api, collection: str) -> None:
        ids = [ada.tweet()["id"] for _ in range(4)]
        cursor = ada.page(collection, limit=2)["meta"]["next_cursor"]
        assert ada.delete(ids[2]).status_code == 204
        assert ada.ids(collection, cursor=cursor) == ids[1::-1]

    @on_one_store
    def test_a_cursor_of_one_collection_works_in_another(self, ada: Api) -> None:
        ids = [ada.tweet()["id"] for _ in range(3)]
        cursor = ada.page("/feed/home", limit=2)["meta"]["next_cursor"]
        assert ada.ids("/users/ada/tweets", cursor=cursor) == ids[:1]
        assert decode_cursor(cursor) == int(ids[1])

    @on_one_store
    @pytest.mark.parametrize("limit", ["0", "101", "10000", "-1", "abc", "", "1.5", "1e2", "٣", "+5", "%205", "%D9%A3"])
    def test_a_bad_limit(self, ada: Api, collection: str, limit: str) -> None:
        problem(ada.get(collection, limit=limit), 400, "bad_limit")

    @on_one_store
    @pytest.mark.parametrize("limit", ["1", "100", "020"])
    def test_a_good_limit(self, ada: Api, collection: str, limit: str) -> None:
        assert ada.page(collection, limit=limit)["meta"]["limit"] == int(limit)

    @on_one_store
    @pytest.mark.parametrize("name", ["cursor", "since"])
    @pytest.mark.parametrize(
        "cursor", ["", "abc", "7265412345678901248", "AAAAAAAAAAE.forged", "%00", "%ED%A0%80", "ü"]
    )
    def test_a_bad_cursor(self, ada: Api, collection: str, name: str, cursor: str) -> None:
        problem(ada.get(collection, **{name: cursor}), 400, "bad_cursor")

    @on_one_store
    def test_one_direction_at_a_time(self, ada: Api, collection: str) -> None:
        cursor = encode_cursor(1)
        problem(ada.get(collection, cursor=cursor, since=cursor), 400, "bad_cursor")

    @on_one_store
    def test_parameters_that_nobody_knows_are_kept_in_links(self, ada: Api, collection: str) -> None:
        ada.tweet()
        page = ada.page(collection, colour="blue")
        assert page["links"]["prev"].startswith(f"/api/v1{collection}?colour=blue&")


class TestHome:
    def test_it_holds_those_whom_one_follows_and_oneself(self, ada: Api) -> None:
        bob, carl = Api(new_person("bob")), Api(new_person())
        assert ada.person is not None
        assert bob.person is not None
        follows.follow(ada.person.id, bob.person.id)
        assert ada.ids("/feed/home") == []
        mine, theirs, _ = ada.tweet(), bob.tweet(), carl.tweet()
        work_off_everything()
        page = ada.page("/feed/home")
        assert [tweet["id"] for tweet in page["data"]] == [theirs["id"], mine["id"]]
        assert page["data"][0] == theirs

    @on_one_store
    def test_it_needs_a_token(self, nobody: Api) -> None:
        for api in (nobody, Api(token="nonsense"), Api(token=f"1.{'0' * 64}"), Api(token="")):
            answer = api.get("/feed/home")
            problem(answer, 401)
            assert answer["WWW-Authenticate"] == "Bearer"

    @on_one_store
    def test_a_signed_out_token_is_none(self, ada: Api) -> None:
        assert ada.call("DELETE", "/auth/token").status_code == 204
        problem(ada.get("/feed/home"), 401)


@on_one_store
class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "tweets", {"GET", "HEAD", "POST", "OPTIONS"}),
            ("PUT", "tweets/1", {"GET", "DELETE", "HEAD", "OPTIONS"}),
            ("POST", "feed/home", {"GET", "HEAD", "OPTIONS"}),
            ("DELETE", "users/ada/tweets", {"GET", "HEAD", "OPTIONS"}),
        ],
    )
    def test_another_method(self, method: str, path: str, allowed: set[str]) -> None:
        answer = ApiClient(new_person("ada")).generic(method, f"/api/v1/{path}")
        problem(answer, 405, "method_not_allowed")
        assert set(answer["Allow"].split(", ")) == allowed

    @pytest.mark.parametrize("path", ["tweets/", "tweets/1/", "feed/home/", "feed", "users/ada/tweets/", "", "nowhere"])
    def test_a_path_is_one_path_and_no_other(self, path: str) -> None:
        answer = ApiClient(new_person("ada")).get(f"/api/v1/{path}")
        assert problem(answer, 404, "not_found")["instance"] == f"/api/v1/{path}"

    @pytest.mark.parametrize("path", ["tweets", "tweets/1", "feed/home", "users/ada/tweets"])
    def test_options_break_nothing(self, path: str) -> None:
        answer = ApiClient(new_person("ada")).options(f"/api/v1/{path}")
        assert answer.status_code == 200
        assert "Allow" in answer
