"""`manage.py backup` and `restore` on SQLite, and what they refuse."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from accounts.account_cache import accounts
from accounts.models import User
from config.sql_databases import sql_database
from storage import copies
from storage.copies import UNFINISHED, CannotCopy, put_back, take
from tests import postgresql as servers
from tests.backends import own_file
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import new_person
from tweets.stores.port import tweet_store


def run(command: str, *arguments: object) -> list[str]:
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def own_files(product: str, tmp_path: Path) -> Iterator[None]:
    """Databases that no thread of an earlier test has open."""
    with own_file("default", tmp_path), own_file("store", tmp_path):
        yield


@on_one_store
@pytest.mark.usefixtures("own_files")
def test_what_was_there_at_the_backup_is_there_again(tmp_path: Path) -> None:
    author = new_person("before_it")
    kept = post(author)
    copy = tmp_path / "copies" / "monday"
    lines = run("backup", copy)
    assert [line.rpartition("/")[2].partition(":")[0] for line in lines[:2]] == ["store.sqlite3", "default.sqlite3"]
    assert {each.stat().st_mode & 0o077 for each in (copy, *copy.iterdir())} == {0}, "nobody else may read it"
    late, lost = new_person("after_it"), post(author)
    assert run("restore", copy, "--dry-run")[-1].endswith("; whole")
    assert User.objects.filter(pk=late.pk).exists()
    (tmp_path / "broker").mkdir()
    with override_settings(DATA_DIR=tmp_path):
        lines = run("restore", copy)
    assert [each.name.partition("-")[0] for each in tmp_path.glob("broker*")] == ["broker.before"]
    accounts.forget_all()
    assert set(tweet_store().get_many([kept, lost])) == {kept}
    assert [each.username for each in User.objects.all()] == ["before_it"]
    asides = [Path(line.partition("stood there is ")[2]) for line in lines if "stood there" in line]
    assert len(asides) == 2
    with closing(sqlite3.connect(asides[1])) as aside:
        assert aside.execute("SELECT count(*) FROM accounts_user").fetchall() == [(2,)], "nothing was deleted"
    for each in asides:
        each.unlink()
    assert post(User.objects.get()) > kept


@on_one_store
@pytest.mark.usefixtures("product")
def test_a_database_in_use_is_left_alone(tmp_path: Path) -> None:
    new_person("before_it")
    run("backup", tmp_path / "copy")
    late = new_person("after_it")
    opened, ended = threading.Event(), threading.Event()

    def use() -> None:
        with closing(sqlite3.connect(connections["default"].settings_dict["NAME"])) as connection:
            connection.execute("SELECT count(*) FROM accounts_user").fetchall()
            opened.set()
            ended.wait(60)

    user = threading.Thread(target=use)
    user.start()
    try:
        assert opened.wait(60)
        with pytest.raises(CommandError, match="is in use: end everything"):
            run("restore", tmp_path / "copy")
    finally:
        ended.set()
        user.join()
    assert User.objects.filter(pk=late.pk).exists()


@pytest.fixture
def databases(tmp_path: Path) -> dict[str, Any]:
    """Two small ones in WAL, as the product's are."""
    names = {alias: tmp_path / f"{alias}.db" for alias in ("default", "store")}
    for path in names.values():
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE pairs (a, b)")
            connection.commit()
    return {alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)} for alias, path in names.items()}


def test_a_copy_is_of_one_moment_while_it_is_written(databases: dict[str, Any], tmp_path: Path) -> None:
    begun, ended = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(databases["store"]["NAME"], timeout=60)) as connection:
            number = 0
            while not ended.is_set():
                connection.execute("INSERT INTO pairs VALUES (?, 0)", (number,))
                connection.execute("UPDATE pairs SET b = 1 WHERE a = ?", (number,))
                connection.commit()
                number += 1
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(60)
        for number in range(5):
            list(take(databases, tmp_path / f"copy{number}"))
            with closing(sqlite3.connect(tmp_path / f"copy{number}" / "store.sqlite3")) as copy:
                [(rows, whole)] = copy.execute("SELECT count(*), sum(b) FROM pairs").fetchall()
                assert rows == whole > 0
    finally:
        ended.set()
        writer.join()


