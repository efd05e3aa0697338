"""Mentions are people: told when a tweet is posted, kept with it, and shown alike at every door."""

from typing import Any

import msgspec
import pytest

from accounts.models import User
from accounts.people import suspending
from accounts.people.names import forget_names
from storage.cassandra import session
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.integration.accounts.vouched import sql_away
from tests.integration.querying import Door
from tests.integration.speaking import Api, on_one_store
from tests.integration.tweeting import guards_have_ended, post, viewer
from tests.people import new_person
from tweets.caches.tweets import TWEETS
from tweets.entities import Entities, Mention, Tweet
from tweets.models import TweetRow
from tweets.stores.port import tweet_store
from tweets.writing.posting import create_tweet

pytestmark = pytest.mark.usefixtures("product")

OLD_ENTITIES = '{"mentions":[{"username":"bob","indices":[3,7]}],"hashtags":[],"urls":[]}'
"""As the version before has written them."""


def people_in(tweet: dict[str, Any]) -> list[str | None]:
    return [each["id"] for each in tweet["entities"]["mentions"]]


def test_whoever_has_the_name_is_meant_in_any_case_and_nobody_by_a_name_that_nobody_has(ada: Api) -> None:
    bob = new_person("Bob")
    tweet = ada.tweet("@bob ＠BOB @nobody @bob")
    assert people_in(tweet) == [str(bob.id), str(bob.id), None, str(bob.id)]
    assert [each["username"] for each in tweet["entities"]["mentions"]] == ["bob", "BOB", "nobody", "bob"]
    guards_have_ended()
    assert ada.get(f"/tweets/{tweet['id']}").json()["data"] == tweet, "the store has it as it was answered"


def test_graphql_says_the_same(ada: Api) -> None:
    bob = new_person("bob")
    shown = Door(ada.person).tweet("@bob @nobody")
    assert people_in(shown) == people_in(ada.get(f"/tweets/{shown['id']}").json()["data"]) == [str(bob.id), None]


@on_one_store
def test_who_takes_a_name_later_is_not_meant(ada: Api) -> None:
    bob = new_person("bob")
    tweet = ada.tweet("@bob @late")
    User.objects.filter(pk=bob.pk).update(username="robert")
    new_person("late")
    new_person("bob2")
    forget_names()
    guards_have_ended()
    assert people_in(ada.get(f"/tweets/{tweet['id']}").json()["data"]) == [str(bob.id), None]


@on_one_store
def test_who_is_suspended_is_somebody(ada: Api) -> None:
    bob = new_person("bob")
    suspending.suspend(bob, by=bob)
    assert people_in(ada.tweet("@bob")) == [str(bob.id)]


def test_the_worker_finds_each_person_once() -> None:
    ada, bob = new_person("ada"), new_person("bob")
    tweet = tweet_store().get_many([post(ada, "@bob @Ada @BOB @nobody")])
    assert [each.mentioned_ids for each in tweet.values()] == [(bob.id, ada.id)]


def test_a_retweet_and_a_quote_show_whom_the_original_mentions(ada: Api) -> None:
    bob = new_person("bob")
    tweet = ada.tweet("@bob")
    assert people_in(ada.tweet("see", quote_of=tweet["id"])["quote_of"]) == [str(bob.id)]
    ada.call("PUT", f"/tweets/{tweet['id']}/retweet")
    entry = ada.page("/users/ada/tweets")["data"][0]
    assert people_in(entry) == people_in(entry["retweet_of"]) == [str(bob.id)]


class TestCosts:
    @staticmethod
    def of(text: str, author: User) -> tuple[int, int]:
        """Redis round trips and SQL statements of a post, without the token's."""
        with counted_round_trips() as redis, counted_sql("default") as sql:
            create_tweet(author=viewer(author), text=text)
        return len(redis), len(sql)

    def test_a_mention_is_one_round_trip_and_nobody_an_sql_statement(self) -> None:
        ada, bob = new_person("ada"), new_person("bob")
        assert self.of("plain", ada) == (1, 0)
        assert self.of("@bob", ada)[1] == 1, "nobody has looked it up before"
        assert self.of("@bob", ada) == (2, 0)
        assert self.of("@ada @bob @bob", ada)[1] == 1
        assert self.of("@ada @bob @BOB", ada) == (2, 0)
        assert self.of("@nobody @noone", ada)[1] == 1
        assert bob.id in create_tweet(author=viewer(ada), text="@bob").mentioned_ids

    def test_as_many_as_fit_are_one_look_up(self) -> None:
        ada = new_person("ada")
        names = [new_person(f"m{number}").username for number in range(50)]
        text = " ".join(f"@{each}" for each in names)
        assert len(text) <= 280
        assert self.of(text, ada)[1] == 1
        assert self.of(text, ada) == (2, 0)

    def test_the_store_is_written_as_ever(self, product: str) -> None:
        ada, _bob = new_person("ada"), new_person("bob")
        post(ada, "@bob")
        with counted_store_calls() as store:
            post(ada, "@bob")
        assert len(store) == (2 if product == "cassandra" else 3), "its second order is a statement of SQLite"


class TestOutages:
    def test_without_sql_those_are_meant_whom_caches_know(self, ada: Api) -> None:
        bob = new_person("bob")
        ada.tweet("@bob")
        new_person("cid")
        with sql_away():
            assert people_in(ada.tweet("@bob @cid @nobody")) == [str(bob.id), None, None]

    def test_without_redis_sql_says_who_it_is(self, ada: Api) -> None:
        bob = new_person("bob")
        with timeline_redis_down():
            assert people_in(ada.tweet("@bob")) == [str(bob.id)]


class TestVersions:
    def test_a_row_of_before_is_read(self, ada: Api, product: str) -> None:
        tweet_id = int(ada.tweet("Hi @bob")["id"])
        if product == "cassandra":
            session.execute("UPDATE tweets SET entities = ? WHERE id = ?", (OLD_ENTITIES, tweet_id))
        else:
            TweetRow.objects.filter(id=tweet_id).update(entities=OLD_ENTITIES)
        guards_have_ended()
        shown = ada.get(f"/tweets/{tweet_id}").json()["data"]
        assert shown["entities"]["mentions"] == [{"username": "bob", "indices": [3, 7], "id": None}]

    def test_processes_of_both_versions_read_what_the_other_has_cached(self) -> None:
        class OldMention(msgspec.Struct, frozen=True):
            username: str
            indices: tuple[int, int]

        class OldEntities(msgspec.Struct, frozen=True):
            mentions: tuple[OldMention, ...] = ()

        class OldTweet(msgspec.Struct, frozen=True):
            id: int
            entities: OldEntities

        mention = Mention("bob", (3, 7), "42")
        tweet = Tweet(7, 1, "Hi @bob", 7, True, Entities((mention,)))
        written = TWEETS._encode(tweet)
        assert TWEETS._decode(written) == tweet
        assert msgspec.json.decode(written, type=OldTweet).entities.mentions == (OldMention("bob", (3, 7)),)
        [old] = TWEETS._decode(written.replace(b',"id":"42"', b"")).entities.mentions
        assert old == Mention("bob", (3, 7), None)
