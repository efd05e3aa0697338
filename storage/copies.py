"""Copies of the SQL databases: taken while everything runs, put back while nothing does.

A copy is a directory with a file for each database and a MANIFEST, which is written last: a directory without one is
no copy, and one whose files are not as it says is refused. The store's comes before people's, so that whoever wrote
something is among the people (see `manage.py reconcile` for what is between two moments).

SQLite is copied by its own backup interface, in one step: that is one moment of a database that is written meanwhile,
and holds up nobody, as both files use WAL. In several steps it would begin anew with each write. PostgreSQL is copied
by `pg_dump`, which sees one moment as well and sets aside the role's bound on statements by itself. It needs a session
of its own: give it the address of PostgreSQL, not of PgBouncer.

Putting back never deletes: a SQLite file that stands there is moved aside, and a PostgreSQL database has to be empty.
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

MANIFEST = "manifest.json"
UNFINISHED = "restore.unfinished"
"""The file in DATA_DIR that is there from before the first change of a restore until after the last."""
FORMAT = 1
ORDER = ("store", "default")
"""Aliases, in the order in which they are copied."""
SQLITE, POSTGRESQL = "sqlite", "postgresql"
Settings = Mapping[str, Any]
"""Of one database, as Django has them."""


class CannotCopy(Exception):
    """One sentence: what is in the way."""


class File(msgspec.Struct, frozen=True):
    alias: str
    engine: str
    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What is in a copy. Between `begun` and `ended` lie the moments at which its databases were copied."""

    format: int
    begun: datetime
    ended: datetime
    files: list[File]


def take(databases: Mapping[str, Settings], directory: Path) -> Iterator[File]:
    """Copies each of the databases that there is into a new directory; yields each file when it is whole.

    Nobody but the owner may read it. Raises `CannotCopy`.
    """
    begun = datetime.now(UTC)
    try:
        directory.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise CannotCopy(f"{directory} is there already: a copy needs a directory of its own") from None
    files = []
    for alias in [each for each in ORDER if each in databases]:
        engine = engine_of(databases[alias])
        path = directory / f"{alias}.{'sqlite3' if engine == SQLITE else 'dump'}"
        with _private():
            (_take_sqlite if engine == SQLITE else _take_postgresql)(databases[alias], path)
        files.append(_described(alias, engine, path))
        yield files[-1]
    manifest = Manifest(FORMAT, begun, datetime.now(UTC), files)
    unfinished = directory / f"{MANIFEST}.unfinished"
    with _private():
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    _sync(unfinished)
    unfinished.rename(directory / MANIFEST)
    _sync(directory)


def read(directory: Path) -> Manifest:
    """Returns what is in the copy, each file checked. Raises `CannotCopy` unless it is whole."""
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise CannotCopy(f"{directory} has no readable {MANIFEST}: it is no copy, or was never finished") from error
    if manifest.format != FORMAT:
        raise CannotCopy(f"{directory} is of format {manifest.format}, which this version does not know")
    for each in manifest.files:
        path = directory / each.name
        if not path.is_file() or _described(each.alias, each.engine, path) != each:
            raise CannotCopy(f"{path} is missing, or not as it was written")
    return manifest


def put_back(databases: Mapping[str, Settings], directory: Path, *, unfinished: Path) -> list[tuple[File, Path | None]]:
    """Puts every database of the copy in its place; returns each, and where what stood there is now.

    All is looked at, and every SQLite file lies beside its place, before anything is changed; PostgreSQL comes next, in
    one transaction, and renaming files last. While it is amid that, the file `unfinished` is there: databases may be
    of two moments then. It stays until a restore is complete. Raises `CannotCopy`; after renaming has begun, its
    sentence names what was moved aside.
    """
    files = read(directory).files
    for each in files:
        if each.alias not in databases or engine_of(databases[each.alias]) != each.engine:
            raise CannotCopy(f"{each.name} is of {each.engine}, which the settings have no database of for it")
        (_check_sqlite if each.engine == SQLITE else _check_postgresql)(databases[each.alias])
    of_sqlite = [each for each in files if each.engine == SQLITE]
    of_postgresql = [each for each in files if each.engine == POSTGRESQL]
    was_unfinished = unfinished.exists()
    fresh: list[Path] = []
    asides: dict[str, Path] = {}
    try:
        for each in of_sqlite:
            fresh.append(_beside(databases[each.alias]))
            _lay(directory / each.name, fresh[-1])
        unfinished.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.touch(mode=0o600)
        _sync(unfinished.parent)
        for each in of_postgresql:
            _restore_postgresql(databases[each.alias], directory / each.name)
    except (OSError, CannotCopy) as error:
        for path in (*fresh, *([] if was_unfinished else [unfinished])):
            path.unlink(missing_ok=True)
        raise CannotCopy(f"nothing was changed: {error}") from error
    try:
        for each, path in zip(of_sqlite, fresh, strict=True):
            asides |= _rename(each.alias, databases[each.alias], path)
        unfinished.unlink()
        _sync(unfinished.parent)
    except OSError as error:
        moved = ", ".join(map(str, asides.values())) or "nothing"
        raise CannotCopy(f"broken off, databases may be of two moments: {error}; moved aside: {moved}") from error
    return [(each, asides.get(each.alias)) for each in files]


