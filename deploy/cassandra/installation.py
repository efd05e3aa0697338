"""Java, and Cassandra's jars: fetched once with Maven, then shared by every node."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import CannotStart
from deploy.supervisor.locks import try_lock
from deploy.supervisor.processes import last_lines, nothing, start, wait_until

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".cassandra"
JAVA_MAJOR = 17
INSTALL_SECONDS = 900.0


def why_unavailable(cache: Path = CACHE) -> str | None:
    """Returns what is missing to run a node, as a sentence; None when nothing is."""
    try:
        java()
        if not jar_directory(cache).is_dir():
            _maven()
    except CannotStart as error:
        return str(error)
    return None


def java() -> str:
    """Returns the Java to run, JAVA_HOME's first. Raises `CannotStart` when there is none or it is too old."""
    found = _in_java_home() or shutil.which("java")
    major = _major(found) if found else None
    if found is None or major is None:
        raise CannotStart(f"Cassandra needs Java {JAVA_MAJOR}, and no `java` was found: install it or set JAVA_HOME.")
    if major < JAVA_MAJOR:
        raise CannotStart(
            f"Cassandra needs Java {JAVA_MAJOR}, and {found} is Java {major}: install it or set JAVA_HOME."
        )
    return found


def jar_directory(cache: Path = CACHE) -> Path:
    """Returns where the jars of this pom belong; there only when they are complete."""
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    return cache.absolute() / f"jars-{version}"


def install(cache: Path = CACHE, while_waiting: Callable[[], None] = nothing) -> Path:
    """Returns the directory of the jars, fetched by the first caller; others wait for it.

    A fetch that was interrupted counts as none. Raises `CannotStart` without Maven or a network.
    """
    target = jar_directory(cache)
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "install.lock", while_waiting):
        if not target.is_dir():
            _fetch(target, while_waiting)
    return target


def _fetch(target: Path, while_waiting: Callable[[], None]) -> None:
    unfinished = target.with_name(target.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    log = target.with_name("install.log")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"]
    child = start("maven", [_maven(), "-q", "-B", "-f", str(POM), *goal], log=log)
    try:
        wait_until(child.ended, seconds=INSTALL_SECONDS, while_waiting=while_waiting)
        if child.returncode != 0 or not any(unfinished.glob("cassandra-all-*.jar")):
            raise CannotStart(f"Maven could not fetch Cassandra's jars; {log} ends:\n{last_lines(log)}")
        unfinished.rename(target)
    finally:
        child.kill()


@contextmanager
def _locked(path: Path, while_waiting: Callable[[], None]) -> Iterator[None]:
    with path.open("w") as lock:
        wait_until(lambda: try_lock(lock.fileno()), seconds=INSTALL_SECONDS, while_waiting=while_waiting)
        yield


def _maven() -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotStart("Cassandra's jars are fetched with Maven, and no `mvn` was found: install Maven.")
    return maven


def _in_java_home() -> str | None:
    home = os.environ.get("JAVA_HOME")
    program = Path(home, "bin", "java") if home else None
    return str(program) if program is not None and program.is_file() else None


def _major(program: str) -> int | None:
    """The major version; None for a program that is no Java, like macOS's placeholder."""
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else None
