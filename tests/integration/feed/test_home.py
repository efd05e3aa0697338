"""The home timeline through its service: pushed, pulled, rebuilt, and any mixture of them."""

from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import follows
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.people import services
from accounts.sessions import tokens
from fanout.orders import handlers
from fanout.timelines import materialised
from feed.timelines import rebuild
from feed.timelines.home import home_page, prefetch
from storage.errors import NotFound, Unavailable
from storage.ports.associations import MAX_CHANGES, Change
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import associations, ids
from storage.web.paging import PageRequest
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tests.work import open_orders, work_off_everything
from tweets.entities import Tweet
from tweets.writing.posting import create_tweet, delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def a_reader_of(*authors: User) -> User:
    reader = new_person()
    for author in authors:
        follows.follow(reader.id, author.id)
    return reader


def test_the_past_of_a_followee_is_there_on_the_first_read() -> None:
    author = new_person()
    ids = [post(author) for _ in range(3)]
    reader = a_reader_of(author)
    assert home(reader) == ids[::-1]
    assert in_redis(reader) == ids[::-1], "the reader is active again"


def test_an_active_reader_is_pushed_to_and_an_inactive_one_is_not() -> None:
    author = new_person()
    active, inactive = a_reader_of(author), a_reader_of(author)
    assert home(active) == []
    tweet = post(author)
    assert in_redis(active) == []
    work_off_everything()
    assert in_redis(active) == [tweet]
    assert in_redis(inactive) is None
    assert home(active) == home(inactive) == [tweet]


def test_authors_see_their_own_tweet_at_once_without_any_worker() -> None:
    author = new_person()
    home(author)
    tweet = post(author)
    assert in_redis(author) == [tweet]
    assert home(author) == [tweet]


def test_orders_worked_off_twice_and_out_of_order_show_each_tweet_once() -> None:
    author = new_person()
    reader = a_reader_of(author)
    home(reader)
    ids = [post(author) for _ in range(4)]
    orders = open_orders()
    for order in [*orders[::-1], *orders]:
        from_worker(order)
    assert in_redis(reader) == ids[::-1]
    assert open_orders() == []


def from_worker(order: Order) -> None:
    handlers.work_off(order)


def test_following_brings_the_past_in_and_unfollowing_takes_it_out() -> None:
    reader, author, other = new_person(), new_person(), new_person()
    follows.follow(reader.id, other.id)
    first, between = post(author), post(other)
    assert home(reader) == [between]
    follows.follow(reader.id, author.id)
    assert home(reader) == [between, first]
    follows.unfollow(reader.id, author.id)
    assert home(reader) == [between]


def test_a_tweet_on_its_way_when_the_author_is_unfollowed_does_not_come_back() -> None:
    author = new_person()
    reader = a_reader_of(author)
    home(reader)
    post(author)
    follows.unfollow(reader.id, author.id)
    work_off_everything()
    assert home(reader) == []


def test_replies_are_shown_only_as_threads() -> None:
    author, other = new_person(), new_person()
    reader = a_reader_of(author)
    root = post(author)
    thread = post(author, reply_to=root)
    aside = post(author, reply_to=post(other))
    answer = post(other, reply_to=root)
    work_off_everything()
    assert home(reader) == [thread, root]
    assert aside not in home(author)
    assert answer not in home(author)


def test_a_deleted_tweet_is_gone_at_once_and_stays_gone() -> None:
    author = new_person()
    reader = a_reader_of(author)
    home(reader)
    kept, gone = post(author), post(author)
    orders = open_orders()
    work_off_everything()
    assert home(reader) == [gone, kept]
    delete_tweet(tweet_id=gone, viewer=viewer(author))
    assert home(reader) == [kept]
    for order in orders:
        from_worker(order)
    work_off_everything()
    assert home(reader) == [kept]
    assert in_redis(reader) == [kept]


def test_a_suspended_author_is_gone_at_once_and_back_when_restored() -> None:
    author, staff = new_person(), new_person(staff=True)
    reader = a_reader_of(author)
    tweet = post(author)
    assert home(reader) == [tweet]
    services.suspend(author, by=staff)
    assert home(reader) == []
    services.restore(author, by=staff)
    assert home(reader) == [tweet]


