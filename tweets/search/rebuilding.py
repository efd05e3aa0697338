"""Making the search index anew from the tweet store, beside the indexer and beside traffic.

Two walks. The first puts every tweet of everybody who has ever written; the second, down the index, takes out what the
store has not. What is posted or deleted meanwhile the indexer brings: a tweet that was read here as it stood, and was
deleted before it was put, stays in the index, where hydration hides it, until a later rebuild's second walk.

**Broken off**, it goes on after the last person whom it says it was done with: the store walks people in an order of
its own, which stays the same. Memory is that of PEOPLE pages, and of the people it has met lately.
"""

from collections.abc import Iterator
from itertools import dropwhile, islice

import msgspec
from cachetools import LRUCache

from storage.ids.snowflakes import MAX_ID, make_id, now_us
from storage.ports.places import SEARCH_REBUILT
from storage.ports.ranges import Range
from storage.stores import places
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


def rebuild(*, since: int = 0, began: int | None = None, after: int | None = None) -> Iterator[Progress]:
    """Makes the index agree with the store, of tweets whose ids are above `since`; yields after each step.

    Of a rebuild that broke off, `began` and `after` are its progress' `began` and `person`. When it has come to its
    end, gaps that were noted before its beginning are filled: with `since`, whoever gives it says that there was none
    before. Costs, for each PEOPLE, a read of their listings a page, and a read of the store and a write to the index
    for each BATCH; then a read of index and store for each BATCH of the index. Raises `Unavailable`.
    """
    progress = Progress(began or make_id(now_us(), 0), person=after)
    yield from _put_everything(progress, since, after)
    yield from _remove_what_is_gone(progress, since)
    search_index().refresh()
    places().move(SEARCH_REBUILT, progress.began)
    yield progress


def _put_everything(progress: Progress, since: int, after: int | None) -> Iterator[Progress]:
    people = _people(after)
    while chunk := list(islice(people, PEOPLE)):
        for ids in _ids_of(chunk, since):
            progress.put += _put(ids)
            yield progress
        progress.people += len(chunk)
        progress.person = chunk[-1]
        yield progress


def _people(after: int | None) -> Iterator[int]:
    """Everybody behind that person, most of them once."""
    met: LRUCache[int, bool] = LRUCache(MET)
    people: Iterator[int] = tweet_store().authors()
    if after is not None:
        people = islice(dropwhile(lambda person: person != after, people), 1, None)
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
