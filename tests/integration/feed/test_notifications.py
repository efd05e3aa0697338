"""What people are notified of: who did what, in groups that are right whatever was undone, deleted or hidden since."""

from collections.abc import Callable

import pytest

from accounts.graph import blocks, follows, requests
from accounts.graph.kinds import FOLLOW_REQUEST
from accounts.graph.notifications import KIND, NotificationType, follow_request_order, notify_order
from accounts.models import User
from accounts.people import suspending
from feed.notifications import groups
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.ports.ranges import Range
from storage.stores import associations, ids, notices, outbox
from tests.backends import counted_round_trips, counted_store_calls
from tests.ids import new_id
from tests.integration.feed.notified import items, likes, mark_read, page, told, unlikes, unread
from tests.integration.feed.protected_world import protect
from tests.integration.feed.reading import operator
from tests.integration.querying import Door
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import every_open_order, work_off_everything, work_off_wholly
from tweets.kinds import LIKE
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.restoring import restore_tweet
from tweets.writing.retweeting import retweet, unretweet

pytestmark = pytest.mark.usefixtures("product")
on_one_store = pytest.mark.parametrize("store", ["embedded"], indirect=True)


def test_each_type_says_who_did_it_and_to_which_tweet() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    follows.follow(ben.id, ada.id)
    likes(ben, tweet)
    retweet(viewer=viewer(ben), tweet_id=tweet)
    reply, quote = post(ben, "a reply", reply_to=tweet), post(ben, "a quote", quote_of=tweet)
    mention = post(ben, f"and @{ada.username.upper()}, @{ada.username}")
    assert told(ada) == [
        ("mention", [ben.username], 1, mention),
        ("quote", [ben.username], 1, quote),
        ("reply", [ben.username], 1, reply),
        ("retweet", [ben.username], 1, tweet),
        ("like", [ben.username], 1, tweet),
        ("follow", [ben.username], 1, None),
    ]
    assert told(ben) == []
    first = items(ada, "types=quote")[0]
    assert first["created_at"].endswith("Z")
    assert first["read"] is False
    assert first["tweet"]["quote_of"]["id"] == str(tweet)


def test_a_request_to_follow_is_told_until_it_was_answered() -> None:
    """As accounts.graph will write it: the request, and the order with it."""
    ada, ben = new_person(), new_person()
    notify, op = follow_request_order(ben.id, ada.id), ids.next()
    associations().apply([Change(ben.id, FOLLOW_REQUEST, ada.id, op, present=True)], notify)
    assert told(ada) == [("follow_request", [ben.username], 1, None)]
    associations().apply([Change(ben.id, FOLLOW_REQUEST, ada.id, ids.next(above=op), present=False)])
    assert told(ada) == []


def test_of_somebody_protected_only_followers_are_told_what_they_wrote_and_liked() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    likes(ben, tweet)
    retweet(viewer=viewer(ben), tweet_id=tweet)
    reply, quote = post(ben, "a reply", reply_to=tweet), post(ben, "a quote", quote_of=tweet)
    mention = post(ben, f"and @{ada.username}")
    follows.follow(ben.id, ada.id)
    whole = told(ada)
    assert len(whole) == 6
    protect(ben)
    assert told(ada) == [("follow", [ben.username], 1, None)], "whom they follow is told to whom they follow"
    in_graphql = "{ notifications(first: 9) { edges { node { type tweet { id } people { username } } } } }"
    assert [each["node"]["type"] for each in Door(ada).data(in_graphql)["notifications"]["edges"]] == ["follow"]
    follows.follow(ada.id, ben.id)
    requests.accept(ben.id, ada.id)
    assert told(ada) == whole
    assert {reply, quote, mention} <= {each[3] for each in whole}


