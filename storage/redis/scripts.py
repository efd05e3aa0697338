"""Lua scripts: one file each, run by their digest, loaded by the node when the server does not know them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from storage.redis.reads import Command


class Script:
    """A Lua script; `call` makes the command that runs it. Keys are all declared."""

    _known: dict[str, str] = {}

    def __init__(self, path: Path) -> None:
        self.source = path.read_text()
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        self._known[self.sha] = self.source

    def call(self, keys: Iterable[str | bytes], *args: str | bytes | int) -> Command:
        declared = tuple(keys)
        return ("EVALSHA", self.sha, len(declared), *declared, *args)

    @classmethod
    def sources(cls) -> Iterable[str]:
        return cls._known.values()
