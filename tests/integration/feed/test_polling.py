"""Polling upwards by a page's own `prev_cursor`: whatever becomes visible late is shown, whatever stood above it.

With cursors that are places alone, what is about something late fails.
"""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from accounts.graph import follows
from fanout import tasks
from fanout.live.watermark import watermark
from fanout.timelines import materialised
from fanout.timelines.materialised import settled_key
from feed.timelines.home import home_page
from storage.ids import settling
from storage.ids.snowflakes import EPOCH_US, make_id, now_us
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from storage.web.paging import PageRequest, decode_settled, decode_since
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down
from tests.integration.feed.reading import a_reader_of, redis
from tests.integration.polling import Poller, paused_before_it_is_written
from tests.integration.pulling import a_celebrity
from tests.integration.querying import Door
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tests.work import forget_watermark, open_orders, say_what_has_settled, work_off_everything, work_off_wholly
from tweets.entities import Entities, Tweet
from tweets.stores.port import tweet_store
from tweets.writing.after_write import deliver_order
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(params=["swept", "never swept"])
def sweep(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Timelines know what has settled; or they do not, as before the first sweep of an emptied Redis."""
    return say_what_has_settled if request.param == "swept" else lambda: None


class TestHome:
    @pytest.mark.parametrize("limit", [1, 20])
    def test_a_tweet_whose_write_was_under_way_is_shown(self, sweep: Callable[[], None], limit: int) -> None:
        ann = new_person()
        reader = a_reader_of(ann)
        post(reader)
        poller = Poller(ApiClient(reader), "/feed/home", limit=limit)
        with paused_before_it_is_written(lambda: post(ann, "late")) as slow:
            assert slow.go_on()
            own = post(reader)
            sweep()
            assert poller.poll() == [own]
        work_off_everything()
        sweep()
        new = [each for _ in range(4) for each in poller.poll()]
        assert len(new) == 1
        assert new[0] < own

    def test_a_tweet_whose_fan_out_lags_is_shown(self, sweep: Callable[[], None]) -> None:
        ann, bob = new_person(), new_person()
        reader = a_reader_of(ann, bob)
        post(reader)
        poller = Poller(ApiClient(reader), "/feed/home")
        late, early = post(ann), post(bob)
        [order] = [each for each in open_orders() if each.id == early]
        work_off_wholly(order)
        sweep()
        assert poller.poll() == [early]
        assert poller.poll() == []
        work_off_everything()
        assert poller.poll() == [late]
        assert poller.poll() == []

    def test_however_long_it_lags(self) -> None:
        """An hour, for which no time would do that is waited for anyway: the order is open, and holds the cursor."""
        ann = new_person()
        reader = a_reader_of(ann)
        own = post(reader)
        home_page(viewer(reader), PageRequest())
        old = make_id(now_us() - 3_600 * 1_000_000, 77)
        tweet = Tweet(id=old, author_id=ann.id, text="late", conversation_id=old, in_home=True, entities=Entities())
        tweet_store().add(tweet, deliver_order(old, ann.id))
        say_what_has_settled()
        poller = Poller(ApiClient(reader), "/feed/home")
        assert (poller.shown, poller.poll()) == ([own], [])
        work_off_everything()
        assert poller.poll() == [old]

    @pytest.mark.parametrize("pulled", [False, True])
    def test_however_long_nobody_sweeps_an_emptied_redis(self, monkeypatch: pytest.MonkeyPatch, pulled: bool) -> None:
        """A timeline has what the store had when it was opened; of what came later nobody says that it is there."""
        ann, reader = new_person(), new_person()
        if pulled:
            ann = a_celebrity(reader)
        else:
            follows.follow(reader.id, ann.id)
        post(reader)
        redis("FLUSHALL")
        poller = Poller(ApiClient(reader), "/feed/home")
        late, own = post(ann), post(reader)
        monkeypatch.setattr(settling, "now_us", lambda: now_us() + 3_600 * 1_000_000)
        assert poller.poll() == [own]
        assert poller.poll() == []
        work_off_everything()
        assert poller.poll() == [late]

    def test_a_timeline_is_not_served_without_a_settled_place(self) -> None:
        reader = new_person()
        tweet = post(reader)
        home_page(viewer(reader), PageRequest())
        redis("DEL", settled_key(timeline_shard(reader.id)))
        assert timeline_node().ask(materialised.read(reader.id, count=1)) == (None,)
        assert [int(each.id) for each in home_page(viewer(reader), PageRequest()).items] == [tweet]
        [window] = timeline_node().ask(materialised.read(reader.id, count=1))
        assert window is not None
        assert window.settled < tweet

    def test_a_cursor_stands_below_the_oldest_open_order(self) -> None:
        ann = new_person()
        reader = a_reader_of(ann)
        waiting = post(ann)
        say_what_has_settled()
        own = [post(reader) for _ in range(3)]
        page = ApiClient(reader).get("/api/v1/feed/home").json()
        assert page["data"][0]["id"] == str(own[-1])
        cursor = page["meta"]["prev_cursor"]
        assert decode_since(cursor)[0] == own[-1]
        assert decode_settled(cursor) < waiting

    def test_when_all_is_done_a_cursor_is_a_place_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settling, "SETTLE_SECONDS", 0)
        ann = new_person()
        reader = a_reader_of(ann)
        tweet = post(ann)
        home_page(viewer(reader), PageRequest())
        work_off_everything()
        say_what_has_settled()
        cursor = ApiClient(reader).get("/api/v1/feed/home").json()["meta"]["prev_cursor"]
        assert decode_since(cursor) == (tweet, None)

    @pytest.mark.parametrize("outage", ["emptied", "down"])
    def test_whatever_becomes_of_redis_meanwhile(self, outage: str) -> None:
        ann = new_person()
        reader = a_reader_of(ann)
        post(reader)
        poller = Poller(ApiClient(reader), "/feed/home")
        with paused_before_it_is_written(lambda: post(ann, "late")) as slow:
            assert slow.go_on()
            with timeline_redis_down() if outage == "down" else nullcontext():
                if outage == "emptied":
                    redis("FLUSHALL")
                own = post(reader)
                assert poller.poll() == [own]
        if outage == "emptied":
            redis("FLUSHALL")
        work_off_everything()
        assert len(poller.poll()) == 1

    def test_a_page_from_the_store_and_the_next_from_redis(self) -> None:
        """What a pull has shown may be missing in the timeline that answers the next poll."""
        ann, bob = new_person(), new_person()
        reader = a_reader_of(ann, bob)
        post(reader)
        home_page(viewer(reader), PageRequest())
        with timeline_redis_down():
            poller = Poller(ApiClient(reader), "/feed/home")
            late = post(ann)
            assert poller.poll() == [late]
        new = post(bob)
        [order] = [each for each in open_orders() if each.id == new]
        work_off_wholly(order)
        assert new in poller.poll()
        work_off_everything()
        for _ in range(3):
            poller.poll()
        assert {late, new} <= set(poller.shown)

    @pytest.mark.parametrize("limit", [1, 3, 7, 20])
    def test_who_fell_behind_goes_up_page_by_page_and_comes_to_an_end(self, limit: int) -> None:
        """While an order holds everything back, too; and nothing comes twice that has not changed."""
        ann, bob = new_person(), new_person()
        reader = a_reader_of(ann, bob)
        post(reader)
        poller = Poller(ApiClient(reader), "/feed/home", limit=limit)
        late = post(ann)
        new = [post(bob) for _ in range(25)]
        for order in [each for each in open_orders() if each.id != late]:
            work_off_wholly(order)
        say_what_has_settled()
        seen: list[int] = []
        while page := poller.poll():
            seen += page[::-1]
        assert (seen, poller.came_twice) == (new, 0)
        work_off_everything()
        for _ in range(30):
            poller.poll()
        assert late in poller.shown

    def test_a_deletion_in_between_loses_nothing(self) -> None:
        ann = new_person()
        reader = a_reader_of(ann)
        first, gone = post(reader), post(reader)
        poller = Poller(ApiClient(reader), "/feed/home")
        late = post(ann)
        delete_tweet(tweet_id=gone, viewer=viewer(reader))
        work_off_everything()
        assert poller.poll() == [late]
        assert poller.shown == [gone, first, late]


class TestCosts:
    def test_a_warm_poll_costs_two_redis_round_trips_and_nothing_else(self) -> None:
        """What has settled comes with the timeline, and what has not is read in the same step."""
        ann = new_person()
        reader = a_reader_of(ann)
        for _ in range(30):
            post(ann)
        work_off_everything()
        client = ApiClient(reader)
        for _ in range(2):
            link = client.get("/api/v1/feed/home").json()["links"]["prev"]
        new = [post(ann) for _ in range(2)]
        work_off_everything()
        client.get(link)
        with counted_round_trips() as trips, counted_store_calls() as store:
            found = client.get(link).json()
        assert [int(each["id"]) for each in found["data"]] == new[::-1]
        assert (len(trips), store) == (2, [])

    def test_a_page_of_the_store_that_has_settled_is_one_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ann = new_person()
        for _ in range(4):
            post(ann)
        path = f"/api/v1/users/{ann.username}/tweets?limit=2"
        client = ApiClient()
        monkeypatch.setattr(settling, "SETTLE_SECONDS", 0)
        client.get(path)
        with counted_store_calls() as settled:
            client.get(path)
        monkeypatch.undo()
        with counted_store_calls() as unsettled:
            client.get(path)
        assert len(unsettled) == 2 * len(settled), "younger than it takes to settle, it is looked further down"


def test_graphql_s_start_cursor_is_one_to_poll_from() -> None:
    ann = new_person()
    reader = a_reader_of(ann)
    door = Door(reader)
    with paused_before_it_is_written(lambda: post(ann, "late")) as slow:
        assert slow.go_on()
        own = post(reader)
        page = door.home(first=5)
        assert [edge["node"]["id"] for edge in page["edges"]] == [str(own)]
        assert page["edges"][0]["cursor"] == page["pageInfo"]["startCursor"]
    work_off_everything()
    since = page["pageInfo"]["startCursor"]
    found = ApiClient(reader).get(f"/api/v1/feed/home?since={since}").json()["data"]
    assert [each["text"] for each in found] == ["hello", "late"]


def test_a_place_above_what_has_settled_begins_there_and_misses_nothing_later() -> None:
    """A page's `next_cursor`, or an entry's of GraphQL, given as `since`."""
    ann = new_person()
    reader = a_reader_of(ann)
    client = ApiClient(reader)
    with paused_before_it_is_written(lambda: post(ann, "late")) as slow:
        assert slow.go_on()
        own = [post(reader) for _ in range(2)]
        place = client.get("/api/v1/feed/home?limit=1").json()["meta"]["next_cursor"]
        lower = client.get(f"/api/v1/feed/home?limit=1&cursor={place}").json()["data"]
        assert [int(each["id"]) for each in lower] == own[:1]
        above = client.get(f"/api/v1/feed/home?since={place}").json()
        assert above["data"] == []
    work_off_everything()
    found = client.get(above["links"]["prev"]).json()["data"]
    assert "late" in [each["text"] for each in found]


def test_each_sweep_says_what_has_settled() -> None:
    reader = new_person()
    waiting = post(reader)
    home_page(viewer(reader), PageRequest())
    forget_watermark()
    tasks.sweep()
    [window] = timeline_node().ask(materialised.read(reader.id, count=1))
    assert window is not None
    told = watermark.read()
    assert told <= window.settled < waiting
    assert window.settled - told < make_id(EPOCH_US + 100_000, 0), "but for what a millisecond is rounded by"
