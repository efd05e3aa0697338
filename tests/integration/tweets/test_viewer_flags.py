"""What the viewer has marked: proved by the cache, present and absent alike, and never out of date."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from storage.ids.snowflakes import make_id, now_us
from storage.ports.associations import Change
from storage.redis.node import timeline_node
from storage.stores import associations
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down
from tests.ids import new_id
from tests.integration.tweeting import home_views, post, seen, viewer
from tests.people import new_person
from tests.threads import run_together
from tests.work import open_orders, work_off_everything
from tweets.caches import counts, marks
from tweets.caches.marks import ViewerFlags
from tweets.kinds import LIKE
from tweets.writing.liking import bookmark, like, unlike

pytestmark = pytest.mark.usefixtures("product")

HOUR = 3_600_000_000 << 12
"""As a difference of ids."""


def known(person_id: int) -> marks.KnownMarks | None:
    [found] = timeline_node().ask(marks.read(person_id))
    return found


def flags(person_id: int, tweets: list[int]) -> dict[int, ViewerFlags]:
    """As hydration asks: the cache first."""
    return marks.flags(person_id, tweets, known(person_id))


def in_truth(person_id: int, tweets: list[int]) -> dict[int, ViewerFlags]:
    found = {kind: associations().find(person_id, kind, tweets) for kind in marks.KINDS}
    return {each: ViewerFlags(*(each in found[kind] for kind in marks.KINDS)) for each in tweets}


@pytest.mark.parametrize("seed", range(4))
def test_flags_are_the_truth_whatever_was_marked_and_however_little_is_kept(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random marks and removals on old and new tweets, through the cache, with room for four of each kind."""
    monkeypatch.setattr(marks, "MARKS_KEPT", 4)
    dice = random.Random(seed)
    person = new_id()
    tweets = sorted(make_id(now_us() - dice.randrange(30 * 86_400_000_000), 7) for _ in range(40))
    marked: dict[tuple[str, int], bool] = {}
    for _ in range(120):
        kind, tweet, made = dice.choice(marks.KINDS), dice.choice(tweets), dice.random() < 0.7
        if marked.get((kind, tweet), False) is not made:
            version = marks.version(person)
            op = new_id()
            associations().apply([Change(source=person, kind=kind, target=tweet, op=op, present=made)])
            timeline_node().round_trip(marks.changed(person, kind, tweet, made=made, marks_version=version))
            marked[kind, tweet] = made
        if dice.random() < 0.2:
            asked = dice.sample(tweets, 12)
            assert flags(person, asked) == in_truth(person, asked)
    assert flags(person, tweets) == in_truth(person, tweets)
    cached = known(person)
    assert cached is not None
    assert all(len(cached[kind].tweets) <= 8 for kind in marks.KINDS)


