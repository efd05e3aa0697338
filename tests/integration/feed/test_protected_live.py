"""What a protected person wrote, on sockets: for whom it is for, and off the screens of others within a second."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import blocks, follows, requests
from accounts.models import User
from accounts.people.services import ProfileChange, update_profile
from accounts.people.suspending import suspend
from feed.live import listener as listener_module
from feed.live.registry import registry
from feed.live.streams.stream import SignalKind
from feed.live.threads import housekeeping
from storage.errors import Unavailable
from storage.web.paging import encode_cursor
from tests.integration.feed.protected_world import INSIDERS, OUTSIDERS, World, protect, retweeted
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import Socket, WiredSocket, delivered, until
from tests.integration.feed.tweet_streams import close, counts_until, ended, opened, run
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.writing import liking

pytestmark = pytest.mark.usefixtures("product", "quick_looks")

SIGNED_IN = [name for name in (*INSIDERS, *OUTSIDERS, "staff") if name != "anonymous"]
LIVE = """
home     | N L   | L | L
public   | L     | L | L
hashtag  | N L   | L | L
tweet:$B | M L   | L | M L
tweet:$T | K     | - | K
"""
"""As the tables of test_protected_matrix.py: of what is written afterwards, the last being an open tweet of Bob's."""


def expected_of(stream: str, name: str) -> str:
    [row] = [[each.strip() for each in line.split("|")] for line in LIVE.splitlines() if line.startswith(stream)]
    return row[1] if name in INSIDERS else row[3] if name == "staff" else row[2]


async def act(function: Any, *args: Any, **kwargs: Any) -> Any:
    result = await housekeeping(function, *args, **kwargs)
    await delivered()
    return result


async def told(socket: Socket, last: int) -> list[int]:
    """The tweets of the frames up to the last one.

    Counts are passed over, and that what she wrote before leaves, which this process has just heard.
    """
    found: list[int] = []
    while last not in found:
        frame = await socket.frame()
        if frame["type"] == "tweet":
            found.append(int(frame["tweet"]["id"]))
            quoted = frame["tweet"]["quote_of"]
            found += [int(quoted["id"])] if quoted else []
        else:
            assert frame["type"] in ("counts", "delete"), frame
    return found


def letters(found: Sequence[int], ids: dict[str, int]) -> str:
    return " ".join(letter for letter, each in ids.items() if each in found) or "-"


async def sockets_of(world: World, stream: str, *, wired: bool = False) -> dict[str, Socket]:
    found: dict[str, Socket] = {}
    for name in SIGNED_IN:
        person = world.person(name)
        socket = await housekeeping(WiredSocket if wired else Socket, person)
        await socket.open(stream=stream)
        found[name] = socket
    return found


@on_one_store
@pytest.mark.parametrize("wired", [False, True], ids=["by its pump", "at once"])
def test_home_tells_what_she_writes_to_whom_it_is_for(wired: bool) -> None:
    world = World()

    async def scenario() -> None:
        sockets = await sockets_of(world, "home", wired=wired)
        ids = {"N": await act(post, world.ada, "n-secret"), "L": await act(post, world.bob, "last")}
        shown = {name: letters(await told(each, ids["L"]), ids) for name, each in sockets.items()}
        assert shown == {name: expected_of("home", name) for name in SIGNED_IN}
        await close(*sockets.values())

    run(scenario)


@on_one_store
@pytest.mark.parametrize("wired", [False, True], ids=["by its pump", "at once"])
def test_home_tells_nobody_else_of_whom_a_retweet_shows(wired: bool) -> None:
    """Retweeted while she was open, and told when she is not any more: to whom follows both."""
    world = World()
    protect(world.ada, protected=False)

    async def scenario() -> None:
        sockets = await sockets_of(world, "home", wired=wired)
        await housekeeping(retweeted, world.bob, world.ids["U"])
        await housekeeping(protect, world.ada)
        await delivered()
        last = await act(post, world.bob, "last")
        for name, socket in sockets.items():
            shown: list[dict[str, Any]] = []
            while not shown or shown[-1]["type"] != "tweet" or shown[-1]["tweet"]["id"] != str(last):
                shown.append(await socket.frame())
            secret = [
                each for each in shown if each["type"] == "tweet" and each["tweet"]["text"].startswith("u-secret")
            ]
            assert bool(secret) == (name in INSIDERS), name
        await close(*sockets.values())

    run(scenario)


