"""`manage.py index_tweets`: the search index made anew from the store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import CommandError

from feed.management.commands import index_tweets
from storage.errors import Unavailable
from storage.ids.snowflakes import id_time, make_id, now_us
from storage.ports.places import SEARCH, SEARCH_GAP
from storage.stores import ids, places
from tests.integration.feed.commands import output_of
from tests.integration.indexing import empty_index, index_everything, indexed
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.search import gaps, rebuilding
from tweets.search.embedded import FILE as INDEX_FILE
from tweets.search.guarded import search_index
from tweets.search.indexer import Indexer
from tweets.search.port import Document, IndexQuery
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    empty_index()
    yield
    empty_index()
    _file().unlink(missing_ok=True)


def _file() -> Path:
    return Path(settings.DATA_DIR) / index_tweets.FILE


def by(*people: int) -> list[int]:
    """What the index has of some people: a Cassandra of tests holds everybody's."""
    return search_index().find(IndexQuery(authors=people), limit=1_000)


def test_everything_that_stands_is_indexed_and_nothing_else() -> None:
    ada, bob = new_person(), new_person()
    first, gone = post(ada), post(ada)
    reply = post(bob, reply_to=first)
    retweet(viewer=viewer(bob), tweet_id=first)
    delete_tweet(tweet_id=gone, viewer=viewer(ada))
    left_over = Document(id=ids.next(), author_id=ada.id, words=("nowhere",))
    search_index().put([left_over, Document(id=gone, author_id=ada.id)])
    output_of("index_tweets")
    assert by(ada.id, bob.id) == [reply, first]
    assert output_of("index_tweets").endswith("0 were gone and are taken out\n")
    assert by(ada.id, bob.id) == [reply, first]


def test_pages_and_batches_of_any_size_leave_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [new_person() for _ in range(5)]
    written = [post(person) for number, person in enumerate(people) for _ in range(3 * number + 1)]
    for name, number in (("PEOPLE", 2), ("PAGE", 3), ("BATCH", 4)):
        monkeypatch.setattr(rebuilding, name, number)
    for _ in rebuilding.rebuild():
        pass
    assert by(*(person.id for person in people)) == written[::-1]


@on_one_store
def test_says_what_it_did() -> None:
    ada, bob = new_person(), new_person()
    post(ada), post(ada), post(bob)
    search_index().put([Document(id=ids.next(), author_id=ada.id)])
    assert output_of("index_tweets") == (
        "3 tweets of 2 people are indexed; of 4 in the index 1 were gone and are taken out\n"
    )


@on_one_store
def test_since_a_day_older_ones_are_left_as_they_are() -> None:
    ada = new_person()
    tweet, old = post(ada), Document(id=make_id(now_us() - 3 * 86_400_000_000, 1), author_id=ada.id)
    search_index().put([old])
    output_of("index_tweets", since=id_time(tweet).date())
    assert indexed() == [tweet, old.id]


def break_off(*, after: int) -> None:
    """A rebuild ends by an index that does not answer when so many batches have been put."""
    put, said = search_index().put, iter([*[None] * after, Unavailable("search")])

    def puts(documents: list[Document]) -> None:
        if (error := next(said)) is not None:
            raise error
        put(documents)

    with (
        patch.object(search_index(), "put", puts),
        pytest.raises(CommandError, match="Call it again") as ended,
    ):
        output_of("index_tweets")
    assert ended.value.returncode == 2


def steps_to_its_end(steps: Iterator[rebuilding.Progress]) -> None:
    for _ in steps:
        pass


