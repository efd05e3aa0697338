"""The page at / in a real browser, live: its streams, what becomes of them, and whoever has none."""

from collections.abc import Iterator, Sequence

import pytest

from tests.e2e.browser import Browser
from tests.e2e.client_page import User, anew, users
from tests.e2e.conftest import Person, Server
from tests.e2e.live_sockets import follower_of, on_one_store
from tests.e2e.page_line import Line, line
from tests.e2e.runs import eventually

pytestmark = [pytest.mark.e2e, on_one_store]

SECONDS = 30.0
BAR = "button.bar"
FEW = 4
"""Subscribes, and reads: more than a page needs that has heard of a gap, far fewer than one that goes in circles."""
AT_REST = "!document.querySelector('.more[disabled]')"
"""No list is being read."""
SOON = """
const patient = window.setTimeout;
window.setTimeout = (act, wait, ...rest) => patient(act, wait === 12_000 ? 300 : wait, ...rest);
"""
"""Whoever polls does so more often."""


@pytest.fixture(scope="module")
def shared(shared_browser: Browser) -> Iterator[Sequence[User]]:
    with users(shared_browser, "", 1) as one:
        yield one


@pytest.fixture
def one(shared: Sequence[User], server: Server) -> Iterator[User]:
    """Somebody who is not signed in."""
    with anew(shared, server) as [user]:
        yield user


@pytest.fixture
def wire(one: User) -> Iterator[Line]:
    with line(one.tab) as made:
        yield made


class TestTheConnection:
    def test_a_server_that_cannot_look_at_the_token_signs_nobody_out(
        self, one: User, wire: Line, server: Server
    ) -> None:
        one.become(server.sign_up())
        wire.set(refusals=[{"frame": {"type": "error", "code": "unavailable", "detail": ""}, "code": 4401}])
        wire.cut()
        assert eventually(lambda: wire.opened() == 3, SECONDS)
        one.until_live()
        assert one.tab.run("sessionStorage.getItem('session') !== null")
        assert one.count("signed out", ".notices") == 0

    def test_a_stream_that_could_not_begin_is_asked_for_again(self, one: User, wire: Line, server: Server) -> None:
        author, reader = _who_was_heard(server, "of before")
        one.become(reader).sees("of before", "article.tweet")
        wire.set(lost=2, said=[])
        wire.cut()
        assert eventually(lambda: wire.asked("home") == ["subscribe"], SECONDS)
        wire.tweet("home", cursor="of an earlier subscription")
        assert eventually(lambda: wire.asked("home") == ["subscribe"] * 3, SECONDS)
        author.post("heard all the same")
        one.sees("1 new tweet", BAR).click("1 new tweet").sees("heard all the same", "article.tweet")
        assert "of an earlier subscription" not in wire.places("home")

    def test_a_gap_behind_each_subscribed_does_not_go_in_circles(self, one: User, wire: Line, server: Server) -> None:
        """As of whoever comes to a home whose newest tweet is older than deletions are remembered."""
        author, reader = _who_was_heard(server, "long ago")
        one.become(reader).sees("long ago", "article.tweet")
        _hears_gaps_only(one, wire)
        author.post("of now")
        one.sees("1 new tweet", BAR)
        assert _reads(one) < FEW
        assert wire.asked("home").count("subscribe") < FEW

    def test_nor_does_it_where_nothing_is(self, one: User, wire: Line, server: Server) -> None:
        author = server.sign_up()
        one.become(follower_of(server, author)).sees("Nothing here yet")
        _hears_gaps_only(one, wire)
        author.post("of now")
        one.sees("1 new tweet", BAR)
        assert _reads(one) < FEW
        assert wire.asked("home").count("subscribe") < FEW