def test_pages_are_full_while_there_is_more_though_many_are_hidden() -> None:
    loud, quiet, staff = new_person(), new_person(), new_person(staff=True)
    reader = a_reader_of(loud, quiet)
    shown = [post(quiet) for _ in range(2)]
    for _ in range(60):
        post(loud)
    shown += [post(quiet) for _ in range(2)]
    services.suspend(loud, by=staff)
    page = home_page(viewer(reader), PageRequest(limit=3))
    assert [int(tweet.id) for tweet in page.items] == [shown[3], shown[2], shown[1]]
    assert page.older == shown[1]
    last = home_page(viewer(reader), PageRequest(limit=3, before=page.older))
    assert [int(tweet.id) for tweet in last.items] == [shown[0]]
    assert last.older is None


@pytest.mark.parametrize("limit", [1, 7, 10, 25])
def test_scrolling_goes_through_the_floor_down_to_the_first_tweet(limit: int, settings: Settings) -> None:
    """The timeline holds ten; the seam to the store cannot be seen from either side."""
    settings.TIMELINE_CAP = 10
    author = new_person()
    ids = [post(author) for _ in range(25)]
    reader = a_reader_of(author)
    seen: list[int] = []
    place = None
    while True:
        page = home_page(viewer(reader), PageRequest(limit=limit, before=place))
        seen += [int(tweet.id) for tweet in page.items]
        if page.older is None:
            break
        assert len(page.items) == limit
        place = page.older
    assert seen == ids[::-1]
    assert len(in_redis(reader) or []) == 10
    up: list[int] = []
    place = ids[0] - 1
    while newer := home(reader, limit=limit, after=place):
        up = newer + up
        place = newer[0]
    assert up == ids[::-1]


def test_paging_up_keeps_its_place_while_nothing_is_new() -> None:
    author = new_person()
    tweet = post(author)
    page = home_page(viewer(author), PageRequest(after=tweet))
    assert (page.items, page.newer) == ([], tweet)
    newer = post(author)
    assert home(author, after=tweet) == [newer]


def test_a_cursor_works_after_its_tweet_was_deleted_and_redis_emptied() -> None:
    author = new_person()
    ids = [post(author) for _ in range(3)]
    home(author)
    delete_tweet(tweet_id=ids[1], viewer=viewer(author))
    timeline_node().round_trip(("FLUSHALL",))
    assert home(author, before=ids[1]) == [ids[0]]


def test_home_is_whole_after_redis_was_emptied() -> None:
    author = new_person()
    reader = a_reader_of(author)
    first = post(author)
    work_off_everything()
    home(reader)
    timeline_node().round_trip(("FLUSHALL",))
    second = post(author)
    work_off_everything()
    assert home(reader) == [second, first]
    assert in_redis(reader) == [second, first]


def test_posting_reading_and_following_work_while_redis_is_down() -> None:
    author, other = new_person(), new_person()
    reader = a_reader_of(author)
    before = post(author)
    assert home(reader) == [before]
    with timeline_redis_down():
        during = post(author)
        follows.follow(reader.id, other.id)
        aside = post(other)
        assert home(reader) == [aside, during, before]
    work_off_everything()
    assert home(reader) == [aside, during, before]


def test_a_cold_read_of_two_hundred_followees_costs_a_bounded_number_of_round_trips(product: str) -> None:
    """The store is asked as often for many as for a few: in groups that travel together, or one statement."""
    costs = []
    for followees in (20, 200):
        reader, author = new_person(), new_person()
        tweets = [post(author) for _ in range(3)]
        work_off_everything()
        authors = [author.id, *(new_id() for _ in range(followees - 1))]
        edges = [Change(reader.id, FOLLOW, each, ids.next(), present=True) for each in authors]
        for start in range(0, len(edges), MAX_CHANGES):
            associations().apply(edges[start : start + MAX_CHANGES])
        with counted_round_trips() as redis, counted_store_calls() as store:
            assert home(reader) == tweets[::-1]
        costs.append((len(redis), len(store)))
    (redis_of_few, store_of_few), (redis_of_many, store_of_many) = costs
    assert redis_of_many == redis_of_few <= 12
    assert store_of_many == store_of_few <= (13 if product == "cassandra" else 9)


def test_twenty_cold_readers_at_once_build_once_and_all_see_everything() -> None:
    author = new_person()
    reader = a_reader_of(author)
    ids = [post(author) for _ in range(5)]
    with patch.object(materialised, "finish_build", side_effect=materialised.finish_build) as built:
        results = run_together([lambda: home(reader)] * 20)
    assert results == [ids[::-1]] * 20
    assert built.call_count == 1, "one of them has built, the others have pulled or found it ready"
    assert in_redis(reader) == ids[::-1]


