"""Every key in Redis ends: whoever stays away leaves nothing, and is shown everything when they return."""

import time
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import blocks, follows
from accounts.graph.follows import graph_version_key
from accounts.models import User
from accounts.people import suspending
from fanout.live.presence import Presence
from fanout.orders import sweeper
from fanout.timelines import materialised
from feed.operations import strays
from feed.operations.strays import FOR_EVER
from feed.tasks import search_strays
from feed.timelines import home as home_module
from tests.integration.feed.reading import active_reader, all_keys, operator, reading_of, redis
from tests.integration.tweeting import home, post, viewer
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.writing import liking
from tweets.writing import posting as tweet_services
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product", "no_moment")


def ends_now(reader: User) -> None:
    """As if ACTIVE_DAYS had passed since the reader's last read."""
    redis("PEXPIRE", materialised.timeline_key(reader.id), 1)
    while redis("EXISTS", materialised.timeline_key(reader.id)):
        time.sleep(0.001)


def seconds_left(reader: User) -> int:
    """Until the reader's timeline ends."""
    return int(str(redis("TTL", materialised.timeline_key(reader.id))))


def everything(reader: User) -> list[int]:
    """All pages of the reader's home."""
    found: list[int] = []
    before: int | None = None
    while page := home(reader, limit=7, before=before):
        found += page
        before = page[-1]
    return found


class TestInactivity:
    def test_the_first_read_back_is_complete_after_many_tweets_and_changes(self, settings: Settings) -> None:
        settings.TIMELINE_CAP = 10
        left, joined, kept = new_person(), new_person(), new_person()
        reader = new_person()
        for author in (left, kept):
            follows.follow(reader.id, author.id)
        early = [post(author) for author in (left, kept, joined)]
        home(reader)
        ends_now(reader)
        during = [post(kept) for _ in range(25)]
        work_off_everything()
        assert "home" not in reading_of(reader), "a delivery wakes nobody"
        follows.unfollow(reader.id, left.id)
        follows.follow(reader.id, joined.id)
        deleted = during.pop(5)
        tweet_services.delete_tweet(tweet_id=deleted, viewer=viewer(kept))
        work_off_everything()
        assert everything(reader) == sorted([early[1], early[2], *during], reverse=True)
        assert everything(reader) == sorted([early[1], early[2], *during], reverse=True), "and warm alike"
        late = post(kept)
        work_off_everything()
        assert home(reader)[0] == late, "active again"

    def test_deliveries_do_not_keep_a_timeline_and_reads_do(self) -> None:
        author = new_person()
        reader = active_reader(author)
        key = materialised.timeline_key(reader.id)
        redis("EXPIRE", key, 100)
        for _ in range(3):
            post(author)
        work_off_everything()
        assert seconds_left(reader) <= 100
        home(reader)
        assert materialised.active_seconds() - 60 < seconds_left(reader) <= materialised.active_seconds()

    def test_a_page_that_was_pulled_keeps_no_outdated_timeline(self) -> None:
        """Nobody could make it anew. Kept by each such read it would outlive the version that outdates it."""
        author = new_person()
        reader = active_reader(author)
        tweet = post(author)
        work_off_everything()
        redis("EXPIRE", materialised.timeline_key(reader.id), 100)
        redis("SET", graph_version_key(reader.id), b"another.")
        with patch.object(home_module, "rebuild", return_value=False):
            assert tweet in home(reader)
        assert 0 < seconds_left(reader) <= 100

    def test_a_page_from_an_old_cursor_and_a_probe_of_another_person_keep_nothing(self) -> None:
        """Only whoever is signed in as the reader keeps the reader's timeline."""
        reader = active_reader()
        redis("EXPIRE", materialised.timeline_key(reader.id), 100)
        assert ApiClient(new_person()).get(f"/api/v1/users/{reader.username}").status_code == 200
        assert seconds_left(reader) <= 100


LONGEST = {
    "home": 30 * 86_400, "graph": 31 * 86_400, "exclusions": 12 * 3600, "marks": 3600, "marked": 60,
    "present": 180, "live-process": 180, "gone": 120, "token": 3 * 3600, "account": 3 * 3600, "rate": 3600,
    "vouched": 3600, "told": 120, "name": 86_400,
    "followers": 60, "following": 60, "tweets": 60,
    "tweet": 2 * 86_400, "counts": 600, "counting": 10, "accounts-changed": 20, "sweep": 3600, "stray-search": 86_400,
    "news": 3600, "unread": 60,
}  # fmt: skip
"""Seconds that a key of each family may last at most, as docs/data.md says. (A vouch lasts for as long as a test, as
nobody looks in one.)"""


def family_of(key: str) -> str:
    return strays.parsed(key.encode()).family


def test_every_key_ends_but_those_that_say_why_not(settings: Settings) -> None:
    """After a bit of everything that the product does."""
    settings.RATE_LIMITS = True
    settings.SWEEP_AFTER_SECONDS = 0.0
    author = new_person()
    readers = [active_reader(author) for _ in range(3)]
    tweet = post(author, "one")
    reply = post(readers[0], "two", reply_to=tweet)
    post(readers[1], "three", quote_of=tweet)
    retweet(viewer=viewer(readers[2]), tweet_id=tweet)
    liking.bookmark(viewer=viewer(readers[2]), tweet_id=tweet)
    Presence().appear([reader.id for reader in readers])
    time.sleep(0.01)
    with patch.object(sweeper, "enqueue"):
        sweeper.sweep()
    blocks.mute(readers[0].id, author.id)
    blocks.block(readers[1].id, readers[2].id)
    follows.unfollow(readers[1].id, author.id)
    client = ApiClient(readers[0])
    for path in (
        "feed/home",
        "feed/public",
        "me/notifications/unread",
        f"users/{author.username}",
        f"tweets/{tweet}",
        f"tweets/{tweet}/replies",
    ):
        assert client.get(f"/api/v1/{path}").status_code == 200, path
    tweet_services.delete_tweet(tweet_id=reply, viewer=viewer(readers[0]))
    suspending.suspend(readers[2], by=operator())
    search_strays()
    work_off_everything()
    ends = {key: int(str(redis("TTL", key))) for key in all_keys()}
    assert {family_of(key) for key, seconds in ends.items() if seconds == -1} <= {*FOR_EVER}
    for key, seconds in ends.items():
        if family_of(key) not in FOR_EVER:
            assert 0 < seconds <= LONGEST[family_of(key)], key
    assert {family_of(key) for key in ends} >= {"home", "graph", "exclusions", "marks", "present", "gone", "tweet"}
