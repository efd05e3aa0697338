"""Java, and the jars of a server that is written in it: fetched once with Maven, then shared by every node."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import CannotStart
from deploy.supervisor.locks import try_lock
from deploy.supervisor.processes import last_lines, nothing, start, wait_until

ROOT = Path(__file__).parents[1]
JAVA_MAJOR = 17
INSTALL_SECONDS = 900.0


def _as_they_are(directory: Path) -> None:
    """Leaves the jars where Maven has put them."""


@dataclass(frozen=True, slots=True)
class Jars:
    """The jars of one server."""

    server: str
    """As sentences call it."""
    pom: Path
    """Names what is fetched."""
    cache: Path
    """Where they are kept, beside those of other versions."""
    main: str
    """A pattern of a jar without which Maven has failed."""
    beside: tuple[Path, ...] = ()
    """Other files of which the directory is made."""
    arrange: Callable[[Path], None] = _as_they_are
    """Puts the files of a directory, as Maven left it, where the server looks for them."""

    def why_unavailable(self, cache: Path | None = None) -> str | None:
        """Returns what is missing to run a node, as a sentence; None when nothing is."""
        try:
            self.java()
            if not self.directory(cache).is_dir():
                self._maven()
        except CannotStart as error:
            return str(error)
        return None

    def java(self) -> str:
        """Returns the Java to run, JAVA_HOME's first. Raises `CannotStart` when there is none or it is too old."""
        needs = f"{self.server} needs Java {JAVA_MAJOR}"
        found = _in_java_home() or shutil.which("java")
        major = _major(found) if found else None
        if found is None or major is None:
            raise CannotStart(f"{needs}, and no `java` was found: install it or set JAVA_HOME.")
        if major < JAVA_MAJOR:
            raise CannotStart(f"{needs}, and {found} is Java {major}: install it or set JAVA_HOME.")
        return found

    def directory(self, cache: Path | None = None) -> Path:
        """Returns where the jars of this pom belong; there only when they are complete."""
        made_of = b"".join(path.read_bytes() for path in (self.pom, *self.beside))
        return (cache or self.cache).absolute() / f"jars-{hashlib.sha256(made_of).hexdigest()[:12]}"

    def install(self, cache: Path | None = None, while_waiting: Callable[[], None] = nothing) -> Path:
        """Returns the directory of the jars, fetched by the first caller; others wait for it.

        A fetch that was interrupted counts as none. Raises `CannotStart` without Maven or a network.
        """
        target = self.directory(cache)
        if target.is_dir():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name("install.lock"), while_waiting):
            if not target.is_dir():
                self._fetch(target, while_waiting)
        return target

    def _fetch(self, target: Path, while_waiting: Callable[[], None]) -> None:
        unfinished = target.with_name(target.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        log = target.with_name("install.log")
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"]
        child = start("maven", [self._maven(), "-q", "-B", "-f", str(self.pom), *goal], log=log)
        try:
            wait_until(child.ended, seconds=INSTALL_SECONDS, while_waiting=while_waiting)
            if child.returncode != 0 or not any(unfinished.glob(self.main)):
                raise CannotStart(f"Maven could not fetch {self.server}'s jars; {log} ends:\n{last_lines(log)}")
            self.arrange(unfinished)
            unfinished.rename(target)
        finally:
            child.kill()

    def _maven(self) -> str:
        maven = shutil.which("mvn")
        if maven is None:
            raise CannotStart(f"{self.server}'s jars are fetched with Maven, and no `mvn` was found: install Maven.")
        return maven


@contextmanager
def _locked(path: Path, while_waiting: Callable[[], None]) -> Iterator[None]:
    with path.open("w") as lock:
        wait_until(lambda: try_lock(lock.fileno()), seconds=INSTALL_SECONDS, while_waiting=while_waiting)
        yield


def _in_java_home() -> str | None:
    home = os.environ.get("JAVA_HOME")
    program = Path(home, "bin", "java") if home else None
    return str(program) if program is not None and program.is_file() else None


def _major(program: str) -> int | None:
    """The major version; None for a program that is no Java, like macOS's placeholder."""
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else None
