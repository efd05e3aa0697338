"""Acting and reading in tests of the main job, through the services."""

from typing import Any

from accounts.entities import Viewer
from accounts.models import User
from fanout.timelines import materialised
from feed.timelines.home import home_page
from storage.redis.node import timeline_node
from storage.web.paging import PageRequest
from tweets.reading.hydration import TweetOut
from tweets.reading.selectors import tweet_out
from tweets.writing.posting import create_tweet


def viewer(person: User) -> Viewer:
    return Viewer(id=person.id, account=person.account, token_digest="")


def post(author: User, text: str = "hello", **target: Any) -> int:
    return create_tweet(author=viewer(author), text=text, **target).id


def seen(tweet_id: int, by: User | None = None) -> TweetOut:
    return tweet_out(tweet_id, viewer(by) if by is not None else None)


def home_views(reader: User, **request: Any) -> list[TweetOut]:
    """One page; the whole timeline unless `request` says otherwise."""
    return home_page(viewer(reader), PageRequest(**{"limit": 100, **request})).items


def home(reader: User, **request: Any) -> list[int]:
    return [int(tweet.id) for tweet in home_views(reader, **request)]


def in_redis(reader: User) -> list[int] | None:
    """What stands in the reader's own timeline, shown or not; None when it is not ready."""
    [window] = timeline_node().ask(materialised.read(reader.id, count=2_000))
    return window.ids if window is not None else None


def guards_have_ended() -> None:
    """Caches may be filled again, as half a minute after a change."""
    timeline_node().round_trip(("FLUSHALL",))
