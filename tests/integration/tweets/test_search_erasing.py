"""Erasing whoever has left from the index of tweets, in pieces."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.people.erasing import Piece
from tests.ids import new_id
from tests.integration.speaking import on_one_store
from tweets.search import erasing
from tweets.search.erasing import SEARCH_STEP
from tweets.search.guarded import GuardedIndex, search_index
from tweets.search.port import Document, IndexQuery

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

AUTHOR, OTHER = 8, 9


@pytest.fixture(autouse=True)
def kept() -> Iterator[int]:
    """Five documents of the author are in the index, and one of somebody else, whose id this is."""
    mine = [Document(id=new_id(), author_id=AUTHOR, words=("cat",)) for _ in range(5)]
    other = Document(id=new_id(), author_id=OTHER, words=("cat",))
    search_index().put([*mine, other])
    yield other.id
    search_index().remove([*(each.id for each in mine), other.id])


def test_all_of_an_author_goes_piece_by_piece_and_nobody_else_s(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "BATCH_MAX", 2)
    assert SEARCH_STEP.has_traces(AUTHOR)
    pieces = [SEARCH_STEP.erase(AUTHOR, 0)]
    while (place := pieces[-1].rest) is not None:
        pieces.append(SEARCH_STEP.erase(AUTHOR, place))
    assert [piece.count for piece in pieces] == [2, 2, 1]
    assert not SEARCH_STEP.has_traces(AUTHOR)
    assert search_index().find(IndexQuery(authors=(OTHER,)), limit=5) == [kept]


def test_a_piece_goes_on_below_the_last_though_the_index_shows_for_a_moment_what_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As OpenSearch does until it is refreshed."""
    monkeypatch.setattr(erasing, "BATCH_MAX", 2)
    with patch.object(GuardedIndex, "remove"):
        first = SEARCH_STEP.erase(AUTHOR, 0)
        assert first.rest is not None
        second = SEARCH_STEP.erase(AUTHOR, first.rest)
        assert second.rest is not None
        assert SEARCH_STEP.erase(AUTHOR, second.rest) == Piece(1)


def test_where_nothing_is_searched_nothing_is_asked(settings: Settings) -> None:
    settings.SEARCH_URL = "off"
    assert SEARCH_STEP.erase(AUTHOR, 0) == Piece()
    assert not SEARCH_STEP.has_traces(AUTHOR)
