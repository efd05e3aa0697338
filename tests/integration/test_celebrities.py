"""Authors too big to push: crossing the line either way, and merging them at read."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts import blocks, graph
from accounts.models import User
from fanout import celebrities, delivery, live, presence, recents, timelines
from fanout.celebrities import Mode
from fanout.live import LiveKind, LiveMessage
from fanout.presence import Presence
from feed import merging, rebuild
from feed.audit import Fault, Person, Report, audit
from feed.home import home_page, stands_in_home
from storage import stores
from storage.associations import Change
from storage.paging import PageRequest
from storage.redis import shard_of, timeline_node
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.tweeting import home, post, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tests.work import open_orders, work_off_everything
from tweets.retweeting import retweet, undo_retweet
from tweets.services import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def followers_of(author: User, number: int) -> list[User]:
    readers = [new_person() for _ in range(number)]
    for reader in readers:
        graph.follow(reader.id, author.id)
    return readers


def a_celebrity(*readers: User) -> User:
    """Somebody pulled, whom these follow; their followers have just been counted."""
    author = new_person()
    for reader in readers:
        graph.follow(reader.id, author.id)
    celebrities.begin(author.id)
    counted_just_now(author)
    work_off_everything()
    return author


def own_list(reader: User) -> list[int] | None:
    """What stands in the reader's own timeline, without what is merged."""
    [answer] = timeline_node().round_trip(timelines.read_command(reader.id, count=2_000))
    window = timelines.window(answer)
    return window.ids if window is not None else None


def recent_list(reader: User, author: User) -> list[int] | None:
    """The author's recent list in the reader's shard."""
    since = celebrities.mode(author.id).since
    assert since is not None
    found = recents.read(reader.id, [(author.id, since)], count=2_000)
    return None if found.missing else found.ids


def counted_just_now(author: User) -> None:
    timeline_node().round_trip(("SET", celebrities.counted_key(author.id), b"1"))


def forget_counting(author: User) -> None:
    timeline_node().round_trip(("DEL", celebrities.counted_key(author.id)))


def assert_right(*readers: User) -> None:
    """Each timeline is there, and is what the store says."""
    work_off_everything()
    for reader in readers:
        home(reader)
    report = Report()
    people = [Person(reader.id, reader.username) for reader in readers]
    assert [each for found in audit(people, report, repair=False, sleep=lambda _: None) for each in found] == []
    assert report.people - report.inactive == len(readers), "there is something to compare"


