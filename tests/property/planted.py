"""Bugs to plant, one at a time: what the suite must find if it is worth its time."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from accounts.graph import follows
from fanout.delivery import celebrities
from fanout.timelines import builds, materialised, restoring
from feed.timelines import rebuild
from storage.redis.node import Script
from storage.redis.reads import Command

Bug = Callable[[], AbstractContextManager[object]]

SCRIPTS = {
    "deliver": [(materialised, "_deliver")],
    "deliver_to_author": [(materialised, "_deliver_to_author")],
    "insert": [(materialised, "_deliver"), (materialised, "_deliver_to_author")],
    "merge": [(builds, "_merge")],
    "pushes": [
        *((materialised, name) for name in ("_deliver", "_deliver_to_author", "_retract")),
        *((restoring, name) for name in ("_lift", "_restore", "_publish")),
    ],
    "read": [(materialised, "_read")],
    "restore": [(restoring, "_restore")],
    "retract": [(materialised, "_retract")],
}
"""Where each file of Lua is run from, by its name."""


@contextmanager
def changed_script(name: str, *changes: tuple[str, str]) -> Generator[None]:
    """Every script of timelines that holds <name>.lua, with some of that source replaced where it has it: of what is
    shared each takes what it needs (storage/redis/preludes.py)."""
    part = (materialised.LUA / f"{name}.lua").read_text()
    with ExitStack() as changed:
        for module, script in SCRIPTS[name]:
            source = getattr(module, script).source
            for old, new in changes:
                assert part.count(old) == 1 >= source.count(old), f"{name}.lua has changed: {old}"
                source = source.replace(old, new)
            changed.enter_context(patch.object(module, script, _script(source)))
        yield


def _script(source: str) -> Script:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "changed.lua"
        path.write_text(source)
        return Script(path)


@contextmanager
def unfollowing_raises_no_version() -> Generator[None]:
    unfollow, raise_them = follows.unfollow, follows._raise
    unfollowing = False

    def unfollows(reader_id: int, author_id: int) -> None:
        nonlocal unfollowing
        unfollowing = True
        try:
            unfollow(reader_id, author_id)
        finally:
            unfollowing = False

    def raises(user_ids: Sequence[int], also: Sequence[Command] = ()) -> None:
        if not unfollowing:
            raise_them(user_ids, also)

    with patch.object(follows, "unfollow", unfollows), patch.object(follows, "_raise", raises):
        yield


@contextmanager
def changed(owner: object, name: str, instead: Callable[..., object]) -> Generator[None]:
    with patch.object(owner, name, instead):
        yield


BUGS: dict[str, Bug] = {
    "merge forgets what was delivered": lambda: changed_script(
        "merge", ("local delivered = redis.call('LRANGE', key, 0, MERGE_SET - 1)", "local delivered = {}")
    ),
    "unfollowing raises no graph version": unfollowing_raises_no_version,
    "deliver inserts below the floor": lambda: changed_script(
        "insert", ("if not is_higher(id_high, id_low, struct.unpack(ID_HALVES, floor)) then return end", "")
    ),
    "trimming does not raise the floor": lambda: changed_script(
        "insert", ("with_floor(trailer, newest_dropped)", "trailer")
    ),
    "retract leaves a timeline alone that is being rebuilt": lambda: changed_script(
        "retract", ("if trailer then", "if trailer and not is_building(trailer) then")
    ),
    "merge ignores the graph version": lambda: changed_script(
        "merge",
        ("if graph_version_of(trailer) ~= version or epoch", "if epoch"),
        ("merge_set, finished_trailer(trailer, floor)", "merge_set, READY .. floor .. version .. sub(trailer, 18, 61)"),
    ),
    "deliver ignores that a timeline was opened after its snapshot": lambda: changed_script(
        "deliver", ("if not (some_opened_since and opened_since(key)) then insert(key, head) end", "insert(key, head)")
    ),
    "deliver ignores the tombstone": lambda: changed_script(
        "insert", ("return redis.call('EXISTS', KEYS[1]) == 1", "return false")
    ),
    "deliver ignores the generation of its snapshot": lambda: changed_script(
        "pushes", ("return redis.call('GET', generation_key) ~= generation", "return false")
    ),
    "deliver does not look whether the entry is there": lambda: changed_script(
        "insert", ("if present == id then return end", "")
    ),
    "reading ignores the graph version": lambda: changed_script(
        "read", ("if graph_version_of(trailer) ~= current(KEYS[2]) then return {} end", "")
    ),
    "a crossing raises no epoch": lambda: changed(celebrities, "raise_epoch", lambda: None),
    "a timeline of before an author ceased is revalidated": lambda: changed(
        rebuild, "pulling_ended_among", lambda authors: {}
    ),
    "an author's push that is refused leaves their timeline": lambda: changed_script(
        "deliver_to_author", ("redis.call('DEL', key)", "")
    ),
}

RARE = {"deliver ignores the tombstone", "deliver ignores the generation of its snapshot"}
"""Found as well, but they take more interleavings than each run of the tests should."""
FOUND_WITHIN = {bug: 60 for bug in BUGS if bug not in RARE}
"""Those that are planted at each run of the tests, and the interleavings that are tried to find them."""
LAST_FOUND_BY = {
    "retract leaves a timeline alone that is being rebuilt": 42,
    "merge ignores the graph version": 37,
    "an author's push that is refused leaves their timeline": 29,
}
"""The interleavings that found them when they were looked for last, and are tried first; the others have early ones."""