@on_one_store
def test_public_tells_nobody_what_she_writes() -> None:
    world = World()

    async def scenario() -> None:
        sockets = await sockets_of(world, "public")
        ids = {"N": await act(post, world.ada, "n-secret"), "L": await act(post, world.bob, "last")}
        shown = {name: letters(await told(each, ids["L"]), ids) for name, each in sockets.items()}
        assert shown == {name: expected_of("public", name) for name in SIGNED_IN}
        await close(*sockets.values())

    run(scenario)


@on_one_store
def test_a_hashtag_tells_what_she_writes_to_whom_it_is_for() -> None:
    world = World()

    async def scenario() -> None:
        sockets = await sockets_of(world, "hashtag:matrix")
        ids = {"N": await act(post, world.ada, "n-secret #matrix"), "L": await act(post, world.bob, "last #matrix")}
        shown = {name: letters(await told(each, ids["L"]), ids) for name, each in sockets.items()}
        assert shown == {name: expected_of("hashtag", name) for name in SIGNED_IN}
        await close(*sockets.values())

    run(scenario)


@on_one_store
def test_a_tweet_s_stream_tells_her_replies_to_whom_they_are_for() -> None:
    world = World()

    async def scenario() -> None:
        stream = f"tweet:{world.ids['B']}"
        sockets = await sockets_of(world, stream)
        ids = {"M": await act(post, world.ada, "m-secret", reply_to=world.ids["B"])}
        ids["L"] = await act(post, world.bob, "last", reply_to=world.ids["B"])
        shown = {name: letters(await told(each, ids["L"]), ids) for name, each in sockets.items()}
        assert shown == {name: expected_of("tweet:$B", name) for name in SIGNED_IN}
        await close(*sockets.values())

    run(scenario)


def test_the_stream_of_her_tweet_is_there_for_whom_it_is_for() -> None:
    world = World()

    async def scenario() -> None:
        shown = {}
        for name in SIGNED_IN:
            socket = await housekeeping(Socket, world.person(name))
            await socket.sign_in()
            await socket.say(type="subscribe", stream=f"tweet:{world.ids['T']}")
            frame = await socket.frame()
            assert frame["type"] in ("subscribed", "error"), frame
            shown[name] = "K" if frame["type"] == "subscribed" else "-"
            assert frame.get("code", "not_found") == "not_found"
            await socket.close()
        assert shown == {name: expected_of("tweet:$T", name) for name in SIGNED_IN}

    run(scenario)