def engine_of(database: Settings) -> str:
    return SQLITE if database["ENGINE"].endswith("sqlite3") else POSTGRESQL


def _take_sqlite(database: Settings, path: Path) -> None:
    source = Path(database["NAME"])
    if not source.is_file():
        raise CannotCopy(f"{source} is not there: has the product run with this DATA_DIR?")
    try:
        with closing(_reading(source)) as there, closing(sqlite3.connect(path)) as here:
            there.backup(here)
            here.execute("PRAGMA journal_mode=DELETE")
            [(verdict,)] = here.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        raise CannotCopy(f"{source} cannot be copied: {error}") from error
    if verdict != "ok":
        raise CannotCopy(f"{source} is damaged: {verdict}")
    _sync(path)


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _check_sqlite(database: Settings) -> None:
    """Leaves WAL, which SQLite does for who is alone with the file; with it goes what the WAL still held."""
    path = Path(database["NAME"])
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=0)) as there:
            [(mode,)] = there.execute("PRAGMA journal_mode=DELETE").fetchall()
    except sqlite3.OperationalError:
        mode = "wal"
    except sqlite3.DatabaseError:
        return
    if mode == "wal":
        raise CannotCopy(f"{path} is in use: end everything that runs with this DATA_DIR first")


def _beside(database: Settings) -> Path:
    path = Path(database["NAME"])
    return path.with_name(f"{path.name}.fresh")


def _lay(copy: Path, fresh: Path) -> None:
    fresh.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _private():
        shutil.copyfile(copy, fresh)
    _sync(fresh)


def _rename(alias: str, database: Settings, fresh: Path) -> dict[str, Path]:
    """Where what stood there is now, by the alias; nothing if nothing stood there."""
    path = Path(database["NAME"])
    aside = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    stood = path.exists()
    for suffix in ("", "-wal", "-shm"):
        if stood and (each := path.with_name(path.name + suffix)).exists():
            each.rename(aside.with_name(aside.name + suffix))
    try:
        fresh.rename(path)
    except OSError as error:
        raise OSError(f"{error}; what stood at {path} is {aside}" if stood else str(error)) from error
    _sync(path.parent)
    return {alias: aside} if stood else {}


def _restore_postgresql(database: Settings, copy: Path) -> None:
    """Without what was granted to others: roles are in no dump, and a grant to one that is not there fails."""
    how = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
    _run("pg_restore", database, *how, f"--dbname={_address(database)}", str(copy))


def _take_postgresql(database: Settings, path: Path) -> None:
    _run("pg_dump", database, "--format=custom", f"--file={path}", _address(database))
    _sync(path)


def _check_postgresql(database: Settings) -> None:
    question = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    if _run("psql", database, "--no-psqlrc", "--tuples-only", "--command", question, _address(database)).strip() != "0":
        raise CannotCopy(f"the database {database['NAME']} is not empty: rename it, and make an empty one in its place")


def _run(program: str, database: Settings, *arguments: str) -> str:
    """What it prints. The password is not among its arguments, which anybody may read."""
    try:
        done = subprocess.run(
            [program, *arguments],
            env=os.environ | {"PGPASSWORD": database["PASSWORD"]},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise CannotCopy(f"{program} is not installed: it comes with PostgreSQL's client programs") from None
    if done.returncode:
        raise CannotCopy(f"{program} failed: {(done.stderr.strip().splitlines() or ['it does not say why'])[-1]}")
    return done.stdout


def _address(database: Settings) -> str:
    """As libpq takes it, without the password."""
    options = {name: value for name, value in database["OPTIONS"].items() if name != "options"}
    place = {"dbname": database["NAME"], "host": database["HOST"], "port": database["PORT"], "user": database["USER"]}
    given = {name: str(value) for name, value in (place | options).items() if value}
    quoted = {name: value.replace("\\", r"\\").replace("'", r"\'") for name, value in given.items()}
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())


def _described(alias: str, engine: str, path: Path) -> File:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(alias, engine, path.name, path.stat().st_size, digest)


@contextmanager
def _private() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
