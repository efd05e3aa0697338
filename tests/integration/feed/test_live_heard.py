"""What a process has heard to be deleted it tells sockets that resume, from memory."""

from unittest.mock import patch

import pytest

from feed.live.heard import heard
from tests.integration.feed.reading import a_reader_of
from tests.integration.feed.test_live_deletions import act, cursor_at, deleted, deletions, opened, replayed, run
from tests.integration.tweeting import post
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("product")


def test_a_process_remembers_what_it_heard_for_who_resumes() -> None:
    """The second socket that resumes is told from memory."""
    author = new_person()
    reader = a_reader_of(author)

    async def scenario() -> None:
        [socket] = await opened(reader)
        tweets = [await act(post, author) for _ in range(2)]
        cursor = await cursor_at(socket, tweets[-1])
        for tweet in tweets:
            await socket.close()
            await act(deleted, tweet, author)
            [socket] = await opened(reader, after=cursor)
            assert tweet in deletions(await replayed(socket, author))
        with patch.object(heard, "_read_log", side_effect=AssertionError("the log is read")):
            [again] = await opened(reader, after=cursor)
            assert set(tweets) <= set(deletions(await replayed(again, author)))
        for each in (socket, again):
            await each.close()

    run(scenario)
