"""The embedded index by itself: its file, who writes and reads at once, and what becomes of it when it fails."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from storage.errors import Unavailable
from tests.ids import new_id
from tests.threads import run_together
from tests.unit.storage.test_process import holds_in_child
from tweets.search import embedded
from tweets.search.embedded import FILE, EmbeddedIndex
from tweets.search.port import Document, IndexQuery, Late

CAT = IndexQuery(phrases=(("cat",),))


@pytest.fixture
def index(settings: Any, tmp_path: Path) -> EmbeddedIndex:
    """In a directory of its own, where no file is yet."""
    settings.DATA_DIR = tmp_path
    return EmbeddedIndex()


@pytest.fixture
def file(index: EmbeddedIndex, tmp_path: Path) -> Path:
    index.put([cat()])
    return tmp_path / FILE


@pytest.fixture
def locked(file: Path) -> Iterator[None]:
    """Somebody writes, and does not end."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def cat() -> Document:
    return Document(id=new_id(), author_id=7, words=("the", "cat"))


def test_the_file_is_made_by_whoever_comes_first_and_is_its_owner_s(index: EmbeddedIndex, tmp_path: Path) -> None:
    index.put([cat()])
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_gone_is_made_anew(index: EmbeddedIndex, file: Path) -> None:
    for each in file.parent.glob(f"{FILE}*"):
        each.unlink()
    assert index.newest() is None
    kept = cat()
    index.put([kept])
    assert index.find(CAT, limit=5) == [kept.id]


def test_who_reads_makes_nothing(index: EmbeddedIndex, tmp_path: Path) -> None:
    assert index.find(CAT, limit=5) == []
    assert (index.count(), index.newest()) == (0, None)
    index.ping()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / FILE).touch()
    assert index.find(CAT, limit=5) == []
    assert (tmp_path / FILE).stat().st_size == 0
    index.put([cat()])
    assert index.count() == 1


def test_who_reads_keeps_a_connection_while_the_file_is_the_same(index: EmbeddedIndex, file: Path) -> None:
    with patch.object(sqlite3, "connect", wraps=sqlite3.connect) as opened:
        for _ in range(5):
            assert len(index.find(CAT, limit=5)) == 1
        assert opened.call_count == 1
        kept = index._readers.connection()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            kept.execute("DELETE FROM tweets")
    other = file.with_name("other")
    with patch.object(index, "_file", other):
        index.put([cat(), cat()])
    for each in file.parent.glob(f"{FILE}*"):
        each.unlink()
    other.rename(file)
    assert len(index.find(CAT, limit=5)) == 2


def test_who_reads_leaves_the_log_to_who_writes(index: EmbeddedIndex, file: Path, settings: Any) -> None:
    """Of a writer that has died, with nobody else who has the file open: all is read, and nothing is moved."""
    settings.DATA_DIR = file.parent / "left"
    settings.DATA_DIR.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("INSERT INTO tweets (rowid, words, facets) VALUES (5, 'cat', 'd')")
        for each in (FILE, f"{FILE}-wal"):
            shutil.copy(file.with_name(each), settings.DATA_DIR / each)
    left = EmbeddedIndex()
    before = [(settings.DATA_DIR / each).read_bytes() for each in (FILE, f"{FILE}-wal")]
    assert before[1]
    assert left.find(CAT, limit=5)[-1] == 5
    left._readers.close()
    assert [(settings.DATA_DIR / each).read_bytes() for each in (FILE, f"{FILE}-wal")] == before


def test_one_identity_though_many_make_it_together(index: EmbeddedIndex) -> None:
    identities: list[str] = []
    run_together([lambda: identities.append(EmbeddedIndex().identity()) for _ in range(8)])
    assert set(identities) == {index.identity()}


def test_a_forked_child_reads_by_a_connection_of_its_own(index: EmbeddedIndex, file: Path) -> None:
    mine = index._readers.connection()
    assert holds_in_child(lambda: index._readers.connection() is not mine and len(index.find(CAT, limit=5)) == 1)
    assert index._readers.connection() is mine


def test_many_write_at_once_and_nothing_is_lost(index: EmbeddedIndex, file: Path) -> None:
    documents = [[cat() for _ in range(20)] for _ in range(8)]
    run_together([partial(index.put, some) for some in documents])
    assert index.count() == 161


@pytest.mark.usefixtures("locked")
def test_readers_wait_for_no_writer(index: EmbeddedIndex) -> None:
    began = time.monotonic()
    assert len(index.find(CAT, limit=5)) == 1
    assert time.monotonic() - began < 1


@pytest.mark.usefixtures("locked")
def test_a_writer_waits_for_another_no_longer_than_it_may(index: EmbeddedIndex) -> None:
    began = time.monotonic()
    with patch.object(embedded, "WRITE_SECONDS", 0.3), pytest.raises(Unavailable, match="search") as failed:
        index.put([cat()])
    assert failed.type is Unavailable, "nothing was answered"
    assert time.monotonic() - began < 3
    assert index.count() == 1


def test_a_read_that_takes_too_long_is_interrupted(index: EmbeddedIndex, file: Path) -> None:
    index.put([cat() for _ in range(500)])
    with patch.object(embedded, "READ_SECONDS", 0.0), patch.object(embedded, "PROGRESS", 1), pytest.raises(Late):
        index.find(CAT, limit=500)


def test_what_is_no_index_is_unavailable_and_no_word_of_a_query_is_logged(
    index: EmbeddedIndex, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for each in file.parent.glob(f"{FILE}*"):
        each.unlink()
    file.write_bytes(b"no database" * 1_000)
    with pytest.raises(Unavailable):
        index.find(IndexQuery(phrases=(("whisper",),)), limit=5)
    assert "search_index_fails" in caplog.text
    assert "whisper" not in caplog.text


def test_a_write_that_broke_off_leaves_what_was(index: EmbeddedIndex, file: Path) -> None:
    [kept] = index.find(CAT, limit=5)
    with patch.object(embedded, "_INSERT", "INSERT INTO nowhere VALUES (?, ?, ?)"), pytest.raises(Unavailable):
        index.put([Document(id=kept, author_id=7)])
    assert index.find(CAT, limit=5) == [kept]


def test_a_forked_or_other_thread_has_a_connection_of_its_own(index: EmbeddedIndex, file: Path) -> None:
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(index.find(CAT, limit=5)))
    thread.start()
    thread.join()
    assert found == [index.find(CAT, limit=5)]
