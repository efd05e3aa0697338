"""Staff restore while the author deletes, while a worker of the deletion stands still, while processes die, in turn."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import redis

from accounts.models import User
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from fanout.delivery import fan_out, pushing, recent_delivery
from fanout.live import channel
from fanout.live.presence import Presence
from fanout.orders import attempts, handlers
from fanout.orders.kinds import RESTORE
from storage.errors import Refused, Unavailable
from storage.redis.node import timeline_node
from storage.stores import outbox
from tests.integration.tweeting import home, post, seen, viewer
from tests.integration.tweets.restoring import Scene
from tests.integration.tweets.withheld import assert_tweet_is_its_lists, suspend, worked_off
from tests.integration.tweets.withheld import restore as let_back_in
from tests.people import new_person, new_staff
from tests.stepping import Stepped
from tests.work import open_orders, work_off_everything, work_off_wholly
from tweets.reading.selectors import tweet_out
from tweets.stores.port import tweet_store
from tweets.writing import restoring, withholding
from tweets.writing.posting import delete_tweet
from tweets.writing.restoring import restore_tweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def scene() -> Scene:
    return Scene()


@contextmanager
def before(owner: object, name: str, act: Callable[[], object]) -> Iterator[None]:
    """Has `act` done right before the first call, which then goes on as it had begun."""
    call, waiting = getattr(owner, name), [act]

    def late(*args: Any, **kwargs: Any) -> Any:
        if waiting:
            waiting.pop()()
        return call(*args, **kwargs)

    with patch.object(owner, name, late):
        yield
    assert not waiting, "it was never called"


class TestItsAuthorDeletesIt:
    """Then it never comes back."""

    def test_after_staff_have(self, scene: Scene) -> None:
        scene.delete()
        scene.delete(by=scene.author)
        with pytest.raises(Refused, match="Its author deleted it"):
            scene.restore()
        work_off_everything()
        scene.assert_gone()
        tweet = tweet_store().get_many([scene.tweet])[scene.tweet]
        assert (tweet.deleted_by, tweet.deleted_by_author) == (scene.staff.id, True)

    @pytest.mark.parametrize("workers_come", ["in order", "the other way round"])
    def test_when_a_restoration_is_about_to_be_written(self, scene: Scene, workers_come: str) -> None:
        scene.delete()
        work_off_everything()
        deleted = before(tweet_store(), "restore", lambda: scene.delete(by=scene.author))
        with deleted, pytest.raises(Refused, match="Its author deleted it"):
            scene.restore()
        self.assert_gone_for_good(scene, workers_come)

    @pytest.mark.parametrize("workers_come", ["in order", "the other way round"])
    def test_under_an_operation_before_the_restoration_s_that_is_written_after_it(
        self, scene: Scene, workers_come: str
    ) -> None:
        scene.delete()
        work_off_everything()
        with before(tweet_store(), "delete", scene.restore):
            scene.delete(by=scene.author)
        self.assert_gone_for_good(scene, workers_come)

    def test_under_such_an_operation_after_the_restoration_was_worked_off(self, scene: Scene) -> None:
        scene.delete()
        work_off_everything()
        with before(tweet_store(), "delete", lambda: work_off_wholly(scene.restore())):
            scene.delete(by=scene.author)
        self.assert_gone_for_good(scene, "in order")

    def test_while_a_worker_of_the_restoration_stands_still(self, scene: Scene) -> None:
        """Who looked before the deletion was written, under the smaller operation, pushes behind its retraction."""
        scene.delete()
        work_off_everything()
        with ExitStack() as workers:

            def restored_as_far_as_its_slice() -> None:
                order = scene.restore()
                worker = Stepped(lambda: work_off_wholly(order), before=[(pushing, "_restore_slice")])
                assert workers.enter_context(worker).go_on()

            with before(tweet_store(), "delete", restored_as_far_as_its_slice):
                deletion = scene.delete(by=scene.author)
            work_off_wholly(deletion)
        self.assert_gone_for_good(scene, "in order")

    @staticmethod
    def assert_gone_for_good(scene: Scene, workers_come: str) -> None:
        for order in open_orders()[:: 1 if workers_come == "in order" else -1]:
            work_off_wholly(order)
        worked_off()
        scene.assert_gone()
        with pytest.raises(Refused, match="Its author deleted it"):
            scene.restore()

    def test_a_reply_and_quote_is_counted_no_more(self, scene: Scene) -> None:
        """Whichever of a restoration that raced has been worked off."""
        reply = post(new := new_person(), "a reply", reply_to=scene.tweet, quote_of=scene.older)
        staff = viewer(scene.staff)
        delete_tweet(tweet_id=reply, viewer=staff)
        work_off_everything()

        def restore() -> None:
            restore_tweet(tweet_id=reply, viewer=staff, reason="A mistake.")
            work_off_everything()
            assert (seen(scene.tweet).counts.replies, seen(scene.older).counts.quotes) == (1, 1)

        with before(tweet_store(), "delete", restore):
            delete_tweet(tweet_id=reply, viewer=viewer(new))
        worked_off()
        assert (seen(scene.tweet).counts.replies, seen(scene.older).counts.quotes) == (0, 0)
        assert_tweet_is_its_lists(scene.tweet)


class TestWhatIsTold:
    """No client is told that something has left that stands again."""

    @pytest.mark.parametrize("pulled", [False, True])
    def test_of_a_retraction_whose_worker_stands_still_before_it_tells(self, scene: Scene, pulled: bool) -> None:
        if pulled:
            scene.too_big_to_push()
        deletion = scene.delete()
        owner = recent_delivery if pulled else pushing
        with all_are_connected(scene.reader), listening() as heard:
            with before(owner, "tell_gone", lambda: work_off_wholly(scene.restore())):
                work_off_wholly(deletion)
            work_off_everything()
            told = kinds(heard())
        assert ("tweet" in told, "delete" in told) == (True, False)
        assert scene.tweet in home(scene.reader)

    def test_of_the_end_that_every_process_is_told(self, scene: Scene) -> None:
        deletion = scene.delete()
        with listening() as heard:
            with before(fan_out, "publish_in_order", lambda: work_off_wholly(scene.restore())):
                work_off_wholly(deletion)
            work_off_everything()
            assert "gone" not in kinds(heard())
        scene.assert_back()

    def test_but_of_a_deletion_that_came_first(self, scene: Scene) -> None:
        with all_are_connected(scene.reader), listening() as heard:
            work_off_wholly(scene.delete())
            work_off_wholly(scene.restore())
            assert kinds(heard()) == ["gone", "delete", "back", "tweet"]


@contextmanager
def all_are_connected(reader: User) -> Iterator[None]:
    Presence().appear([reader.id])
    yield


@contextmanager
def listening() -> Iterator[Callable[[], list[tuple[str, bytes]]]]:
    """What is published from now on, by channel."""
    client: Any = redis.Redis.from_url(timeline_node().url)
    found: list[tuple[str, bytes]] = []
    with client.pubsub() as subscription:
        subscription.psubscribe("*live*")
        assert subscription.get_message(timeout=10) is not None

        def heard() -> list[tuple[str, bytes]]:
            client.publish("live:end", b"")
            while True:
                message = subscription.get_message(timeout=10)
                assert message is not None
                if message["channel"] == b"live:end":
                    return found
                found.append((message["channel"].decode(), message["data"]))

        yield heard


def kinds(heard: list[tuple[str, bytes]]) -> list[str]:
    """What was told of the tweet, in its order."""
    found = []
    for name, payload in heard:
        if channel.is_of_gone(name) or channel.is_of_back(name):
            found.append(name.rpartition(":")[2])
        elif name.endswith("}:live"):
            found.append(str(channel.decode(payload).kind))
    return found


class TestSuspensions:
    """A reply and quote counts while both it and its author may be shown, whatever came when."""

    @pytest.mark.parametrize(
        "steps",
        [
            "suspend delete restore let_back_in",
            "suspend delete let_back_in restore",
            "delete suspend restore let_back_in",
            "delete suspend let_back_in restore",
            "delete restore suspend let_back_in",
            "suspend let_back_in delete restore",
        ],
    )
    @pytest.mark.parametrize("workers_come", ["after each", "at the end"])
    def test_that_overlap(self, scene: Scene, steps: str, workers_come: str) -> None:
        replier = new_person()
        reply = post(replier, "a reply", reply_to=scene.tweet, quote_of=scene.older)
        worked_off()
        suspended = deleted = False
        for step in steps.split():
            if step == "suspend":
                suspend(replier)
                suspended = True
            elif step == "let_back_in":
                let_back_in(replier)
                suspended = False
            elif step == "delete":
                delete_tweet(tweet_id=reply, viewer=viewer(scene.staff))
                deleted = True
            else:
                restore_tweet(tweet_id=reply, viewer=viewer(scene.staff), reason="A mistake.")
                deleted = False
            if workers_come == "after each":
                worked_off()
                self.assert_counts(scene, 0 if suspended or deleted else 1)
        worked_off()
        self.assert_counts(scene, 1)

    @pytest.mark.parametrize("is_suspended", [True, False])
    def test_that_comes_between_the_look_and_the_write(self, scene: Scene, is_suspended: bool) -> None:
        replier = new_person()
        reply = post(replier, "a reply", reply_to=scene.tweet, quote_of=scene.older)
        if not is_suspended:
            suspend(replier)
        worked_off()
        delete_tweet(tweet_id=reply, viewer=viewer(scene.staff))
        worked_off()
        restore_tweet(tweet_id=reply, viewer=viewer(scene.staff), reason="A mistake.")
        change = suspend if is_suspended else let_back_in
        with before(withholding, "_put", lambda: self.changed(change, replier)):
            work_off_wholly(scene.order(RESTORE))
        worked_off()
        self.assert_counts(scene, 0 if is_suspended else 1)

    @staticmethod
    def changed(change: Callable[[User], None], person: User) -> None:
        change(person)
        for order in open_orders():
            if order.kind != RESTORE:
                work_off_wholly(order)

    @staticmethod
    def assert_counts(scene: Scene, expected: int) -> None:
        assert (seen(scene.tweet).counts.replies, seen(scene.older).counts.quotes) == (expected, expected)
        assert_tweet_is_its_lists(scene.tweet)


class TestUnfinished:
    """A restoration that was written is completed, once, by its order and by whoever repeats it."""

    def test_by_a_process_that_dies_before_it_tells_anybody(self, scene: Scene) -> None:
        deletion = scene.delete()
        work_off_everything()
        with pytest.raises(NotImplementedError), dying_before_telling():
            scene.restore()
        assert outbox().open_order(deletion.id) is None
        [order] = open_orders()
        colleague = new_staff(Role.MODERATOR)
        restore_tweet(tweet_id=scene.tweet, viewer=viewer(colleague), reason="Again.")
        assert tweet_out(scene.tweet, None).text == "rude"
        assert open_orders() == [order], "no second operation"
        [entry] = StaffAction.objects.filter(action="restore tweet", subject_id=scene.tweet)
        assert entry.by_id == scene.staff.id
        work_off_everything()
        scene.assert_back()
        with pytest.raises(Refused, match="not deleted"):
            restore_tweet(tweet_id=scene.tweet, viewer=viewer(colleague), reason="Once more.")

    def test_by_nobody_but_its_order(self, scene: Scene) -> None:
        scene.delete()
        work_off_everything()
        with pytest.raises(NotImplementedError), dying_before_telling():
            scene.restore()
        work_off_everything()
        scene.assert_back()
        assert seen(scene.tweet).text == "rude"

    @pytest.mark.parametrize("workers_come", [1, -1])
    def test_by_two_at_the_same_moment(self, scene: Scene, workers_come: int) -> None:
        scene.delete()
        work_off_everything()
        with before(tweet_store(), "restore", scene.restore):
            scene.restore()
        assert {order.kind for order in open_orders()} == {RESTORE}
        with all_are_connected(scene.reader), listening() as heard:
            for order in open_orders()[::workers_come]:
                work_off_wholly(order)
            told = kinds(heard())
        assert told.count("tweet") == 1
        scene.assert_back()

    def test_a_worker_that_dies_amid_it_leaves_it_to_the_next(self, scene: Scene) -> None:
        scene.delete()
        work_off_everything()
        order = scene.restore()
        for place in ("count_or_withhold", "look_at_retweets"):
            with patch.object(restoring, place, side_effect=Unavailable("store")), pytest.raises(Unavailable):
                work_off_wholly(order)
        with patch.object(pushing, "_restore_slice", side_effect=Unavailable("redis")), pytest.raises(Unavailable):
            work_off_wholly(order)
        attempts.attempt(order.id, handlers.work_off, is_resent=True)
        scene.assert_back()
        assert open_orders() == []


@contextmanager
def dying_before_telling() -> Iterator[None]:
    with patch.object(restoring, "tell", side_effect=NotImplementedError):
        yield
