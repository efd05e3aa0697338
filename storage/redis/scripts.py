"""Lua scripts: one file each, run by their digest, loaded by the node when the server does not know them.

What several scripts share stands in a *prelude*, a file of definitions that is joined in front of
each. Redis makes every function of a script anew at each call, at some 0.15 µs, so of a prelude only
those paragraphs are joined that the script needs.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from storage.redis.reads import Command

DEFINED = re.compile(r"^local (?:function )?(\w+(?:, \w+)*)", re.MULTILINE)
"""The names that a paragraph of a prelude defines."""


class Script:
    """A Lua script behind its preludes; `call` makes the command that runs it. Keys are all declared."""

    _known: dict[str, str] = {}

    def __init__(self, path: Path, *preludes: Path) -> None:
        self.source = path.read_text()
        for prelude in reversed(preludes):
            self.source = joined(prelude.read_text(), self.source)
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        self._known[self.sha] = self.source

    def call(self, keys: Iterable[str | bytes], *args: str | bytes | int) -> Command:
        declared = tuple(keys)
        return ("EVALSHA", self.sha, len(declared), *declared, *args)

    @classmethod
    def sources(cls) -> Iterable[str]:
        return cls._known.values()


def joined(prelude: str, script: str) -> str:
    """The script behind those paragraphs of the prelude whose names it uses, itself or through another paragraph.

    From the last to the first, since Lua knows a local only below its definition. A name in a
    comment counts, too.
    """
    for paragraph in reversed(prelude.split("\n\n")):
        names = {name for names in DEFINED.findall(paragraph) for name in names.split(", ")}
        if names & set(re.findall(r"\w+", script)):
            script = f"{paragraph.rstrip()}\n\n{script}"
    return script
