"""The REST door of posting, from outside: answers, refusals, bodies. On both stores.

Every answer is compared with the committed OpenAPI document as well.
"""

from typing import Any
from unittest.mock import patch

import pytest

from storage.errors import Unavailable
from tests.integration.speaking import ID, TIME, TWEET_FIELDS, Api, on_one_store, problem
from tests.integration.tweeting import guards_have_ended
from tests.people import new_person
from tweets.reading import selectors
from tweets.writing import posting as tweet_services

pytestmark = pytest.mark.usefixtures("product")


class TestPosting:
    def test_what_is_posted_is_answered_whole(self, ada: Api) -> None:
        bob = new_person("bob")
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
            "mentions": [{"id": str(bob.id), "username": "bob", "indices": [3, 7]}],
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

    @on_one_store
    def test_a_tweet_that_is_posted_again_with_its_key_shows_what_happened_to_it_since(self, ada: Api) -> None:
        with patch.object(tweet_services, "posted_out", side_effect=Unavailable("store")):
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

    @on_one_store
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
            b"\xef\xbb\xbf",
            b'{"text": "x", "text": "y"}',
        ],
        ids=lambda body: str(body[:24]),
    )
    def test_a_body_that_is_no_json_object_cannot_be_read(self, ada: Api, body: bytes) -> None:
        problem(ada.call("POST", "/tweets", body), 400, "parse_error")

    def test_a_whole_surrogate_pair_is_one_character(self, ada: Api) -> None:
        answer = ada.call("POST", "/tweets", b'{"text": "\\ud83d\\ude00"}')
        assert answer.json()["data"]["text"] == "😀"

    @on_one_store
    def test_a_byte_order_mark_is_passed_over(self, ada: Api) -> None:
        assert ada.call("POST", "/tweets", b'\xef\xbb\xbf{"text": "marked"}').json()["data"]["text"] == "marked"

    @on_one_store
    def test_fields_that_nobody_knows_are_refused_and_nothing_is_posted(self, ada: Api) -> None:
        refused = ada.post("mine", id="1", author="2", replyTo="3", viewer=None)
        assert problem(refused, 422)["errors"].keys() == {"id", "author", "replyTo", "viewer"}
        assert ada.ids("/users/ada/tweets") == []

    @on_one_store
    def test_the_size_of_a_body_is_bounded(self, ada: Api) -> None:
        text = "x" * (64 * 1024 - len('{"text": ""}'))
        problem(ada.post(text), 422)
        problem(ada.post(text + "x"), 413)

    @on_one_store
    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
    def test_only_json_is_read(self, ada: Api, content_type: str) -> None:
        problem(ada.call("POST", "/tweets", b"text=hello", content_type=content_type), 415)

    @on_one_store
    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", ""])
    def test_json_by_any_of_its_names(self, ada: Api, content_type: str) -> None:
        assert ada.call("POST", "/tweets", b'{"text": "x"}', content_type=content_type).status_code == 201

    @on_one_store
    def test_nobody_posts_without_a_token(self, nobody: Api) -> None:
        for api in (nobody, Api(token="nonsense")):
            answer = api.post()
            problem(answer, 401)
            assert answer["WWW-Authenticate"] == "Bearer"

    @on_one_store
    def test_a_store_that_does_not_answer_is_503(self, ada: Api) -> None:
        with patch.object(tweet_services, "tweet_store", side_effect=Unavailable("store")):
            answer = ada.post()
        problem(answer, 503, "unavailable")
        assert answer["Retry-After"] == "2"
        assert ada.ids("/users/ada/tweets") == []
