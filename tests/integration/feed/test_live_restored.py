"""What staff restore arrives once more on open sockets, and is told as deleted to nobody who resumes."""

from unittest.mock import patch

import pytest

from accounts.models import User
from accounts.staff.roles import Role
from feed.live.heard import Heard, heard
from storage.ids.snowflakes import MAX_ID
from tests.ids import new_id
from tests.integration.feed.reading import a_reader_of
from tests.integration.feed.test_live_deletions import act, cursor_at, deleted, deletions, opened, replayed, run
from tests.integration.tweeting import post, viewer
from tests.people import new_person, new_staff
from tweets.entities import Deletion
from tweets.stores.port import tweet_store
from tweets.writing.restoring import restore_tweet

pytestmark = pytest.mark.usefixtures("product")


def restored(tweet: int, by: User) -> None:
    restore_tweet(tweet_id=tweet, viewer=viewer(by), reason="A mistake.")


def test_an_open_socket_is_told_of_its_end_and_then_of_it_again() -> None:
    author, staff = new_person(), new_staff(Role.MODERATOR)
    reader = a_reader_of(author)

    async def scenario() -> None:
        [socket] = await opened(reader)
        tweet = await act(post, author)
        assert await socket.until(tweet) == [tweet]
        await act(deleted, tweet, staff)
        assert await socket.deleted(1) == [tweet]
        await act(restored, tweet, staff)
        assert await socket.until(tweet) == [tweet]
        await act(deleted, tweet, staff)
        assert await socket.deleted(1) == [tweet], "as it is on the screen again"
        await socket.close()

    run(scenario)


@pytest.mark.parametrize("known", ["heard", "read from the log"])
def test_who_resumes_from_before_is_told_of_no_end(known: str) -> None:
    author, staff = new_person(), new_staff(Role.MODERATOR)
    reader = a_reader_of(author)

    async def scenario() -> None:
        [socket] = await opened(reader)
        tweet, other = [await act(post, author) for _ in range(2)]
        cursor = await cursor_at(socket, other)
        await socket.close()
        for each in (tweet, other):
            await act(deleted, each, staff)
        if known == "heard":
            [socket] = await opened(reader, after=cursor)
            assert {tweet, other} <= set(deletions(await replayed(socket, author)))
            await socket.close()
        await act(restored, tweet, staff)
        if known != "heard":
            heard.begin()
        [socket] = await opened(reader, after=cursor)
        told = deletions(await replayed(socket, author))
        assert (tweet in told, other in told) == (False, True)
        await socket.close()

    run(scenario)


def test_a_second_deletion_of_the_same_moment_in_the_log_is_told_no_more() -> None:
    """The restoration takes back the one that it has seen; of the other one the log knows for its days."""
    author, staff = new_person(), new_staff(Role.MODERATOR)
    tweet = post(author)
    row, start = tweet_store().get_many([tweet])[tweet], new_id()
    for _ in range(2):
        tweet_store().delete(row, op=new_id(), by=staff.id, order=None)
    restored(tweet, staff)

    async def scenario() -> None:
        known = Heard()
        known.begin()
        assert tweet not in [each.tweet_id for each in await known.since(start)]

    run(scenario)


def test_what_the_log_said_before_a_tweet_was_back_counts_no_more() -> None:
    tweet, author, first, second = (new_id() for _ in range(4))

    async def scenario() -> None:
        known = Heard()
        known.begin()
        with patch("feed.live.heard._log_page", side_effect=lambda after, before: read_and_back(known, after)):
            assert await known.since(first - 1) == []
        known.add(second + 1, tweet, author)
        assert [each.op for each in await known.since(first - 1)] == [second + 1], "deleted again"

    def read_and_back(known: Heard, after: int) -> tuple[list[Deletion], int]:
        """The page was read; then it is told that the tweet is back."""
        known.back(second, tweet)
        return [Deletion(first, tweet, author)], after + 1

    run(scenario)


def test_restorations_are_remembered_so_many() -> None:
    known = Heard()
    known.begin()
    with patch("feed.live.heard.RESTORED_KEPT", 3):
        for tweet in range(1, 9):
            known.add(tweet, tweet, 7)
            known.back(tweet + 1, tweet)
    assert (list(known._restored), list(known._tweets)) == ([6, 7, 8], [])
    assert known._complete_above == MAX_ID
