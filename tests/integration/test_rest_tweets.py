"""The REST doors of tweets and home, from outside: shapes, pages, refusals. On both stores.

Every answer is compared with the committed OpenAPI document as well.
"""

import json
import re
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest

from accounts import graph, services
from accounts.models import User
from storage.errors import Unavailable
from storage.paging import decode_cursor, encode_cursor
from storage.redis import timeline_node
from tests.documented import check_documented
from tests.ids import new_id
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets import api as tweets_api
from tweets import selectors
from tweets import services as tweet_services

pytestmark = pytest.mark.usefixtures("product")

on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)
"""For what is decided before any store is asked."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"[1-9]\d{16,18}")
TWEET_FIELDS = {
    "id",
    "text",
    "created_at",
    "author",
    "reply_to_id",
    "conversation_id",
    "quote_of",
    "retweet_of",
    "entities",
    "counts",
    "viewer",
}
MALFORMED_IDS = ["0", "-1", "1.5", "abc", "0x1f", "٣", "1" * 60, "9223372036854775808", "007", "%00", "%ED%A0%80"]


class Api:
    """Speaks for one person or for nobody; every answer must be documented and carry its request id."""

    def __init__(self, person: User | None = None, *, token: str | None = None) -> None:
        self.person = person
        self._client = ApiClient(person, token=token)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        options.setdefault("content_type", "application/json")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self._client.generic(method, f"/api/v1{path}", raw, **options)
        assert answer["X-Request-ID"]
        check_documented(answer)
        return answer

    def get(self, path: str, **query: Any) -> Any:
        return self.call(
            "GET", path, QUERY_STRING="&".join(f"{name}={quote(str(query[name]), safe='%')}" for name in query)
        )

    def page(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.get(path, **query)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    def ids(self, path: str, **query: Any) -> list[str]:
        return [tweet["id"] for tweet in self.page(path, **query)["data"]]

    def post(self, text: Any = "hello", **fields: Any) -> Any:
        return self.call("POST", "/tweets", {"text": text, **fields})

    def tweet(self, text: Any = "hello", **fields: Any) -> dict[str, Any]:
        answer = self.post(text, **fields)
        assert answer.status_code == 201, answer.content
        tweet: dict[str, Any] = answer.json()["data"]
        return tweet

    def delete(self, tweet_id: str) -> Any:
        return self.call("DELETE", f"/tweets/{tweet_id}")


def problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document, all of whose fields stand."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} == body.keys() - {"errors"}
    assert ("errors" in body) == (status == 422)
    assert (body["status"], body["request_id"]) == (status, answer["X-Request-ID"])
    assert "Traceback" not in answer.content.decode()
    assert code is None or body["code"] == code
    return body


@pytest.fixture
def ada() -> Api:
    return Api(new_person("ada"))


@pytest.fixture
def nobody() -> Api:
    return Api()


class TestPosting:
    def test_what_is_posted_is_answered_whole(self, ada: Api) -> None:
        new_person("bob")
        answer = ada.post("Hi @bob 👩‍👩‍👧‍👦 #intro https://example.org/a")
        assert answer.status_code == 201
        tweet = answer.json()["data"]
        assert answer["Location"] == f"/api/v1/tweets/{tweet['id']}"
        assert answer.json().keys() == {"data"}
        assert tweet.keys() == TWEET_FIELDS
        assert ID.fullmatch(tweet["id"])
        assert TIME.fullmatch(tweet["created_at"])
        assert ada.person is not None
        assert tweet["author"] == {
            "id": str(ada.person.id),
            "username": "ada",
            "display_name": "ada",
            "avatar_url": None,
            "verified": False,
        }
        assert tweet["entities"] == {
            "mentions": [{"username": "bob", "indices": [3, 7]}],
            "hashtags": [{"tag": "intro", "indices": [16, 22]}],
            "urls": [{"url": "https://example.org/a", "indices": [23, 44]}],
        }
        assert tweet["counts"] == {"replies": 0, "retweets": 0, "quotes": 0, "likes": 0}
        assert tweet["viewer"] == {"liked": False, "retweeted": False, "bookmarked": False}
        assert (tweet["reply_to_id"], tweet["quote_of"], tweet["retweet_of"]) == (None, None, None)
        assert tweet["conversation_id"] == tweet["id"]

    def test_it_is_read_back_as_it_was_answered(self, ada: Api) -> None:
        tweet = ada.tweet("  spaces, <b>tags</b> & 'quotes'\n你好 ")
        answer = ada.get(f"/tweets/{tweet['id']}")
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/json"
        assert answer.json() == {"data": tweet}

    def test_the_answer_to_a_post_is_what_reading_it_says(self, ada: Api) -> None:
        root = Api(new_person("bob")).tweet("Hi @ada #tag https://example.org/a")
        for fields in ({}, {"reply_to": root["id"]}, {"quote_of": root["id"]}):
            tweet = ada.tweet("e\u0301 @bob #tag https://example.org/b?c#d 👩‍👩‍👧‍👦", **fields)
            guards_have_ended()
            assert ada.get(f"/tweets/{tweet['id']}").json()["data"] == tweet

    def test_a_tweet_that_was_written_is_answered_though_nothing_can_be_read_any_more(self, ada: Api) -> None:
        with patch.object(selectors, "hydrate", side_effect=Unavailable("store")):
            assert ada.post().status_code == 201

    def test_a_tweet_that_is_posted_again_with_its_key_shows_what_happened_to_it_since(self, ada: Api) -> None:
        with patch.object(tweets_api, "posted_view", side_effect=Unavailable("store")):
            problem(ada.call("POST", "/tweets", {"text": "x"}, HTTP_IDEMPOTENCY_KEY="k"), 503)
        [written] = ada.ids("/users/ada/tweets")
        Api(new_person("bob")).call("PUT", f"/tweets/{written}/like")
        answer = ada.call("POST", "/tweets", {"text": "x"}, HTTP_IDEMPOTENCY_KEY="k")
        assert answer.json()["data"]["id"] == written
        assert answer.json()["data"]["counts"]["likes"] == 1

    def test_newer_ids_are_larger(self, ada: Api) -> None:
        ids = [int(ada.tweet()["id"]) for _ in range(3)]
        assert ids == sorted(set(ids))

    @on_one_store
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "text"),
            ({"text": None}, "text"),
            ({"text": ""}, "text"),
            ({"text": " \u200b\n"}, "text"),
            ({"text": "x" * 281}, "text"),
            ({"text": "x\x00"}, "text"),
            ({"text": "x\x07"}, "text"),
            ({"text": 7}, "text"),
            ({"text": True}, "text"),
            ({"text": ["x"]}, "text"),
            ({"text": {"x": "y"}}, "text"),
            ({"text": "x", "reply_to": 7265412345678901248}, "reply_to"),
            ({"text": "x", "quote_of": ["1"]}, "quote_of"),
            ({"text": "x", "reply_to": ""}, "reply_to"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_refused_body_names_its_field(self, ada: Api, body: Any, field: str) -> None:
        errors = problem(ada.call("POST", "/tweets", body), 422)["errors"]
        assert errors.keys() == {field}
        assert all(isinstance(message, str) and message for message in errors[field])

    def test_several_faults_are_named_at_once(self, ada: Api) -> None:
        body = {"text": 1, "reply_to": 2, "quote_of": 3}
        assert problem(ada.call("POST", "/tweets", body), 422)["errors"].keys() == body.keys()

    @on_one_store
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[]",
            b'["text"]',
            b'"text"',
            b"null",
            b"7",
            b'{"text": "\\ud800"}',
            b'{"text": "\\udc00\\ud800"}',
            b'{"text": "\xff"}',
            b'{"text": "x"} {"text": "y"}',
            b'{"text": "x", "deep": ' + b"[" * 30_000,
            b"\xef\xbb\xbf{}",
        ],
        ids=lambda body: str(body[:24]),
    )
    def test_a_body_that_is_no_json_object_cannot_be_read(self, ada: Api, body: bytes) -> None:
        problem(ada.call("POST", "/tweets", body), 400, "parse_error")

    def test_a_whole_surrogate_pair_is_one_character(self, ada: Api) -> None:
        answer = ada.call("POST", "/tweets", b'{"text": "\\ud83d\\ude00"}')
        assert answer.json()["data"]["text"] == "😀"

    def test_fields_that_nobody_knows_do_no_harm(self, ada: Api) -> None:
        tweet = ada.tweet("mine", id="1", author="2", created_at="3", viewer=None)
        assert (tweet["text"], tweet["author"]["username"]) == ("mine", "ada")

    def test_the_size_of_a_body_is_bounded(self, ada: Api) -> None:
        text = "x" * (64 * 1024 - len('{"text": ""}'))
        problem(ada.post(text), 422)
        problem(ada.post(text + "x"), 413)

    @on_one_store
    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
    def test_only_json_is_read(self, ada: Api, content_type: str) -> None:
        problem(ada.call("POST", "/tweets", b"text=hello", content_type=content_type), 415)

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", ""])
    def test_json_by_any_of_its_names(self, ada: Api, content_type: str) -> None:
        assert ada.call("POST", "/tweets", b'{"text": "x"}', content_type=content_type).status_code == 201

    def test_nobody_posts_without_a_token(self, nobody: Api) -> None:
        for api in (nobody, Api(token="nonsense")):
            answer = api.post()
            problem(answer, 401)
            assert answer["WWW-Authenticate"] == "Bearer"

    def test_a_store_that_does_not_answer_is_503(self, ada: Api) -> None:
        with patch.object(tweet_services, "tweet_store", side_effect=Unavailable("store")):
            answer = ada.post()
        problem(answer, 503, "unavailable")
        assert answer["Retry-After"] == "2"
        assert ada.ids("/users/ada/tweets") == []


def guards_have_ended() -> None:
    """Caches may be filled again, as half a minute after a change."""
    timeline_node().round_trip(("FLUSHALL",))


class TestRepliesAndQuotes:
    def test_a_reply_knows_its_parent_and_its_conversation(self, ada: Api) -> None:
        bob = Api(new_person("bob"))
        root = ada.tweet()
        reply = bob.tweet(reply_to=root["id"])
        answer = ada.tweet(reply_to=reply["id"])
        assert (reply["reply_to_id"], reply["conversation_id"]) == (root["id"], root["id"])
        assert (answer["reply_to_id"], answer["conversation_id"]) == (reply["id"], root["id"])
        assert ada.get(f"/tweets/{root['id']}").json()["data"]["counts"]["replies"] == 1

    def test_a_deleted_reply_no_longer_counts(self, ada: Api) -> None:
        root = ada.tweet()
        reply = ada.tweet(reply_to=root["id"])
        guards_have_ended()
        assert ada.get(f"/tweets/{root['id']}").json()["data"]["counts"]["replies"] == 1
        ada.delete(reply["id"])
        assert ada.get(f"/tweets/{root['id']}").json()["data"]["counts"]["replies"] == 0

    def test_a_quote_shows_what_it_quotes_one_level_deep(self, ada: Api) -> None:
        first = ada.tweet("first")
        second = ada.tweet("second", quote_of=first["id"])
        third = ada.tweet("third", quote_of=second["id"])
        quoted_once = {**first["counts"], "quotes": 1}
        assert second["quote_of"] == {**first, "counts": quoted_once}
        assert third["quote_of"] == {**second, "quote_of": None, "counts": quoted_once}

    def test_a_quote_outlives_what_it_quotes(self, ada: Api) -> None:
        quoted = ada.tweet("quoted")
        quote = ada.tweet("quote", quote_of=quoted["id"])
        ada.delete(quoted["id"])
        assert ada.get(f"/tweets/{quote['id']}").json()["data"] == {**quote, "quote_of": None}

    def test_a_quote_hides_who_is_suspended(self, ada: Api) -> None:
        bob = new_person("bob")
        quoted = Api(bob).tweet("quoted")
        quote = ada.tweet("quote", quote_of=quoted["id"])
        services.suspend(bob, by=new_person(staff=True))
        assert ada.get(f"/tweets/{quote['id']}").json()["data"]["quote_of"] is None

    @pytest.mark.parametrize("field", ["reply_to", "quote_of"])
    def test_what_is_gone_cannot_be_answered(self, ada: Api, field: str) -> None:
        bob = new_person("bob")
        gone, hidden = ada.tweet(), Api(bob).tweet()
        ada.delete(gone["id"])
        services.suspend(bob, by=new_person(staff=True))
        for tweet_id in (gone["id"], hidden["id"], str(new_id()), "1", "9223372036854775807"):
            body = problem(ada.post(**{field: tweet_id}), 422, "gone")
            assert body["errors"].keys() == {field}

    @pytest.mark.parametrize("field", ["reply_to", "quote_of"])
    @pytest.mark.parametrize("tweet_id", ["abc", "-1", "0", "1" * 60, "9223372036854775808"])
    def test_a_malformed_target_cannot_be_read(self, ada: Api, field: str, tweet_id: str) -> None:
        problem(ada.post(**{field: tweet_id}), 400, "malformed_id")

    @pytest.mark.parametrize("field", ["reply_to", "quote_of"])
    def test_null_is_none(self, ada: Api, field: str) -> None:
        assert ada.tweet(**{field: None})["reply_to_id"] is None


class TestReadingOne:
    def test_anybody_may_read_and_has_no_flags(self, ada: Api, nobody: Api) -> None:
        tweet = ada.tweet()
        assert nobody.get(f"/tweets/{tweet['id']}").json()["data"] == {**tweet, "viewer": None}

    @on_one_store
    @pytest.mark.parametrize("tweet_id", MALFORMED_IDS)
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_a_malformed_id_cannot_be_read(self, ada: Api, method: str, tweet_id: str) -> None:
        problem(ada.call(method, f"/tweets/{tweet_id}"), 400, "malformed_id")

    @pytest.mark.parametrize("tweet_id", ["1", "9223372036854775807"])
    def test_an_unknown_id_is_not_found(self, ada: Api, tweet_id: str) -> None:
        problem(ada.get(f"/tweets/{tweet_id}"), 404, "not_found")
        problem(ada.delete(tweet_id), 404, "not_found")

    def test_a_bad_token_is_not_nobody(self, ada: Api) -> None:
        tweet = ada.tweet()
        problem(Api(token="nonsense").get(f"/tweets/{tweet['id']}"), 401)

    def test_head_is_get_without_its_body(self, ada: Api) -> None:
        tweet = ada.tweet()
        assert ada.call("HEAD", f"/tweets/{tweet['id']}").status_code == 200
        assert ada.call("HEAD", "/feed/home").status_code == 200
        assert ada.call("HEAD", "/tweets/1").status_code == 404


class TestDeleting:
    def test_a_deleted_tweet_is_gone_everywhere(self, ada: Api, nobody: Api) -> None:
        kept, gone = ada.tweet("kept"), ada.tweet("gone")
        assert ada.ids("/feed/home") == [gone["id"], kept["id"]]
        answer = ada.delete(gone["id"])
        assert (answer.status_code, answer.content) == (204, b"")
        problem(ada.get(f"/tweets/{gone['id']}"), 404)
        problem(ada.delete(gone["id"]), 404)
        assert ada.ids("/feed/home") == ada.ids("/users/ada/tweets") == [kept["id"]]
        assert nobody.ids("/users/ada/tweets") == [kept["id"]]

    def test_only_its_author_and_staff_may(self, ada: Api, nobody: Api) -> None:
        first, second = ada.tweet(), ada.tweet()
        problem(Api(new_person()).delete(first["id"]), 403, "forbidden")
        problem(nobody.delete(first["id"]), 401)
        assert ada.get(f"/tweets/{first['id']}").status_code == 200
        assert Api(new_person(staff=True)).delete(first["id"]).status_code == 204
        assert ada.ids("/users/ada/tweets") == [second["id"]]

    def test_what_is_hidden_cannot_be_told_from_what_is_not(self, ada: Api) -> None:
        bob = new_person("bob")
        hidden = Api(bob).tweet()
        services.suspend(bob, by=new_person(staff=True))
        problem(ada.delete(hidden["id"]), 404, "not_found")
        assert Api(new_person(staff=True)).delete(hidden["id"]).status_code == 204


class TestSuspension:
    def test_the_suspended_are_shut_out_and_hidden(self, ada: Api, nobody: Api) -> None:
        assert ada.person is not None
        tweet, operator = ada.tweet(), new_person(staff=True)
        services.suspend(ada.person, by=operator)
        for answer in (ada.get("/feed/home"), ada.post(), ada.get(f"/tweets/{tweet['id']}"), ada.delete(tweet["id"])):
            problem(answer, 403, "suspended")
        problem(nobody.get(f"/tweets/{tweet['id']}"), 404)
        problem(nobody.get("/users/ada/tweets"), 404)
        services.restore(ada.person, by=operator)
        assert ada.ids("/users/ada/tweets") == nobody.ids("/users/ada/tweets") == [tweet["id"]]


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

    @pytest.mark.parametrize("name", ["nobody", "a" * 31, "%00", "a.b", "@ada", "é", "%ED%A0%80"])
    def test_an_unknown_person_is_not_found(self, nobody: Api, name: str) -> None:
        problem(nobody.get(f"/users/{name}/tweets"), 404)


def follow(api: Api, link: str) -> dict[str, Any]:
    """The page behind a link."""
    path, _, query = link.removeprefix("/api/v1").partition("?")
    answer = api.call("GET", path, QUERY_STRING=query)
    assert answer.status_code == 200
    page: dict[str, Any] = answer.json()
    return page


@pytest.fixture(params=["/feed/home", "/users/ada/tweets"])
def collection(request: pytest.FixtureRequest) -> str:
    """A collection that holds what ada wrote."""
    path: str = request.param
    return path


class TestPages:
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

    def test_a_cursor_of_one_collection_works_in_another(self, ada: Api) -> None:
        ids = [ada.tweet()["id"] for _ in range(3)]
        cursor = ada.page("/feed/home", limit=2)["meta"]["next_cursor"]
        assert ada.ids("/users/ada/tweets", cursor=cursor) == ids[:1]
        assert decode_cursor(cursor) == int(ids[1])

    @on_one_store
    @pytest.mark.parametrize("limit", ["0", "101", "10000", "-1", "abc", "", "1.5", "1e2", "٣", "+5", "%205", "%D9%A3"])
    def test_a_bad_limit(self, ada: Api, collection: str, limit: str) -> None:
        problem(ada.get(collection, limit=limit), 400, "bad_limit")

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

    def test_one_direction_at_a_time(self, ada: Api, collection: str) -> None:
        cursor = encode_cursor(1)
        problem(ada.get(collection, cursor=cursor, since=cursor), 400, "bad_cursor")

    def test_parameters_that_nobody_knows_are_kept_in_links(self, ada: Api, collection: str) -> None:
        ada.tweet()
        page = ada.page(collection, colour="blue")
        assert page["links"]["prev"].startswith(f"/api/v1{collection}?colour=blue&")


class TestHome:
    def test_it_holds_those_whom_one_follows_and_oneself(self, ada: Api) -> None:
        bob, carl = Api(new_person("bob")), Api(new_person())
        assert ada.person is not None
        assert bob.person is not None
        graph.follow(ada.person.id, bob.person.id)
        assert ada.ids("/feed/home") == []
        mine, theirs, _ = ada.tweet(), bob.tweet(), carl.tweet()
        work_off_everything()
        page = ada.page("/feed/home")
        assert [tweet["id"] for tweet in page["data"]] == [theirs["id"], mine["id"]]
        assert page["data"][0] == theirs

    def test_it_needs_a_token(self, nobody: Api) -> None:
        for api in (nobody, Api(token="nonsense"), Api(token=f"1.{'0' * 64}"), Api(token="")):
            answer = api.get("/feed/home")
            problem(answer, 401)
            assert answer["WWW-Authenticate"] == "Bearer"

    def test_a_signed_out_token_is_none(self, ada: Api) -> None:
        assert ada.call("DELETE", "/auth/token").status_code == 204
        problem(ada.get("/feed/home"), 401)


@on_one_store
class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("GET", "tweets", {"POST", "OPTIONS"}),
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
