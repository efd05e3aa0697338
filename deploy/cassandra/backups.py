"""Copies of one Cassandra node: `take` while it runs, `put_back` while it does not.

    DATA_DIR=data JMX_PORT=7199 python -m deploy.cassandra.backups take DIR
    DATA_DIR=data python -m deploy.cassandra.backups put-back DIR

What a copy holds is what `nodetool snapshot` makes: the tables' files as they were at one moment each, seconds apart,
with all timestamps, times to live and tombstones. That is why it is no export: rows say when they were written, and
the last write has to win after a restore as before. A cluster is copied node by node, in the same way (see
docs/operations.md for a cluster's own tools).

Putting back replaces a keyspace of a node that has its tables already: their files are moved aside, to be deleted by
hand, and so are the commit log and hints, whose writes are later than the copy. The node has to have been ended in good
order. Every node of a cluster is put back before any is started. Batches and Paxos rounds that the node has not
finished (`system.batches`, `system.paxos*`) are in no keyspace of ours and stay: docs/operations.md.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from deploy.cassandra.installation import CACHE, install, java
from deploy.cassandra.node import jvm_options
from deploy.errors import CannotStart
from deploy.supervisor.locks import try_lock
from deploy.supervisor.privacy import PRIVATE_UMASK

MANIFEST = "manifest.json"
KEYSPACE = "feed"
USUAL_JMX_PORT = 7199
LATER = ("commitlog", "hints", "saved_caches")
"""What a node keeps beside its tables, and would read into them when it starts."""
ASIDE = "before-restore-"
STAGING = "restore-unfinished"


class File(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    sha256: str


class Copy(msgspec.Struct, frozen=True):
    """The files of each table, by the names that they had in its directory."""

    keyspace: str
    taken: datetime
    tables: dict[str, list[File]]


def nodetool(node_dir: Path, jmx_port: int, *arguments: str, cache: Path = CACHE) -> str:
    """Runs Cassandra's own tool against a node on loopback; what it printed. Raises `CannotStart` with why."""
    done = subprocess.run(
        [
            *(java(), "-Xmx128M", *(option for option in jvm_options() if option.startswith("--add-"))),
            *(f"-Dcassandra.config={(node_dir / 'cassandra.yaml').as_uri()}", f"-Dcassandra.storagedir={node_dir}"),
            *("-cp", f"{install(cache)}/*", "org.apache.cassandra.tools.NodeTool", "-p", str(jmx_port), *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        said = [line for line in lines if line.strip() and not line.startswith("Picked up") and " DEBUG " not in line]
        raise CannotStart(f"nodetool {arguments[0]} failed: {said[-1] if said else 'it does not say why'}")
    return done.stdout


def take(node_dir: Path, jmx_port: int, directory: Path, *, keyspace: str = KEYSPACE) -> Copy:
    """Copies the keyspace of a running node into a new directory. Raises `CannotStart`.

    The manifest is written last: a directory without one is no copy.
    """
    taken = datetime.now(UTC)
    tag = f"copy-{taken:%Y%m%dT%H%M%S%fZ}"
    if directory.exists():
        raise CannotStart(f"{directory} is there already: a copy needs a directory of its own.")
    nodetool(node_dir, jmx_port, "snapshot", "-t", tag, keyspace)
    try:
        tables = {}
        for table, snapshot in _snapshots(node_dir, keyspace, tag):
            shutil.copytree(snapshot, directory / table)
            tables[table] = [described(each) for each in sorted((directory / table).iterdir())]
    finally:
        nodetool(node_dir, jmx_port, "clearsnapshot", "-t", tag, keyspace)
    if not tables:
        raise CannotStart(f"The node has no keyspace {keyspace}.")
    copy = Copy(keyspace, taken, tables)
    (directory / MANIFEST).write_bytes(msgspec.json.encode(copy))
    os.sync()
    return copy


def described(path: Path) -> File:
    """Returns a file as a manifest has it; reads all of it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(path.name, path.stat().st_size, digest)


def read(directory: Path) -> Copy:
    """Returns what is in the copy, each file checked. Raises `CannotStart` unless it is whole."""
    try:
        copy = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Copy)
    except (OSError, msgspec.MsgspecError) as error:
        raise CannotStart(f"{directory} has no readable {MANIFEST}: it is no copy, or was never finished.") from error
    for table, files in copy.tables.items():
        for each in files:
            path = directory / table / each.name
            if not path.is_file() or described(path) != each:
                raise CannotStart(
                    f"{directory} is not whole: {table}/{each.name} is missing, or not as it was written."
                )
    return copy


def put_back(node_dir: Path, directory: Path) -> Path:
    """Makes the copy's keyspace what the node has when it starts; returns where its files of before are now.

    Raises `CannotStart` for a node that runs, or lacks a table of the copy: then nothing was changed.
    """
    copy = read(directory)
    with (node_dir / "node.lock").open("a") as lock:
        if not try_lock(lock.fileno()):
            raise CannotStart(f"{node_dir} belongs to a running node: end it first.")
        places = _tables(node_dir, copy.keyspace)
        if lacking := sorted(copy.tables.keys() - places.keys()):
            raise CannotStart(f"The node has no table {lacking[0]}: start it, and run manage.py migrate_store first.")
        aside = node_dir / f"{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        staging = aside.with_name(STAGING)
        try:
            shutil.rmtree(staging, ignore_errors=True)
            _stage(copy, directory, staging)
        except OSError as error:
            shutil.rmtree(staging, ignore_errors=True)
            raise CannotStart(f"Nothing was changed: {error}.") from error
        try:
            _exchange(node_dir, places, staging, aside)
        except OSError as error:
            raise CannotStart(
                f"Broken off: {error}. Do not start the node; put it back again. What stood there is in {aside}."
            ) from error
        os.sync()
    return aside


def _stage(copy: Copy, directory: Path, staging: Path) -> None:
    """Lays the copy's files on the node's own disk, so that what is left to do is renaming."""
    for table, files in copy.tables.items():
        (staging / table).mkdir(mode=0o700, parents=True)
        for each in files:
            if each.name not in (MANIFEST, "schema.cql"):
                shutil.copyfile(directory / table / each.name, staging / table / each.name)
    os.sync()


def _exchange(node_dir: Path, places: Mapping[str, Path], staging: Path, aside: Path) -> None:
    aside.mkdir(mode=0o700)
    for later in LATER:
        if (node_dir / later).exists():
            (node_dir / later).rename(aside / later)
    for table, place in places.items():
        (aside / table).mkdir()
        for each in [each for each in place.iterdir() if each.is_file()]:
            each.rename(aside / table / each.name)
        if (staging / table).is_dir():
            for each in list((staging / table).iterdir()):
                each.rename(place / each.name)
    shutil.rmtree(staging)


def _tables(node_dir: Path, keyspace: str) -> dict[str, Path]:
    """The directory of each table; of one that was dropped and made again, the newest."""
    found = sorted((node_dir / "data" / keyspace).glob("*-*"), key=lambda each: each.stat().st_ctime)
    return {each.name.rpartition("-")[0]: each for each in found}


def _snapshots(node_dir: Path, keyspace: str, tag: str) -> Iterator[tuple[str, Path]]:
    for place in (node_dir / "data" / keyspace).glob(f"*-*/snapshots/{tag}"):
        yield place.parent.parent.name.rpartition("-")[0], place


def main(arguments: Sequence[str]) -> int:
    os.umask(PRIVATE_UMASK)
    node_dir = Path(os.environ.get("DATA_DIR") or "data").absolute() / "cassandra"
    keyspace = os.environ.get("CASSANDRA_KEYSPACE") or KEYSPACE
    try:
        match arguments:
            case ["take", directory]:
                copy = take(node_dir, _jmx_port(), Path(directory).absolute(), keyspace=keyspace)
                print(f"{len(copy.tables)} tables of {copy.keyspace} are in {directory}")
            case ["put-back", directory]:
                aside = put_back(node_dir, Path(directory).absolute())
                print(
                    f"put back; what stood there is in {aside}\nNow, and before anything else is started: "
                    "the node, manage.py migrate_store, empty_redis, and reconcile"
                )
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _jmx_port() -> int:
    return int(os.environ.get("JMX_PORT") or USUAL_JMX_PORT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
