"""Reading with pulled authors: their recent lists merged into the timeline, and audited with it."""

from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import follows
from accounts.models import User
from fanout.delivery import celebrities
from fanout.timelines import layout, materialised, recents
from feed.operations.audit import Fault, Person, Report, audit
from feed.timelines import merging, rebuild
from feed.timelines.home import home_page
from storage import stores
from storage.ports.associations import Change
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from storage.web.paging import PageRequest
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.fanout.materialising import generation_of
from tests.integration.pulling import a_celebrity, assert_right, recent_list
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def reader() -> User:
    return new_person()


class TestMergingAtRead:
    def test_an_entry_is_put_into_the_recent_lists_and_no_timeline_but_the_author_s(self, reader: User) -> None:
        author, friend = a_celebrity(reader), new_person()
        follows.follow(reader.id, friend.id)
        ids = [post(author), post(friend)]
        work_off_everything()
        assert home(reader) == ids[::-1]
        home(author)
        ids += [post(author), post(friend), post(author)]
        assert in_redis(author) == [ids[4], ids[2], ids[0]], "one's own at once"
        work_off_everything()
        assert in_redis(reader) == [ids[3], ids[1]]
        assert recent_list(reader, author) == [ids[4], ids[2], ids[0]]
        assert home(reader) == ids[::-1]
        assert_right(reader, author)

    @on_one_store
    def test_a_page_of_five_hundred_pulled_authors_is_three_redis_round_trips(self, reader: User) -> None:
        """Token and timeline; recent lists; everything of the tweets. And back to the first tweet there is no seam."""
        authors, ids = _five_hundred_pulled_authors(reader)
        own = new_person()
        follows.follow(reader.id, own.id)
        ids += [post(own) for _ in range(5)]
        ids.sort(reverse=True)
        client = ApiClient(reader)
        for _ in range(len(authors) // merging.BUILT_A_READ + 2):
            page = client.get("/api/v1/feed/home").json()
            assert [int(tweet["id"]) for tweet in page["data"]] == ids[:20], "while lists are still missing, too"
        with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
            client.get("/api/v1/feed/home")
        assert (len(redis), store, sql) == (3, [], [])
        assert _all_the_way_down(reader, 50) == ids
        assert _all_the_way_up(reader, 50, ids[-1] - 1) == ids

    def test_windows_through_the_floors_of_every_source_have_no_seam(
        self, reader: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each list holds few, the timeline a few more; some is in Redis and all of it in the store."""
        settings.TIMELINE_CAP = 8
        monkeypatch.setattr(recents, "RECENT_CAP", 5)
        monkeypatch.setattr(merging, "RECENT_CAP", 5)
        monkeypatch.setattr(materialised, "TRIM_SLACK", 2)
        authors = [a_celebrity(reader), a_celebrity(reader), new_person()]
        follows.follow(reader.id, authors[2].id)
        home(reader)
        ids = [post(authors[number % 7 % 3]) for number in range(40)]
        work_off_everything()
        for limit in (1, 3, 7, 20):
            assert _all_the_way_down(reader, limit) == ids[::-1]
            assert _all_the_way_up(reader, limit, ids[0] - 1) == ids[::-1]
        assert_right(reader)

    def test_recent_lists_that_are_lost_are_made_good_at_once(self, reader: User) -> None:
        author = a_celebrity(reader)
        ids = [post(author) for _ in range(3)]
        work_off_everything()
        home(reader)
        since = celebrities.delivery_of(author.id).since or 0
        timeline_node().round_trip(*recents.discard_commands(reader.id, [(author.id, since)]))
        assert home(reader) == ids[::-1]
        assert recent_list(reader, author) == ids[::-1]
        timeline_node().round_trip(("FLUSHALL",))
        ids.append(post(author))
        work_off_everything()
        assert home(reader) == ids[::-1]
        assert_right(reader, author)

    def test_while_lists_are_being_built_the_page_comes_from_the_store(self, reader: User) -> None:
        author = a_celebrity(reader)
        tweet = post(author)
        since = celebrities.delivery_of(author.id).since or 0
        assert recents.open_builds(reader.id, [(author.id, since)]) != []
        assert home(reader) == [tweet]
        assert recent_list(reader, author) is None

    def test_what_is_delivered_while_a_list_is_built_is_kept(self, reader: User) -> None:
        """Delivered after the store was pulled: only the opened list can catch it."""
        author = a_celebrity(reader)
        first, second = post(author), list[int]()
        original = recents.finish_builds

        def a_tweet_first(*args: Any) -> None:
            second.append(post(author))
            work_off_everything()
            original(*args)

        with patch.object(recents, "finish_builds", a_tweet_first):
            assert home(reader) == [*second, first]
        assert recent_list(reader, author) == [*second, first]

    def test_twenty_readers_who_miss_a_list_build_it_once(self, reader: User) -> None:
        author = a_celebrity(reader)
        tweet = post(author)
        work_off_everything()
        rebuild.rebuild(reader.id)
        with patch.object(recents, "finish_builds", side_effect=recents.finish_builds) as built:
            assert run_together([lambda: home(reader)] * 20) == [[tweet]] * 20
        assert built.call_count == 1

    def test_without_redis_home_is_whole(self, reader: User) -> None:
        author = a_celebrity(reader)
        tweet = post(author)
        with timeline_redis_down():
            assert home(reader) == [tweet]


class TestAudit:
    def test_a_fault_in_a_recent_list_is_found_and_repaired(self, reader: User) -> None:
        author = a_celebrity(reader)
        home(reader)
        ids = [post(author) for _ in range(4)]
        work_off_everything()
        since = celebrities.delivery_of(author.id).since or 0
        key, stray = recents.recent_key(timeline_shard(reader.id), (author.id, since)), new_id()
        timeline_node().round_trip(
            ("LREM", key, 0, layout.pack(ids[1])),
            ("LINSERT", key, "BEFORE", layout.pack(ids[2]), layout.pack(ids[2])),
            ("LPUSH", key, layout.pack(stray)),
        )
        report = Report()
        people = [Person(reader.id, reader.username)]
        [[found]] = list(audit(people, report, repair=True, sleep=lambda _: None))
        assert [(each.entry_id, each.fault) for each in found.differences] == [
            (stray, Fault.EXTRA),
            (ids[2], Fault.DUPLICATE),
            (ids[1], Fault.MISSING),
        ]
        assert report.clean
        assert recent_list(reader, author) == home(reader) == ids[::-1]

    def test_an_entry_that_is_pushed_and_merged_is_no_fault(self, reader: User) -> None:
        author = a_celebrity(reader)
        home(reader)
        tweet = post(author)
        work_off_everything()
        timeline_node().round_trip(materialised.deliver_to_author_command(tweet, reader.id, generation_of(reader.id)))
        assert in_redis(reader) == [tweet]
        assert home(reader) == [tweet]
        assert_right(reader)


def _five_hundred_pulled_authors(reader: User) -> tuple[list[int], list[int]]:
    """Made in the store: their ids, and their tweets'."""
    someone = new_person()
    authors = [new_id() for _ in range(499)]
    people = [User(id=each, username=f"c{each}", email=f"c{each}@example.org") for each in authors]
    User.objects.bulk_create(people)
    for start in range(0, len(authors), 25):
        some = authors[start : start + 25]
        stores.associations().apply([Change(reader.id, "follow", each, new_id(), present=True) for each in some])
    follows.follow(reader.id, someone.id)
    authors.append(someone.id)
    for each in authors:
        op = new_id()
        directory = celebrities._directory(each)
        stores.associations().apply(
            [
                Change(directory, kind, each, op, present=True)
                for kind in (celebrities.PULLED_EDGE, celebrities.PUSH_STOPPED_EDGE)
            ]
        )
    ids = [post(person) for person in people[:200:10] for _ in range(2)]
    work_off_everything()
    return authors, ids


def _all_the_way_down(reader: User, limit: int) -> list[int]:
    seen: list[int] = []
    place = None
    while True:
        page = home_page(viewer(reader), PageRequest(limit=limit, before=place))
        seen += [int(tweet.id) for tweet in page.items]
        if page.older is None:
            return seen
        assert len(page.items) == limit
        place = page.older


def _all_the_way_up(reader: User, limit: int, place: int) -> list[int]:
    seen: list[int] = []
    while newer := home(reader, limit=limit, after=place):
        seen = newer + seen
        place = newer[0]
    return seen