def test_a_follow_during_a_rebuild_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph changes between the rebuild's reading of it and its merge."""
    reader, late = new_person(), new_person()
    tweet = post(late)
    original = follows.followee_ids

    def followees_then_a_follow(user_id: int) -> list[int]:
        found = original(user_id)
        monkeypatch.setattr(follows, "followee_ids", original)
        follows.follow(reader.id, late.id)
        return found

    monkeypatch.setattr(follows, "followee_ids", followees_then_a_follow)
    assert not rebuild.rebuild(reader.id)
    assert home(reader) == [tweet]


def test_a_tweet_posted_and_delivered_during_a_rebuild_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivered after the store was pulled: only the opened timeline can catch it."""
    author = new_person()
    reader = a_reader_of(author)
    first = post(author)
    original = materialised.finish_build

    def a_tweet_first(*args: Any, **kwargs: Any) -> bool:
        post(author)
        work_off_everything()
        return original(*args, **kwargs)

    monkeypatch.setattr(materialised, "finish_build", a_tweet_first)
    found = home(reader)
    assert len(found) == 2
    assert found[1] == first
    assert in_redis(reader) == found


def test_a_warm_read_costs_two_redis_round_trips_and_nothing_else() -> None:
    """The token and the timeline in the first, everything of the tweets in the second."""
    author = new_person()
    reader = a_reader_of(author)
    for _ in range(25):
        post(author)
    work_off_everything()
    client = ApiClient(reader)
    for _ in range(2):
        assert len(client.get("/api/v1/feed/home").json()["data"]) == 20
    with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
        answer = client.get("/api/v1/feed/home")
    assert len(answer.json()["data"]) == 20
    assert (len(redis), store, sql) == (2, [], [])


def test_the_page_read_along_with_the_token_is_the_page_asked_for() -> None:
    author = new_person()
    ids = [post(author) for _ in range(5)]
    home(author)
    client = ApiClient(author)
    first = client.get("/api/v1/feed/home?limit=2").json()
    second = client.get(first["links"]["next"]).json()
    assert [int(tweet["id"]) for tweet in second["data"]] == [ids[2], ids[1]]
    up = client.get(second["links"]["prev"]).json()
    assert [int(tweet["id"]) for tweet in up["data"]] == [ids[4], ids[3]]
    request = PageRequest(limit=2, before=ids[3])
    prefetched = tokens.check(tokens.read_claim(client.token or ""), extra=prefetch(author.id, request)).extra
    assert prefetched is not None
    assert [int(tweet.id) for tweet in home_page(viewer(author), request, prefetched=prefetched).items] == [
        ids[2],
        ids[1],
    ]


def test_a_post_costs_one_store_write_and_one_redis_round_trip_besides_the_token(product: str) -> None:
    """And nothing for the answer: it is made of what was just written."""
    author = new_person()
    client = ApiClient(author)
    client.post("/api/v1/tweets", {"text": "warm"}, content_type="application/json")
    with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
        answer = client.post("/api/v1/tweets", {"text": "counted"}, content_type="application/json")
    assert answer.status_code == 201
    assert len(redis) == 2
    assert sql == []
    if product == "cassandra":
        assert store == ["batch"]


def test_a_page_of_followers_costs_a_note_and_a_push() -> None:
    author = new_person()
    readers = [new_person() for _ in range(3)]
    for reader in readers:
        follows.follow(reader.id, author.id)
        home(reader)
    tweet: int = post(author)
    work_off_everything()
    post(author)
    with counted_round_trips() as redis:
        work_off_everything()
    assert len(redis) == 2, "the note, and the push to the author and a page of followers"
    assert all(tweet in (in_redis(reader) or []) for reader in readers)


def test_a_tweet_is_what_was_posted() -> None:
    author = new_person()
    tweet: Tweet = create_tweet(author=viewer(author), text="@bob #tag https://example.org 你好")
    [shown] = home_page(viewer(author), PageRequest()).items
    assert shown.text == tweet.text
    assert shown.entities == tweet.entities
    assert shown.author.username == author.username


def test_a_deletion_whose_request_failed_is_in_force_when_its_repetition_has_answered() -> None:
    """The store took the write and did not say so: nobody has told the caches yet."""
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    tweet = post(author)
    work_off_everything()
    assert home(reader) == [tweet]
    with patch("tweets.writing.posting.tell", side_effect=Unavailable("store")), pytest.raises(Unavailable):
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
    assert home(reader) == [tweet], "it was not acknowledged"
    with pytest.raises(NotFound):
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
    assert home(reader) == []
