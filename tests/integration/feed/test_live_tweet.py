"""The stream of one tweet: its counts once a second, its replies, and its end for who may not see it any more."""

import time
from unittest.mock import patch

import pytest

from accounts.graph import blocks
from accounts.people import suspending
from feed.live import listener as listener_module
from feed.live import watching
from feed.live.threads import housekeeping
from feed.live.watching import watched
from storage.web.paging import decode_cursor
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import Socket, delivered, until
from tests.integration.feed.tweet_streams import (
    NOTHING,
    close,
    counts_until,
    ended,
    opened,
    read,
    reply_of,
    run,
    without_counts,
)
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.caches import counts
from tweets.stores.port import tweet_store
from tweets.writing import liking
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, unretweet

pytestmark = pytest.mark.usefixtures("product", "quick_looks")


class TestCounts:
    def test_every_change_is_told_and_is_what_the_tweet_says_then(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)

        def quoted() -> int:
            return post(reader, "quoting", quote_of=tweet)

        def answered() -> int:
            return post(reader, "answering", reply_to=tweet)

        async def scenario() -> None:
            [socket] = await opened(tweet, reader)
            me = await housekeeping(viewer, reader)
            await housekeeping(liking.like, viewer=me, tweet_id=tweet)
            assert (await socket.frame()) == {
                "type": "counts",
                "stream": f"tweet:{tweet}",
                "id": str(tweet),
                "counts": NOTHING | {"likes": 1},
            }
            await housekeeping(retweet, viewer=me, tweet_id=tweet)
            await counts_until(socket, likes=1, retweets=1)
            quote = await housekeeping(quoted)
            await counts_until(socket, likes=1, retweets=1, quotes=1)
            reply = await housekeeping(answered)
            await counts_until(socket, likes=1, retweets=1, quotes=1, replies=1)
            assert (await housekeeping(read, f"/tweets/{tweet}", reader))["data"]["counts"] == {
                "likes": 1,
                "retweets": 1,
                "quotes": 1,
                "replies": 1,
            }
            await housekeeping(liking.unlike, viewer=me, tweet_id=tweet)
            await housekeeping(unretweet, viewer=me, tweet_id=tweet)
            for each in (quote, reply):
                await housekeeping(delete_tweet, tweet_id=each, viewer=me)
            assert (await counts_until(socket))[-1] == NOTHING
            await close(socket)

        run(scenario)

    @on_one_store
    def test_many_changes_are_few_frames_and_one_count_for_all_sockets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "LOOK_SECONDS", 1.0)
        author, people = new_person(), [new_person() for _ in range(12)]
        tweet = post(author)
        counted: list[list[int]] = []
        count = counts.counts_of

        def once(ids: list[int]) -> dict[int, counts.Counts]:
            counted.append(ids)
            return count(ids)

        async def scenario() -> None:
            sockets = await opened(tweet, *people[:3])
            began = time.monotonic()
            with patch.object(counts, "counts_of", once):
                for person in people:
                    await housekeeping(liking.like, viewer=viewer(person), tweet_id=tweet)
                told = [await counts_until(socket, likes=12) for socket in sockets]
            seconds = time.monotonic() - began
            assert all(len(each) <= 2 + seconds for each in told)
            assert len(counted) <= 3 + seconds
            await close(*sockets)

        run(scenario)

    @on_one_store
    def test_nothing_is_told_when_nothing_has_changed(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)
        liking.like(viewer=viewer(reader), tweet_id=tweet)

        async def scenario() -> None:
            [socket] = await opened(tweet, reader)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
            await housekeeping(liking.bookmark, viewer=viewer(reader), tweet_id=tweet)
            assert await socket.is_silent(0.5)
            await housekeeping(liking.unlike, viewer=viewer(reader), tweet_id=tweet)
            assert await counts_until(socket) == [NOTHING]
            await close(socket)

        run(scenario)

    @on_one_store
    def test_large_counts_are_looked_at_until_they_are_counted_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are not changed by what changes them, and may have been counted a moment before."""
        monkeypatch.setattr(counts, "LARGE", 2)
        monkeypatch.setattr(counts, "RECOUNT_LEASE_SECONDS", 1)
        author, people = new_person(), [new_person() for _ in range(3)]
        tweet = post(author)
        for person in people[:2]:
            liking.like(viewer=viewer(person), tweet_id=tweet)

        async def scenario() -> None:
            [socket] = await opened(tweet, author)
            monkeypatch.setattr(counts, "STALE_SECONDS", 0.0)
            await housekeeping(read, f"/tweets/{tweet}", author)
            monkeypatch.setattr(counts, "STALE_SECONDS", 1.0)
            await housekeeping(liking.like, viewer=viewer(people[2]), tweet_id=tweet)
            assert (await counts_until(socket, likes=3))[-1] == NOTHING | {"likes": 3}
            await close(socket)

        run(scenario)

    @on_one_store
    def test_a_retweet_s_are_its_original_s(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)
        retweet(viewer=viewer(reader), tweet_id=tweet)
        [entry] = tweet_store().retweets_of(tweet, reader.id)

        async def scenario() -> None:
            [socket] = await opened(entry, reader)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=tweet)
            frame = await socket.frame()
            assert (frame["stream"], frame["id"], frame["counts"]["likes"]) == (f"tweet:{entry}", str(tweet), 1)
            reply = await housekeeping(post, author, "an answer", reply_to=tweet)
            assert (await reply_of(socket))["tweet"]["id"] == str(reply)
            await close(socket)

        run(scenario)


class TestReplies:
    def test_they_come_as_each_viewer_may_see_them_and_leave(self) -> None:
        author, answering, blocking = new_person(), new_person(), new_person()
        tweet, other = post(author), post(author)
        blocks.block(blocking.id, answering.id)
        old = post(answering, "from before", reply_to=tweet)

        async def scenario() -> None:
            one, two = await opened(tweet, author, blocking)
            await housekeeping(post, author, "of another tweet", reply_to=other)
            reply = await housekeeping(post, answering, "hidden from one", reply_to=tweet)
            below = await housekeeping(post, answering, "not direct", reply_to=reply)
            last = await housekeeping(post, author, "a quote and an answer", reply_to=tweet, quote_of=reply)
            assert below
            frames = [await reply_of(one), await reply_of(one)]
            assert [frame["tweet"]["id"] for frame in frames] == [str(reply), str(last)]
            page = await housekeeping(read, f"/tweets/{tweet}/replies", author)
            assert [without_counts(frame["tweet"]) for frame in frames] == [
                without_counts(each) for each in page["data"][1::-1]
            ]
            assert (await reply_of(two))["tweet"]["quote_of"] is None
            await housekeeping(delete_tweet, tweet_id=reply, viewer=viewer(answering))
            await housekeeping(delete_tweet, tweet_id=old, viewer=viewer(answering))
            await delivered()
            left = list[str]()
            while len(left) < 2:
                if (frame := await one.frame())["type"] == "delete":
                    left.append(frame["id"])
            assert left == [str(reply), str(old)]
            await close(one, two)

        run(scenario)

    def test_who_resumes_has_what_was_missed_and_the_counts(self) -> None:
        author, reader = new_person(), new_person()
        tweet = post(author)

        async def scenario() -> None:
            [socket] = await opened(tweet, reader)
            first = await housekeeping(post, author, "one", reply_to=tweet)
            cursor = (await reply_of(socket))["cursor"]
            await close(socket)
            page = await housekeeping(read, f"/tweets/{tweet}/replies", reader)
            missed = [await housekeeping(post, author, "more", reply_to=tweet) for _ in range(3)]
            gone = missed.pop(1)
            await housekeeping(delete_tweet, tweet_id=gone, viewer=viewer(author))
            await delivered()
            for after in (cursor, page["meta"]["prev_cursor"]):
                [again] = await opened(tweet, reader, after=after)
                frames = [await again.frame() for _ in range(5)]
                assert [int(frame["tweet"]["id"]) for frame in frames[:3]] == [first, *missed]
                assert frames[3] == {"type": "delete", "stream": f"tweet:{tweet}", "id": str(gone)}
                assert frames[4]["counts"] == NOTHING | {"replies": 3}
                await close(again)

        run(scenario)

    @on_one_store
    def test_a_reply_that_nobody_was_told_of_is_found_and_below_every_cursor(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its writer was gone between store and Redis."""
        monkeypatch.setattr(listener_module, "SWEEP_SECONDS", 0.2)
        author = new_person()
        tweet = post(author)

        async def scenario() -> None:
            [socket] = await opened(tweet, author)
            with patch("tweets.writing.posting.tell"):
                untold = await housekeeping(post, author, "untold", reply_to=tweet)
            told = await housekeeping(post, author, "told", reply_to=tweet)
            frame = await reply_of(socket)
            assert frame["tweet"]["id"] == str(told)
            [again] = await opened(tweet, author, after=frame["cursor"])
            replayed = [await reply_of(again) for _ in range(2)]
            assert [each["tweet"]["id"] for each in replayed] == [str(untold), str(told)]
            assert all(decode_cursor(each["cursor"]) < untold for each in (frame, *replayed))
            with patch.object(watching, "settled_place", lambda: told + 1):
                assert (await reply_of(socket))["tweet"]["id"] == str(untold)
                await until(lambda: watched._watches[tweet].place > told)
            await close(socket, again)

        run(scenario)


