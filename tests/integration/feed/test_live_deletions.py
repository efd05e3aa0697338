"""What leaves home timelines leaves the screens of connected clients, under each id by which it came to them."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.account_cache.changes import note_change
from accounts.graph import follows
from accounts.models import User
from accounts.people import services, suspending
from feed.live.listener import listener
from feed.live.threads import housekeeping
from tests.backends import timeline_redis_down
from tests.integration.feed.reading import a_reader_of, operator
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.stores.port import tweet_store
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, unretweet

pytestmark = pytest.mark.usefixtures("product")


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def retweeted(tweet_id: int, by: User) -> int:
    """Retweets it, and returns the entry's id."""
    retweet(viewer=viewer(by), tweet_id=tweet_id)
    [entry] = tweet_store().retweets_of(tweet_id, by.id)
    return entry


def deleted(tweet_id: int, by: User) -> None:
    delete_tweet(tweet_id=tweet_id, viewer=viewer(by))


async def act(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Acts as people do, and then as workers do, while sockets are open."""
    result = await housekeeping(function, *args, **kwargs)
    await delivered()
    return result


async def opened(*readers: User, after: str | None = None) -> list[Socket]:
    sockets = [await housekeeping(Socket, reader) for reader in readers]
    for socket in sockets:
        await socket.open(after=after)
    return sockets


class TestDeletions:
    def test_who_has_it_by_a_retweet_is_told_the_retweet_s_id(self) -> None:
        author, retweeter = new_person(), new_person()
        both, one, other = a_reader_of(author, retweeter), a_reader_of(retweeter), a_reader_of(author)

        async def scenario() -> None:
            sockets = await opened(both, one, other)
            tweet = await act(post, author)
            entry = await act(retweeted, tweet, retweeter)
            last = [await act(post, author), await act(post, retweeter)]
            assert await sockets[0].until(last[1]) == [tweet, entry, *last]
            assert await sockets[1].until(last[1]) == [entry, last[1]]
            assert await sockets[2].until(last[0]) == [tweet, last[0]]
            await act(deleted, tweet, author)
            assert sorted(await sockets[0].deleted(2)) == sorted([tweet, entry])
            assert await sockets[1].deleted(1) == [entry]
            assert await sockets[2].deleted(1) == [tweet]
            await act(deleted, last[0], author)
            await act(deleted, last[1], retweeter)
            assert await sockets[0].deleted(2) == last, "and nothing in between"
            assert await sockets[1].deleted(1) == last[1:]
            for socket in sockets:
                await socket.close()

        run(scenario)

    def test_every_retweet_of_it_that_a_client_has_is_told(self) -> None:
        author, staff, retweeters = new_person(), operator(), [new_person() for _ in range(3)]
        reader = a_reader_of(*retweeters)

        async def scenario() -> None:
            [socket] = await opened(reader)
            tweet = await act(post, author)
            entries = [await act(retweeted, tweet, each) for each in retweeters]
            assert await socket.until(entries[-1]) == entries
            await act(deleted, tweet, staff)
            assert await socket.deleted(3) == entries
            await socket.close()

        run(scenario)

    def test_a_retweet_that_is_undone_leaves_and_its_original_stays(self) -> None:
        author, retweeter = new_person(), new_person()
        reader = a_reader_of(author, retweeter)

        async def scenario() -> None:
            [socket] = await opened(reader)
            tweet = await act(post, author)
            entry = await act(retweeted, tweet, retweeter)
            await socket.until(entry)
            await act(lambda: unretweet(viewer=viewer(retweeter), tweet_id=tweet))
            last = await act(post, author)
            assert await socket.heard(last) == [("delete", entry)]
            await act(deleted, tweet, author)
            assert await socket.deleted(1) == [tweet]
            await socket.close()

        run(scenario)

    def test_who_was_sent_it_and_follows_nobody_any_more_is_told(self) -> None:
        author, retweeter, own = new_person(), new_person(), new_person()
        reader = a_reader_of(author, retweeter)
        original = post(own)

        async def scenario() -> None:
            [socket] = await opened(reader)
            tweet = await act(post, author)
            entry = await act(retweeted, original, retweeter)
            await socket.until(entry)
            for each in (author, retweeter):
                await act(follows.unfollow, reader.id, each.id)
            await act(deleted, tweet, author)
            await act(deleted, original, own)
            assert await socket.deleted(2) == [tweet, entry]
            await socket.close()

        run(scenario)

    def test_a_tweet_that_quotes_it_stays(self) -> None:
        author, quoting = new_person(), new_person()
        reader = a_reader_of(quoting)

        async def scenario() -> None:
            [socket] = await opened(reader)
            tweet = await act(post, author)
            quote = await act(post, quoting, quote_of=tweet)
            assert await socket.until(quote) == [quote]
            await act(deleted, tweet, author)
            last = await act(post, quoting)
            assert await socket.heard(last) == []
            await socket.close()

        run(scenario)

    def test_what_stood_in_the_timeline_before_is_told_as_well(self) -> None:
        """The client has it from a page, or from the socket that it had before."""
        author, retweeter = new_person(), new_person()
        reader = a_reader_of(retweeter)
        tweet = post(author)
        entry = retweeted(tweet, retweeter)

        async def scenario() -> None:
            await delivered()
            [socket] = await opened(reader)
            await act(deleted, tweet, author)
            assert await socket.deleted(1) == [entry]
            await socket.close()

        run(scenario)


class TestSuspensions:
    def test_all_that_shows_an_author_s_tweets_leaves(self) -> None:
        author, retweeter, staff = new_person(), new_person(), operator()
        reader, other = a_reader_of(author, retweeter), a_reader_of(retweeter)

        async def scenario() -> None:
            sockets = await opened(reader, other)
            tweet = await act(post, author)
            entry = await act(retweeted, tweet, retweeter)
            kept = await act(post, retweeter)
            for socket in sockets:
                await socket.until(kept)
            await act(lambda: suspending.suspend(author, by=staff))
            assert await sockets[0].deleted(2) == [tweet, entry]
            assert await sockets[1].deleted(1) == [entry]
            last = await act(post, retweeter)
            for socket in sockets:
                assert await socket.heard(last) == []
                await socket.close()

        run(scenario)

    def test_what_a_retweeter_brought_leaves_and_the_original_stays(self) -> None:
        author, retweeter, staff = new_person(), new_person(), operator()
        reader = a_reader_of(author, retweeter)

        async def scenario() -> None:
            [socket] = await opened(reader)
            tweet = await act(post, author)
            entry = await act(retweeted, tweet, retweeter)
            await socket.until(entry)
            await act(lambda: suspending.suspend(retweeter, by=staff))
            assert await socket.deleted(1) == [entry]
            await act(deleted, tweet, author)
            assert await socket.deleted(1) == [tweet]
            await socket.close()

        run(scenario)

    def test_what_redis_was_not_told_its_order_tells(self) -> None:
        author, staff = new_person(), operator()
        reader = a_reader_of(author)

        async def scenario() -> None:
            [socket] = await opened(reader)
            tweet = await act(post, author)
            assert await socket.until(tweet) == [tweet]
            with timeline_redis_down():
                await housekeeping(lambda: suspending.suspend(author, by=staff))
            await delivered()
            assert await socket.deleted(1) == [tweet]
            await socket.close()

        run(scenario)

    def test_another_change_of_an_account_takes_nothing_away(self) -> None:
        author = new_person()
        reader = a_reader_of(author)

        async def scenario() -> None:
            [socket] = await opened(reader)
            await socket.until(await act(post, author))
            change = services.ProfileChange(display_name="Another Name")
            await act(lambda: services.update_profile(author.id, change))
            await until(lambda: author.id in listener._seen_changes and not listener._changed)
            assert await socket.heard(await act(post, author)) == []
            await socket.close()

        run(scenario)


class TestResuming:
    def test_what_was_deleted_or_undone_meanwhile_is_told(self) -> None:
        author, retweeter, stranger = new_person(), new_person(), new_person()
        reader = a_reader_of(author, retweeter)

        async def scenario() -> None:
            [socket] = await opened(reader)
            own = await act(post, author)
            strange = [await act(post, stranger) for _ in range(3)]
            entries = [await act(retweeted, each, retweeter) for each in strange]
            cursor = await cursor_at(socket, entries[-1])
            await socket.close()
            await act(deleted, strange[0], stranger)
            await act(lambda: unretweet(viewer=viewer(retweeter), tweet_id=strange[1]))
            await act(deleted, own, author)
            [again] = await opened(reader, after=cursor)
            assert deletions(await replayed(again, retweeter)) == [entries[0], entries[1], own]
            await again.close()

        run(scenario)

    def test_who_was_suspended_meanwhile_is_told_and_who_was_before_is_not(self) -> None:
        author, before, staff = new_person(), new_person(), operator()
        reader = a_reader_of(author, before)

        async def scenario() -> None:
            [socket] = await opened(reader)
            tweet = await act(post, before)
            tweets = [await act(post, author) for _ in range(2)]
            cursor = await cursor_at(socket, tweets[-1])
            await socket.close()
            await act(lambda: suspended_long_ago(before, staff))
            await act(lambda: suspending.suspend(author, by=staff))
            await until(lambda: {author.pk, before.pk} <= listener._seen_changes.keys() and not listener._changed)
            [again] = await opened(reader, after=cursor)
            assert deletions(await replayed(again, reader)) == tweets
            assert tweet not in tweets
            await again.close()

        run(scenario)

    def test_a_stranger_s_deletions_are_nobody_s_business(self) -> None:
        author, stranger = new_person(), new_person()
        reader = a_reader_of(author)

        async def scenario() -> None:
            [socket] = await opened(reader)
            strange = await act(post, stranger)
            cursor = await cursor_at(socket, await act(post, author))
            await socket.close()
            await act(deleted, strange, stranger)
            [again] = await opened(reader, after=cursor)
            assert deletions(await replayed(again, author)) == []
            await again.close()

        run(scenario)


async def cursor_at(socket: Socket, tweet_id: int) -> str:
    """The cursor of the frame that brings a tweet."""
    while True:
        frame = await socket.frame()
        if frame["type"] == "tweet" and int(frame["tweet"]["id"]) == tweet_id:
            return str(frame["cursor"])


async def replayed(socket: Socket, author: User) -> list[tuple[str, int]]:
    """All that a socket that resumes is told: the second tweet of now comes live, whatever the first did."""
    return [each for _ in range(2) for each in await socket.heard(await act(post, author))]


def deletions(heard: list[tuple[str, int]]) -> list[int]:
    return [entry for kind, entry in heard if kind == "delete"]


def suspended_long_ago(person: User, by: User) -> None:
    """The moment is what counts, and not when it comes to be known."""
    suspending.suspend(person, by=by)
    User.objects.filter(pk=person.pk).update(suspended_at=datetime.now(UTC) - timedelta(hours=1))
    note_change(person.pk)
