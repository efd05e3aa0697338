"""Bugs to plant, one at a time: what the suite must find if it is worth its time."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from accounts.graph import follows
from fanout.delivery import celebrities
from fanout.timelines import materialised
from feed.timelines import rebuild
from storage.redis.reads import Command
from storage.redis.scripts import Script

Bug = Callable[[], AbstractContextManager[object]]


@contextmanager
def changed_script(name: str, *changes: tuple[str, str]) -> Generator[None]:
    """`timelines.<name>` with some of its source replaced."""
    source = (materialised.LUA / f"{name}.lua").read_text()
    for old, new in changes:
        assert source.count(old) == 1, f"{name}.lua has changed: {old}"
        source = source.replace(old, new)
    with TemporaryDirectory() as directory:
        path = Path(directory) / f"{name}.lua"
        path.write_text(source)
        with patch.object(materialised, f"_{name}", Script(path)):
            yield


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
        "merge", ("local delivered = redis.call('LRANGE', key, 0, -3)", "local delivered = {}")
    ),
    "unfollowing raises no graph version": unfollowing_raises_no_version,
    "deliver inserts below the floor": lambda: changed_script(
        "deliver", ("if not id_is_above(string.sub(trailer, 2, 9)) then return end", "")
    ),
    "trimming does not raise the floor": lambda: changed_script(
        "deliver", (".. newest_dropped .. string.sub(trailer, 10)", ".. string.sub(trailer, 2)")
    ),
    "retract leaves a timeline alone that is being rebuilt": lambda: changed_script(
        "retract", ("if trailer then", "if trailer and string.sub(trailer, 1, 1) ~= 'B' then")
    ),
    "merge ignores the graph version": lambda: changed_script(
        "merge",
        ("if string.sub(trailer, 10, 17) ~= version or string", "if string"),
        ("string.sub(trailer, 10,", "version .. string.sub(trailer, 18,"),
    ),
    "deliver ignores that a timeline was opened after its note": lambda: changed_script(
        "deliver", ("if some_opened_since and opened_since(key) then", "if false then")
    ),
    "deliver ignores the tombstone": lambda: changed_script(
        "deliver", ("if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end", "")
    ),
    "deliver ignores the generation of its note": lambda: changed_script(
        "deliver", ("if redis.call('GET', KEYS[2]) ~= generation then return outdated() end", "")
    ),
    "deliver does not look whether the entry is there": lambda: changed_script(
        "deliver", ("if present == id then return end", "")
    ),
    "reading ignores the graph version": lambda: changed_script(
        "read", ("if string.sub(trailer, 10, 17) ~= version then return {} end", "")
    ),
    "a crossing raises no epoch": lambda: changed(celebrities, "raise_epoch", lambda: None),
    "a timeline of before an author ceased is adopted": lambda: changed(
        rebuild, "pulling_ended_among", lambda authors: {}
    ),
    "an author's push that is refused leaves their timeline": lambda: changed_script(
        "deliver", ("redis.call('DEL', KEYS[4])", "")
    ),
}

RARE = {"deliver ignores the tombstone", "deliver ignores the generation of its note"}
"""Found as well, but they take more interleavings than each run of the tests should."""
FOUND_WITHIN = {bug: 60 for bug in BUGS if bug not in RARE}
"""Those that are planted at each run of the tests, and the interleavings that are tried to find them."""
