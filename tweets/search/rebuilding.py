"""Making the search index anew from the tweet store, beside the indexer and beside traffic.

Two walks. The first puts every tweet of everybody who has ever written; the second, down the index, takes out what the
store has not. What is posted or deleted meanwhile the indexer brings: a tweet that was read here as it stood, and was
deleted before it was put, stays in the index, where hydration hides it, until a later rebuild's second walk.

**An index that loses what was put** while this goes on may be the same one, and not empty for long. So at the end some
of what was put first has to be there still, or not to stand any more; else it was in vain, and is asked for again.

**Broken off**, it goes on after the last person whom it says it was done with: the store walks people in an order of
its own, which stays the same; were that person gone, it begins with everybody. Memory is that of PEOPLE pages, and of
the people it has met lately.
"""

from collections.abc import Iterator, Sequence
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
from tweets.search.port import BATCH_MAX, Document, IndexQuery
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
WITNESSES = 5
"""Tweets that were put first, the oldest of a batch, which are looked for at the end: the indexer, which may begin anew
after a loss, puts those of the last minutes again."""


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
    early: tuple[int, ...] = ()
    """WITNESSES of what was put first, or by an earlier one."""


class IndexWasLost(Exception):
    """The index is another one than at the beginning, or was emptied: what was put before is gone."""


def rebuild(*, since: int = 0, began: int | None = None, after: int | None = None) -> Iterator[Progress]:
    """Makes the index agree with the store, of tweets whose ids are above `since`; yields after each step.

    Of a rebuild that broke off, `began` and `after` are its progress' `began` and `person`. When it has come to its
    end, gaps that were noted before its beginning are filled: with `since`, whoever gives it says that there was none
    before. Costs, for each PEOPLE, a read of their listings a page, and a read of the store and a write to the index
    for each BATCH; then a read of index and store for each BATCH of the index. Raises `Unavailable`, and at its end
    `IndexWasLost`; at its beginning as well, if what an earlier one has put is gone.
    """
    if since:
        began = began or make_id(now_us(), 0)
    index = search_index().identity()
    gaps.look_whether_it_is_another(index)  # noted after the beginning of one that would not fill it
    progress = Progress(began or make_id(now_us(), 0), person=after, index=index)
    if after is not None:
        progress.early = _put_before(after, progress.began, since)
        _make_sure_of(progress.early)
    yield from _put_everything(progress, since, after)
    search_index().refresh()  # what was put a moment ago would not be looked at
    yield from _remove_what_is_gone(progress, since)
    _make_sure_of(progress.early)
    if search_index().identity() != index:
        raise IndexWasLost
    places().move(SEARCH_REBUILT, progress.began)
    yield progress


def _put_everything(progress: Progress, since: int, after: int | None) -> Iterator[Progress]:
    people = _each_once(_authors(after, progress))
    while chunk := list(islice(people, PEOPLE)):
        for ids in _ids_of(chunk, since):
            put = _put(ids)
            progress.put += len(put)
            progress.early = progress.early or _witnesses(put)
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


def _put(ids: list[int]) -> list[int]:
    """Returns which of them are to be found."""
    documents = _documents(ids)
    if documents:
        search_index().put(documents)
    return [each.id for each in documents]


def _documents(ids: Sequence[int]) -> list[Document]:
    tweets = tweet_store().get_many(ids).values()
    return [document for tweet in tweets if (document := document_of(tweet)) is not None]


def _put_before(person: int, began: int, since: int) -> tuple[int, ...]:
    """Witnesses of a rebuild that was done with that person."""
    ids = tweet_store().by_authors({person: Range(began, None, PAGE)}, replies=True).get(person, [])
    return _witnesses([each.id for each in _documents([each for each in ids if each > since])])


def _witnesses(ids: list[int]) -> tuple[int, ...]:
    return tuple(sorted(ids)[:WITNESSES])


def _make_sure_of(early: tuple[int, ...]) -> None:
    """Notes a gap and raises `IndexWasLost` if nothing of it is in the index, though some of it stands. Costs a refresh
    and a read of the index for each, until one is found; if none is, a read of the store."""
    search_index().refresh()
    if any(search_index().find(IndexQuery(), above=each - 1, below=each + 1, limit=1) for each in early):
        return
    if lost := _documents(early):
        gaps.note_that_it_was_emptied(lost[0].id)
        raise IndexWasLost


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
