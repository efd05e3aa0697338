"""Views of tweets are made once in a process for equal parts, and none outlives a change of a part."""

from collections.abc import Callable

import msgspec
import pytest

from accounts.graph import follows
from accounts.graph.blocks import mute
from accounts.models import User
from accounts.people import services, suspending
from accounts.people.services import ProfileChange
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home_views, post, seen, viewer
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.reading import outputs
from tweets.writing.liking import like, unlike
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


def a_reader_of(*authors: User) -> User:
    reader = new_person()
    for author in authors:
        follows.follow(reader.id, author.id)
    home_views(reader)
    return reader


def page_of(client: ApiClient) -> bytes:
    """The tweets of the page as they are sent. The cursors behind them carry what has settled, and move with time."""
    tweets, _ = bytes(client.get("/api/v1/feed/home").content).split(b'],"meta":')
    return tweets


def test_readers_with_equal_parts_share_one_view_and_its_json() -> None:
    author = new_person()
    post(author)
    [one], [other] = home_views(a_reader_of(author)), home_views(a_reader_of(author))
    assert one is other
    assert one.json is other.json
    assert one.json == msgspec.json.encode(one)


def test_a_reader_who_marked_it_has_another_view() -> None:
    author = new_person()
    tweet = post(author)
    fan, other = a_reader_of(author), a_reader_of(author)
    like(tweet_id=tweet, viewer=viewer(fan))
    by_fan, by_other = home_views(fan)[0], home_views(other)[0]
    assert by_fan.viewer is not None
    assert by_other.viewer is not None
    assert (by_fan.viewer.liked, by_other.viewer.liked) == (True, False)
    assert by_fan.counts == by_other.counts


RENAMED = ProfileChange(display_name="Another")


class Scene:
    """Ada and Bob, not Eve, are followed by the reader, who sees each sort of tweet of theirs, warm."""

    def __init__(self) -> None:
        self.ada, self.bob, self.eve = new_person(), new_person(), new_person()
        self.reader = a_reader_of(self.ada, self.bob)
        self.plain = post(self.ada, "plain")
        self.quoted = post(self.bob, "quoted")
        self.quote = post(self.ada, "quoting", quote_of=self.quoted)
        self.original = post(self.eve, "original")
        retweet(tweet_id=self.original, viewer=viewer(self.bob))
        work_off_everything()
        self.client = ApiClient(self.reader)
        page_of(self.client)


CHANGES: dict[str, Callable[[Scene], object]] = {
    "the author is renamed": lambda scene: services.update_profile(scene.ada.id, RENAMED),
    "the quoted author is renamed": lambda scene: services.update_profile(scene.bob.id, RENAMED),
    "the retweeted author is renamed": lambda scene: services.update_profile(scene.eve.id, RENAMED),
    "it is liked": lambda scene: like(tweet_id=scene.plain, viewer=viewer(scene.bob)),
    "the reader likes it": lambda scene: like(tweet_id=scene.plain, viewer=viewer(scene.reader)),
    "the quoted tweet is liked": lambda scene: like(tweet_id=scene.quoted, viewer=viewer(scene.ada)),
    "the retweeted one is liked by the reader": lambda scene: like(
        tweet_id=scene.original, viewer=viewer(scene.reader)
    ),
    "it is replied to": lambda scene: post(scene.bob, reply_to=scene.plain),
    "it is deleted": lambda scene: delete_tweet(tweet_id=scene.plain, viewer=viewer(scene.ada)),
    "the quoted tweet is deleted": lambda scene: delete_tweet(tweet_id=scene.quoted, viewer=viewer(scene.bob)),
    "the author is suspended": lambda scene: suspending.suspend(scene.ada, by=scene.bob),
    "the quoted author is suspended": lambda scene: suspending.suspend(scene.bob, by=scene.ada),
    "the quoted author is muted": lambda scene: mute(scene.reader.id, scene.bob.id),
}


@on_one_store
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_in_the_next_page_though_every_view_was_made_before(change: str) -> None:
    """The page is another one, and the very one that a process makes which has made no view yet."""
    scene = Scene()
    before = page_of(scene.client)
    assert page_of(scene.client) == before
    CHANGES[change](scene)
    after = page_of(scene.client)
    assert after != before
    outputs.forget_outputs()
    assert page_of(scene.client) == after


def test_unliking_leads_back_to_the_view_of_before() -> None:
    author = new_person()
    tweet = post(author)
    reader = a_reader_of(author)
    before = home_views(reader)[0]
    like(tweet_id=tweet, viewer=viewer(reader))
    unlike(tweet_id=tweet, viewer=viewer(reader))
    assert home_views(reader)[0] == before
    assert seen(tweet, reader) == before
