"""What is looked at for many readers together is what each of them would be shown alone, whatever has happened.

Each happening sets one reader apart from another who is in everyday circumstances. What each would see alone is asked
of the timeline and of hydration; together may say that it cannot tell, which costs that reader a read of their own.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.graph import blocks, exclusions, follows
from accounts.models import User
from fanout.delivery import celebrities
from fanout.timelines import recents
from fanout.timelines.materialised import timeline_key
from feed.timelines.home import InHome, stands_in_home
from feed.timelines.standing import seen_at_home
from storage.ids.snowflakes import now_us
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.redis.shards import SeenGeneration, generation_key, timeline_shard
from tests.ids import new_id
from tests.integration.fanout.materialising import raise_epoch, raise_graph_version, ready
from tests.integration.pulling import a_celebrity, recent_list
from tests.integration.tweeting import home, post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.caches import marks
from tweets.reading import viewing
from tweets.reading.hydration import hydrate
from tweets.reading.many_viewers import shared
from tweets.writing import liking, posting, retweeting

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]


@pytest.fixture(autouse=True)
def clocks_agree(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests are younger than clocks may differ."""
    monkeypatch.setattr(viewing, "SKEW_US", 0)
    monkeypatch.setattr(viewing, "CLOCK_SKEW", 0)
    monkeypatch.setattr(viewing, "YOUNG_SECONDS", viewing.YOUNG_SECONDS)  # so that it is put back
    yield
    begin(timeline_node())


def alone(reader: User, tweet: int) -> Any:
    """What a socket shows that looks for its reader alone; UNKNOWN where it reads the page."""
    stands = stands_in_home(reader.id, tweet)
    if stands is InHome.STANDS:
        return hydrate([tweet], viewer=viewer(reader), visibility=exclusions.Visibility(reader.id, home=True))
    return stands if stands is InHome.UNKNOWN else []


def nothing(reader: User, tweet: int) -> None:
    pass


def liked(reader: User, tweet: int) -> None:
    liking.like(tweet_id=tweet, viewer=viewer(reader))


def liked_and_forgotten(reader: User, tweet: int) -> None:
    """The sign of the change has ended."""
    liked(reader, tweet)
    timeline_node().round_trip(("DEL", marks.version_key(reader.id)))


def liked_long_ago(reader: User, tweet: int) -> None:
    """The tweet is older than the time for which a change leaves its sign."""
    liked_and_forgotten(reader, tweet)
    viewing.YOUNG_SECONDS = 0


def liked_before_redis_was_emptied(reader: User, tweet: int) -> None:
    """By another process, which made the generation that stands: this one has not seen it."""
    liked_and_forgotten(reader, tweet)
    timeline_node().round_trip(("SET", generation_key(timeline_shard(reader.id)), b"of another run"))


def liked_before_this_process_came(reader: User, tweet: int) -> None:
    """It cannot know whether a sign was lost before."""
    liked_and_forgotten(reader, tweet)
    seen = timeline_node().seen
    assert seen
    timeline_node().seen = {shard: SeenGeneration(each.generation, now_us()) for shard, each in seen.items()}


def liked_while_redis_was_down(reader: User, tweet: int) -> None:
    """An order has raised the graph version instead; the timeline was opened under it."""
    liked_and_forgotten(reader, tweet)
    raise_graph_version(reader.id)
    home(reader)


def muted(reader: User, tweet: int) -> None:
    blocks.mute(reader.id, author_of(tweet))
    home(reader)


def unfollowed(reader: User, tweet: int) -> None:
    """And the workers have not come to it."""
    follows.unfollow(reader.id, author_of(tweet))


def of_an_earlier_graph(reader: User, tweet: int) -> None:
    raise_graph_version(reader.id)


def of_an_earlier_epoch(reader: User, tweet: int) -> None:
    raise_epoch(reader.id)


def above_the_floor_alone(reader: User, tweet: int) -> None:
    """The timeline holds the entry, at its floor: above that it proves what is there, and at it nothing."""
    timeline_node().round_trip(("DEL", timeline_key(reader.id)))
    ready(reader.id, [tweet], floor=tweet)


def beneath_the_floor(reader: User, tweet: int) -> None:
    timeline_node().round_trip(("DEL", timeline_key(reader.id)))
    ready(reader.id, [], floor=tweet + 1)


def author_of(tweet: int) -> int:
    author = shared([tweet]).author_of(tweet)
    assert author is not None
    return author


UNLIKE = (
    *(nothing, liked, liked_long_ago, liked_before_redis_was_emptied, liked_before_this_process_came),
    *(liked_while_redis_was_down, muted, unfollowed, of_an_earlier_graph, of_an_earlier_epoch),
    *(above_the_floor_alone, beneath_the_floor),
)


@pytest.mark.parametrize("happens", UNLIKE)
def test_together_each_is_shown_what_they_see_alone(happens: Callable[[User, int], None]) -> None:
    author, reader, other = new_person(), new_person(), new_person()
    for each in (reader, other):
        follows.follow(each.id, author.id)
    work_off_everything()
    for each in (reader, other):
        home(each)
    tweet = post(author)
    work_off_everything()
    for each in (reader, other):
        hydrate([tweet], viewer=viewer(each))  # so that all of it is cached
    happens(reader, tweet)

    told = seen_at_home([reader.id, other.id], tweet, shared([tweet]))
    together = {each: of_them if isinstance(of_them, InHome) else [*of_them] for each, of_them in told.items()}
    expected = alone(reader, tweet)
    if together[reader.id] is InHome.STANDS:
        assert isinstance(expected, list), "whoever is asked alone is not asked of the timeline again"
    else:
        assert together[reader.id] == expected
    assert together[other.id] == alone(other, tweet) != []
    if happens in (nothing, liked, muted):
        assert together[reader.id] == expected, "and that without asking for them alone"


def test_what_the_store_does_not_show_yet_is_left_to_the_page_and_what_was_deleted_is_not() -> None:
    """A tweet is told of when its order is worked off, and a node that missed the write may be asked."""
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    work_off_everything()
    home(reader)
    nowhere = new_id()
    assert seen_at_home([reader.id], nowhere, shared([nowhere])) == {reader.id: InHome.UNKNOWN}
    original = post(new_person())
    entry = retweeting.retweet(viewer=viewer(author), tweet_id=original)
    found = shared([entry])
    found.loaded.tweets.pop(original)
    found.loaded.unreadable.add(original)
    assert seen_at_home([reader.id], entry, found) == {reader.id: InHome.UNKNOWN}
    gone = post(author)
    posting.delete_tweet(tweet_id=gone, viewer=viewer(author))
    assert seen_at_home([reader.id], gone, shared([gone])) == {reader.id: ()}


def test_a_recent_list_that_is_missing_is_built_once_for_all_its_readers() -> None:
    author = a_celebrity()
    readers = [new_person() for _ in range(6)]
    for each in readers:
        follows.follow(each.id, author.id)
    work_off_everything()
    for each in readers:
        home(each)
    tweet = post(author)
    work_off_everything()
    for each in readers:
        since = celebrities.delivery_of(author.id).since
        assert since is not None
        timeline_node().round_trip(*recents.discard_commands(each.id, [(author.id, since)]))
    together = seen_at_home([each.id for each in readers], tweet, shared([tweet]))
    assert InHome.UNKNOWN not in together.values(), "who cannot tell replays the page"
    assert [recent_list(each, author) for each in readers] == [[tweet]] * 6
