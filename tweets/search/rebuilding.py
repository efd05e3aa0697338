"""Making the search index anew from the tweet store, beside the indexer and beside traffic.

Two walks. The first puts every tweet of everybody who has ever written; the second, down the index, takes out what the
store has not. What is posted or deleted meanwhile the indexer brings: a tweet that was read here as it stood, and was
deleted before it was put, stays in the index, where hydration hides it, until a later rebuild's second walk.

**Broken off**, it goes on after the last person whom it says it was done with: the store walks people in an order of
its own, which stays the same; were that person gone, it begins with everybody. Memory is that of PEOPLE pages, and of
the people it has met lately.
"""

from collections.abc import Iterator
from itertools import islice

import msgspec
from cachetools import LRUCache

from storage.ids.snowflakes import MAX_ID, make_id, now_us
from storage.ports.places import SEARCH_REBUILT
from storage.ports.ranges import Range
from storage.stores import places
from tweets.search import gaps
from tweets.search.documents import document_of
from tweets.search.guarded import search_index
from tweets.search.port import BATCH_MAX, IndexQuery
from tweets.stores.port import tweet_store

PEOPLE = 20
"""Whose tweets are read side by side."""
PAGE = 200
"""Tweets of each of them that are read at a time."""
BATCH = 500
"""Tweets looked up, and put, at a time."""
MET = 200_000
"""People of whom is known that they were done: the store names some of them several times. Of more, some are done
again."""


class Progress(msgspec.Struct):
    """What was done so far, since when. `person` is the last one of whom, and of everybody before, all is done."""

    began: int
    people: int = 0
    put: int = 0
    looked_at: int = 0
    removed: int = 0
    person: int | None = None
    index: str = ""
    """Its identity: of another one, nothing is done."""
    goes_on: bool = False
    """Behind the person of an earlier one; not if the store does not name them any more."""


class IndexWasLost(Exception):
    """The index is another one than at the beginning: what was put before is gone."""


def rebuild(*, since: int = 0, began: int | None = None, after: int | None = None) -> Iterator[Progress]:
    """Makes the index agree with the store, of tweets whose ids are above `since`; yields after each step.

    Of a rebuild that broke off, `began` and `after` are its progress' `began` and `person`. When it has come to its
    end, gaps that were noted before its beginning are filled: with `since`, whoever gives it says that there was none
    before. Costs, for each PEOPLE, a read of their listings a page, and a read of the store and a write to the index
    for each BATCH; then a read of index and store for each BATCH of the index. Raises `Unavailable`, and at its end
    `IndexWasLost`.
    """
    if since:
        began = began or make_id(now_us(), 0)
    index = search_index().identity()
    gaps.look_whether_it_is_another(index)  # noted after the beginning of one that would not fill it
    progress = Progress(began or make_id(now_us(), 0), person=after, index=index)
    yield from _put_everything(progress, since, after)
    search_index().refresh()  # what was put a moment ago would not be looked at
    yield from _remove_what_is_gone(progress, since)
    search_index().refresh()
    if search_index().identity() != index:
        raise IndexWasLost
    places().move(SEARCH_REBUILT, progress.began)
    yield progress


def _put_everything(progress: Progress, since: int, after: int | None) -> Iterator[Progress]:
    people = _each_once(_authors(after, progress))
    while chunk := list(islice(people, PEOPLE)):
        for ids in _ids_of(chunk, since):
            progress.put += _put(ids)
            yield progress
        progress.people += len(chunk)
        progress.person = chunk[-1]
        yield progress


def _authors(after: int | None, progress: Progress) -> Iterator[int]:
    """Everybody behind that person; everybody, if there is no such person."""
    if after is not None:
        people = iter(tweet_store().authors())
        if after in people:
            progress.goes_on = True
            yield from people
            return
    yield from tweet_store().authors()


def _each_once(people: Iterator[int]) -> Iterator[int]:
    """Most of them."""
    met: LRUCache[int, bool] = LRUCache(MET)
    for person in people:
        if person not in met:
            met[person] = True
            yield person


def _ids_of(people: list[int], since: int) -> Iterator[list[int]]:
    """All their tweets, in batches."""
    below = dict.fromkeys(people, MAX_ID)
    batch: list[int] = []
    while below:
        ranges = {person: Range(place, None, PAGE) for person, place in below.items()}
        found = tweet_store().by_authors(ranges, replies=True)
        below = {person: ids[-1] for person, ids in found.items() if len(ids) == PAGE and ids[-1] > since}
        batch += [each for ids in found.values() for each in ids if each > since]
        while len(batch) >= BATCH:
            yield batch[:BATCH]
            del batch[:BATCH]
    if batch:
        yield batch


def _put(ids: list[int]) -> int:
    tweets = tweet_store().get_many(ids).values()
    documents = [document for tweet in tweets if (document := document_of(tweet)) is not None]
    if documents:
        search_index().put(documents)
    return len(documents)


def _remove_what_is_gone(progress: Progress, since: int) -> Iterator[Progress]:
    below = MAX_ID
    while ids := search_index().find(IndexQuery(), above=since, below=below, limit=min(BATCH, BATCH_MAX)):
        tweets = tweet_store().get_many(ids)
        gone = [each for each in ids if each not in tweets or document_of(tweets[each]) is None]
        if gone:
            search_index().remove(gone)
        progress.looked_at += len(ids)
        progress.removed += len(gone)
        below = ids[-1]
        yield progress
