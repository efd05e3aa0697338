"""What a home stream tells of what has left: before any cursor that is above it, once, and a gap where it cannot."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import follows
from fanout.timelines import materialised
from feed.live import heard
from feed.live.registry import registry
from feed.live.streams import home, replaying
from feed.live.streams.stream import Signal, SignalKind
from feed.live.threads import housekeeping
from feed.timelines.home import home_page, newest_standing
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.redis.node import timeline_node
from storage.web.paging import PageRequest, decode_cursor
from tests.backends import timeline_redis_down
from tests.integration.feed.test_live_stream import Told, run
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.reading.hydration import hydrate
from tweets.stores.port import DELETIONS_DAYS, tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]
LATER = make_id(now_us() + 3_600_000_000, 0)
"""A watermark above everything that a test makes: cursors are those of the entries."""


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told(new_person())
    home_page(told.viewer, PageRequest())
    yield told
    registry.watermark = 0


def gone(told: Told, *tweet_ids: int) -> None:
    for each in tweet_ids:
        delete_tweet(tweet_id=each, viewer=told.viewer)


def said(frames: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    """What each frame is, and of which entry; a gap, of the place from which to page."""
    places: dict[str, Callable[[dict[str, Any]], int | None]] = {
        "tweet": lambda frame: int(frame["tweet"]["id"]),
        "delete": lambda frame: int(frame["id"]),
        "gap": lambda frame: decode_cursor(frame["after"]),
        "subscribed": lambda _: 0,
    }
    return [(frame["type"], places[frame["type"]](frame)) for frame in frames]


def test_a_deletion_comes_before_any_cursor_that_is_above_it(told: Told) -> None:
    first, second = told.post(), told.post()
    gone(told, first)
    third, fourth = told.post(), told.post()
    gone(told, second)

    async def scenario() -> None:
        await told.subscribe(after=first, watermark=LATER)
        frames = told.frames
        assert said(frames)[1:] == [("delete", first), ("tweet", third), ("tweet", fourth), ("delete", second)]
        for place, frame in enumerate(frames):
            if frame["type"] == "tweet":
                again = told.again()
                await again.subscribe(after=decode_cursor(frame["cursor"]), watermark=LATER)
                assert set(said(again.frames)) >= set(said(frames[place + 1 :])), "from any frame on"

    run(scenario)


def test_a_replay_that_broke_off_forgets_no_deletion_and_tells_none_twice(told: Told) -> None:
    before = told.post()
    gone(told, before)
    tweets = [told.post() for _ in range(4)]
    gone(told, tweets[3])

    def breaks_off(viewer: Any, request: PageRequest) -> Any:
        if request.after is not None and request.after >= tweets[1]:
            raise Unavailable("store")
        return home_page(viewer, request)

    async def scenario() -> None:
        with (
            patch.object(replaying, "REPLAY_PAGE", 1),
            patch.object(home, "home_page", side_effect=breaks_off),
            pytest.raises(Unavailable),
        ):
            await told.subscribe(after=before, watermark=LATER)
        await told.stream.handle(Signal(SignalKind.RESYNC))
        await told.stream.handle(Signal(SignalKind.RESYNC))
        assert [each for each in said(told.frames) if each[0] == "delete"] == [
            ("delete", before),
            ("delete", tweets[3]),
        ]

    run(scenario)


def test_who_missed_more_deletions_than_are_told_is_told_to_load_anew(told: Told) -> None:
    first, *others, last = [told.post() for _ in range(5)]
    gone(told, *others)

    async def scenario() -> None:
        with patch.object(heard, "KEPT", 2), patch.object(heard, "LOG_PAGE", 2):
            await told.subscribe(after=first, watermark=LATER)
        assert said(told.frames)[1:] == [("gap", first), ("tweet", last)]
        with patch.object(heard, "KEPT", 3), patch.object(heard, "LOG_PAGE", 2):
            again = told.again()
            await again.subscribe(after=first, watermark=LATER)
        assert said(again.frames)[1:] == [("tweet", last), *(("delete", each) for each in others)]

    run(scenario)


def test_who_was_away_for_longer_than_deletions_are_kept_is_told_to_load_anew(told: Told) -> None:
    tweet = told.post()
    days_ago = make_id(now_us() - (DELETIONS_DAYS * 24 * 3600 + 60) * 1_000_000, 0)

    async def scenario() -> None:
        await told.subscribe(after=days_ago, watermark=LATER)
        assert said(told.frames)[1:] == [("gap", days_ago), ("tweet", tweet)]

    run(scenario)


def test_while_the_store_cannot_tell_what_was_deleted_the_replay_goes_on_behind_a_gap(told: Told) -> None:
    first, second = told.post(), told.post()

    async def scenario() -> None:
        with patch.object(replaying, "missed_since", side_effect=Unavailable("store")):
            await told.subscribe(after=first, watermark=LATER)
        assert said(told.frames)[1:] == [("gap", first), ("tweet", second)]

    run(scenario)


def test_what_is_being_read_counts_as_shown(told: Told) -> None:
    """A deletion that comes to be known within the read is told behind it."""
    tweet = told.post()
    shown: list[bool] = []

    def reads(*args: Any, **kwargs: Any) -> Any:
        found = hydrate(*args, **kwargs)
        shown.append(told.stream.shows(1))
        return found

    async def scenario() -> None:
        assert told.stream.shows(tweet), "before it is open"
        await told.subscribe(after=None, watermark=tweet - 1)
        assert told.stream.shows(tweet), "it stands in the timeline"
        new = await housekeeping(told.post)
        assert not told.stream.shows(new)
        with patch.object(home, "hydrate", side_effect=reads):
            await told.tweet(new, watermark=tweet)
        assert shown == [True]
        assert told.stream.shows(new)
        assert not told.stream.shows(new + 1)

    run(scenario)


def test_one_deletion_is_told_once_however_often_it_is_heard_of(told: Told) -> None:
    tweet, unseen = told.post(), make_id(now_us(), 5)

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=tweet)
        for kind in (SignalKind.GONE, SignalKind.DELETE, SignalKind.GONE, SignalKind.DELETE):
            await told.stream.handle(Signal(kind, told.stream.topic, entry_id=tweet))
            await told.stream.handle(Signal(kind, told.stream.topic, entry_id=unseen))
        assert said(told.frames)[1:] == [("delete", tweet), ("delete", unseen)]

    run(scenario)


def screen_unseen() -> Any:
    return patch.object(home, "newest_standing", side_effect=Unavailable("store"))


def test_a_screen_that_could_not_be_seen_is_looked_at_again(told: Told) -> None:
    """Whoever raises `Unavailable` is sent a RESYNC (feed/live/subscriptions.py)."""
    tweet = told.post()

    async def scenario() -> None:
        with screen_unseen(), pytest.raises(Unavailable):
            await told.subscribe(after=None, watermark=tweet)
        assert not told.stream.shows(tweet)
        await told.stream.handle(Signal(SignalKind.RESYNC))
        assert told.stream.shows(tweet)
        assert said(told.frames) == [("subscribed", 0)]

    run(scenario)


def test_no_cursor_passes_a_deletion_while_the_screen_could_not_be_seen(told: Told) -> None:
    """Otherwise what was deleted meanwhile, and stood there by a retweet alone, would never be told."""
    author, retweeter = new_person(), new_person()
    follows.follow(told.person.id, retweeter.id)
    original = post(author)
    retweet(viewer=viewer(retweeter), tweet_id=original)
    [entry] = tweet_store().retweets_of(original, retweeter.id)
    work_off_everything()
    watermark = told.post()

    async def scenario() -> None:
        with screen_unseen(), pytest.raises(Unavailable):
            await told.subscribe(after=None, watermark=watermark)
        await housekeeping(lambda: delete_tweet(tweet_id=original, viewer=viewer(author)))
        new = await housekeeping(told.post)
        await told.tweet(new, watermark=new - 1)
        await told.stream.handle(Signal(SignalKind.RESYNC))
        assert said(told.frames)[1:] == [("delete", entry), ("tweet", new)]

    run(scenario)


def test_who_fell_behind_before_the_screen_was_seen_waits_for_it_all_the_same(told: Told) -> None:
    tweet = told.post()

    async def scenario() -> None:
        with screen_unseen():
            with pytest.raises(Unavailable):
                await told.subscribe(after=None, watermark=tweet)
            with pytest.raises(Unavailable):
                await told.stream.handle(Signal(SignalKind.OVERFLOW))
        new = await housekeeping(told.post)
        await told.tweet(new, watermark=LATER)
        assert said(told.frames)[1:] == [], "no gap to page behind, of which nothing would be told"
        await told.stream.handle(Signal(SignalKind.RESYNC))
        assert told.stream.shows(tweet)
        assert said(told.frames)[1:] == [("tweet", new)]

    run(scenario)


@pytest.mark.parametrize("kind", [SignalKind.RESYNC, SignalKind.OVERFLOW])
def test_what_a_client_pages_to_behind_a_gap_is_told_when_its_author_is_suspended(told: Told, kind: SignalKind) -> None:
    author = new_person()
    follows.follow(told.person.id, author.id)
    home_page(told.viewer, PageRequest())
    first = told.post()

    async def scenario() -> None:
        await told.subscribe(after=None, watermark=first)
        dropped = [await housekeeping(post, author) for _ in range(5)]
        await housekeeping(work_off_everything)
        registry.watermark = LATER
        with patch.object(replaying, "REPLAY_PAGE", 1), patch.object(replaying, "REPLAY_LIMIT", 2):
            await told.stream.handle(Signal(kind))
        sent = dropped[:2] if kind is SignalKind.RESYNC else []
        assert said(told.frames)[1:] == [*(("tweet", each) for each in sent), ("gap", sent[-1] if sent else first)]
        told.frames.clear()
        await told.stream.handle(Signal(SignalKind.SUSPENDED, authors=frozenset({author.id})))
        assert said(told.frames) == [("delete", each) for each in dropped]

    run(scenario)


@pytest.mark.parametrize("why", ["redis is down", "another graph"])
def test_a_timeline_that_cannot_serve_is_no_empty_one(told: Told, why: str) -> None:
    tweet = told.post()

    async def scenario() -> None:
        with ExitStack() as stack:
            if why == "redis is down":
                stack.enter_context(timeline_redis_down())
            else:
                stack.enter_context(patch.object(home, "warm"))
                timeline_node().round_trip(materialised.discard_command(told.viewer.id))
            await told.subscribe(after=None, watermark=tweet)
        assert told.stream.shows(tweet)

    run(scenario)


def test_of_a_timeline_that_is_full_what_is_below_it_is_on_the_screen_too(settings: Settings) -> None:
    """A client that has paged on has it from the store: when its author is suspended, it has to be told."""
    settings.TIMELINE_CAP = 3
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    tweets = [post(author) for _ in range(8)][::-1]
    work_off_everything()
    home_page(viewer(reader), PageRequest(limit=2))
    own = timeline_node().ask(materialised.read(reader.id, count=8))[0]
    assert own is not None
    assert own.ids == tweets[:3]
    assert newest_standing(reader.id, 6) == tweets[:6]
    assert newest_standing(reader.id, 20) == tweets
