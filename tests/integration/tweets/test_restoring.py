"""Restoring what staff deleted: back everywhere, once, whatever else is under way; the later operation wins."""

from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from fanout.delivery import pushing
from fanout.orders import attempts, handlers
from fanout.timelines import materialised
from fanout.timelines.builds import finish_build, open_build
from feed.timelines.public import public_page
from storage.errors import Forbidden, NotFound, Refused
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import outbox
from storage.web.paging import PageRequest
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, in_redis, post, seen, viewer
from tests.integration.tweets.restoring import Scene
from tests.people import new_person, new_staff
from tests.work import open_orders, work_off_everything
from tweets.caches import author_counts
from tweets.reading.selectors import author_page
from tweets.reading.threads import replies_page
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_restored_tweet_is_where_it_was(scene: Scene) -> None:
    scene.delete()
    work_off_everything()
    scene.assert_gone()
    scene.restore()
    assert seen(scene.tweet).text == "rude"
    assert scene.tweet in home(scene.author), "at once"
    work_off_everything()
    scene.assert_back()
    [shown, *_] = [
        [int(tweet.id) for tweet in page.items]
        for page in (
            public_page(None, PageRequest(limit=3)),
            author_page(scene.author.username, None, PageRequest(limit=3), replies=True),
        )
    ]
    assert shown == [scene.newer, scene.tweet, scene.older]
    assert open_orders() == []


def test_a_restored_reply_and_quote_are_counted_and_listed_again(scene: Scene) -> None:
    reply = post(new_person(), "a reply", reply_to=scene.tweet, quote_of=scene.older)
    for each in (False, True):
        counted = 0 if not each else 1
        if not each:
            delete_tweet(tweet_id=reply, viewer=viewer(scene.staff))
        else:
            restore_tweet(tweet_id=reply, viewer=viewer(scene.staff), reason="A mistake.")
        work_off_everything()
        listed = [int(tweet.id) for tweet in replies_page(scene.tweet, None, PageRequest()).items]
        assert (seen(scene.tweet).counts.replies, seen(scene.older).counts.quotes) == (counted, counted)
        assert listed == [reply][:counted]


def test_its_retweets_are_shown_and_counted_again(scene: Scene) -> None:
    retweeter = new_person()
    retweet(viewer=viewer(retweeter), tweet_id=scene.tweet)
    work_off_everything()
    [entry] = home(retweeter)
    scene.delete()
    work_off_twice()
    assert (home(retweeter), tweets_of(retweeter)) == ([], 0)
    scene.restore()
    work_off_twice()
    assert (home(retweeter), tweets_of(retweeter)) == ([entry], 1)
    assert seen(scene.tweet).counts.retweets == 1


def work_off_twice() -> None:
    """What the first orders have ordered as well."""
    for _ in range(2):
        work_off_everything()


def tweets_of(person: User) -> int:
    """From the store, as it is counted when nobody has it cached."""
    return author_counts._count([person.id])[person.id]


def test_a_deletion_whose_worker_comes_after_the_restoration_takes_nothing_out(scene: Scene) -> None:
    scene.delete()
    scene.restore()
    work_off_everything()
    scene.assert_back()


def test_a_worker_of_the_deletion_that_was_overtaken_amid_its_push_is_refused(scene: Scene) -> None:
    """It has looked, and stands still; the restoration is written and worked off; then it goes on."""
    deletion = scene.delete()
    slices = pushing._retract_slice

    def overtaken(*args: object) -> None:
        with patch.object(pushing, "_retract_slice", slices):
            handlers.work_off(scene.restore())
        slices(*args)  # type: ignore[arg-type]

    with patch.object(pushing, "_retract_slice", overtaken):
        handlers.work_off(deletion)
    work_off_everything()
    scene.assert_back()


def test_a_worker_of_the_restoration_that_was_overtaken_amid_its_push_is_refused(scene: Scene) -> None:
    scene.delete()
    work_off_everything()
    restoration = scene.restore()
    slices = pushing._restore_slice

    def overtaken(*args: object) -> None:
        with patch.object(pushing, "_restore_slice", slices):
            handlers.work_off(scene.delete())
        slices(*args)  # type: ignore[arg-type]

    with patch.object(pushing, "_restore_slice", overtaken):
        handlers.work_off(restoration)
    work_off_everything()
    scene.assert_gone()