class TestAGap:
    def test_what_is_told_while_the_list_is_read_anew_stands(self, one: User, wire: Line, server: Server) -> None:
        author, reader = _who_was_heard(server, "stays")
        leaves = author.post("leaves")
        assert eventually(lambda: len(reader.home()["data"]) == 2, SECONDS)
        one.become(reader).sees("leaves", "article.tweet")
        one.tab.hold_answer("*/api/v1/feed/home*")
        wire.gap("home")
        assert eventually(one.tab.holds, SECONDS)
        author.delete(leaves)
        author.post("comes")
        one.sees_no_more("leaves").sees("1 new tweet", BAR)
        one.tab.release()
        one.tab.until("document.querySelectorAll('article.tweet').length === 1")
        one.sees("1 new tweet", BAR).sees("stays", "article.tweet").click("1 new tweet").sees("comes", "article.tweet")
        assert one.count("leaves") == 0

    @pytest.mark.parametrize("way", ["by hand", "by itself"])
    def test_it_is_made_good_when_the_first_try_fails(self, one: User, wire: Line, server: Server, way: str) -> None:
        author, reader = _who_was_heard(server, "stays")
        leaves = author.post("leaves")
        assert eventually(lambda: len(reader.home()["data"]) == 2, SECONDS)
        one.become(reader).sees("leaves", "article.tweet")
        wire.set(isDeaf=True)
        author.delete(leaves)
        one.tab.lose_answer("*/api/v1/feed/home*")
        wire.gap("home")
        one.sees("The server does not answer").forgive("ERR_CONNECTION_RESET")
        one.sees("Show what is new")
        if way == "by hand":
            one.click("Try again")
        else:
            one.tab.run("dispatchEvent(new Event('online'))")
        one.sees_no_more("leaves")
        assert one.count("stays") == 1

    def test_a_second_one_waits_until_it_is_asked_for(self, one: User, wire: Line, server: Server) -> None:
        """They come every second where more is written than is told: nobody could read a list that always changes."""
        author = server.sign_up()
        author.post("of before")
        one.become(author).sees("of before", "article.tweet")
        wire.until_begun("home")
        one.tab.asked.clear()
        for _ in range(2):
            wire.gap("home")
            one.tab.until(AT_REST)
        one.sees("Show what is new")
        assert _reads(one) == 1
        one.click("Show what is new").sees_no_more("Show what is new")
        assert _reads(one) == 2

    def test_what_one_writes_oneself_does_not_wait(self, one: User, wire: Line, server: Server) -> None:
        """Though the stream tells it before the answer to its writer is there."""
        one.become(server.sign_up())
        wire.until_begun("home")
        one.tab.until(AT_REST)
        one.tab.hold_answer("*/api/v1/tweets")
        one.write("my own").click("Post", "main form").sees("1 new tweet", BAR)
        one.tab.release()
        one.sees("my own", "article.tweet")
        assert one.tab.run(f"document.querySelector('{BAR}').hidden")


class TestPublic:
    def test_it_is_told_of_while_it_is_shown_and_asked_for_never(self, one: User, wire: Line, server: Server) -> None:
        author = server.sign_up()
        author.post("of before")
        one.become(server.sign_up())
        one.go("/public").sees("of before", "article.tweet")
        author.post("of the public")
        one.sees("new tweet", BAR).click("1 new tweet").sees("of the public", "article.tweet")
        one.go("/settings")
        assert wire.asked("public") == ["subscribe", "unsubscribe"]
        author.post("while it was not looked at")
        one.tab.run("history.back()")
        one.sees("1 new tweet", BAR).click("1 new tweet").sees("while it was not looked at", "article.tweet")
        assert wire.asked("public") == ["subscribe", "unsubscribe", "subscribe"]
        assert not [url for url in one.tab.asked if "since=" in url]

    def test_whoever_is_not_signed_in_asks_for_it(self, one: User, server: Server) -> None:
        with one.tab.before_pages(SOON):
            one.open("/public").tab.until("!document.querySelector('[aria-busy=true]')")
            server.sign_up().post("for everybody")
            one.sees("new tweet", BAR)
            assert not [url for url in one.tab.asked if "/ws/feed" in url]

    def test_home_goes_on_meanwhile(self, one: User, wire: Line, server: Server) -> None:
        author, reader = _who_was_heard(server, "the first")
        one.become(reader).sees("the first", "article.tweet").go("/settings")
        author.post("of home")
        one.tab.until("document.title.startsWith('(1)')")
        one.go("/").sees("of home", "article.tweet")
        assert not one.tab.run("document.title.startsWith('(')")
        author.post("of both homes")
        one.sees("1 new tweet", BAR)
        one.tab.run("history.go(-2)")
        one.sees("2 new tweets", BAR)
        assert one.tab.run("document.title.startsWith('(2)')")


