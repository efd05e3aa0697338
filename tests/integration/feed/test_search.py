"""Searching for tweets: alike at REST and in GraphQL, and never what the reader may not see."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

from accounts.graph import blocks, follows
from accounts.people import suspending
from feed.timelines import search_turns, searching
from feed.timelines.searching import search_page
from storage.breakers import State
from storage.errors import Unavailable
from storage.ids.snowflakes import id_time, make_id
from storage.stores import ids
from storage.web.paging import PageRequest
from tests.ids import new_id
from tests.integration.feed.protected_world import protect
from tests.integration.feed.reading import operator
from tests.integration.indexing import SEARCH, empty_index, found, index_everything
from tests.integration.querying import Door
from tests.integration.speaking import Api, follow, on_one_store, problem
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.search.guarded import LATE_FAILURES, search_index
from tweets.search.port import Document, Late
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    empty_index()
    yield
    empty_index()


@pytest.fixture
def word() -> str:
    """One that no other test uses."""
    return f"word{new_id()}"


def test_finds_what_was_posted_newest_first_whoever_asks(word: str) -> None:
    ada, bob = new_person(), new_person()
    first, second = post(ada, f"Der {word} schläft"), post(bob, f"{word.upper()}!")
    post(ada, f"not{word}")
    index_everything()
    for person in (None, ada, bob, new_person()):
        assert found(word, person) == [second, first]
    assert found(f"{word} SCHLAFT") == [first]
    assert found(f'"schläft {word}"') == []
    assert found(f'"der {word}"') == [first]
    assert found(f"{word} -schläft") == [second]


@on_one_store
def test_narrows_by_author_hashtag_and_day(word: str) -> None:
    ada, bob = new_person(), new_person()
    tagged, plain, bobs = post(ada, f"{word} #Grün"), post(ada, f"{word} grün"), post(bob, f"{word} #grün")
    index_everything()
    assert found(f"{word} from:{ada.username.upper()}") == [plain, tagged]
    assert found(f"from:@{ada.username} from:{bob.username}") == [bobs, plain, tagged]
    assert found(f"{word} #GRÜN") == [bobs, tagged]
    assert found(f"{word} grun") == [bobs, plain, tagged]
    today = id_time(plain).date()
    tomorrow, yesterday = today + timedelta(days=1), today - timedelta(days=1)
    assert found(f"{word} since:{today}") == found(f"{word} until:{tomorrow}") == [bobs, plain, tagged]
    assert (
        found(f"{word} since:{tomorrow}") == found(f"{word} until:{today}") == found(f"{word} until:{yesterday}") == []
    )
    assert found(f"{word} from:nobody_of_that_name") == []


@on_one_store
@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("私は東京に住んでいます", ["東京", "住んで", "私 東京"]),
        ("한국어를 배워요", ["한국", "한국어"]),
        ("ภาษาไทยไม่ยาก", ["ไทย", "ยาก"]),
        ("off we go 👩🏽‍🚀🚀", ["👩🏽‍🚀", "🚀", "👩🏽‍🚀🚀"]),
        ("שלום עולם", ["עולם", '"שלום עולם"']),
        ("می‌خواهم", ["میخواهم", "می‌خواهم"]),
        ("x https://example.com/a-b", ["example.com", "example", '"a b"']),
    ],
)
def test_finds_in_all_scripts(text: str, queries: list[str]) -> None:
    tweet = post(new_person(), text)
    index_everything()
    for query in queries:
        assert found(query) == [tweet], query
    assert found("京東") == found("👩") == []


@on_one_store
def test_replies_and_quotes_are_found_and_retweets_are_not(word: str) -> None:
    ada, bob = new_person(), new_person()
    tweet = post(ada, word)
    reply, quote = post(bob, word, reply_to=tweet), post(bob, word, quote_of=tweet)
    retweet(viewer=viewer(bob), tweet_id=tweet)
    index_everything()
    assert found(word) == [quote, reply, tweet]
    assert found(f"from:{bob.username}") == [quote, reply]


def test_the_store_has_the_last_word(word: str) -> None:
    """Whatever the index still says."""
    ada, bob, reader = new_person(), new_person(), new_person()
    gone, hidden, left = post(ada, word), post(bob, word), post(ada, word)
    index_everything()
    delete_tweet(tweet_id=gone, viewer=viewer(ada))
    assert found(word) == [left, hidden]
    blocks.block(reader.id, ada.id)
    assert found(word, reader) == [hidden]
    assert found(f"from:{ada.username}", reader) == []
    suspending.suspend(bob, by=operator())
    assert found(word) == [left]
    assert found(f"from:{bob.username}") == []


def test_protected_people_are_found_by_their_followers_alone(word: str) -> None:
    ada, follower, stranger = new_person(), new_person(), new_person()
    follows.follow(follower.id, ada.id)
    before = post(ada, word)
    protect(ada)
    after = post(ada, word)
    index_everything()
    for person in (ada, follower):
        assert found(word, person) == found(f"from:{ada.username}", person) == [after, before]
    for outsider in (None, stranger):
        assert found(word, outsider) == found(f"from:{ada.username}", outsider) == []


@on_one_store
def test_the_index_is_not_asked_for_whose_tweets_are_hidden() -> None:
    """No cursor, and no time that it takes, tells whether there are any."""
    ada = new_person()
    protect(ada)
    with patch.object(search_index(), "find") as asked:
        assert found(f"from:{ada.username} secret") == []
    asked.assert_not_called()


class TestPages:
    def test_they_go_down_to_the_first(self, word: str) -> None:
        author = new_person()
        ids = [post(author, word) for _ in range(7)]
        index_everything()
        api = Api()
        page = api.page(SEARCH, q=word, limit=3)
        seen = [int(each["id"]) for each in page["data"]]
        assert page["meta"]["prev_cursor"] is None
        while page["links"]["next"]:
            page = follow(api, page["links"]["next"])
            seen += [int(each["id"]) for each in page["data"]]
        assert seen == ids[::-1]

    def test_what_is_hidden_is_made_up_for(self, word: str) -> None:
        ada, bob, reader = new_person(), new_person(), new_person()
        blocks.block(reader.id, bob.id)
        mine = [post(ada, word)]
        for _ in range(9):
            post(bob, word)
        mine.append(post(ada, word))
        index_everything()
        page = Api(reader).page(SEARCH, q=word, limit=2)
        assert [int(each["id"]) for each in page["data"]] == mine[::-1]
        assert page["links"]["next"] is None

    @on_one_store
    def test_a_page_is_short_where_too_much_is_hidden_and_goes_on(self, word: str) -> None:
        """Of what the index alone has: nobody posts so much in a test."""
        shown = post(new_person(), word)
        index_everything()
        search_index().put([Document(id=ids.next(), author_id=7, words=(word,)) for _ in range(800)])
        with patch.object(search_index()._index, "find", wraps=search_index()._index.find) as read:
            page = Api().page(SEARCH, q=word, limit=1)
        assert page["data"] == []
        assert read.call_count == searching.ROUNDS
        page = follow(Api(), page["links"]["next"])
        assert [int(each["id"]) for each in page["data"]] == [shown]
        assert page["links"]["next"] is None

    @on_one_store
    def test_upwards_there_is_none(self, word: str) -> None:
        cursor = Api().page("/feed/public")["meta"]["prev_cursor"]
        tweet = post(new_person(), word)
        index_everything()
        cursor = cursor or Api().page("/feed/public")["meta"]["prev_cursor"]
        assert tweet
        problem(Api().get(SEARCH, q=word, since=cursor), 400, "bad_cursor")


@on_one_store
class TestQueries:
    @pytest.mark.parametrize("q", ["", "   ", "x" * 257])
    def test_what_asks_for_nothing_or_too_much_is_refused(self, q: str) -> None:
        problem(Api().get(SEARCH, q=q), 400, "bad_query")
        problem(Api().get(SEARCH), 400, "bad_query")

    @pytest.mark.parametrize("q", ["!!!", '""', "-", "-cat", "\0", "from:nobody_at_all", "#"])
    def test_what_has_nothing_to_look_for_finds_nothing(self, q: str) -> None:
        post(new_person(), "anything")
        index_everything()
        assert found(q) == []

    def test_operators_that_are_none_are_words(self, word: str) -> None:
        tweet = post(new_person(), f"since yesterday {word} near: from:me@example.org AND (or)")
        index_everything()
        for q in ("since:yesterday", "since:2026-02-30 ", "near:", "AND or NOT"):
            expected = [] if q.startswith(("since:2026", "AND")) else [tweet]
            assert found(f"{word} {q}") == expected, q
        assert found(f"{word} and (or)") == [tweet]


@on_one_store
class TestOutages:
    def test_without_an_index_search_alone_is_503(self, word: str) -> None:
        ada = new_person()
        with patch.object(search_index()._index, "find", side_effect=Unavailable("search")):
            answer = Api(ada).get(SEARCH, q=word)
            problem(answer, 503, "unavailable")
            assert int(answer["Retry-After"]) >= 1
            assert post(ada, word)
            assert Api(ada).page("/feed/public")["data"]

    def test_an_index_that_hangs_is_not_asked_any_more(self, word: str) -> None:
        with patch.object(search_index()._index, "find", side_effect=Unavailable("search")) as asked:
            for _ in range(6):
                problem(Api().get(SEARCH, q=word), 503, "unavailable")
        assert asked.call_count == 3

    def test_queries_that_take_too_long_close_the_search_to_nobody(self, word: str) -> None:
        """An index that says so is there; many such answers, and no other, mean that it has too much to do."""
        shown = post(new_person(), word)
        says = [*[Late()] * (LATE_FAILURES - 1), [shown], *[Late()] * (LATE_FAILURES + 1)]
        with patch.object(search_index()._index, "find", side_effect=says) as asked:
            for _ in range(LATE_FAILURES - 1):
                problem(Api().get(SEARCH, q=word), 503, "unavailable")
            assert Api().ids(SEARCH, q=word) == [str(shown)]
            for _ in range(LATE_FAILURES + 1):
                problem(Api().get(SEARCH, q=word), 503, "unavailable")
        assert asked.call_count == 2 * LATE_FAILURES

    def test_a_slow_index_is_waited_for_by_two_threads_alone(self, word: str) -> None:
        """Whoever else asks is told at once to come again, and everything else goes on."""
        goes_on, waiting = threading.Event(), threading.Barrier(search_turns.AT_ONCE + 1)

        def slow(*_: object, **__: object) -> list[int]:
            waiting.wait(10)
            goes_on.wait(10)
            return []

        with patch.object(search_index()._index, "find", side_effect=slow) as asked:
            threads = [
                threading.Thread(target=search_page, args=(word, None, PageRequest(limit=5)))
                for _ in range(search_turns.AT_ONCE)
            ]
            for thread in threads:
                thread.start()
            waiting.wait(10)
            try:
                began = time.monotonic()
                answer = Api().get(SEARCH, q=word)
                problem(answer, 503, "unavailable")
                assert int(answer["Retry-After"]) == 1
                assert time.monotonic() - began < 1
            finally:
                goes_on.set()
                for thread in threads:
                    thread.join()
        assert asked.call_count == search_turns.AT_ONCE
        assert search_index().breaker.state is State.CLOSED
        assert Api().page(SEARCH, q=word)["data"] == []

    def test_all_reads_of_a_page_share_one_deadline(self, word: str) -> None:
        """Of an index that takes most of its time, and has what nobody may see: the page is short, and goes on."""
        given: list[float] = []

        def slow(*_: object, limit: int, within: float, **__: object) -> list[int]:
            given.append(within)
            time.sleep(0.15)
            return [new_id() for _ in range(limit)]

        with (
            patch.object(searching, "PAGE_SECONDS", 0.5),
            patch.object(searching, "SPARE_SECONDS", 0.25),
            patch.object(search_index()._index, "find", side_effect=slow),
        ):
            page = Api().page(SEARCH, q=word, limit=1)
        assert page["data"] == []
        assert page["links"]["next"] is not None
        assert len(given) == 2
        assert 0.5 >= given[0] > given[1] >= 0.25

    def test_a_page_of_which_a_later_read_fails_is_short_and_goes_on(self, word: str) -> None:
        shown = post(new_person(), word)
        with patch.object(search_index()._index, "find", side_effect=[[shown, shown - 1], Unavailable("search")]):
            page = Api().page(SEARCH, q=word, limit=1)
        assert [int(each["id"]) for each in page["data"]] == [shown]
        assert page["links"]["next"] is not None

    def test_where_search_is_off_it_says_so(self, word: str, settings: object) -> None:
        settings.SEARCH_URL = "off"  # type: ignore[attr-defined]
        problem(Api().get(SEARCH, q=word), 503, "unavailable")
        assert post(new_person(), word)

    def test_graphql_says_it_as_an_error(self, word: str) -> None:
        with patch.object(search_index()._index, "find", side_effect=Unavailable("search")):
            answer = Door(None).ask("query($q: String!) { searchTweets(query: $q) { edges { cursor } } }", {"q": word})
        [error] = answer.json()["errors"]
        assert error["extensions"]["code"] == "unavailable"


@on_one_store
def test_days_are_utc_s(word: str) -> None:
    """One id before midnight, and the first one of the day."""
    midnight = datetime(2026, 11, 2, tzinfo=UTC)
    first = make_id(int(midnight.timestamp()) * 1_000_000, 0)
    author = new_person()
    for tweet_id in (first - 1, first):
        create_tweet(author=viewer(author), text=word, tweet_id=tweet_id)
    search_index().put([Document(id=each, author_id=author.id, words=(word,)) for each in (first - 1, first)])
    assert found(f"{word} since:2026-11-02") == [first]
    assert found(f"{word} until:2026-11-02") == [first - 1]
    assert found(f"{word} since:2026-11-01 until:2026-11-03") == [first, first - 1]
    assert found(f"{word} since:2026-11-03") == found(f"{word} until:2026-11-01") == []