def test_what_is_no_whole_copy_is_refused_and_changes_nothing(databases: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    taking = take(databases, copy)
    next(taking)
    with pytest.raises(CannotCopy, match="never finished"):
        put_back(databases, copy, unfinished=tmp_path / UNFINISHED)
    assert len([*taking]) == 1
    with pytest.raises(CannotCopy, match="is there already"):
        list(take(databases, copy))
    with pytest.raises(CannotCopy, match="have no database of"):
        put_back({"default": databases["default"]}, copy, unfinished=tmp_path / UNFINISHED)
    with (copy / "default.sqlite3").open("ab") as file:
        file.write(b"more")
    before = {each: Path(databases[each]["NAME"]).stat().st_ino for each in databases}
    with pytest.raises(CannotCopy, match="not as it was written"):
        put_back(databases, copy, unfinished=tmp_path / UNFINISHED)
    assert {each: Path(databases[each]["NAME"]).stat().st_ino for each in databases} == before
    (copy / copies.MANIFEST).write_text('{"format": 1}')
    with pytest.raises(CannotCopy, match="no readable"):
        copies.read(copy)


def test_a_database_that_is_not_there_is_not_copied(databases: dict[str, Any], tmp_path: Path) -> None:
    Path(databases["store"]["NAME"]).unlink()
    with pytest.raises(CannotCopy, match="is not there"):
        list(take(databases, tmp_path / "copy"))


def test_a_lost_disk_gets_them_back(databases: dict[str, Any], tmp_path: Path) -> None:
    list(take(databases, tmp_path / "copy"))
    for each in databases.values():
        Path(each["NAME"]).unlink()
    assert [aside for _, aside in put_back(databases, tmp_path / "copy", unfinished=tmp_path / UNFINISHED)] == [
        None,
        None,
    ]
    assert all(Path(each["NAME"]).is_file() for each in databases.values())


def moments(databases: dict[str, Any]) -> dict[str, int]:
    found = {}
    for alias, each in databases.items():
        with closing(sqlite3.connect(each["NAME"])) as connection:
            [(found[alias],)] = connection.execute("SELECT count(*) FROM pairs").fetchall()
    return found


def write_more(databases: dict[str, Any]) -> None:
    for each in databases.values():
        with closing(sqlite3.connect(each["NAME"])) as connection:
            connection.execute("INSERT INTO pairs VALUES (1, 1)")
            connection.commit()


def test_a_full_disk_changes_nothing(
    databases: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(take(databases, tmp_path / "copy"))
    write_more(databases)
    copied = shutil.copyfile

    def first_only(source: Path, target: Path) -> Path:
        if "default" in target.name:
            target.touch()
            raise OSError(28, "No space left on device")
        return copied(source, target)

    monkeypatch.setattr(shutil, "copyfile", first_only)
    with pytest.raises(CannotCopy, match=r"nothing was changed: .*No space left"):
        put_back(databases, tmp_path / "copy", unfinished=tmp_path / UNFINISHED)
    assert moments(databases) == {"default": 1, "store": 1}
    assert not [*tmp_path.glob("*.fresh"), *tmp_path.glob(UNFINISHED), *tmp_path.glob("*.before-*")]


def test_one_that_is_broken_off_says_what_was_moved_and_is_done_again(
    databases: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(take(databases, tmp_path / "copy"))
    write_more(databases)
    unfinished = tmp_path / UNFINISHED
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.name == "default.db.fresh":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refused)
        with pytest.raises(CannotCopy, match=r"two moments: .*default\.db\.before-.*moved aside: .*store\.db\.before-"):
            put_back(databases, tmp_path / "copy", unfinished=unfinished)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", Mock(side_effect=OSError(28, "No space left on device")))
        with pytest.raises(CannotCopy, match="nothing was changed"):
            put_back(databases, tmp_path / "copy", unfinished=unfinished)
    assert unfinished.exists(), "databases are of two moments still"
    with override_settings(DATA_DIR=tmp_path), pytest.raises(CommandError, match="restore was broken off"):
        call_command("migrate")
    put_back(databases, tmp_path / "copy", unfinished=unfinished)
    assert moments(databases) == {"default": 0, "store": 0}
    assert not unfinished.exists()


def test_a_new_server_lacks_whom_the_old_one_had_granted_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_dir = servers.programs()
    if bin_dir is None:
        servers.missing("PostgreSQL")
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")
    with servers.running(bin_dir) as server:
        with psycopg.connect(server.url, autocommit=True) as before:
            before.execute("CREATE TABLE pairs (a int)")
            before.execute("INSERT INTO pairs VALUES (7)")
            before.execute("CREATE ROLE reporter")
            before.execute("GRANT SELECT ON pairs TO reporter")
        list(take({"default": sql_database(server.url)}, tmp_path / "copy"))
        with psycopg.connect(server.url, autocommit=True) as after:
            after.execute("DROP OWNED BY reporter")
            after.execute("DROP ROLE reporter")
            after.execute("CREATE ROLE fresh LOGIN")
            after.execute("CREATE DATABASE fresh OWNER fresh")
        place = urlsplit(server.url)
        url = f"postgresql://fresh@{place.hostname}:{place.port}/fresh"
        put_back({"default": sql_database(url)}, tmp_path / "copy", unfinished=tmp_path / UNFINISHED)
        with psycopg.connect(url) as after:
            assert after.execute("SELECT a FROM pairs").fetchall() == [(7,)]
