"""The search index in SQLite's FTS5, a file of its own: what writes here keeps no post waiting; made anew if lost.

A row is a document: `words` has its words with spaces between, `facets` who wrote it and its hashtags, each as a word
of its own. FTS5 splits at spaces and such ASCII alone as stands in no word, folds nothing (what it could fold is
lower case already), and lists the rows of a word by id, so that the newest come without any being sorted.

One machine's processes share the file, in WAL mode: readers wait for nobody, writers for one another. Who writes has a
connection for the call, and makes the file if it is missing. Who reads only reads: a thread keeps a connection that
can do nothing else, for as long as the file is the one that it opened, and finds nothing where there is none.
"""

import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path

import structlog
from django.conf import settings

from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.process import start_anew_after_fork
from tweets.search.port import BACKEND, READ_SECONDS, WRITE_SECONDS, Document, IndexQuery, Late, Phrase

FILE = "search.sqlite3"
PROGRESS = 1_000
"""Instructions of SQLite's machine after which it looks whether the time is over."""
INTERRUPTED = "SQLITE_INTERRUPT"
"""By ourselves, as the time was over."""
EVERY = "d"
"""A facet of every document: FTS5 leaves something out of what was found only."""

_SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS tweets USING fts5(words, facets, tokenize = "ascii tokenchars '_#*'")
"""
_DELETE = "DELETE FROM tweets WHERE rowid = ?"
_INSERT = "INSERT INTO tweets (rowid, words, facets) VALUES (?, ?, ?)"
_ALL = "SELECT rowid FROM tweets WHERE rowid > ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
_MATCHING = "SELECT rowid FROM tweets WHERE tweets MATCH ? AND rowid > ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
_COUNT = "SELECT count(*) FROM tweets_docsize"
_NEWEST = "SELECT rowid FROM tweets ORDER BY rowid DESC LIMIT 1"

log = structlog.get_logger(__name__)


class EmbeddedIndex:
    """See `tweets.search.port.SearchIndex`. A query of two words that are both in most documents, and rarely together,
    is not interrupted in the middle: of a million documents it takes some tenths of a second."""

    def __init__(self, _url: str = "") -> None:
        self._file = Path(settings.DATA_DIR) / FILE
        self._readers = _Readers(self._file)

    def put(self, documents: Sequence[Document]) -> None:
        rows = {each.id: (each.id, " ".join(each.words), " ".join(_facets(each))) for each in documents}
        with self._writing() as connection:
            connection.executemany(_DELETE, [(each,) for each in rows])
            connection.executemany(_INSERT, rows.values())

    def remove(self, ids: Collection[int]) -> None:
        with self._writing() as connection:
            connection.executemany(_DELETE, [(each,) for each in ids])

    def find(
        self, query: IndexQuery, *, above: int = 0, below: int = MAX_ID, limit: int, within: float | None = None
    ) -> list[int]:
        asked = _expression(query)
        if asked is None:
            rows = self._read(_ALL, (above, below, limit), within)
        else:
            rows = self._read(_MATCHING, (asked, above, below, limit), within)
        return [rowid for (rowid,) in rows]

    def count(self) -> int:
        return sum(count for (count,) in self._read(_COUNT))

    def newest(self) -> int | None:
        return next((rowid for (rowid,) in self._read(_NEWEST)), None)

    def identity(self) -> str:
        with self._writing() as connection:
            return str(connection.execute("PRAGMA user_version").fetchone()[0])

    def refresh(self) -> None:
        """What is committed is seen."""

    def ping(self) -> None:
        self._read(_NEWEST)

    def _read(self, sql: str, params: tuple[object, ...] = (), within: float | None = None) -> list[tuple[int]]:
        """The rows; none where there is no index yet."""
        ends = time.monotonic() + (READ_SECONDS if within is None else min(within, READ_SECONDS))
        try:
            connection = self._readers.connection()
            connection.set_progress_handler(lambda: time.monotonic() > ends, PROGRESS)
            return connection.execute(sql, params).fetchall()
        except FileNotFoundError:
            return []
        except (sqlite3.Error, OSError) as error:
            self._readers.close()
            if "no such table" in str(error):
                return []
            raise _failed(error) from error

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """One transaction, which takes the lock at its start, of which every statement ends within the time. Leaves
        nothing behind if it fails."""
        ends = time.monotonic() + WRITE_SECONDS
        try:
            with closing(sqlite3.connect(self._file, timeout=WRITE_SECONDS, isolation_level=None)) as connection:
                connection.set_progress_handler(lambda: time.monotonic() > ends, PROGRESS)
                # A document that a power cut takes is not put again: the place in the outbox is kept elsewhere.
                connection.execute("PRAGMA synchronous = FULL")
                if not _has_schema(connection):
                    self._file.chmod(0o600)
                    connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                if not _has_schema(connection):
                    connection.execute(f"PRAGMA user_version = {secrets.randbelow(2**31 - 1) + 1}")
                    connection.execute(_SCHEMA)
                yield connection
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise _failed(error) from error


class _Readers:
    """A connection for each thread, which reads alone: it makes nothing, and leaves the log to who writes it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._inherited: list[object] = []
        """A parent's: SQLite's may not be closed in a child."""
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        self._inherited.append(getattr(self, "_mine", None))
        self._mine = threading.local()

    def connection(self) -> sqlite3.Connection:
        """This thread's, to the file that is there now. Raises `FileNotFoundError` if there is none."""
        found = self._file.stat()
        kept: tuple[tuple[int, int], sqlite3.Connection] | None = getattr(self._mine, "kept", None)
        if kept is not None and kept[0] == (found.st_dev, found.st_ino):
            return kept[1]
        self.close()
        url = f"{self._file.absolute().as_uri()}?mode=ro"
        opened = sqlite3.connect(url, uri=True, timeout=READ_SECONDS, isolation_level=None)
        self._mine.kept = ((found.st_dev, found.st_ino), opened)
        return opened

    def close(self) -> None:
        """Of this thread's."""
        kept = getattr(self._mine, "kept", None)
        self._mine.kept = None
        if kept is not None:
            kept[1].close()


def _has_schema(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def _failed(error: Exception) -> Unavailable:
    """Says what it is by its name: its words may quote what was searched for. Whoever was interrupted had an index that
    was at it; one that waited for a lock had none."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    log.warning("search_index_fails", error=name)
    return Late() if name == INTERRUPTED else Unavailable(BACKEND)


def _facets(document: Document) -> list[str]:
    return [EVERY, _author(document.author_id), *map(_hashtag, document.hashtags)]


def _author(author_id: int) -> str:
    return f"a{author_id}"


def _hashtag(name: str) -> str:
    """One word for a name, which may hold spaces."""
    return f"t{blake2b(name.encode(), digest_size=16).hexdigest()}"


def _expression(query: IndexQuery) -> str | None:
    """What FTS5 is asked; None for a query that everything answers. What a word is in needs no escape but quotes, and
    no word has one."""
    wanted = [_in("words", phrase) for phrase in query.phrases]
    wanted += [_in("facets", (_hashtag(name),)) for name in query.hashtags]
    if query.authors:
        wanted.append(f"({' OR '.join(_in('facets', (_author(each),)) for each in query.authors)})")
    if not wanted and query.without:
        wanted.append(_in("facets", (EVERY,)))
    if not wanted:
        return None
    unwanted = "".join(f" NOT {_in('words', phrase)}" for phrase in query.without)
    return f"({' AND '.join(wanted)}){unwanted}"


def _in(column: str, phrase: Phrase) -> str:
    return f'{column} : "{" ".join(phrase)}"'