class TestBecomingProtected:
    """Sockets are open, and she is not protected yet."""

    def test_what_she_wrote_leaves_the_screens_of_others_at_once(self) -> None:
        ada, bob = new_person(), new_person()
        follower, stranger = new_person(), new_person()
        for reader in (follower, stranger):
            follows.follow(reader.id, bob.id)
        follows.follow(follower.id, ada.id)
        tweet = post(ada)

        async def scenario() -> None:
            homes = [await housekeeping(Socket, each) for each in (follower, stranger)]
            public = [await housekeeping(Socket, each) for each in (follower, stranger)]
            for socket in homes:
                await socket.open()
            for socket in public:
                await socket.open(stream="public")
            one, other = await opened(tweet, follower, stranger)
            entry = await act(retweeted, bob, tweet)
            for socket in homes:
                await socket.until(entry)
            await counts_until(one, retweets=1)
            await counts_until(other, retweets=1)
            second = await act(post, ada, "second")
            for socket in public:
                await socket.until(second)
            assert await homes[0].until(second) == [second]
            await housekeeping(protect, ada)
            await ended(other, tweet)
            assert await homes[1].deleted(1) == [entry]
            for socket in public:
                gone = [await socket.frame() for _ in range(2)]
                assert {(each["type"], each["id"]) for each in gone} == {
                    ("delete", str(each)) for each in (tweet, second)
                }
            await housekeeping(liking.like, viewer=viewer(follower), tweet_id=tweet)
            await counts_until(one, retweets=1, likes=1)
            last = await act(post, bob, "last")
            assert await homes[0].until(last) == [last], "nothing of hers has left who follows her"
            assert await homes[1].until(last) == [last]
            await close(*homes, *public, one, other)

        run(scenario)

    @on_one_store
    @pytest.mark.parametrize("stream", ["public", "hashtag:matrix"])
    def test_strangers_are_told_no_id_of_what_she_wrote_afterwards(self, stream: str) -> None:
        """Nor anything more at changes of another kind, when she is protected for long."""
        ada, bob, stranger = new_person(), new_person(), new_person()
        before = post(ada, "before #matrix")
        protect(ada)
        post(ada, "after #matrix")
        other = post(bob, "other #matrix")

        async def scenario() -> None:
            await delivered()
            socket = await housekeeping(Socket, stranger)
            await socket.open(stream=stream)
            await housekeeping(update_profile, ada.id, ProfileChange(bio="New."))
            assert await socket.frame() == {"type": "delete", "stream": stream, "id": str(before)}
            await housekeeping(protect, bob)
            assert await socket.frame() == {"type": "delete", "stream": stream, "id": str(other)}
            await close(socket)

        run(scenario)

    @on_one_store
    def test_later_changes_of_who_is_protected_for_long_tell_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ada, bob, stranger = new_person(), new_person(), new_person()
        protect(ada)
        User.objects.filter(pk=ada.id).update(protected_at=datetime.now(UTC) - timedelta(hours=1))
        told: list[int] = []

        async def of_authors(kind: SignalKind, authors: frozenset[int], **_: Any) -> None:
            told.extend(authors)

        monkeypatch.setattr(registry, "of_authors", of_authors)

        async def scenario() -> None:
            socket = await housekeeping(Socket, stranger)
            await socket.open(stream="public")
            await housekeeping(update_profile, ada.id, ProfileChange(bio="New."))
            await housekeeping(protect, bob)
            await until(lambda: bob.id in told)
            assert ada.id not in told
            await close(socket)

        run(scenario)

    @on_one_store
    def test_who_was_away_meanwhile_is_told_on_coming_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By what SQL says; that it has just changed, their process has not heard."""
        monkeypatch.setattr(listener_module, "WATCH_SECONDS", 600.0)
        ada, bob, stranger = new_person(), new_person(), new_person()
        follows.follow(stranger.id, bob.id)
        tweet, old = post(ada), post(bob)
        entry = retweeted(bob, tweet)

        async def scenario() -> None:
            await delivered()
            socket = await housekeeping(Socket, stranger)
            await socket.open()
            await socket.close()
            await housekeeping(protect, ada)
            again = await housekeeping(Socket, stranger)
            await again.open(after=encode_cursor(old))
            frames = [await again.frame()]
            while frames[-1]["type"] != "delete":
                frames.append(await again.frame())
            assert frames[-1]["id"] == str(entry)
            assert [each["tweet"]["id"] for each in frames[:-1]] == [str(old)], "her tweet is not replayed"
            await again.close()

        run(scenario)


class TestEnds:
    @on_one_store
    @pytest.mark.parametrize("way", ["unfollows", "is blocked, and unblocked"])
    def test_who_follows_no_more_is_told_nothing_more(self, way: str) -> None:
        ada, follower = new_person(), new_person()
        protect(ada)
        follows.follow(follower.id, ada.id)
        requests.accept(ada.id, follower.id)
        tweet = post(ada)

        def end() -> None:
            if way == "unfollows":
                follows.unfollow(follower.id, ada.id)
            else:
                blocks.block(ada.id, follower.id)
                blocks.unblock(ada.id, follower.id)

        async def scenario() -> None:
            [socket] = await opened(tweet, follower)
            await housekeeping(end)
            await housekeeping(liking.like, viewer=viewer(ada), tweet_id=tweet)
            assert await socket.frame() == {"type": "delete", "stream": f"tweet:{tweet}", "id": str(tweet)}
            await close(socket)

        run(scenario)

    @on_one_store
    def test_who_is_accepted_is_told_from_then_on(self) -> None:
        ada, bob = new_person(), new_person()
        protect(ada)
        follows.follow(bob.id, ada.id)

        async def scenario() -> None:
            socket = await housekeeping(Socket, bob)
            await socket.open()
            await act(post, ada, "before")
            await housekeeping(requests.accept, ada.id, bob.id)
            tweet = await act(post, ada, "after")
            assert tweet in await socket.until(tweet)
            await socket.close()

        run(scenario)


@on_one_store
def test_who_is_suspended_leaves_screens_while_it_is_not_known_who_has_become_protected() -> None:
    """SQL stopped answering between the two."""
    ada, bad, reader = (new_person() for _ in range(3))

    async def scenario() -> None:
        socket = await housekeeping(Socket, reader)
        await socket.open(stream="public")
        tweet = await act(post, bad)
        assert await told(socket, tweet) == [tweet]
        with patch.object(listener_module, "newly_protected", side_effect=Unavailable("database")):
            await housekeeping(protect, ada)
            await housekeeping(suspend, bad, by=await housekeeping(operator))
            assert await socket.frame() == {"type": "delete", "stream": "public", "id": str(tweet)}
        await close(socket)

    run(scenario)