@on_one_store
class TestEmptied:
    """The index is the same one, and what was put into it is gone."""

    @pytest.mark.parametrize("is_wanted", [True, False])
    def test_one_that_was_emptied_beneath_a_rebuild_is_not_called_done(
        self, is_wanted: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people = [new_person() for _ in range(4)]
        written = [post(person) for person in people]
        monkeypatch.setattr(rebuilding, "PEOPLE", 1)
        places().move(SEARCH, ids.next())
        if is_wanted:
            places().move(SEARCH_GAP, ids.next())
        put, steps = search_index().put, 0

        def puts(documents: list[Document]) -> None:
            nonlocal steps
            if (steps := steps + 1) == 3:
                empty_index()
                Indexer()._look_at_the_index()
            put(documents)

        with patch.object(search_index(), "put", puts), pytest.raises(CommandError, match="lost meanwhile"):
            output_of("index_tweets")
        assert gaps.rebuild_wanted()
        assert not _file().exists()
        output_of("index_tweets")
        assert indexed() == written[::-1]
        assert not gaps.rebuild_wanted()

    def test_nor_is_one_of_which_no_look_tells(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody had asked for a rebuild, and it has put something again before the indexer looks."""
        people = [new_person() for _ in range(3)]
        written = [post(person) for person in people]
        monkeypatch.setattr(rebuilding, "PEOPLE", 1)
        places().move(SEARCH, ids.next())
        output_of("index_tweets")
        steps = rebuilding.rebuild()
        next(steps)
        assert not gaps.rebuild_wanted()
        empty_index()
        search_index().put([Document(id=written[1], author_id=people[1].id)])
        with pytest.raises(rebuilding.IndexWasLost):
            steps_to_its_end(steps)
        assert gaps.rebuild_wanted()

    def test_one_that_was_emptied_while_a_rebuild_was_broken_off_is_filled_from_its_beginning(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = [post(person) for person in [new_person() for _ in range(4)]]
        monkeypatch.setattr(rebuilding, "PEOPLE", 1)
        places().move(SEARCH, ids.next())
        break_off(after=2)
        empty_index()
        search_index().put([Document(id=written[3], author_id=1)])
        with pytest.raises(CommandError, match="lost meanwhile"):
            output_of("index_tweets")
        output_of("index_tweets")
        assert indexed() == written[::-1]
        assert not gaps.rebuild_wanted()

    def test_what_was_deleted_meanwhile_is_no_loss(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ada, bob = new_person(), new_person()
        goes, stays = post(ada), post(bob)
        monkeypatch.setattr(rebuilding, "PEOPLE", 1)
        steps = rebuilding.rebuild()
        next(steps)
        delete_tweet(tweet_id=goes, viewer=viewer(ada))
        index_everything()
        steps_to_its_end(steps)
        assert indexed() == [stays]

    def test_a_rebuild_that_ends_while_the_indexer_looks_is_not_asked_for_again(self) -> None:
        """It had begun before the look, and put its first tweet behind it."""
        post(new_person())
        gaps.note_the_index(search_index().identity())
        places().move(SEARCH, ids.next())
        places().move(SEARCH_GAP, ids.next())
        steps, newest = rebuilding.rebuild(began=ids.next()), search_index().newest

        def slowly() -> int | None:
            found = newest()
            with patch.object(search_index(), "newest", newest):
                steps_to_its_end(steps)
            return found

        with patch.object(search_index(), "newest", slowly):
            Indexer()._look_at_the_index()
        steps_to_its_end(steps)
        assert not gaps.rebuild_wanted()


@on_one_store
class TestBrokenOff:
    def test_it_goes_on_where_it_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        people = [new_person() for _ in range(6)]
        written = [post(person) for person in people]
        monkeypatch.setattr(rebuilding, "PEOPLE", 1)
        break_off(after=3)
        assert indexed() == written[2::-1]
        with patch.object(search_index(), "put", side_effect=search_index().put) as again:
            told = output_of("index_tweets")
        assert told.startswith(f"Goes on after person {people[2].id}")
        assert again.call_count == 3
        assert indexed() == written[::-1]
        assert not _file().exists()

    def test_unless_it_is_to_begin_anew_or_is_another_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        people = [new_person() for _ in range(3)]
        written = [post(person) for person in people]
        for options in ({"anew": True}, {"since": id_time(written[0]).date()}):
            _file().write_text(f"None {ids.next()} {people[1].id} {search_index().identity()}")
            empty_index()
            assert "Goes on" not in output_of("index_tweets", **options)
            assert indexed() == written[::-1]

    @pytest.mark.parametrize("fault", ["gone", "another index", "old"])
    def test_where_it_cannot_go_on_it_begins_anew(self, fault: str) -> None:
        """Its person is gone; what was put before is in an index that is lost; nobody knows any more."""
        people = [new_person() for _ in range(3)]
        written = [post(person) for person in people]
        began = make_id(now_us() - 8 * 86_400_000_000, 0) if fault == "old" else ids.next()
        person = ids.next() if fault == "gone" else people[1].id
        _file().write_text(f"None {began} {person} {search_index().identity()}")
        if fault == "another index":
            Path(settings.DATA_DIR, INDEX_FILE).unlink()
        told = output_of("index_tweets")
        assert "Goes on" not in told
        assert told.startswith("Begins anew") == (fault == "gone")
        assert indexed() == written[::-1]
        assert not _file().exists()

    def test_an_index_that_was_lost_meanwhile_is_not_called_done(self) -> None:
        post(new_person()), post(new_person())
        gap = ids.next()
        places().move(SEARCH_GAP, gap)
        with (
            patch.object(search_index()._index, "refresh", lambda: Path(settings.DATA_DIR, INDEX_FILE).unlink(True)),
            pytest.raises(CommandError, match="lost meanwhile"),
        ):
            output_of("index_tweets")
        assert gaps.rebuild_wanted()
        assert not _file().exists()

    def test_one_of_some_days_fills_no_loss_that_it_finds(self) -> None:
        """A new index of an installation that has older tweets."""
        tweet = post(new_person())
        places().move(SEARCH, ids.next())
        output_of("index_tweets", since=id_time(tweet).date())
        assert gaps.rebuild_wanted()
        output_of("index_tweets")
        assert not gaps.rebuild_wanted()

    def test_an_indexer_that_looks_before_its_first_tweet_is_put_asks_for_no_second_one(self) -> None:
        """The index is empty until then, which is the gap that is being filled."""
        tweet, one = post(new_person()), Indexer()
        places().move(SEARCH, ids.next())
        put = search_index().put

        def looked_at(documents: list[Document]) -> None:
            one._look_at_the_index()
            put(documents)

        with patch.object(search_index(), "put", looked_at):
            output_of("index_tweets")
        assert not gaps.rebuild_wanted()
        assert indexed() == [tweet]
        empty_index()
        one._look_at_the_index()
        assert gaps.rebuild_wanted(), "it is empty again"

    def test_nor_does_one_that_began_to_look_before_it_was_begun(self) -> None:
        post(new_person())
        places().move(SEARCH, ids.next())
        place, rebuilt = places().place, list[bool]()

        def slowly(reader: str) -> int:
            found = place(reader)
            if reader.startswith(f"{SEARCH}:") and not rebuilt:
                rebuilt.append(True)
                output_of("index_tweets")
            return found

        with patch.object(places(), "place", slowly):
            Indexer()._look_at_the_index()
        assert rebuilt
        assert places().place(SEARCH_GAP)
        assert not gaps.rebuild_wanted()

    def test_a_file_that_says_nothing_is_none(self) -> None:
        tweet = post(new_person())
        _file().write_text("a b")
        output_of("index_tweets")
        assert indexed() == [tweet]

    def test_a_gap_that_was_noted_in_between_stays(self) -> None:
        began = ids.next()
        ada = new_person()
        post(ada)
        _file().write_text(f"None {began} {ada.id} {search_index().identity()}")
        places().move(SEARCH_GAP, ids.next())
        output_of("index_tweets")
        assert gaps.rebuild_wanted()
        output_of("index_tweets")
        assert not gaps.rebuild_wanted()


@on_one_store
def test_what_has_just_been_put_is_looked_at_as_well() -> None:
    """An index shows what was put within a second, or when it is asked to."""
    ada, put, find = new_person(), search_index().put, search_index()._index.find
    post(ada)
    left_over = Document(id=ids.next(), author_id=ada.id)
    unseen: set[int] = set()

    def put_beside(documents: list[Document]) -> None:
        put([*documents, left_over])
        unseen.add(left_over.id)

    def find_seen(*args: Any, **options: Any) -> list[int]:
        return [each for each in find(*args, **options) if each not in unseen]

    with (
        patch.object(search_index(), "put", put_beside),
        patch.object(search_index()._index, "find", find_seen),
        patch.object(search_index()._index, "refresh", unseen.clear),
    ):
        output_of("index_tweets")
    assert left_over.id not in indexed()


@on_one_store
def test_beside_the_indexer() -> None:
    """What is posted and deleted while it runs is as it stands afterwards."""
    ada = new_person()
    stays, goes = post(ada), post(ada)
    steps = rebuilding.rebuild()
    next(steps)
    delete_tweet(tweet_id=goes, viewer=viewer(ada))
    new = post(ada)
    index_everything()
    for _ in steps:
        pass
    assert indexed() == [new, stays]
