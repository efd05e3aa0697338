"""The same happenings, seen through both doors for sockets: of every stream each tells the same, in the same order.

One person has a socket at `/ws/feed` and one at `/graphql`, each with all four streams. Happenings come one by one,
and of each both doors are to tell so many things, and no more; what they tell is compared by stream.
"""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.graph import blocks, follows
from accounts.people import suspending
from feed.live import listener as listener_module
from feed.live.threads import housekeeping
from feed.timelines.home import home_page
from storage.web.paging import PageRequest
from tests.integration.config.graphql_sockets import GraphQLSocket, opened, run, token_of
from tests.integration.config.test_graphql_notifications import USER
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import Socket, delivered
from tests.integration.querying import WHOLE_TWEET, camel
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tests.work import work_off_everything
from tweets.writing import liking
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]

EVENT = f"cursor deletedId gapAfter counts {{ id replies retweets quotes likes }} tweet {{ {WHOLE_TWEET} }}"
NEWS = f"""cursor gapAfter notification {{
  id type people {{ {USER} }} peopleCount createdAt read tweet {{ {WHOLE_TWEET} }}
}}"""
Told = dict[str, list[Any]]
"""By stream: what came, as GraphQL has it, without what is null."""
Happening = tuple[str, Callable[[], object], dict[str, int]]
"""What it is, how it comes about, and how many things each stream tells of it."""


class People:
    """A reader, whom they follow, block and neither; and a tweet that they watch."""

    def __init__(self) -> None:
        self.reader, self.followed, self.other, self.hidden = (new_person() for _ in range(4))
        follows.follow(self.reader.id, self.followed.id)
        blocks.block(self.reader.id, self.hidden.id)
        home_page(viewer(self.reader), PageRequest())
        self.token = token_of(self.reader)
        self.tweet, self.mine = post(self.followed, "watched"), post(self.reader, "the reader's own")
        work_off_everything()
        self.ids = {"watched": self.tweet}

    def posts(self, name: str, person: Any, **target: Any) -> Callable[[], object]:
        return lambda: self.ids.update({name: post(person, name, **target)})

    def deletes(self, name: str, person: Any) -> Callable[[], object]:
        return lambda: delete_tweet(tweet_id=self.ids[name], viewer=viewer(person))

    def happenings(self) -> list[Happening]:
        me, watched = viewer(self.reader), self.tweet
        followed, other, hidden = self.followed, self.other, self.hidden
        return [
            ("a tweet", self.posts("a", followed), {"home": 1, "public": 1}),
            ("a stranger's", self.posts("b", other), {"public": 1}),
            ("one by who is blocked", self.posts("c", hidden), {}),
            ("a reply", self.posts("d", other, reply_to=watched), {"tweet": 2}),
            ("a hidden reply", self.posts("e", hidden, reply_to=watched), {"tweet": 1}),
            ("a thread", self.posts("f", followed, reply_to=watched), {"home": 1, "public": 1, "tweet": 2}),
            ("a quote", self.posts("g", other, quote_of=watched), {"public": 1, "tweet": 1}),
            ("one of mine", lambda: liking.like(viewer=viewer(followed), tweet_id=self.mine), {"notifications": 1}),
            ("an answer to me", self.posts("h", followed, reply_to=self.mine), {"notifications": 1}),
            ("one's own like", lambda: liking.like(viewer=me, tweet_id=self.mine), {}),
            ("a like", lambda: liking.like(viewer=me, tweet_id=watched), {"tweet": 1}),
            ("no more", lambda: liking.unlike(viewer=me, tweet_id=watched), {"tweet": 1}),
            ("a retweet", lambda: retweet(viewer=viewer(followed), tweet_id=self.ids["b"]), {"home": 1}),
            ("one's own", lambda: retweet(viewer=me, tweet_id=watched), {"home": 1, "tweet": 1}),
            ("no original", self.deletes("b", other), {"home": 1, "public": 1}),
            ("no reply", self.deletes("d", other), {"tweet": 2}),
            ("no tweet", self.deletes("a", followed), {"home": 1, "public": 1}),
            ("no author", lambda: suspending.suspend(other, by=operator()), {"public": 1, "tweet": 1}),
            ("the end", self.deletes("watched", followed), {"home": 2, "public": 1, "tweet": 1}),
        ]


class Feed:
    """`/ws/feed`."""

    def __init__(self, people: People) -> None:
        self.socket = Socket(people.reader)
        self.streams = {each: each for each in ("home", "public", "notifications")}
        self.streams[f"tweet:{people.tweet}"] = "tweet"

    async def begin(self) -> None:
        await self.socket.sign_in()
        for stream in self.streams:
            await self.socket.subscribe(stream)

    async def next(self) -> tuple[str, Any]:
        frame = await self.socket.frame()
        return self.streams[frame.pop("stream")], _as_event(frame)

    async def is_silent(self) -> None:
        await self.socket.say(type="ping")
        assert await self.socket.frame() == {"type": "pong"}


def _as_event(frame: dict[str, Any]) -> Any:
    match frame.pop("type"):
        case "tweet":
            tweet = camel(frame["tweet"])
            original = tweet["retweetOf"] and {"id": tweet["retweetOf"]["id"]}
            return {"cursor": frame["cursor"], "tweet": tweet | {"retweetOf": original}}
        case "notification":
            return {"cursor": frame["cursor"], "notification": camel(frame["notification"])}
        case "delete":
            return {"deletedId": frame["id"]}
        case "counts":
            return {"counts": {"id": frame["id"], **frame["counts"]}}
    return frame


class GraphQL:
    """`/graphql`."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.socket: GraphQLSocket

    async def begin(self) -> None:
        self.socket = await opened(self.people.token)
        fields = {
            "home": ("homeTimeline", EVENT),
            "public": ("publicTimeline", EVENT),
            "notifications": ("notifications", NEWS),
            "tweet": (f'tweetActivity(id: "{self.people.tweet}")', EVENT),
        }
        for name, (field, event) in fields.items():
            await self.socket.subscribed(name, f"subscription {{ {field} {{ {event} }} }}")

    async def next(self) -> tuple[str, Any]:
        message = await self.socket.message()
        if message["type"] == "complete":
            return "complete", message["id"]
        [event] = message["payload"]["data"].values()
        return message["id"], {field: value for field, value in event.items() if value is not None}

    async def is_silent(self) -> None:
        await self.socket.is_silent()


async def told(door: Feed | GraphQL, number: int) -> Told:
    """What the door tells next, so many things."""
    found: Told = {}
    for _ in range(number):
        stream, event = await door.next()
        found.setdefault(stream, []).append(event)
    return found


def test_both_doors_tell_the_same_of_every_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(listener_module, "BEAT_SECONDS", 0.05)
    people = People()
    feed, graphql = Feed(people), GraphQL(people)

    async def scenario() -> None:
        for door in (feed, graphql):
            await door.begin()
        for name, happens, expected in people.happenings():
            await housekeeping(happens)
            await delivered()
            by_feed = await told(feed, sum(expected.values()))
            assert {stream: len(events) for stream, events in by_feed.items()} == expected, name
            ended = ["tweet"] if name == "the end" else []
            by_graphql = await told(graphql, sum(expected.values()) + len(ended))
            assert by_graphql.pop("complete", []) == ended
            assert by_graphql == by_feed, name
            await feed.is_silent()
            await graphql.is_silent()
        await feed.socket.close()
        await graphql.socket.close()

    run(scenario)
