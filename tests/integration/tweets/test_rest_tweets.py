"""The REST doors of one tweet, from outside: replies, quotes, reading, deleting. On both stores.

Every answer is compared with the committed OpenAPI document as well.
"""

import pytest

from accounts.people import suspending
from tests.ids import new_id
from tests.integration.speaking import MALFORMED_IDS, Api, on_one_store, problem
from tests.integration.tweeting import guards_have_ended
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("product")


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

    @on_one_store
    def test_a_quote_hides_who_is_suspended(self, ada: Api) -> None:
        bob = new_person("bob")
        quoted = Api(bob).tweet("quoted")
        quote = ada.tweet("quote", quote_of=quoted["id"])
        suspending.suspend(bob, by=new_person(staff=True))
        assert ada.get(f"/tweets/{quote['id']}").json()["data"]["quote_of"] is None

    @pytest.mark.parametrize("field", ["reply_to", "quote_of"])
    def test_what_is_gone_cannot_be_answered(self, ada: Api, field: str) -> None:
        bob = new_person("bob")
        gone, hidden = ada.tweet(), Api(bob).tweet()
        ada.delete(gone["id"])
        suspending.suspend(bob, by=new_person(staff=True))
        for tweet_id in (gone["id"], hidden["id"], str(new_id()), "1", "9223372036854775807"):
            body = problem(ada.post(**{field: tweet_id}), 422, "gone")
            assert body["errors"].keys() == {field}

    @on_one_store
    @pytest.mark.parametrize("field", ["reply_to", "quote_of"])
    @pytest.mark.parametrize("tweet_id", ["abc", "-1", "0", "1" * 60, "9223372036854775808"])
    def test_a_malformed_target_cannot_be_read(self, ada: Api, field: str, tweet_id: str) -> None:
        problem(ada.post(**{field: tweet_id}), 400, "malformed_id")

    @on_one_store
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

    @on_one_store
    def test_a_bad_token_is_not_nobody(self, ada: Api) -> None:
        tweet = ada.tweet()
        problem(Api(token="nonsense").get(f"/tweets/{tweet['id']}"), 401)

    @on_one_store
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

    @on_one_store
    def test_only_its_author_and_staff_may(self, ada: Api, nobody: Api) -> None:
        first, second = ada.tweet(), ada.tweet()
        problem(Api(new_person()).delete(first["id"]), 403, "forbidden")
        problem(nobody.delete(first["id"]), 401)
        assert ada.get(f"/tweets/{first['id']}").status_code == 200
        assert Api(new_person(staff=True)).delete(first["id"]).status_code == 204
        assert ada.ids("/users/ada/tweets") == [second["id"]]

    @on_one_store
    def test_what_is_hidden_cannot_be_told_from_what_is_not(self, ada: Api) -> None:
        bob = new_person("bob")
        hidden = Api(bob).tweet()
        suspending.suspend(bob, by=new_person(staff=True))
        problem(ada.delete(hidden["id"]), 404, "not_found")
        assert Api(new_person(staff=True)).delete(hidden["id"]).status_code == 204


class TestSuspension:
    @on_one_store
    def test_the_suspended_are_shut_out_and_hidden(self, ada: Api, nobody: Api) -> None:
        assert ada.person is not None
        tweet, operator = ada.tweet(), new_person(staff=True)
        suspending.suspend(ada.person, by=operator)
        for answer in (ada.get("/feed/home"), ada.post(), ada.get(f"/tweets/{tweet['id']}"), ada.delete(tweet["id"])):
            problem(answer, 403, "suspended")
        problem(nobody.get(f"/tweets/{tweet['id']}"), 404)
        problem(nobody.get("/users/ada/tweets"), 404)
        suspending.restore(ada.person, by=operator)
        assert ada.ids("/users/ada/tweets") == nobody.ids("/users/ada/tweets") == [tweet["id"]]
