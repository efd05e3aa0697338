"""`make audit`: is a version that the locked lists name known to be vulnerable?

    python -m deploy.audit [--advisories PATH] [LIST …]

Advisories are in OSV's format (https://ossf.github.io/osv-schema/): asked of OSV's service, or read from PATH, which is
one JSON file, a directory of them at any depth, or a zip of them, such as the dump that OSV publishes for PyPI. Exit
status: 0, none is known; 1, some are, and are named; 2, nobody could be asked, or what was given cannot be read. That
nothing could be looked up is never a success.
"""

import argparse
import re
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

LISTS = (Path("requirements.txt"), Path("requirements/development.txt"))
SERVICE = "https://api.osv.dev/v1/querybatch"
DUMP = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
ANSWER_SECONDS = 30.0
ECOSYSTEM = "PyPI"
NONE_KNOWN, SOME_KNOWN, CANNOT_LOOK = 0, 1, 2


class CannotLook(Exception):
    """One sentence: whom it could not ask, or what it could not read."""


class Package(msgspec.Struct):
    name: str
    ecosystem: str = ""


class Event(msgspec.Struct):
    """One of its fields is set: from which version on, or up to which one, it is affected."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(msgspec.Struct):
    type: str
    events: list[Event] = []


class Affected(msgspec.Struct):
    package: Package | None = None
    versions: list[str] = []
    ranges: list[Range] = []


class Advisory(msgspec.Struct):
    id: str
    summary: str = ""
    withdrawn: str | None = None
    affected: list[Affected] = []

    def concerns(self, name: str, version: Version) -> bool:
        """Returns whether this version of the package of that canonical name is affected."""
        return self.withdrawn is None and any(
            each.package is not None
            and each.package.ecosystem == ECOSYSTEM
            and canonicalize_name(each.package.name) == name
            and _is_among(each, version)
            for each in self.affected
        )


class Found(msgspec.Struct, frozen=True, order=True):
    package: str
    version: str
    advisory: str
    summary: str = ""

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {self.advisory} {self.summary}".rstrip()


def pinned(text: str) -> list[tuple[str, str]]:
    """Returns name and version of what a locked list names, one entry for each version."""
    return sorted({(canonicalize_name(name), version) for name, version in PINNED.findall(text)})


def local(path: Path, packages: Sequence[tuple[str, str]]) -> list[Found]:
    """Returns what the advisories there say of the packages. Raises `CannotLook`, also when there is none."""
    looked = 0
    found = set()
    for where, content in _documents(path):
        advisory = _read(where, content)
        looked += 1
        for name, version in packages:
            if advisory.concerns(name, Version(version)):
                found.add(Found(name, version, advisory.id, advisory.summary))
    if not looked:
        raise CannotLook(f"{path} has no advisory in it.")
    return sorted(found)


def asked(packages: Sequence[tuple[str, str]], service: str = SERVICE) -> list[Found]:
    """Returns what OSV's service says, in one request. Raises `CannotLook`."""
    queries = [{"package": {"name": name, "ecosystem": ECOSYSTEM}, "version": version} for name, version in packages]
    body = msgspec.json.encode({"queries": queries})
    request = urllib.request.Request(service, body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            results = msgspec.json.decode(answer.read(), type=_Answer).results
    except (OSError, msgspec.MsgspecError) as error:
        raise CannotLook(
            f"{service} cannot be asked ({error}). Fetch {DUMP} where it can be, and give it: "
            "make audit ADVISORIES=all.zip"
        ) from error
    if len(results) != len(packages):
        raise CannotLook(f"{service} answered {len(results)} of {len(packages)} questions.")
    return sorted(
        Found(name, version, each.id)
        for (name, version), result in zip(packages, results, strict=True)
        for each in result.vulns
    )


class _Result(msgspec.Struct):
    vulns: list[Advisory] = []


class _Answer(msgspec.Struct):
    results: list[_Result]


def _documents(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            yield from ((str(each), each.read_bytes()) for each in sorted(path.rglob("*.json")))
        elif path.suffix == ".zip":
            with ZipFile(path) as archive:
                names = (name for name in archive.namelist() if name.endswith(".json"))
                yield from ((f"{path}:{name}", archive.read(name)) for name in names)
        else:
            yield str(path), path.read_bytes()
    except (OSError, BadZipFile) as error:
        raise CannotLook(f"{path} cannot be read: {error}") from error


def _read(where: str, content: bytes) -> Advisory:
    try:
        return msgspec.json.decode(content, type=Advisory)
    except msgspec.MsgspecError as error:
        raise CannotLook(f"{where} is no advisory in OSV's format: {error}") from error


def _is_among(affected: Affected, version: Version) -> bool:
    if any(_version(each) == version for each in affected.versions):
        return True
    return any(_is_within(each.events, version) for each in affected.ranges if each.type == "ECOSYSTEM")


def _is_within(events: Iterable[Event], version: Version) -> bool:
    """As the format says: the events in the order of their versions, each of which begins or ends what is affected."""
    affected = False
    for at, event in sorted(((_at(event), event) for event in events if event.limit is None), key=lambda step: step[0]):
        if event.last_affected is not None:
            affected = affected and version <= at
        elif version >= at:
            affected = event.introduced is not None
    return affected


def _at(event: Event) -> Version:
    said = event.introduced or event.fixed or event.last_affected or "0"
    return _version(said) or Version("0")


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def main(arguments: Sequence[str]) -> int:
    """Prints what was found, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--advisories", type=Path, help="a JSON file, a directory or a zip of advisories")
    parser.add_argument("lists", nargs="*", type=Path, default=list(LISTS), help="the locked lists")
    options = parser.parse_args(arguments)
    try:
        packages = _packages(options.lists)
        found = local(options.advisories, packages) if options.advisories else asked(packages)
    except CannotLook as error:
        print(f"Not audited: {error}", file=sys.stderr)
        return CANNOT_LOOK
    for each in found:
        print(each)
    print(f"{len(packages)} versions looked up, {len(found)} advisories concern them.")
    return SOME_KNOWN if found else NONE_KNOWN


def _packages(lists: Iterable[Path]) -> list[tuple[str, str]]:
    try:
        packages = pinned("\n".join(path.read_text() for path in lists))
    except OSError as error:
        raise CannotLook(f"{error.filename} cannot be read: {error.strerror}.") from error
    if not packages:
        raise CannotLook("the lists name no version.")
    return packages


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
