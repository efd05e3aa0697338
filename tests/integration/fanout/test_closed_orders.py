"""Orders that are closed: a deletion, a repetition or a retraction leaves nothing to attempt, and no dead letter."""

import itertools
from contextlib import ExitStack
from functools import partial
from unittest.mock import patch

import pytest

from accounts.graph.kinds import FOLLOW
from fanout import tasks
from fanout.delivery import fan_out, pushing
from fanout.orders import attempts, figures, handlers
from fanout.orders.kinds import DELIVER, RETRACT
from storage.ids.snowflakes import now_us
from storage.ports.dead_letters import DeadLetter
from storage.ports.outbox import Order
from storage.stores import associations, dead_letters, outbox
from tests.ids import new_id
from tests.integration.fanout.attempting import failing, run, working
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("nothing_to_take_back", "product")


class TestOrdersThatAreClosed:
    @pytest.mark.parametrize("sequence", list(itertools.permutations([DELIVER, RETRACT, DELIVER])))
    def test_a_delivery_that_comes_after_the_deletion_does_nothing(self, sequence: tuple[str, ...]) -> None:
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        [retract] = open_orders()
        pushed: list[str] = []

        with ExitStack() as slices:
            for kind, name in ((DELIVER, "_deliver_slice"), (RETRACT, "_retract_slice")):
                slices.enter_context(patch.object(pushing, name, partial(lambda kind, *_: pushed.append(kind), kind)))
            for kind in sequence:
                run({DELIVER: deliver, RETRACT: retract}[kind], resent=False)
        assert pushed == [RETRACT]
        assert open_orders() == []

    def test_a_duplicate_does_nothing(self) -> None:
        post(new_person())
        [order] = open_orders()
        for resent in (False, True):
            run(order, resent=resent)
        with patch.object(handlers, "work_off") as worked:
            run(order, resent=True)
        worked.assert_not_called()

    @pytest.mark.parametrize("level", [0, 1])
    def test_what_comes_again_as_its_writer_announced_it_does_nothing(self, level: int) -> None:
        """Its message does not say whether it is open; nobody is pushed to before that is known, nor are parts sent."""
        author = new_person()
        if level:
            associations().grow(author.id, FOLLOW, level)
        post(author)
        [order] = open_orders()
        run(order, resent=False)
        if level:
            outbox().mark_done(order.id)  # as its parts would
        sent = patch.object(fan_out, "_hand_out")
        with patch.object(pushing, "_push") as pushed, patch.object(figures, "count_attempt") as counted, sent as parts:
            run(order, resent=False)
        pushed.assert_not_called()
        parts.assert_not_called()
        counted.assert_called_once_with(DELIVER, figures.CLOSED)

    @pytest.mark.parametrize("level", [0, 1])
    def test_one_that_is_not_as_it_was_announced_is_left_to_the_sweeper(self, level: int) -> None:
        other = new_id()
        if level:
            associations().grow(other, FOLLOW, level)
        post(new_person())
        [order] = open_orders()
        with patch.object(pushing, "_push") as pushed, patch.object(fan_out, "_hand_out") as parts:
            run(Order(order.id, DELIVER, (order.id, other)), resent=False)
        pushed.assert_not_called()
        parts.assert_not_called()
        assert open_orders() == [order]
        run(order)
        assert open_orders() == []

    def test_the_parts_that_are_left_of_a_deleted_entry_do_nothing(self) -> None:
        author = new_person()
        associations().grow(author.id, FOLLOW, 1)
        tweet = post(author)
        [order] = open_orders()
        tasks.work_part(order.id, order.kind, 0, 2)
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        with patch.object(fan_out, "_push_pages") as pushed:
            tasks.work_part(order.id, order.kind, 1, 2)
        pushed.assert_not_called()

    def test_a_delivery_replayed_after_its_deletion_is_closed_by_the_retraction(self) -> None:
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()
        dead_letters().bury(DeadLetter(deliver, "ValueError", 5, now_us()))
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        [retract] = open_orders()
        dead_letters().replay(deliver.id)
        assert open_orders() == [deliver, retract]
        run(retract)
        assert open_orders() == []

    def test_a_retraction_forgets_the_dead_letter_of_its_delivery(self) -> None:
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()
        dead_letters().bury(DeadLetter(deliver, "ValueError", 5, now_us()))
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        work_off_everything()
        assert dead_letters().read(deliver.id) is None

    def test_a_deletion_during_the_last_attempt_leaves_no_dead_letter(self) -> None:
        """Replaying one would put the deleted entry into timelines again."""
        author = new_person()
        tweet = post(author)
        [deliver] = open_orders()

        def deletes_and_fails(order: Order) -> None:
            delete_tweet(tweet_id=tweet, viewer=viewer(author))
            [retract] = [each for each in open_orders() if each.kind == RETRACT]
            work_off(retract)
            raise ValueError("too late")

        work_off = handlers.work_off
        with working(failing(KeyError("bug"))):
            for _ in range(attempts.MAX_ATTEMPTS - 1):
                run(deliver)
        with working(deletes_and_fails):
            run(deliver)
        assert (open_orders(), dead_letters().count(limit=1)) == ([], 0)
