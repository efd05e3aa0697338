"""The live feed of the running product: what is told, and what is told again."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.conftest import Server
from tests.e2e.live_sockets import Frame, Opener, cursor_of, follower_of, opener, small_socket

pytestmark = pytest.mark.e2e


@pytest.fixture
def opened(server: Server) -> Iterator[Opener]:
    with ExitStack() as connections:
        yield opener(server, connections)


def _id_in(frame: Frame) -> str:
    found: str = frame["tweet"]["id"] if frame["type"] == "tweet" else frame["id"]
    return found


class TestNews:
    def test_new_tweets_come_as_they_arrive_and_whole(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        live = opened(reader.token).ready().subscribe()
        frames = []
        for number in range(3):
            tweet = author.post(f"number {number} #live")
            frames += live.tweets(1)
            assert frames[-1]["tweet"]["id"] == tweet
        rest = reader.home(limit=3)["data"]
        assert [frame["tweet"] for frame in frames] == rest[::-1]
        assert set(frames[0]) == {"type", "stream", "cursor", "tweet"}
        assert live.has_nothing_more()

    def test_ones_own_tweets_come_too(self, server: Server, opened: Opener) -> None:
        person = server.sign_up()
        live = opened(person.token).ready().subscribe()
        assert [person.post("my own")] == live.ids(1)
        assert live.has_nothing_more()

    def test_only_what_belongs_into_the_timeline_comes(self, server: Server, opened: Opener) -> None:
        author, stranger = server.sign_up(), server.sign_up()
        reader = follower_of(server, author)
        live = opened(reader.token).ready().subscribe()
        strange = stranger.post("unfollowed")
        author.post("a reply to somebody else", reply_to=strange)
        assert [author.post("the next in the timeline")] == live.ids(1)

    def test_the_public_feed_and_one_tweet_have_streams_of_their_own(self, server: Server, opened: Opener) -> None:
        author, reader = server.sign_up(), server.sign_up()
        tweet = author.post("looked at")
        live = opened(reader.token).ready().subscribe(stream=f"tweet:{tweet}").subscribe(stream="public")
        reply = reader.post("an answer", reply_to=tweet)
        public = author.post("for everybody")
        wanted = {("tweet", f"tweet:{tweet}", reply), ("tweet", "public", public), ("counts", f"tweet:{tweet}", tweet)}
        told: set[tuple[str, str, str]] = set()
        while not wanted <= told:
            frame = live.next()
            told.add((frame["type"], frame["stream"], _id_in(frame)))
            if frame["type"] == "counts":
                assert frame["counts"] == {"replies": 1, "retweets": 0, "quotes": 0, "likes": 0}
        author.delete(tweet)
        while (frame := live.next())["type"] != "delete" or frame["stream"] == "public":
            pass
        assert (frame["stream"], frame["id"]) == (f"tweet:{tweet}", tweet)

    def test_deleting_is_told(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        live = opened(follower_of(server, author).token).ready().subscribe()
        gone = author.post("a slip")
        assert live.ids(1) == [gone]
        author.delete(gone)
        assert live.next() == {"type": "delete", "stream": "home", "id": gone}

    def test_deleting_a_retweeted_tweet_is_told_to_whom_the_retweet_came(self, server: Server, opened: Opener) -> None:
        author, retweeter = server.sign_up(), server.sign_up()
        live = opened(follower_of(server, retweeter).token).ready().subscribe()
        gone = author.post("soon gone")
        retweeter.retweet(gone)
        [frame] = live.tweets(1)
        assert frame["tweet"]["retweet_of"]["id"] == gone
        author.delete(gone)
        assert live.next() == {"type": "delete", "stream": "home", "id": frame["tweet"]["id"]}

    def test_two_sockets_of_one_person_both_get_everything(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        sockets = [opened(reader.token).ready().subscribe() for _ in range(2)]
        ids = {author.post(f"number {number}") for number in range(3)}
        assert [set(live.ids(3)) for live in sockets] == [ids, ids]

    def test_unsubscribing_stops_the_stream_and_subscribing_starts_it_anew(
        self, server: Server, opened: Opener
    ) -> None:
        person = server.sign_up()
        live, watching = opened(person.token).ready().subscribe(), opened(person.token).ready().subscribe()
        live.send("subscribe", stream="home")
        live.send("unsubscribe", stream="home")
        assert live.next() == {"type": "subscribed", "stream": "home"}
        assert live.has_nothing_more()
        watching.until(person.post("while nobody listens"))
        assert live.has_nothing_more()
        live.subscribe()
        assert [person.post("while somebody listens")] == live.ids(1)

    def test_someone_who_does_not_read_stops_nobody(self, server: Server, opened: Opener) -> None:
        """What it was sent waits in its socket, and what it asks for on and on is one replay that waits behind it."""
        author = server.sign_up()
        live = opened(author.token).ready().subscribe()
        start = cursor_of(author, author.post("the first"))
        for number in range(20):
            live.until(author.post(f"number {number} " + "filler " * 35))
        stuck = opened(author.token, sock=small_socket(server), max_queue=1, close_timeout=0.5).ready()
        for _ in range(95):
            stuck.send("subscribe", stream="home", after=start)
        tweet = author.post("the next")
        assert live.ids(1) == [tweet]
        assert live.has_nothing_more()


class TestResuming:
    def test_from_a_frame_s_cursor_nothing_is_skipped(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        live = opened(reader.token).ready().subscribe()
        seen = [author.post("seen")]
        [frame] = live.tweets(1)
        live.connection.close()
        missed = [author.post(f"missed {number}") for number in range(3)]
        cursor_of(reader, *missed)
        again = opened(reader.token).ready().subscribe(after=frame["cursor"])
        now = author.post("live again")
        assert [each for each in again.until(now) if each not in seen] == [*missed, now]

    def test_from_the_first_page_s_prev_cursor_oldest_first(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        reader = follower_of(server, author)
        before = [author.post(f"before {number}") for number in range(3)]
        cursor = cursor_of(reader, *before)
        missed = [author.post(f"missed {number}") for number in range(3)]
        cursor_of(reader, *missed)
        replayed = opened(reader.token).ready().subscribe(after=cursor).until(missed[-1])
        assert replayed == [each for each in before if each in replayed] + missed

    def test_more_than_a_page_is_replayed_whole(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        first = author.post("the first")
        cursor = cursor_of(author, first)
        ids = [author.post(f"number {number}") for number in range(230)]
        replayed = opened(author.token).ready().subscribe(after=cursor).until(ids[-1])
        assert replayed == [first] * (first in replayed) + ids

    def test_every_cursor_of_a_replay_skips_nothing(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        first = author.post("the first")
        cursor = cursor_of(author, first)
        ids = [author.post(f"number {number}") for number in range(5)]
        frames = opened(author.token).ready().subscribe(after=cursor).frames_until(ids[-1])
        for frame in frames:
            later = [each for each in ids if int(each) > int(frame["tweet"]["id"])]
            again = opened(author.token).ready().subscribe(after=frame["cursor"])
            assert [each for each in again.until(author.post("now")) if each in later] == later

    def test_what_was_deleted_meanwhile_is_told(self, server: Server, opened: Opener) -> None:
        author, retweeter, stranger = (server.sign_up() for _ in range(3))
        reader = follower_of(server, author, retweeter)
        live = opened(reader.token).ready().subscribe()
        own, retweeted = author.post("own"), stranger.post("a stranger's")
        live.ids(1)
        retweeter.retweet(retweeted)
        [frame] = live.tweets(1)
        live.connection.close()
        author.delete(own)
        stranger.delete(retweeted)
        again = opened(reader.token).ready().subscribe(after=frame["cursor"])
        told = [again.next() for _ in range(2)]  # in the order in which they come: one may have been heard meanwhile
        assert sorted(told, key=lambda each: each["id"]) == [
            {"type": "delete", "stream": "home", "id": each} for each in (own, frame["tweet"]["id"])
        ]

    def test_what_was_deleted_meanwhile_is_not_replayed(self, server: Server, opened: Opener) -> None:
        author = server.sign_up()
        kept = author.post("kept")
        cursor = cursor_of(author, kept)
        gone, last = author.post("gone"), author.post("last")
        author.delete(gone)
        assert gone not in opened(author.token).ready().subscribe(after=cursor).until(last)
