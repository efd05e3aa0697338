"""Every count is what its list shows to a stranger: nobody suspended, nothing of what is gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from accounts.graph import blocks, follows
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from accounts.people.withholding import WITHHOLD_ORDER
from fanout.delivery import fan_out
from fanout.orders.handlers import Context
from fanout.orders.kinds import RETRACT, PoisonedOrder
from storage.errors import Unavailable
from storage.ports.outbox import Order
from storage.stores import associations, ids, outbox
from tests.backends import timeline_redis_down
from tests.integration.speaking import Api
from tests.integration.tweeting import post, seen, viewer
from tests.integration.tweets.retweets import entries_of
from tests.integration.tweets.withheld import (
    assert_profile_is_its_lists,
    assert_tweet_is_its_lists,
    reacts,
    restore,
    suspend,
    worked_off,
)
from tests.people import new_person
from tests.stepping import Stepped
from tests.work import open_orders, work_off_everything
from tweets.kinds import WITHHELD, WITHHELD_ENTRY
from tweets.reading.outputs import CountsOut
from tweets.stores.port import tweet_store
from tweets.writing import withholding
from tweets.writing.liking import like, unlike
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, unretweet
from tweets.writing.withholding import WITHHOLD_RETWEETS_ORDER

pytestmark = pytest.mark.usefixtures("product")


@contextmanager
def small_pages() -> Iterator[None]:
    """Orders that end in the midst of everything."""
    with patch.multiple(withholding, PAGE=2, PAGES_AN_ORDER=1):
        yield


@pytest.fixture(params=["one page", "many pages"])
def pages(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "one page":
        yield
    else:
        with small_pages():
            yield


@pytest.mark.usefixtures("pages")
def test_a_suspended_persons_reactions_are_not_counted_until_they_are_restored() -> None:
    author, fans, troll = new_person(), [new_person() for _ in range(3)], new_person()
    tweet = post(author)
    for person in (*fans, troll):
        reacts(person, tweet)
    assert assert_tweet_is_its_lists(tweet) == CountsOut(4, 4, 4, 4)
    for _ in range(2):
        suspend(troll)
        worked_off()
        assert assert_tweet_is_its_lists(tweet) == CountsOut(3, 3, 3, 3)
        restore(troll)
        worked_off()
        assert assert_tweet_is_its_lists(tweet) == CountsOut(4, 4, 4, 4)
    assert associations().count_sources(tweet, WITHHELD) == 0


@pytest.mark.usefixtures("pages")
def test_suspended_people_are_counted_among_nobodys_followers_and_followees() -> None:
    star, others, troll = new_person(), [new_person() for _ in range(3)], new_person()
    for each in (*others, troll):
        follows.follow(each.id, star.id)
        follows.follow(star.id, each.id)
    assert assert_profile_is_its_lists(star) == (4, 4, 0)
    for person in (others[0], troll):
        suspend(person)
    worked_off()
    assert assert_profile_is_its_lists(star) == (2, 2, 0)
    restore(troll)
    worked_off()
    assert assert_profile_is_its_lists(star) == assert_profile_is_its_lists(star) == (3, 3, 0)
    assert assert_profile_is_its_lists(troll) == (1, 1, 0)


GONE: dict[str, Callable[[User, int], None]] = {
    "deleted": lambda author, tweet: delete_tweet(tweet_id=tweet, viewer=viewer(author)),
    "deleted by staff": lambda _, tweet: delete_tweet(tweet_id=tweet, viewer=viewer(new_person(staff=True))),
    "of somebody suspended": lambda author, _: suspend(author),
}


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("gone", GONE)
def test_a_retweet_of_what_is_gone_is_none_of_ones_tweets(gone: str) -> None:
    author, sharers = new_person(), [new_person() for _ in range(5)]
    tweet = post(author)
    for sharer in sharers:
        post(sharer)
        retweet(viewer=viewer(sharer), tweet_id=tweet)
        assert assert_profile_is_its_lists(sharer) == (0, 0, 2)
    GONE[gone](author, tweet)
    worked_off()
    for sharer in sharers:
        assert assert_profile_is_its_lists(sharer) == (0, 0, 1)
    unretweet(viewer=viewer(sharers[0]), tweet_id=tweet)
    delete_tweet(tweet_id=tweet_store().by_author(sharers[1].id, replies=True, limit=1)[0], viewer=viewer(sharers[1]))
    for sharer in sharers:
        assert assert_profile_is_its_lists(sharer) == (0, 0, 1), "taken back, it is not taken away twice"


def test_retweets_are_counted_again_when_their_author_is_restored_but_those_of_what_was_deleted_meanwhile() -> None:
    author, sharer, staff = new_person(), new_person(), new_person(staff=True)
    kept, deleted = post(author), post(author)
    for tweet in (kept, deleted):
        retweet(viewer=viewer(sharer), tweet_id=tweet)
    suspend(author)
    worked_off()
    assert assert_profile_is_its_lists(sharer) == (0, 0, 0)
    delete_tweet(tweet_id=deleted, viewer=viewer(staff))
    restore(author)
    worked_off()
    assert assert_profile_is_its_lists(sharer) == (0, 0, 1)
    assert associations().count_sources(sharer.id, WITHHELD_ENTRY) == 1


class TestWhileTheyAreSuspended:
    def test_who_unfollows_them_changes_no_count_twice(self) -> None:
        """The follow goes, the withheld edge stays."""
        star, fan, troll = new_person(), new_person(), new_person()
        for one, two in ((troll, star), (star, troll), (fan, star), (star, fan)):
            follows.follow(one.id, two.id)
        suspend(troll)
        worked_off()
        follows.unfollow(star.id, troll.id)
        assert assert_profile_is_its_lists(star) == (1, 1, 0)
        restore(troll)
        worked_off()
        assert assert_profile_is_its_lists(star) == (2, 1, 0)
        follows.follow(star.id, troll.id)
        assert assert_profile_is_its_lists(star) == (2, 2, 0)

    def test_a_block_that_was_just_under_way_changes_no_count_twice(self) -> None:
        """It was let in before they were suspended, and parts them after that."""
        star, troll = new_person(), new_person()
        for one, two in ((troll, star), (star, troll)):
            follows.follow(one.id, two.id)
        with Stepped(lambda: blocks.block(star.id, troll.id), before=[(associations(), "apply")]) as slow:
            assert slow.go_on(), "it is about to part them"
            suspend(troll)
            worked_off()
        assert assert_profile_is_its_lists(star) == (0, 0, 0)
        blocks.unblock(star.id, troll.id)
        restore(troll)
        worked_off()
        assert assert_profile_is_its_lists(star) == (0, 0, 0)

    def test_what_staff_delete_of_theirs_is_not_taken_away_twice(self) -> None:
        author, fan, troll, staff = new_person(), new_person(), new_person(), new_person(staff=True)
        tweet = post(author)
        reacts(fan, tweet)
        theirs = reacts(troll, tweet)
        suspend(troll)
        worked_off()
        for each in (*theirs, *entries_of(troll, tweet)):
            delete_tweet(tweet_id=each, viewer=viewer(staff))
        worked_off()
        assert assert_tweet_is_its_lists(tweet) == CountsOut(1, 1, 1, 1)
        restore(troll)
        worked_off()
        assert assert_tweet_is_its_lists(tweet) == CountsOut(1, 1, 1, 2)

    def test_what_they_take_back_as_soon_as_they_are_restored_is_counted_right_in_the_end(self) -> None:
        fan, troll = new_person(), new_person()
        tweet = post(fan)
        for person in (fan, troll):
            like(viewer=viewer(person), tweet_id=tweet)
        suspend(troll)
        worked_off()
        restore(troll)
        unlike(viewer=viewer(troll), tweet_id=tweet)
        assert seen(tweet).counts.likes == 1
        like(viewer=viewer(troll), tweet_id=tweet)
        worked_off()
        assert seen(tweet).counts.likes == 2


class TestOrders:
    def test_those_that_overtake_one_another_end_with_the_state_now(self) -> None:
        author, troll = new_person(), new_person()
        tweets = [post(author) for _ in range(3)]
        for tweet in tweets:
            like(viewer=viewer(troll), tweet_id=tweet)
        suspend(troll)
        restore(troll)
        suspend(troll)
        orders = open_orders()
        work_off_everything()
        restore(troll)
        for order in (*orders[::-1], *open_orders(), *orders):
            if order.kind == WITHHOLD_ORDER:
                withholding.withhold_person(order)
        worked_off()
        assert [seen(tweet).counts.likes for tweet in tweets] == [1, 1, 1]

    def test_one_that_is_slower_than_a_restoration_begins_anew(self) -> None:
        tweet, troll = post(new_person()), new_person()
        like(viewer=viewer(troll), tweet_id=tweet)
        suspend(troll)
        [order] = [each for each in open_orders() if each.kind == WITHHOLD_ORDER]
        with Stepped(
            lambda: withholding.withhold_person(order),
            before=[(associations(), "apply")],
        ) as slow:
            assert slow.go_on(), "it is about to withhold the like"
            restore(troll)
            work_off_everything()
        worked_off()
        assert associations().count_sources(tweet, WITHHELD) == 0
        assert seen(tweet).counts.likes == 1

    def test_one_whose_worker_dies_is_worked_off_by_another(self) -> None:
        tweet, troll = post(new_person()), new_person()
        like(viewer=viewer(troll), tweet_id=tweet)
        assert seen(tweet).counts.likes == 1
        suspend(troll)
        with timeline_redis_down(), pytest.raises(Unavailable):
            worked_off()
        worked_off()
        assert seen(tweet).counts.likes == 0, "caches are told though the store had it before"

    def test_a_deletion_that_is_retried_while_redis_is_down_orders_retweets_to_be_withheld_once(self) -> None:
        author, sharer = new_person(), new_person()
        tweet = post(author)
        retweet(viewer=viewer(sharer), tweet_id=tweet)
        work_off_everything()
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        [order] = [each for each in open_orders() if each.kind == RETRACT]
        with timeline_redis_down():
            for _ in range(4):
                with pytest.raises(Unavailable):
                    withholding.retract(order, Context(resent=True))
        withholding.retract(order, Context(resent=True))
        assert [each.args for each in open_orders()] == [(tweet, 0, 0)]
        worked_off()
        assert assert_profile_is_its_lists(sharer) == (0, 0, 0)

    def test_a_large_authors_deletion_that_is_sent_again_before_its_parts_end_orders_them_once(self) -> None:
        author, sharer = new_person(), new_person()
        tweet = post(author)
        retweet(viewer=viewer(sharer), tweet_id=tweet)
        associations().grow(author.id, FOLLOW, 1)
        work_off_everything()
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        [order] = [each for each in open_orders() if each.kind == RETRACT]
        for _ in range(4):
            withholding.retract(order, Context(resent=True))
        assert sorted(each.kind for each in open_orders()) == [RETRACT, WITHHOLD_RETWEETS_ORDER]
        assert fan_out.work_off_part(order, 0, 2)
        assert fan_out.work_off_part(order, 1, 2)
        assert [each.kind for each in open_orders()] == [WITHHOLD_RETWEETS_ORDER], "all of its parts were done"

    def test_a_suspension_that_is_retried_while_redis_is_down_writes_no_orders(self) -> None:
        author, troll, sharer = new_person(), new_person(), new_person()
        for _ in range(2):
            retweet(viewer=viewer(sharer), tweet_id=post(troll, reply_to=post(author)))
        work_off_everything()
        suspend(troll)
        [order] = [each for each in open_orders() if each.kind == WITHHOLD_ORDER]
        with timeline_redis_down():
            for _ in range(4):
                with pytest.raises(Unavailable):
                    withholding.withhold_person(order)
        assert [each for each in open_orders() if each.kind == WITHHOLD_RETWEETS_ORDER] == []
        worked_off()
        assert assert_profile_is_its_lists(sharer) == (0, 0, 0)

    def test_a_suspension_does_not_wait_for_counts(self) -> None:
        tweet, troll = post(new_person()), new_person()
        like(viewer=viewer(troll), tweet_id=tweet)
        with patch.object(outbox(), "add", side_effect=Unavailable("store")):
            suspend(troll)
        assert Api(troll).get("/me").status_code == 403
        suspend(troll)
        worked_off()
        assert seen(tweet).counts.likes == 0

    @pytest.mark.parametrize("args", [(), (1,), (1, 0), (1, 0, 0, 0)])
    def test_one_with_other_arguments_is_poisoned(self, args: tuple[int, ...]) -> None:
        for handle in (withholding.withhold_person, withholding.withhold_retweets):
            with pytest.raises(PoisonedOrder):
                handle(Order(ids.next(), WITHHOLD_ORDER, args))


class TestRaces:
    def test_a_retweet_that_is_written_after_its_original_was_deleted_is_undone(self) -> None:
        author, sharer = new_person(), new_person()
        tweet = post(author)
        with Stepped(
            lambda: Api(sharer).call("PUT", f"/tweets/{tweet}/retweet"), before=[(tweet_store(), "add")]
        ) as slow:
            assert slow.go_on(), "it is about to write the retweet"
            delete_tweet(tweet_id=tweet, viewer=viewer(author))
            worked_off()
        worked_off()
        assert assert_profile_is_its_lists(sharer) == (0, 0, 0)
        assert entries_of(sharer, tweet) == []

    def test_a_retweet_that_is_written_before_the_deletion_looks_for_retweets_is_withheld(self) -> None:
        author, sharer = new_person(), new_person()
        tweet = post(author)
        with Stepped(lambda: retweet(viewer=viewer(sharer), tweet_id=tweet), after=[(tweet_store(), "add")]) as slow:
            assert slow.go_on(), "it has written the retweet"
            slow.kill()
        delete_tweet(tweet_id=tweet, viewer=viewer(author))
        worked_off()
        assert assert_profile_is_its_lists(sharer) == (0, 0, 0)
