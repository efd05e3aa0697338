"""The tweets with a hashtag: everybody's, newest first, alike at REST and in GraphQL."""

from typing import Any
from urllib.parse import quote

import pytest

from accounts.graph import blocks
from accounts.models import User
from accounts.people import suspending
from storage.errors import Unavailable
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.feed.reading import operator
from tests.integration.querying import Door
from tests.integration.speaking import Api, follow, on_one_store, problem
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything, work_off_wholly
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")

GRAPHQL = """
query Tag($tag: String!, $first: Int, $after: String, $last: Int, $before: String) {
  hashtagTimeline(tag: $tag, first: $first, after: $after, last: $last, before: $before) {
    pageInfo { hasNextPage startCursor endCursor } edges { cursor node { id text } }
  }
}
"""


@pytest.fixture
def tag() -> str:
    """One that no other test uses."""
    return f"tag{new_id()}"


def path(tag: str) -> str:
    return f"/hashtags/{quote(tag, safe='')}/tweets"


def shown(tag: str, person: User | None = None, **query: Any) -> list[int]:
    """The same at both doors."""
    found = [int(each) for each in Api(person).ids(path(tag), **query)]
    page = Door(person).data(GRAPHQL, {"tag": tag, "first": query.get("limit", 20)})["hashtagTimeline"]
    assert [int(edge["node"]["id"]) for edge in page["edges"]] == found
    return found


def test_everybody_s_are_there_at_once_newest_first_without_signing_in_and_however_they_are_written(tag: str) -> None:
    ada, bob = new_person(), new_person()
    ids = [post(ada, f"one #{tag}"), post(bob, f"#{tag.upper()} two"), post(ada, f"＃{tag.replace('t', 'Ｔ', 1)}")]
    post(ada, f"no #{tag}2, and {tag}")
    for typed in (tag, f"#{tag}", tag.upper(), f"＃{tag}"):
        assert shown(typed) == ids[::-1]
    assert shown(tag, ada) == ids[::-1]


def test_replies_threads_and_quotes_are_in_it_and_retweets_are_not(tag: str) -> None:
    ada, bob = new_person(), new_person()
    tweet = post(ada, f"#{tag}")
    answers = [(bob, {"reply_to": tweet}), (ada, {"reply_to": tweet}), (bob, {"quote_of": tweet})]
    ids = [tweet, *[post(person, f"#{tag}", **target) for person, target in answers]]
    retweet(viewer=viewer(bob), tweet_id=tweet)
    post(bob, "without", quote_of=tweet)
    assert shown(tag) == ids[::-1]


class TestVisibility:
    def test_who_may_not_see_it_does_not_and_pages_are_full(self, tag: str) -> None:
        """The relation of whoever asks to who wrote it: nothing is told of what the matrix forbids."""
        ada, bob = new_person(), new_person()
        stranger, blocks_ada, blocked, mutes = (new_person() for _ in range(4))
        blocks.block(blocks_ada.id, ada.id)
        blocks.block(ada.id, blocked.id)
        blocks.mute(mutes.id, ada.id)
        ids = [post(bob if place % 2 else ada, f"#{tag} {place}") for place in range(8)]
        of_bob = ids[1::2][::-1]
        for person, expected in {
            None: ids[::-1],
            stranger: ids[::-1],
            ada: ids[::-1],
            mutes: ids[::-1],
            blocks_ada: of_bob,
            blocked: of_bob,
        }.items():
            assert shown(tag, person) == expected
            assert shown(tag, person, limit=3) == expected[:3]

    def test_the_deleted_and_the_suspended_are_made_up_for(self, tag: str) -> None:
        ada, bob = new_person(), new_person()
        ids = [post(bob if place % 2 else ada, f"#{tag}") for place in range(8)]
        suspending.suspend(bob, by=operator())
        delete_tweet(tweet_id=ids[4], viewer=viewer(ada))
        page = Api().page(path(tag), limit=2)
        assert [int(each["id"]) for each in page["data"]] == [ids[6], ids[2]]
        page = follow(Api(), page["links"]["next"])
        assert ([int(each["id"]) for each in page["data"]], page["links"]["next"]) == ([ids[0]], None)

    def test_what_staff_have_deleted_and_restored_is_back(self, tag: str) -> None:
        ada, staff = new_person(), new_person(staff=True)
        ids = [post(ada, f"#{tag}"), post(ada, f"#{tag}")]
        delete_tweet(tweet_id=ids[0], viewer=viewer(staff))
        assert shown(tag) == ids[1:]
        restore_tweet(tweet_id=ids[0], viewer=viewer(staff), reason="A mistake.")
        work_off_everything()
        assert shown(tag) == ids[::-1]