def test_absence_above_the_floor_is_proved_without_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "MARKS_KEPT", 3)
    person = new_id()
    start = make_id(now_us() - 24 * 3_600_000_000, 1)
    for number in range(6):
        tweet, op = start + 2 * number * HOUR, start + (2 * number + 1) * HOUR
        associations().apply([Change(source=person, kind=LIKE, target=tweet, op=op, present=True)])
    floor_mark = start + 7 * HOUR
    above, below = [floor_mark + HOUR // 2, start + 10 * HOUR], [start, start + 2 * HOUR, start + 3 * HOUR]
    flags(person, above)
    with counted_store_calls() as store:
        assert [each.liked for each in flags(person, above).values()] == [False, True]
    assert store == []
    with counted_store_calls() as store:
        assert [each.liked for each in flags(person, below).values()] == [True, True, False]
    assert len(store) == 1, "likes only: all bookmarks and retweets are kept, none"


def test_someone_who_marked_little_never_asks_the_store_again() -> None:
    person, author = new_person(), new_person()
    tweets = [post(author) for _ in range(3)]
    like(viewer=viewer(person), tweet_id=tweets[0])
    flags(person.id, tweets)
    with counted_store_calls() as store:
        found = flags(person.id, [*tweets, 1, 2])
    assert store == []
    assert [each.liked for each in found.values()] == [True, False, False, False, False]


def test_a_tweet_whose_clock_is_ahead_of_its_like_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes' clocks differ: the like's operation is older than the tweet."""
    monkeypatch.setattr(marks, "MARKS_KEPT", 2)
    person, now = new_id(), make_id(now_us(), 1)
    ahead = now + (2_000_000 << 12)
    for tweet, op in ((ahead, now - 2), (now - 10, now), (now - 9, now + 1)):
        associations().apply([Change(source=person, kind=LIKE, target=tweet, op=op, present=True)])
    for _ in range(2):
        assert flags(person, [ahead])[ahead].liked


def test_a_like_while_the_marks_are_read_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader has read the likes from the store; then one is made and answered; then the fill arrives."""
    person, author = new_person(), new_person()
    tweet = post(author)
    original = marks._newest

    def liked_meanwhile(viewer_id: int, kind: str) -> Any:
        found = original(viewer_id, kind)
        if kind == LIKE:
            monkeypatch.setattr(marks, "_newest", original)
            like(viewer=viewer(person), tweet_id=tweet)
        return found

    monkeypatch.setattr(marks, "_newest", liked_meanwhile)
    flags(person.id, [tweet])
    assert flags(person.id, [tweet])[tweet].liked


def test_a_fill_does_not_survive_an_emptied_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Liked, and Redis emptied of the version that says so, between a reader's reading and its fill."""
    person, author = new_person(), new_person()
    tweet = post(author)
    original = marks._newest

    def liked_and_emptied(viewer_id: int, kind: str) -> Any:
        found = original(viewer_id, kind)
        if kind == LIKE:
            monkeypatch.setattr(marks, "_newest", original)
            like(viewer=viewer(person), tweet_id=tweet)
            timeline_node().round_trip(("FLUSHALL",))
        return found

    monkeypatch.setattr(marks, "_newest", liked_and_emptied)
    flags(person.id, [tweet])
    assert flags(person.id, [tweet])[tweet].liked


def test_changes_that_answer_in_another_order_than_they_were_written_leave_the_truth() -> None:
    """Like and unlike are both written; the unlike's patch arrives first."""
    person, author = new_person(), new_person()
    tweet = post(author)
    flags(person.id, [tweet])
    version = marks.version(person.id)
    for made in (True, False):
        op = new_id()
        associations().apply([Change(source=person.id, kind=LIKE, target=tweet, op=op, present=made)])
    for made in (False, True):
        timeline_node().round_trip(marks.changed(person.id, LIKE, tweet, made=made, marks_version=version))
    assert not flags(person.id, [tweet])[tweet].liked


def test_a_change_patches_what_is_cached_so_that_the_next_page_needs_no_store() -> None:
    person, author = new_person(), new_person()
    tweets = [post(author) for _ in range(3)]
    flags(person.id, tweets)
    like(viewer=viewer(person), tweet_id=tweets[0])
    bookmark(viewer=viewer(person), tweet_id=tweets[1])
    like(viewer=viewer(person), tweet_id=tweets[2])
    unlike(viewer=viewer(person), tweet_id=tweets[0])
    with counted_store_calls() as store:
        found = flags(person.id, tweets)
    assert store == []
    assert list(found.values()) == [
        ViewerFlags(),
        ViewerFlags(bookmarked=True),
        ViewerFlags(liked=True),
    ]


@pytest.mark.parametrize("known_before", [True, False])
def test_a_change_that_redis_did_not_take_is_made_good_by_its_order(known_before: bool) -> None:
    person, author = new_person(), new_person()
    tweet = post(author)
    work_off_everything()
    if known_before:
        assert not seen(tweet, person).viewer.liked  # type: ignore[union-attr]
    with timeline_redis_down():
        like(viewer=viewer(person), tweet_id=tweet)
        assert seen(tweet, person).viewer.liked  # type: ignore[union-attr]
    assert len(open_orders()) == 1
    work_off_everything()
    assert open_orders() == []
    assert seen(tweet, person).viewer.liked  # type: ignore[union-attr]


def test_repeating_a_request_that_died_before_it_told_redis_mends_the_cache() -> None:
    person, author = new_person(), new_person()
    tweet = post(author)
    flags(person.id, [tweet])
    op = new_id()
    associations().apply([Change(source=person.id, kind=LIKE, target=tweet, op=op, present=True)])
    assert not flags(person.id, [tweet])[tweet].liked, "not told, and never answered"
    like(viewer=viewer(person), tweet_id=tweet)
    assert flags(person.id, [tweet])[tweet].liked


def test_likes_and_readers_at_once_end_in_the_truth() -> None:
    person, author = new_person(), new_person()
    tweets = [post(author) for _ in range(8)]
    acts: list[Callable[[], Any]] = []
    for each in tweets:
        acts += [
            lambda each=each: like(viewer=viewer(person), tweet_id=each),  # type: ignore[misc]
            lambda each=each: bookmark(viewer=viewer(person), tweet_id=each),  # type: ignore[misc]
            lambda: flags(person.id, tweets),
        ]
    run_together(acts)
    assert (
        flags(person.id, tweets) == in_truth(person.id, tweets) == dict.fromkeys(tweets, ViewerFlags(True, False, True))
    )


def test_flags_cost_nothing_on_a_warm_page_and_two_round_trips_more_cold() -> None:
    author, reader = new_person(), new_person()
    for _ in range(5):
        post(author)
    tweets = [int(tweet.id) for tweet in home_views(author)]
    like(viewer=viewer(reader), tweet_id=tweets[0])
    assert {tweet.id: tweet.viewer for tweet in home_views(author)}[str(tweets[0])] == ViewerFlags()
    timeline_node().round_trip(("DEL", *(counts.COUNTS.key(each) for each in tweets)))
    home_views(author)
    with counted_round_trips() as redis:
        home_views(author)
    assert len(redis) == 2
    timeline_node().round_trip(("DEL", marks._marks_key(author.id)))
    with counted_round_trips() as redis:
        home_views(author)
    assert len(redis) == 4


def test_nobody_signed_in_has_no_flags_and_costs_no_marks() -> None:
    author = new_person()
    tweet = post(author)
    with counted_round_trips() as redis:
        assert seen(tweet).viewer is None
    assert not any("marks" in str(command) for trip in redis for command in trip)
