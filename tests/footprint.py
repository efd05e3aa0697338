"""What one request goes through: the project's own files and functions, as seen from the thread that serves it.

A file counts once, whatever of it runs; a function counts once however often it is called. Lambdas,
comprehensions and what classes run while they are made count with the function that they stand in.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGES = tuple(f"{ROOT / name}/" for name in ("config", "feed", "tweets", "fanout", "accounts", "storage"))


class Footprint(NamedTuple):
    """The files in the order in which they were first entered, and the functions."""

    files: list[str]
    functions: list[str]


def footprint(act: Callable[[], object]) -> Footprint:
    """What `act` goes through in this thread."""
    seen: dict[CodeType, None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            seen.setdefault(frame.f_code)

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    ours = [code for code in seen if code.co_filename.startswith(PACKAGES) and not code.co_name.startswith("<")]
    files = dict.fromkeys(str(Path(code.co_filename).relative_to(ROOT)) for code in ours)
    return Footprint(list(files), [f"{code.co_filename}:{code.co_qualname}" for code in ours])
