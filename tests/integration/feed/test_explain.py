"""`manage.py explain_timeline` names the rule, the place or the fault; `rebuild_timeline` makes it right."""

from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.graph import blocks, follows
from accounts.people import suspending
from fanout.delivery import celebrities
from fanout.timelines import layout, materialised
from feed.operations import explain as explain_module
from feed.timelines.home import InHome
from storage.ids.snowflakes import now_us
from storage.ports.dead_letters import DeadLetter
from storage.redis.node import timeline_node
from storage.stores import dead_letters, outbox
from tests.backends import timeline_redis_down
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.stores.port import tweet_store
from tweets.writing.after_write import deliver_order
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


def run(command: str, *arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command(command, *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


class Scene:
    def __init__(self) -> None:
        self.reader, self.author = new_person(), new_person()
        follows.follow(self.reader.id, self.author.id)
        home(self.reader)
        self.tweet = post(self.author)

    def explain(self, tweet: int | None = None) -> tuple[int, str]:
        return run("explain_timeline", "--user", self.reader.username, "--tweet", str(tweet or self.tweet))

    def assert_absent(self, reason: str, tweet: int | None = None) -> None:
        status, said = self.explain(tweet)
        assert (status, said.splitlines()[0].rsplit(": ")[1]) == (0, "not in the timeline.")
        assert reason in said
        assert (tweet or self.tweet) not in home(self.reader), "what it says is so"

    def assert_there(self, reason: str) -> None:
        status, said = self.explain()
        assert (status, said.splitlines()[0].rsplit(": ")[1]) == (0, "in the timeline.")
        assert reason in said
        assert self.tweet in home(self.reader), "what it says is so"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_tweet_on_its_way_waits_and_then_was_pushed(scene: Scene) -> None:
    assert "order is open since" in scene.explain()[1]
    assert scene.explain()[0] == 0
    work_off_everything()
    post(scene.author)
    work_off_everything()
    scene.assert_there("Position 2 in Redis, pushed.")


def test_a_rebuilt_timeline_has_pulled_it(scene: Scene) -> None:
    work_off_everything()
    assert run("rebuild_timeline", "--user", f"@{scene.reader.username}")[0] == 0
    scene.assert_there("Position 1 in Redis, pulled when the timeline was made.")


def test_without_a_timeline_it_comes_from_the_store(scene: Scene) -> None:
    timeline_node().round_trip(materialised.discard_command(scene.reader.id))
    scene.assert_there("not in Redis as of now")


def test_below_the_floor_it_comes_from_the_store(scene: Scene, settings: Settings) -> None:
    settings.TIMELINE_CAP = 2
    for _ in range(3):
        post(scene.author)
    run("rebuild_timeline", "--user", scene.reader.username)
    work_off_everything()
    scene.assert_there("below the timeline's floor")


def test_of_an_author_too_big_to_push_it_is_merged_or_waits_or_is_below_the_lists(scene: Scene) -> None:
    work_off_everything()
    celebrities.begin_pulling(scene.author.id)
    scene.tweet = post(scene.author)
    home(scene.reader)
    timeline_node().round_trip(("SET", celebrities.counted_key(scene.author.id), b"1"))
    scene.assert_there(f"Merged at read from the recent list of @{scene.author.username}, too big to push since 20")
    later = post(scene.author)
    assert "order is open since" in scene.explain(later)[1]
    work_off_everything()
    scene.tweet = later
    scene.assert_there("Merged at read")
    with patch.object(explain_module, "stands_in_home", return_value=InHome.UNKNOWN):
        assert "read from the store" in scene.explain()[1]


def test_a_deleted_entry_that_still_stands_waits_for_its_order(scene: Scene) -> None:
    work_off_everything()
    delete_tweet(tweet_id=scene.tweet, viewer=viewer(scene.author))
    status, said = scene.explain()
    assert (status, "not settled yet" in said, "takes it out is still open" in said) == (0, True, True)
    for order in open_orders():
        outbox().mark_done(order.id)
    assert scene.explain()[0] == 1, "a fault, once no order is open"


def test_what_its_author_s_listing_lacks_is_a_fault(scene: Scene) -> None:
    work_off_everything()
    with patch.object(tweet_store(), "home_entries", return_value=[]):
        status, said = scene.explain()
    assert (status, "missing in its author's own listing" in said) == (1, True)


def test_a_missing_entry_whose_order_was_given_up_is_a_fault_with_its_error(scene: Scene) -> None:
    order = deliver_order(scene.tweet, scene.author.id)
    dead_letters().bury(DeadLetter(order, "ValueError: a planted fault", 5, now_us()))
    status, said = scene.explain()
    assert (status, "given up after 5 attempts (ValueError: a planted fault)" in said) == (1, True)


def test_a_missing_entry_whose_order_was_worked_off_is_a_fault_that_a_rebuild_mends(scene: Scene) -> None:
    outbox().mark_done(scene.tweet)
    status, said = scene.explain()
    assert (status, "a fault." in said) == (1, True)
    run("rebuild_timeline", "--user", scene.reader.username)
    scene.assert_there("pulled")


def test_a_missing_entry_waits_while_redis_was_not_told_of_a_follow(scene: Scene) -> None:
    """The timeline of before serves on, until the order of the change has ended it."""
    work_off_everything()
    scene.author = new_person()
    scene.tweet = post(scene.author)
    work_off_everything()
    with timeline_redis_down():
        follows.follow(scene.reader.id, scene.author.id)
    status, said = scene.explain()
    assert (status, "not settled yet." in said) == (0, True)
    assert f"a change of whom @{scene.reader.username} follows, blocks or mutes: its order is open since 20" in said
    work_off_everything()
    scene.assert_there("not in Redis as of now")


@on_one_store
class TestAgainst:
    def test_a_tweet_that_never_was(self, scene: Scene) -> None:
        scene.assert_absent("There is no such tweet", tweet=7)

    def test_deleted_by_its_author_or_staff(self, scene: Scene) -> None:
        other = post(scene.author)
        delete_tweet(tweet_id=scene.tweet, viewer=viewer(scene.author))
        delete_tweet(tweet_id=other, viewer=viewer(new_person(staff=True)))
        work_off_everything()
        scene.assert_absent("deleted by its author")
        scene.assert_absent("deleted by staff", tweet=other)

    def test_not_followed(self, scene: Scene) -> None:
        follows.unfollow(scene.reader.id, scene.author.id)
        scene.assert_absent(f"@{scene.reader.username} does not follow @{scene.author.username} since 20")

    def test_muted_though_it_stands_in_redis(self, scene: Scene) -> None:
        blocks.mute(scene.reader.id, scene.author.id)
        home(scene.reader)
        work_off_everything()
        scene.assert_absent(f"mutes @{scene.author.username} since 20")
        scene.assert_absent("It stands at position 1")

    def test_blocked_either_way(self, scene: Scene) -> None:
        blocks.block(scene.author.id, scene.reader.id)
        work_off_everything()
        scene.assert_absent(f"@{scene.author.username} blocks @{scene.reader.username}")
        blocks.block(scene.reader.id, scene.author.id)
        scene.assert_absent(f"@{scene.reader.username} blocks @{scene.author.username}")

    def test_suspended(self, scene: Scene) -> None:
        work_off_everything()
        suspending.suspend(scene.author, by=new_person(staff=True))
        scene.assert_absent(f"@{scene.author.username}, who is suspended")

    def test_a_reply_to_somebody_else(self, scene: Scene) -> None:
        reply = post(scene.author, reply_to=post(new_person()))
        scene.assert_absent("replies to somebody else", tweet=reply)

    def test_a_retweet_of_somebody_muted_and_of_what_was_deleted(self, scene: Scene) -> None:
        muted = new_person()
        original, deleted = post(muted), post(new_person())
        blocks.mute(scene.reader.id, muted.id)
        for each in (original, deleted):
            retweet(viewer=viewer(scene.author), tweet_id=each)
        delete_tweet(tweet_id=deleted, viewer=viewer(new_person(staff=True)))
        work_off_everything()
        home(scene.reader)
        second, first, _ = in_redis(scene.reader) or []
        scene.assert_absent(f"mutes @{muted.username}", tweet=first)
        scene.assert_absent(f"The retweeted tweet {deleted} was deleted by staff", tweet=second)


@on_one_store
def test_an_entry_of_somebody_not_followed_is_a_fault_whatever_else_the_reader_posts(scene: Scene) -> None:
    work_off_everything()
    entry = post(new_person())
    work_off_everything()
    post(scene.reader)
    timeline_node().round_trip(("LPUSH", materialised.timeline_key(scene.reader.id), layout.pack(entry)))
    status, said = scene.explain(entry)
    assert (status, "a fault." in said) == (1, True)


@on_one_store
@pytest.mark.parametrize("tweet", ["x", "0", "-1", "9" * 30])
def test_what_is_no_id_is_refused(scene: Scene, tweet: str) -> None:
    with pytest.raises(CommandError, match="not the id of a tweet"):
        scene_run(scene, tweet)


def scene_run(scene: Scene, tweet: str) -> None:
    call_command("explain_timeline", "--user", scene.reader.username, f"--tweet={tweet}")


@on_one_store
@pytest.mark.parametrize("command", [["explain_timeline", "--tweet", "7"], ["rebuild_timeline"]])
def test_an_unknown_name_and_a_dead_redis_are_told(scene: Scene, command: list[str]) -> None:
    with pytest.raises(CommandError, match="no such person") as raised:
        call_command(*command, "--user", "nobody_of_that_name")
    assert raised.value.returncode == 2
    if command[0] == "rebuild_timeline":
        with timeline_redis_down(), pytest.raises(CommandError) as raised:
            call_command(*command, "--user", scene.reader.username)
        assert raised.value.returncode == 2