class TestTheLine:
    def test_who_has_more_followers_than_the_limit_is_pulled_from_the_next_tweet_on(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 2
        author = new_person()
        readers = followers_of(author, 2)
        for reader in readers:
            home(reader)
        first = post(author)
        work_off_everything()
        assert celebrities.mode(author.id) == Mode(), "not above it"
        readers += followers_of(author, 1)
        second = post(author)
        work_off_everything()
        assert celebrities.mode(author.id).unpushed
        third = post(author)
        work_off_everything()
        assert all(home(reader) == [third, second, first] for reader in readers)
        assert all(third not in (own_list(reader) or []) for reader in readers)
        assert_right(*readers, author)

    def test_who_has_less_than_four_fifths_of_it_is_pushed_again(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 5
        author = new_person()
        readers = followers_of(author, 6)
        ids = [post(author)]
        work_off_everything()
        for reader in readers:
            home(reader)
        for leaving in (5, 4):
            for reader in readers[leaving:]:
                graph.unfollow(reader.id, author.id)
            assert celebrities.mode(author.id).unpushed, "fewer, but not few enough"
            forget_counting(author)
            ids.append(post(author))
            work_off_everything()
        assert celebrities.mode(author.id) == Mode()
        for reader in readers[:4]:
            home(reader)
        ids.append(post(author))
        work_off_everything()
        assert all(own_list(reader) == ids[::-1] for reader in readers[:4])
        assert_right(*readers[:4], author)

    def test_large_authors_are_counted_once_an_hour(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 10
        author = a_celebrity(new_person())
        forget_counting(author)
        with patch.object(graph, "has_more_followers_than", return_value=True) as counted:
            for _ in range(3):
                post(author)
                work_off_everything()
        counted.assert_called_once_with(author.id, 8)

    def test_counting_stops_above_the_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(graph, "FOLLOWERS_A_READ", 2)
        author = new_person()
        followers_of(author, 7)
        assert graph.has_more_followers_than(author.id, 6)
        assert not graph.has_more_followers_than(author.id, 7)
        with patch.object(graph, "follower_page", wraps=graph.follower_page) as pages:
            assert graph.has_more_followers_than(author.id, 3)
        assert pages.call_count == 2

    def test_the_followers_of_all_buckets_count(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 3
        author = new_person()
        followers_of(author, 2)
        stores.associations().grow(author.id, "follow", 1)
        followers_of(author, 2)
        post(author)
        with patch.object(delivery, "enqueue_part", delivery.work_off_part):
            work_off_everything()
        assert celebrities.mode(author.id).unpushed

    def test_with_a_limit_of_nought_everybody_is_pushed(self, settings: Settings) -> None:
        settings.PUSH_MAX_FOLLOWERS = 0
        reader = new_person()
        author = a_celebrity(reader)
        forget_counting(author)
        post(author)
        work_off_everything()
        assert celebrities.mode(author.id) == Mode()
        assert_right(reader, author)


@pytest.fixture
def reader() -> User:
    return new_person()


class TestMergingAtRead:
    def test_an_entry_is_put_into_the_recent_lists_and_no_timeline_but_the_author_s(self, reader: User) -> None:
        author, friend = a_celebrity(reader), new_person()
        graph.follow(reader.id, friend.id)
        ids = [post(author), post(friend)]
        work_off_everything()
        assert home(reader) == ids[::-1]
        home(author)
        ids += [post(author), post(friend), post(author)]
        assert own_list(author) == [ids[4], ids[2], ids[0]], "one's own at once"
        work_off_everything()
        assert own_list(reader) == [ids[3], ids[1]]
        assert recent_list(reader, author) == [ids[4], ids[2], ids[0]]
        assert home(reader) == ids[::-1]
        assert_right(reader, author)

    def test_a_page_of_five_hundred_pulled_authors_is_three_redis_round_trips(self, reader: User) -> None:
        """Token and timeline; recent lists; everything of the tweets. And back to the first tweet there is no seam."""
        authors, ids = _five_hundred_pulled_authors(reader)
        own = new_person()
        graph.follow(reader.id, own.id)
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
        for each in (timelines, recents):
            monkeypatch.setattr(each, "TRIM_SLACK", 2)
        authors = [a_celebrity(reader), a_celebrity(reader), new_person()]
        graph.follow(reader.id, authors[2].id)
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
        since = celebrities.mode(author.id).since or 0
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
        since = celebrities.mode(author.id).since or 0
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


class TestWhatIsInForceWhenAnswered:
    def test_following_and_unfollowing(self, reader: User) -> None:
        author = a_celebrity()
        tweet = post(author)
        work_off_everything()
        assert home(reader) == []
        graph.follow(reader.id, author.id)
        assert home(reader) == [tweet]
        graph.unfollow(reader.id, author.id)
        assert home(reader) == []
        post(author)
        work_off_everything()
        assert home(reader) == []
        assert_right(reader)

    @pytest.mark.parametrize(("hide", "show"), [(blocks.mute, blocks.unmute), (blocks.block, blocks.unblock)])
    def test_muting_and_blocking(
        self, reader: User, hide: Callable[[int, int], None], show: Callable[[int, int], None]
    ) -> None:
        author = a_celebrity(reader)
        tweet = post(author)
        work_off_everything()
        assert home(reader) == [tweet]
        hide(reader.id, author.id)
        assert home(reader) == []
        show(reader.id, author.id)
        graph.follow(reader.id, author.id)
        assert home(reader) == [tweet]
        assert_right(reader)

    @pytest.mark.parametrize("delivered", [True, False])
    def test_a_deleted_tweet_is_gone_and_stays_gone(self, reader: User, settings: Settings, delivered: bool) -> None:
        """Though its order is worked off again, with and without its tombstone."""
        author = a_celebrity(reader)
        home(reader)
        kept, gone = post(author), post(author)
        orders = open_orders()
        if delivered:
            work_off_everything()
            assert home(reader) == [gone, kept]
        delete_tweet(tweet_id=gone, viewer=viewer(author))
        assert kept in home(reader) or not delivered
        assert gone not in home(reader)
        work_off_everything()
        tombstones = [timelines.gone_key(shard, gone) for shard in range(settings.TIMELINE_SHARDS)]
        for what_is_left in ([], tombstones):
            timeline_node().round_trip(*(("DEL", key) for key in what_is_left))
            for order in orders:
                delivery.work_off(order)
        assert home(reader) == recent_list(reader, author) == [kept]
        assert_right(reader, author)

    def test_an_entry_of_before_the_crossing_is_taken_out_of_timelines(self, reader: User) -> None:
        author = new_person()
        graph.follow(reader.id, author.id)
        home(reader)
        gone = post(author)
        work_off_everything()
        celebrities.begin(author.id)
        delete_tweet(tweet_id=gone, viewer=viewer(author))
        work_off_everything()
        assert own_list(reader) == []
        assert_right(reader, author)

    def test_a_deletion_during_a_list_s_build_is_not_merged_after_it(self, reader: User) -> None:
        author = a_celebrity(reader)
        gone = post(author)
        work_off_everything()
        original = recents.finish_builds

        def a_deletion_first(*args: Any) -> None:
            delete_tweet(tweet_id=gone, viewer=viewer(author))
            work_off_everything()
            original(*args)

        with patch.object(recents, "finish_builds", a_deletion_first):
            assert home(reader) == []
        assert recent_list(reader, author) == []

    def test_retweets_by_a_pulled_author(self, reader: User) -> None:
        author, other = a_celebrity(reader), new_person()
        home(reader)
        original = post(other)
        retweet(viewer=viewer(author), tweet_id=original)
        work_off_everything()
        page = home_page(viewer(reader), PageRequest()).items
        assert [tweet.retweet_of.id for tweet in page if tweet.retweet_of] == [str(original)]
        undo_retweet(author_id=author.id, original_id=original, by=author.id)
        assert home(reader) == []
        assert_right(reader, author)


class TestLive:
    def published(self, shards: set[int], act: Callable[[], object]) -> list[LiveMessage]:
        """What was published on these shards while `act` ran."""
        client: Any = timeline_node().client()
        with client.pubsub() as subscription:
            subscription.subscribe(*(live.channel(shard) for shard in shards))
            for _ in shards:
                subscription.get_message(timeout=2)
            act()
            timeline_node().round_trip(*(("PUBLISH", live.channel(shard), b"") for shard in shards))
            found: list[LiveMessage] = []
            ends = 0
            while ends < len(shards):
                message = subscription.get_message(ignore_subscribe_messages=True, timeout=2)
                assert message is not None
                if message["data"]:
                    found.append(live.decode(message["data"]))
                else:
                    ends += 1
        return found

    def test_connected_readers_who_merge_the_author_are_told_and_others_are_not(self) -> None:
        following, cold, other, absent = (new_person() for _ in range(4))
        author = a_celebrity(following, cold, absent)
        readers = [following, cold, other]
        for reader in (following, other, absent):
            home(reader)
        Presence().appear(reader.id for reader in readers)
        tweet = post(author)
        shards = {shard_of(reader.id) for reader in readers}
        told = self.published(shards, work_off_everything)
        assert {(message.kind, message.entry_id) for message in told} == {(LiveKind.TWEET, tweet)}
        assert sorted(each for message in told for each in message.readers) == sorted([following.id, cold.id])
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        home(cold)
        gone = self.published(shards, work_off_everything)
        assert {(message.kind, message.entry_id) for message in gone} == {(LiveKind.DELETE, tweet)}

    @pytest.mark.parametrize("change", ["crossed", "followed"])
    def test_a_connected_reader_whose_timeline_is_not_of_now_is_told_as_well(self, reader: User, change: str) -> None:
        """They have not read since their author crossed, or since they followed."""
        author = new_person()
        graph.follow(reader.id, author.id)
        if change == "followed":
            graph.unfollow(reader.id, author.id)
        work_off_everything()
        home(reader)
        Presence().appear([reader.id])
        celebrities.begin(author.id)
        counted_just_now(author)
        if change == "followed":
            home(reader)
            graph.follow(reader.id, author.id)
        tweet = post(author)
        [message] = self.published({shard_of(reader.id)}, work_off_everything)
        assert message == LiveMessage(LiveKind.TWEET, tweet, [reader.id])
        assert stands_in_home(reader.id, tweet) is None, "so the socket catches up from the page"
        assert home(reader) == [tweet]

    def test_everyone_connected_is_looked_through_page_by_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(presence, "SCANNED", 50)
        readers = [new_id() for _ in range(10_000)]
        Presence().appear(readers)
        pages = list(presence.everyone())
        assert {each for page in pages for shard in page.values() for each in shard} == set(readers)
        assert all(shard_of(each) == shard for page in pages for shard, some in page.items() for each in some)
        assert len(pages) > 1
        assert max(len(some) for page in pages for some in page.values()) < 600

    def test_an_entry_that_is_merged_stands_in_home(self, reader: User) -> None:
        author = a_celebrity(reader)
        home(reader)
        tweet = post(author)
        assert stands_in_home(reader.id, tweet) is False
        work_off_everything()
        assert stands_in_home(reader.id, tweet) is True
        graph.unfollow(reader.id, author.id)
        home(reader)
        assert stands_in_home(reader.id, tweet) is False


class TestAudit:
    def test_a_fault_in_a_recent_list_is_found_and_repaired(self, reader: User) -> None:
        author = a_celebrity(reader)
        home(reader)
        ids = [post(author) for _ in range(4)]
        work_off_everything()
        since = celebrities.mode(author.id).since or 0
        key, stray = recents.recent_key(shard_of(reader.id), (author.id, since)), new_id()
        timeline_node().round_trip(
            ("LREM", key, 0, timelines.pack(ids[1])),
            ("LINSERT", key, "BEFORE", timelines.pack(ids[2]), timelines.pack(ids[2])),
            ("LPUSH", key, timelines.pack(stray)),
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
        timeline_node().round_trip(timelines.deliver_to_author_command(tweet, reader.id))
        assert own_list(reader) == [tweet]
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
    graph.follow(reader.id, someone.id)
    authors.append(someone.id)
    for each in authors:
        op = new_id()
        directory = celebrities._directory(each)
        stores.associations().apply(
            [Change(directory, kind, each, op, present=True) for kind in (celebrities.PULLED, celebrities.UNPUSHED)]
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