def test_a_post_that_its_client_repeats_is_told_once() -> None:
    """Each time with another order, the second one after the first was read."""
    ada, ben, tweet_id = new_person(), new_person(), ids.next()
    for _ in range(2):
        create_tweet(author=viewer(ben), text=f"hello @{ada.username}", tweet_id=tweet_id)
        [mention] = items(ada)
        assert mark_read(ada, mention["id"]) == 0
        assert items(ada) == [mention | {"read": True}]
        assert unread(ada) == 0


def test_a_request_is_told_through_the_door() -> None:
    ada, ben = new_person(), new_person()
    protect(ada)
    follows.follow(ben.id, ada.id)
    assert told(ada) == [("follow_request", [ben.username], 1, None)]
    requests.accept(ada.id, ben.id)
    assert told(ada) == []


def test_whose_request_became_a_follow_as_she_is_open_now_is_told_of() -> None:
    ada, ben = new_person(), new_person()
    protect(ada)
    follows.follow(ben.id, ada.id)
    protect(ada, protected=False)
    follows.follow(ben.id, ada.id)
    assert told(ada) == [("follow", [ben.username], 1, None)]


def test_many_likes_are_one_with_the_newest_three_and_how_many_there_are() -> None:
    ada, fans = new_person(), [new_person() for _ in range(5)]
    tweet, other = post(ada), post(ada)
    likes(fans[0], tweet)
    likes(fans[0], other)
    for fan in fans[1:]:
        likes(fan, tweet)
    names = [fan.username for fan in fans]
    assert told(ada) == [("like", names[:1:-1], 5, tweet), ("like", names[:1], 1, other)]


def test_followers_are_one_group() -> None:
    ada, fans = new_person(), [new_person() for _ in range(4)]
    for fan in fans:
        follows.follow(fan.id, ada.id)
    names = [fan.username for fan in fans]
    assert told(ada) == [("follow", names[:0:-1], 4, None)]
    follows.unfollow(fans[3].id, ada.id)
    assert told(ada) == [("follow", names[2::-1], 3, None)]
    for fan in fans[:3]:
        follows.unfollow(fan.id, ada.id)
    assert told(ada) == []


def test_what_was_taken_back_is_not_told_whenever_its_order_comes() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet = post(ada)
    likes(ben, tweet)
    [late] = [order for order in every_open_order() if order.kind == "notify"]
    work_off_everything()
    likes(cem, tweet)
    unlikes(ben, tweet)
    assert told(ada) == [("like", [cem.username], 1, tweet)]
    unlikes(cem, tweet)
    assert told(ada) == []
    work_off_wholly(late)
    assert told(ada) == []
    likes(ben, tweet)
    assert told(ada) == [("like", [ben.username], 1, tweet)]
    retweet(viewer=viewer(ben), tweet_id=tweet)
    unretweet(viewer=viewer(ben), tweet_id=tweet)
    assert [each[0] for each in told(ada)] == ["like"]


def test_what_is_new_again_moves_to_the_front_under_a_greater_id() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    first, second = post(ada), post(ada)
    likes(ben, first)
    likes(ben, second)
    before = items(ada)
    likes(cem, first)
    after = items(ada)
    assert [each["tweet"]["id"] for each in before] == [str(second), str(first)]
    assert [each["tweet"]["id"] for each in after] == [str(first), str(second)]
    assert after[1] == before[0]
    assert int(after[0]["id"]) > int(before[0]["id"])


@pytest.mark.parametrize("times", [1, 3])
def test_an_order_that_comes_again_writes_the_same(times: int) -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    likes(ben, tweet)
    post(ben, "a reply", reply_to=tweet)
    orders = [order for order in every_open_order() if order.kind == "notify"]
    assert len(orders) == 2
    before = items(ada)
    for order in orders * times:
        work_off_wholly(order)
    assert items(ada) == before
    assert [int(each["id"]) for each in before] == [order.id for order in orders[::-1]]