class TestTheEnd:
    def test_of_a_tweet_that_is_deleted_and_of_authors_who_are_suspended_or_blocked(self) -> None:
        author, reader, blocked, staff = (new_person() for _ in range(4))
        staff.is_staff = True
        staff.save()
        one, two = post(author), post(author)

        async def scenario() -> None:
            sockets = await opened(one, author, reader)
            await housekeeping(delete_tweet, tweet_id=one, viewer=viewer(author))
            await delivered()
            for socket in sockets:
                await ended(socket, one)
            assert one not in watched.ids
            await sockets[1].say(type="subscribe", stream=f"tweet:{one}")
            assert (await sockets[1].frame())["code"] == "not_found"
            await sockets[1].subscribe(f"tweet:{two}")
            [other] = await opened(two, blocked)
            await housekeeping(blocks.block, author.id, blocked.id)
            await ended(other, two)
            await housekeeping(liking.like, viewer=viewer(reader), tweet_id=two)
            await counts_until(sockets[1], likes=1)
            assert await other.is_silent(0.2)
            [sees] = await opened(two, staff)
            await housekeeping(suspending.suspend, author, by=await housekeeping(operator))
            await ended(sockets[1], two)
            await sees.say(type="ping")
            assert (await sees.frame()) == {"type": "pong"}, "staff see suspended people's"
            await close(sockets[1], other, sees)

        run(scenario)

    @on_one_store
    @pytest.mark.parametrize("what", ["a reply", "counts"])
    def test_nothing_is_told_after_a_block_however_soon(self, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "SIGHT_SECONDS", 60.0)
        author, readers = new_person(), [new_person(), new_person()]
        tweet = post(author)

        async def scenario() -> None:
            sockets = await opened(tweet, *readers)
            for reader in readers:
                await housekeeping(blocks.block, reader.id, author.id)
            if what == "counts":
                await housekeeping(liking.like, viewer=viewer(author), tweet_id=tweet)
            else:
                await housekeeping(post, author, "an answer", reply_to=tweet)
            for socket in sockets:
                assert await socket.frame() == {"type": "delete", "stream": f"tweet:{tweet}", "id": str(tweet)}
            assert await sockets[0].is_silent(0.3)
            await close(*sockets)

        run(scenario)


