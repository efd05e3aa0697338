"""The port of the search index: which tweets have some words in them, newest first.

An index is a read model: made from the tweet store, behind it by a second or two, and lost without harm, as
`manage.py index_tweets` makes it anew. It holds what is hidden from somebody too, and may hold for a moment what is
deleted already: whoever reads ids from it hydrates them, and hydration alone decides what is shown.

Words are made here, before any engine (tweets/search/words.py), so that every engine answers the same: an engine
compares whole words, code point by code point, and knows of no language. A word is never empty, has at most WORD_MAX
code points and none that is a space, a control or a lone surrogate; every other ASCII character than a-z, 0-9 and _
stands in the word of a keycap emoji alone (#⃣, *⃣).

For example, "Ada's café ☕" of Ada's is a document of the words ada, s, cafe, ☕, and is found for the phrase
(ada, s), but not for (ada, cafe).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, cast
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from tweets.search.addresses import EMBEDDED

BACKEND = "search"
"""What an index is called in errors, metrics and /readyz."""
WORD_MAX = 64
"""Code points of a word; 256 bytes at most."""
WORDS_MAX = 1_000
"""Words of a document, the first of its text."""
TERMS_MAX = 16
"""Phrases, hashtags and authors of a query together: what an engine does for one, it does that often at most."""
VISIBLE_SECONDS = 1.0
"""What was put is found so long after at the latest, and what was removed is not."""
READ_SECONDS = 2.0
"""`find` answers, or raises, within so long."""
WRITE_SECONDS = 2.0
"""And what writes does: for each batch, or part of one of the largest. The workers that index do others' work, too."""
BATCH_MAX = 1_000
"""Documents, or ids, that are put or removed at a time."""
HANGS_SECONDS = 1.0
"""Whoever had so long, and heard no word, asks whether anybody is there; who had less time says nothing of it."""

Phrase = tuple[str, ...]
"""Words that follow one another; one word is a phrase of its own."""


class Document(msgspec.Struct, frozen=True):
    """A tweet as it is indexed: the words of its text in their order, and the names of its hashtags
    (tweets/hashtags.py), each once. A name may hold spaces and be longer than a word; it is compared whole."""

    id: int
    author_id: int
    words: Phrase = ()
    hashtags: tuple[str, ...] = ()


class IndexQuery(msgspec.Struct, frozen=True):
    """Which documents are asked for: those to which all of it applies. An empty query asks for every document.

    `phrases` are all in the document, `without` none of them; it has all of `hashtags`, and is by one of `authors`,
    unless that is empty. No phrase is empty.
    """

    phrases: tuple[Phrase, ...] = ()
    without: tuple[Phrase, ...] = ()
    hashtags: tuple[str, ...] = ()
    authors: tuple[int, ...] = ()


class Answered(Unavailable):
    """An index that is there, and has answered with an error."""

    def __init__(self) -> None:
        super().__init__(BACKEND)


class Late(Answered):
    """An index that is there, and has said that it was not in time, or has too much to do at the moment."""


class Hurried(Late):
    """It did not answer whoever had little time, so nobody knows whether it is there."""


class SearchIndex(Protocol):
    """An index of tweets. Raises `Unavailable("search")` when it does not answer, and within READ_SECONDS or
    WRITE_SECONDS; `Answered` where it did, with an error, and `Late` if that says "not in time". Safe to be called from
    many threads; a process that forks may use it in both.

    Nobody who writes waits for another who does for longer than a batch takes, and no reader waits for a writer.
    """

    def put(self, documents: Sequence[Document]) -> None:
        """Keeps BATCH_MAX documents at most; one whose id is there already takes that one's place. Idempotent.

        When it returns, they are kept through a crash of this process.
        """

    def remove(self, ids: Collection[int]) -> None:
        """Forgets the documents of BATCH_MAX ids at most; ids that are not there are none of its business."""

    def find(
        self, query: IndexQuery, *, above: int = 0, below: int = MAX_ID, limit: int, within: float | None = None
    ) -> list[int]:
        """Returns the ids of the documents, with above < id < below, newest first: `limit` of them at most.

        Answers, or raises, `within` so many seconds if these are fewer than READ_SECONDS.
        Fewer ids only at the end: what is behind the last id of a full page is found by its `below`.
        """

    def count(self) -> int:
        """Returns how many documents there are; an estimate is good enough for a figure."""

    def newest(self) -> int | None:
        """Returns the greatest id that is there."""

    def identity(self) -> str:
        """Returns a name that stays as long as what was put does: another one when the index was lost and made anew."""

    def refresh(self) -> None:
        """Lets whoever asks from now on see all that was put or removed before. It happens by itself within
        VISIBLE_SECONDS; for tests, and for a command at its end."""

    def ping(self) -> None:
        """Makes one small read."""


ENGINES = {
    EMBEDDED: "tweets.search.embedded.EmbeddedIndex",
    "opensearch": "tweets.search.opensearch.OpenSearchIndex",
    "opensearchs": "tweets.search.opensearch.OpenSearchIndex",
}
"""By what SEARCH_URL says, or its scheme; the class is called with the whole of it. `opensearchs` speaks TLS."""


def engine() -> SearchIndex:
    """Returns the index that SEARCH_URL names, as its engine has it (`search_index` of guarded.py has a breaker)."""
    url: str = settings.SEARCH_URL
    made = cast(Callable[[str], SearchIndex], import_string(ENGINES[urlsplit(url).scheme or url]))
    return made(url)
