"""The top-level domains that twitter-text 3.1 knows (its validGTLD and validCCTLD): the last part of a link's host."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def _by_first_character(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    grouped = defaultdict(list)
    for name in sorted(names, key=len, reverse=True):
        grouped[name[0]].append(name)
    return {character: tuple(group) for character, group in grouped.items()}


_NAMES = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split()
IN_ASCII = frozenset(name for name in _NAMES if name.isascii())
BY_FIRST_CHARACTER = _by_first_character(name for name in _NAMES if not name.isascii())
"""Those in other letters than ASCII, the longest first; "vermögensberater" and another begin with v."""