def test_an_order_that_a_later_operation_has_overtaken_does_nothing_also_when_tombstones_have_ended(
    scene: Scene, settings: Settings
) -> None:
    first = scene.delete()
    work_off_everything()
    second = scene.restore()
    work_off_everything()
    end_tombstones(scene, settings)
    reopen(first)
    work_off_everything()
    scene.assert_back()
    scene.delete()
    work_off_everything()
    end_tombstones(scene, settings)
    reopen(second)
    work_off_everything()
    scene.assert_gone()


def reopen(order: Order) -> None:
    """As a second worker has it who has looked before the first one was done."""
    with patch.object(outbox(), "open_order", return_value=order):
        attempts.attempt(order.id, handlers.work_off, is_resent=False)


def end_tombstones(scene: Scene, settings: Settings) -> None:
    shards = range(settings.TIMELINE_SHARDS)
    timeline_node().round_trip(*(("DEL", materialised.gone_key(shard, scene.tweet)) for shard in shards))


def test_a_timeline_that_is_built_meanwhile_and_was_told_to_leave_it_out_has_it(scene: Scene) -> None:
    """Told of the deletion, pulled before the restoration: that build has it, as of a delivery."""
    deletion = scene.delete()
    timeline_node().round_trip(materialised.discard_command(scene.reader.id))
    build = open_build(scene.reader.id)
    assert build is not None
    handlers.work_off(deletion)
    pulled = tweet_store().home_entries([scene.author.id], limit=10)
    scene.restore()
    work_off_everything()
    assert finish_build(build, pulled, floor=0)
    assert in_redis(scene.reader) == home(scene.reader) == [scene.newer, scene.tweet, scene.older]


def test_of_an_author_too_big_to_push_it_comes_back_into_the_recent_lists(scene: Scene) -> None:
    scene.too_big_to_push()
    expected = home(scene.reader)
    assert expected[0] == scene.tweet
    scene.delete()
    work_off_everything()
    assert home(scene.reader) == expected[1:]
    scene.restore()
    work_off_everything()
    assert home(scene.reader) == home(scene.author) == expected
    scene.assert_complete()


def test_below_the_floor_it_is_not_pushed_and_read_from_the_store(scene: Scene, settings: Settings) -> None:
    settings.TIMELINE_CAP = 1
    timeline_node().round_trip(materialised.discard_command(scene.reader.id))
    home(scene.reader)
    scene.delete()
    work_off_everything()
    scene.restore()
    work_off_everything()
    assert in_redis(scene.reader) == [scene.newer]
    assert home(scene.reader) == [scene.newer, scene.tweet, scene.older]


def test_a_restored_tweet_can_be_deleted_again_by_its_author_for_good(scene: Scene) -> None:
    scene.delete()
    scene.restore()
    scene.delete(by=scene.author)
    work_off_everything()
    scene.assert_gone()
    with pytest.raises(Refused, match="Its author deleted it"):
        scene.restore()


@on_one_store
def test_what_cannot_be_restored_is_refused(scene: Scene) -> None:
    staff = viewer(scene.staff)
    with pytest.raises(Refused, match="not deleted"):
        restore_tweet(tweet_id=scene.tweet, viewer=staff, reason="why")
    with pytest.raises(NotFound):
        restore_tweet(tweet_id=7, viewer=staff, reason="why")
    retweet(viewer=viewer(scene.reader), tweet_id=scene.tweet)
    entry = home(scene.reader)[0]
    delete_tweet(tweet_id=entry, viewer=staff)
    with pytest.raises(Refused, match="retweet"):
        restore_tweet(tweet_id=entry, viewer=staff, reason="why")
    scene.delete()
    with patch("tweets.writing.restoring.accounts_by_id", return_value={}), pytest.raises(Refused, match="author"):
        restore_tweet(tweet_id=scene.tweet, viewer=staff, reason="why")


@on_one_store
def test_who_restores_has_the_right_says_why_and_is_logged(scene: Scene) -> None:
    scene.delete()
    for person in (scene.author, new_person(), new_staff(Role.VIEWER), new_staff(Role.OPERATOR)):
        with pytest.raises(Forbidden):
            restore_tweet(tweet_id=scene.tweet, viewer=viewer(person), reason="why")
    for reason in ("", "  ", "x" * 1_001, "\0"):
        with pytest.raises(Refused):
            restore_tweet(tweet_id=scene.tweet, viewer=viewer(scene.staff), reason=reason)
    assert not StaffAction.objects.filter(action="restore tweet").exists()
    scene.restore()
    [entry] = StaffAction.objects.filter(action="restore tweet")
    assert (entry.by_id, entry.subject_kind, entry.subject_id) == (scene.staff.id, "tweet", scene.tweet)
    assert (entry.reason, entry.before) == ("A mistake.", {"deleted_by": str(scene.staff.id)})