def test_what_a_deleted_tweet_was_about_is_told_while_it_is_there() -> None:
    ada, ben, staff = new_person(), new_person(), new_person(staff=True)
    tweet = post(ada)
    likes(ben, tweet)
    reply = post(ben, "a reply", reply_to=tweet)
    everything = told(ada)
    assert len(everything) == 2
    delete_tweet(tweet_id=reply, viewer=viewer(staff), reason="A mistake.")
    assert told(ada) == everything[1:]
    restore_tweet(tweet_id=reply, viewer=viewer(staff), reason="A mistake.")
    assert told(ada) == everything
    delete_tweet(tweet_id=tweet, viewer=viewer(ada))
    assert told(ada) == everything[:1]


Act = Callable[[User, User], None]
HIDING: dict[str, tuple[Act, Act | None]] = {
    "mute": (lambda ada, ben: blocks.mute(ada.id, ben.id), lambda ada, ben: blocks.unmute(ada.id, ben.id)),
    "block": (lambda ada, ben: blocks.block(ada.id, ben.id), None),
    "blocked": (lambda ada, ben: blocks.block(ben.id, ada.id), None),
    "suspend": (
        lambda _, ben: suspending.suspend(ben, by=operator()),
        lambda _, ben: suspending.restore(ben, by=operator()),
    ),
}


@pytest.mark.parametrize("way", HIDING)
def test_who_is_hidden_is_not_told_of_and_comes_back_if_that_ends(way: str) -> None:
    hide, show = HIDING[way]
    ada, ben, cem = (new_person() for _ in range(3))
    tweet, other = post(ada), post(ada)
    follows.follow(ben.id, ada.id)
    likes(cem, tweet)
    likes(ben, tweet)
    likes(ben, other)
    post(ben, "a reply", reply_to=tweet)
    everything = told(ada)
    assert [each[0] for each in everything] == ["reply", "like", "like", "follow"]
    hide(ada, ben)
    [(kind, people, _, about)] = told(ada)
    assert (kind, people, about) == ("like", [cem.username], tweet)
    if show is not None:
        show(ada, ben)
        assert told(ada) == everything


@pytest.mark.parametrize("way", ["mute", "block", "blocked"])
def test_who_is_hidden_already_never_notifies(way: str) -> None:
    """Not even by moving to the front what others did."""
    hide, _ = HIDING[way]
    ada, ben, cem = (new_person() for _ in range(3))
    tweet, other = post(ada), post(ada)
    likes(cem, tweet)
    likes(cem, other)
    order = notify_order(ben.id, tweet, [(NotificationType.LIKE, ada.id)])
    assert order is not None
    before = items(ada)
    hide(ada, ben)
    if way == "mute":
        likes(ben, tweet)
    outbox().add(order)
    assert [each["id"] for each in items(ada)] == [each["id"] for each in before]


def test_who_was_suspended_when_the_order_came_has_notified_nobody() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet = post(ada)
    likes(cem, tweet)
    before = items(ada)
    likes(ben, tweet)
    suspending.suspend(ben, by=operator())
    assert items(ada) == before


def test_nobody_is_notified_of_what_they_do_themselves() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    likes(ada, tweet)
    retweet(viewer=viewer(ada), tweet_id=tweet)
    post(ada, "a thread", reply_to=tweet)
    post(ada, "a quote", quote_of=tweet)
    assert [order for order in every_open_order() if order.kind == "notify"] == []
    likes(ben, tweet)
    retweet(viewer=viewer(ben), tweet_id=tweet)
    assert told(ada) == [("retweet", [ben.username], 1, tweet), ("like", [ben.username], 1, tweet)]


def test_a_tweet_notifies_somebody_once() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet, other = post(ada), post(cem)
    both = post(ben, f"both @{ada.username}", reply_to=tweet, quote_of=tweet)
    each = post(ben, f"each @{ada.username} @{cem.username} @{ben.username}", reply_to=tweet, quote_of=other)
    last = post(ben, f"@{cem.username} @nobody_of_that_name @{ada.username}", quote_of=other)
    assert told(ada) == [
        ("mention", [ben.username], 1, last),
        ("reply", [ben.username], 1, each),
        ("reply", [ben.username], 1, both),
    ]
    assert told(cem) == [("quote", [ben.username], 1, last), ("quote", [ben.username], 1, each)]
    assert told(ben) == []