class TestATweet:
    def test_its_counts_its_replies_and_its_end_are_told(self, one: User, wire: Line, server: Server) -> None:
        author, other = server.sign_up(), server.sign_up()
        tweet_id = author.post("the tweet")
        one.become(server.sign_up())
        one.go(f"/@{author.username}/{tweet_id}").sees("No replies yet")
        assert eventually(lambda: wire.asked(f"tweet:{tweet_id}") == ["subscribe"], SECONDS)
        assert other.client.put(f"/tweets/{tweet_id}/like").status_code == 200
        one.sees("1 like", ".counts")
        one.tab.until("document.querySelector('article.large [data-act=like] .count').textContent === '1'")
        one.tab.until(AT_REST)
        reply = other.post("a reply", reply_to=tweet_id)
        one.sees("1 new tweet", BAR).click("1 new tweet").sees("a reply", "article.tweet")
        one.tab.until("document.querySelector('article.large [data-act=reply] .count').textContent === '1'")
        other.delete(reply)
        one.sees_no_more("a reply")
        author.delete(tweet_id)
        one.sees("This tweet was deleted")
        assert not [url for url in one.tab.asked if "since=" in url]

    def test_what_was_missed_while_away_is_told(self, one: User, wire: Line, server: Server) -> None:
        author = server.sign_up()
        tweet_id = author.post("the tweet")
        author.post("a reply", reply_to=tweet_id)
        one.become(server.sign_up())
        one.go(f"/@{author.username}/{tweet_id}").sees("a reply").go("/settings")
        assert wire.asked(f"tweet:{tweet_id}") == ["subscribe", "unsubscribe"]
        author.post("another reply", reply_to=tweet_id)
        assert author.client.put(f"/tweets/{tweet_id}/like").status_code == 200
        one.tab.run("history.back()")
        one.sees("1 new tweet", BAR).sees("1 like", ".counts")

    def test_a_gap_has_its_counts_read_as_well(self, one: User, wire: Line, server: Server) -> None:
        author = server.sign_up()
        tweet_id = author.post("the tweet")
        author.post("a reply", reply_to=tweet_id)
        one.become(server.sign_up())
        one.go(f"/@{author.username}/{tweet_id}").sees("a reply")
        wire.set(isDeaf=True)
        assert author.client.put(f"/tweets/{tweet_id}/like").status_code == 200
        author.post("another reply", reply_to=tweet_id)
        wire.gap(f"tweet:{tweet_id}")
        one.sees("1 like", ".counts").sees("another reply")

    def test_counts_take_no_bookmark_away(self, one: User, server: Server) -> None:
        author, person = server.sign_up(), server.sign_up()
        tweet_id = author.post("kept for later")
        author.post("a reply", reply_to=tweet_id)
        person.client.put(f"/tweets/{tweet_id}/bookmark")
        one.become(person)
        one.go("/bookmarks").sees("kept for later", "article.tweet")
        one.go(f"/@{author.username}/{tweet_id}").sees("a reply")
        assert author.client.put(f"/tweets/{tweet_id}/like").status_code == 200
        one.sees("1 like", ".counts")
        one.tab.run("history.back()")
        one.sees("Bookmarks", "h1").sees("kept for later", "article.tweet")


def _who_was_heard(server: Server, text: str) -> tuple[Person, Person]:
    """Somebody who has written that, and who follows them and has it at home."""
    author = server.sign_up()
    reader = follower_of(server, author)
    author.post(text)
    assert eventually(lambda: bool(reader.home()["data"]), SECONDS)
    return author, reader


def _hears_gaps_only(one: User, wire: Line) -> None:
    """The page comes back to a server that has a gap behind each `subscribed`, and reads home anew."""
    wire.until_begun("home")
    one.tab.asked.clear()
    wire.set(gaps=1_000, said=[], begun=[])
    wire.cut()
    wire.until_begun("home")
    assert eventually(lambda: _reads(one) >= 1, SECONDS)
    one.tab.until(AT_REST)


def _reads(one: User) -> int:
    """How often the page has read home."""
    one.tab.run("1")
    return sum("/api/v1/feed/home" in url for url in one.tab.asked)