@on_one_store
class TestRefusals:
    def test_in_the_words_of_rest(self) -> None:
        author, reader = new_person(), new_person()
        hidden = post(author)
        blocks.block(author.id, reader.id)
        names = {str(hidden): 404, "7": 404, "07": 400, "x": 400, "": 400, "9" * 30: 400}

        async def scenario() -> None:
            socket = await housekeeping(Socket, reader)
            await socket.sign_in()
            for name, status in names.items():
                await socket.say(type="subscribe", stream=f"tweet:{name}")
                frame = await socket.frame()
                problem = await housekeeping(read, f"/tweets/{name or 'x'}", reader)
                assert frame == {"type": "error", "code": problem["code"], "detail": problem["detail"]}
                assert problem["status"] == status
            await socket.say(type="subscribe", stream="public" * 700)
            assert (await socket.closed()) == 4400

        run(scenario)

    def test_of_more_subscriptions_than_a_socket_may_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("feed.live.subscriptions.MOST_STREAMS", 3)
        author = new_person()
        ids = [post(author) for _ in range(3)]

        async def scenario() -> None:
            [socket] = await opened(ids[0], author)
            await socket.subscribe(f"tweet:{ids[1]}")
            await socket.say(type="subscribe", stream="tweet:7")
            assert (await socket.frame())["code"] == "not_found"
            await socket.subscribe("public")
            await socket.say(type="subscribe", stream=f"tweet:{ids[2]}")
            refused = await socket.frame()
            assert (refused["type"], refused["code"]) == ("error", "too_many_subscriptions")
            await socket.subscribe("public")
            await socket.say(type="unsubscribe", stream="public")
            await socket.subscribe(f"tweet:{ids[2]}")
            await close(socket)

        run(scenario)
