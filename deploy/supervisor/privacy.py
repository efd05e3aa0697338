"""Files and directories for nobody but their owner.

Ports on loopback and files with the usual rights are open to every account of a machine. What a run keeps (people's
data, the key that signs, the servers' passwords) is its owner's alone.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from deploy.errors import CannotStart

PRIVATE_UMASK = 0o077
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_file(path: Path) -> IO[bytes]:
    """Opens a file for writing from its beginning; if it is made here, only its owner may read it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)


def make_private(directory: Path, *, around: Iterable[Path] = ()) -> bool:
    """Makes the directory, if need be, one into which nobody else can look; returns whether others could.

    Takes the rights of others from it and from the files right in it; what is below is out of their reach. Raises
    `CannotStart`, having changed nothing, when it is another account's, when it is a shared one such as /tmp, or
    when it holds one of `around`, which were never meant for a run alone; and `OSError` when it cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise CannotStart(
            f"{directory} belongs to another account of this machine: choose a directory of yours with DATA_DIR=."
        )
    if not found.st_mode & OTHERS:
        return False
    shared = found.st_mode & stat.S_ISVTX
    if shared or any(path.resolve().is_relative_to(directory.resolve()) for path in around):
        raise CannotStart(
            f"{directory} may be read by others, and more than a run's state is in it: "
            "choose a directory for the run alone with DATA_DIR=."
        )
    directory.chmod(found.st_mode & ~OTHERS & 0o777)
    for path in directory.iterdir():
        _take_from_others(path)
    return True


def _take_from_others(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISREG(found.st_mode) and found.st_mode & OTHERS and found.st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