class TestPages:
    def test_they_go_back_to_the_first_and_up_again(self, tag: str) -> None:
        author = new_person()
        ids = [post(author, f"#{tag}") for _ in range(7)]
        api = Api()
        page = api.page(path(tag), limit=3)
        newest = page["links"]["prev"]
        seen = [int(each["id"]) for each in page["data"]]
        while page["links"]["next"]:
            page = follow(api, page["links"]["next"])
            seen += [int(each["id"]) for each in page["data"]]
        assert seen == ids[::-1]
        newer = [post(author, f"#{tag}") for _ in range(2)]
        above = follow(api, newest)
        assert {int(each["id"]) for each in above["data"]} >= set(newer)
        assert follow(api, above["links"]["prev"])["data"] == []

    @pytest.mark.parametrize("word", ["größe", "مرحبا", "日本語"])
    def test_links_of_any_script_lead_on(self, tag: str, word: str) -> None:
        author = new_person()
        ids = [post(author, f"#{word}{tag}") for _ in range(2)]
        answer = Api().get(path(f"#{word}{tag}"), limit=1)
        page = answer.json()
        assert answer["Link"].startswith(f"<{page['links']['next']}>")
        assert page["links"]["next"].startswith(f"/api/v1/hashtags/{quote('#' + word)}")
        assert [int(each["id"]) for each in follow(Api(), page["links"]["next"])["data"]] == ids[:1]

    def test_cursors_of_either_door_work_in_the_other(self, tag: str) -> None:
        author = new_person()
        ids = [post(author, f"#{tag}") for _ in range(5)]
        door, api = Door(), Api()
        first = door.data(GRAPHQL, {"tag": tag, "first": 2})["hashtagTimeline"]
        rest = api.page(path(tag), cursor=first["pageInfo"]["endCursor"])
        assert [int(each["id"]) for each in rest["data"]] == ids[2::-1]
        below = api.page(path(tag), limit=2)["meta"]["next_cursor"]
        page = door.data(GRAPHQL, {"tag": tag, "last": 1, "before": below})["hashtagTimeline"]
        assert [int(edge["node"]["id"]) for edge in page["edges"]] == [ids[4]]


@on_one_store
class TestRefusals:
    @pytest.mark.parametrize(
        "typed", ["1", "a b", "a-b", "#", "##a", "👩", "\u202ea", "x" * 281, "e" + "\u0301" * 1_200], ids=lambda _: ""
    )
    def test_what_is_no_hashtag_is_refused_at_both_doors(self, typed: str) -> None:
        problem(Api().get(path(typed)), 400, "bad_hashtag")
        [error] = Door().errors(GRAPHQL, {"tag": typed}, status=200)
        assert error["extensions"]["code"] == "bad_hashtag"

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"cursor": "forged"}, {"since": ""}])
    def test_what_cannot_be_read_is_refused(self, query: dict[str, Any], tag: str) -> None:
        problem(Api().get(path(tag), **query), 400)

    def test_bytes_that_are_no_text_are_no_hashtag(self) -> None:
        problem(Api().get("/hashtags/%ff%fe/tweets"), 400, "bad_hashtag")

    def test_a_hashtag_that_nobody_has_used_is_empty(self, tag: str) -> None:
        assert shown(tag) == []


class TestBackends:
    def test_it_works_while_redis_is_down(self, tag: str) -> None:
        ids = [post(new_person(), f"#{tag}") for _ in range(2)]
        with timeline_redis_down():
            assert shown(tag) == ids[::-1]

    @on_one_store
    def test_a_store_that_does_not_answer_is_503(self, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object, **__: object) -> list[int]:
            raise Unavailable("store")

        monkeypatch.setattr(tweet_store(), "tagged", away)
        answer = Api().get(path(tag))
        problem(answer, 503)
        assert answer["Retry-After"]

    def test_a_warm_page_costs_two_redis_round_trips_and_the_listing(self, tag: str, product: str) -> None:
        author, reader = new_person(), new_person()
        for _ in range(25):
            post(author, f"#{tag}")
        work_off_everything()
        api = Api(reader)
        for _ in range(2):
            api.page(path(tag))
        with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
            assert len(api.page(path(tag))["data"]) == 20
        assert (len(redis), sql) == (2, [])
        most = {"cassandra": 6, "embedded": 2}[product]
        assert len(store) <= most, "months, places and tweets, and what has not settled below the page"


class TestOrders:
    def test_a_tweet_without_hashtags_has_no_more_order_than_ever(self) -> None:
        ada, bob = new_person(), new_person()
        tweet = post(ada)
        post(bob, reply_to=tweet)
        assert [(each.kind, each.args) for each in open_orders()] == [("deliver", (tweet, ada.id))]

    def test_one_that_goes_to_no_home_has_one_that_is_worked_off_and_closed_by_a_deletion(self, tag: str) -> None:
        ada, bob = new_person(), new_person()
        tweet = post(ada)
        reply, gone = post(bob, f"#{tag}", reply_to=tweet), post(bob, f"#{tag}", reply_to=tweet)
        kinds = {each.id: each.kind for each in open_orders()}
        assert (kinds[reply], kinds[gone]) == ("tell", "tell")
        delete_tweet(tweet_id=gone, viewer=viewer(bob))
        assert gone not in {each.id for each in open_orders()}
        work_off_everything()
        assert open_orders() == []
        assert shown(tag) == [reply]

    def test_an_order_that_is_worked_off_again_changes_nothing(self, tag: str) -> None:
        ada = new_person()
        tweet = post(ada, f"#{tag}")
        [order] = open_orders()
        for _ in range(2):
            work_off_wholly(order)
        assert shown(tag) == [tweet]