def test_a_mention_within_a_reply_to_somebody_else_notifies_both() -> None:
    ada, ben, cem = (new_person() for _ in range(3))
    tweet = post(ada)
    reply = post(ben, f"as @{cem.username} said", reply_to=tweet)
    assert told(ada) == [("reply", [ben.username], 1, reply)]
    assert told(cem) == [("mention", [ben.username], 1, reply)]
    delete_tweet(tweet_id=reply, viewer=viewer(ben))
    assert told(ada) == told(cem) == []


def test_pages_of_some_types_or_all_are_full_and_go_on() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    follows.follow(ben.id, ada.id)
    likes(ben, tweet)
    replies = [post(ben, f"reply {number}", reply_to=tweet) for number in range(6)]
    delete_tweet(tweet_id=replies[3], viewer=viewer(ben))
    kept = [reply for place, reply in enumerate(replies) if place != 3][::-1]
    everything = [int(each["tweet"]["id"]) if each["type"] == "reply" else each["type"] for each in items(ada)]
    assert everything == [*kept, "like", "follow"]
    found, query = [], "limit=3"
    while query:
        body = page(ada, query)
        found += [each["id"] for each in body["data"]]
        assert len(body["data"]) == (3 if body["links"]["next"] else 1)
        query = (body["links"]["next"] or "?").split("?")[1]
    assert found == [each["id"] for each in items(ada)]
    assert [each["type"] for each in items(ada, "types=follow,like")] == ["like", "follow"]
    assert [each["type"] for each in items(ada, "types=like&limit=1")] == ["like"]
    since = page(ada, "types=like")["meta"]["prev_cursor"]
    likes(new_person(), tweet)
    [again] = items(ada, f"types=like&since={since}")
    assert (again["type"], again["people_count"]) == ("like", 2)


def test_of_a_crowd_of_hidden_people_somebody_who_is_not_is_found() -> None:
    ada, cem = new_person(), new_person()
    tweet = post(ada)
    likes(cem, tweet)
    hidden = [new_person() for _ in range(groups.LOOKED_AT + 2)]
    for each in hidden:
        likes(each, tweet)
        blocks.mute(ada.id, each.id)
    assert told(ada) == [("like", [cem.username], len(hidden) + 1, tweet)]


def test_a_flood_of_likes_costs_its_reader_what_one_like_costs(product: str) -> None:
    """A thousand orders worked off as workers do; who likes it are edges of people whom nobody has heard of."""
    ada, fan = new_person(), new_person()
    tweet, other = post(ada), post(ada)
    likes(fan, other)
    likes(fan, tweet)
    assert len(told(ada)) == 2

    def cost() -> tuple[int, int]:
        page(ada)
        with counted_round_trips() as redis, counted_store_calls() as store:
            [first, second] = page(ada)["data"]
        assert (first["tweet"]["id"], second["tweet"]["id"]) == (str(tweet), str(other))
        return len(redis), len(store)

    before = cost()
    for _ in range(1_000):
        work_off_wholly(_liked(new_id(), fan, ada, tweet))
    crowd = [Change(new_id(), LIKE, tweet, new_id(), present=True) for _ in range(1_000)]
    for start in range(0, len(crowd), 50):
        associations().apply(crowd[start : start + 50])
    likes(last := new_person(), tweet)
    work_off_everything()
    redis, store = cost()
    assert (redis, store) <= before
    [newest, _] = items(ada)
    assert newest["people"][0]["username"] == last.username
    assert len(notices().newest(ada.id, KIND.values(), Range(None, None, 100))) == 2


def _liked(place: int, fan: User, author: User, tweet: int) -> Order:
    order = notify_order(fan.id, tweet, [(NotificationType.LIKE, author.id)], order_id=place)
    assert order is not None
    return order
