"""Erasing from the index what somebody who has left wrote: a step (accounts/people/erasing.py).

Behind the deletion of the tweets: the indexer puts only what stands in the store. Where the site is not searched there
is no index; one that is switched on later is made of what stands (rebuilding.py).
"""

from accounts.people.erasing import Piece, Step
from storage.ids.snowflakes import MAX_ID
from tweets.search.guarded import search_index, search_is_on
from tweets.search.port import BATCH_MAX, IndexQuery


def _erase(person_id: int, place: int) -> Piece:
    if not search_is_on():
        return Piece()
    ids = search_index().find(IndexQuery(authors=(person_id,)), below=place or MAX_ID, limit=BATCH_MAX)
    if ids:
        search_index().remove(ids)
    return Piece(len(ids), ids[-1] if len(ids) == BATCH_MAX else None)


def _is_found(person_id: int) -> bool:
    return search_is_on() and bool(search_index().find(IndexQuery(authors=(person_id,)), limit=1))


SEARCH_STEP = Step("search", _erase, _is_found)
