"""`make graphiql`: fetches the files of the GraphQL page anew from npm, and checks that they are what they were.

They are committed, as running the product needs no npm and the page loads nothing from elsewhere (docs/adr/035). Of
each package the archive is bound by a hash, and so is each file as it stands here. To take a newer version, change
`PACKAGES`: what does not match is named with the hash that it has, and nothing is written.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

HERE = Path("config/static/config/vendored")
LICENCES = "LICENCES.txt"
NPM_SECONDS = 120
NO_NPM, NOT_THE_SAME = 2, 1

_FONT = re.compile(rb"@font-face\s*\{[^}]*\}")


class Changed(Exception):
    """One sentence: what has another hash than the one that is written here."""


def without_fonts(css: bytes) -> bytes:
    """Returns a style sheet without its fonts, seven eighths of GraphiQL's: the policy of our pages forbids them."""
    return _FONT.sub(b"", css)


def unchanged(content: bytes) -> bytes:
    return content


class File(msgspec.Struct, frozen=True):
    """A file of a package, its name here, its SHA-256 as it stands here, and what was made of it."""

    path: str
    name: str
    sha256: str
    made: Callable[[bytes], bytes] = unchanged


class Package(msgspec.Struct, frozen=True):
    name: str
    version: str
    sha256: str
    """Of the archive that npm hands out."""
    files: tuple[File, ...]
    licence: str = "LICENSE"


PACKAGES = (
    Package(
        name="graphiql",
        version="3.9.0",
        sha256="d955c99ae100ed5facb45f4f94d1a8c0a156f81106434f0e35b0dcb0be574f27",
        files=(
            File(
                path="graphiql.min.js",
                name="graphiql.min.js",
                sha256="a330a2be1d2389486840a9d0a834767d9083a23f105879e0de54e4fce83d3513",
            ),
            File(
                path="graphiql.min.css",
                name="graphiql.css",
                sha256="42f6189591b830b14d391333130056c61a98409a7f369c64d070bf686ae4c231",
                made=without_fonts,
            ),
        ),
    ),
    Package(
        name="react",
        version="18.3.1",
        sha256="8d9bed01a672e7eaf387942d781ad47c6a43089a30a0306060f9fd5ac7870347",
        files=(
            File(
                path="umd/react.production.min.js",
                name="react.production.min.js",
                sha256="d949f1c3687aedadcedac85261865f29b17cd273997e7f6b2bfc53b2f9d4c4dd",
            ),
        ),
    ),
    Package(
        name="react-dom",
        version="18.3.1",
        sha256="031d4427a99f2f3f6cac18bbbf308594a67e4f47d10f4896fdec446505b040e0",
        files=(
            File(
                path="umd/react-dom.production.min.js",
                name="react-dom.production.min.js",
                sha256="35f4f974f4b2bcd44da73963347f8952e341f83909e4498227d4e26b98f66f0d",
            ),
        ),
    ),
)


def fetched(package: Package, directory: Path) -> Path:
    """Returns the archive that npm hands out. Raises what subprocess does."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, timeout=NPM_SECONDS)
    return directory / done.stdout.split()[-1]


def unpacked(package: Package, archive: Path) -> dict[str, bytes]:
    """Returns the files under their names here, and the licence under the package's. Raises `Changed`."""
    _check(f"{package.name} {package.version}", archive.read_bytes(), package.sha256)
    with tarfile.open(archive) as packed:
        found = {each.name: each.made(_read(packed, each.path)) for each in package.files}
        licence = _read(packed, package.licence)
    for each in package.files:
        _check(each.name, found[each.name], each.sha256)
    return {**found, package.name: licence}


def written(packages: tuple[Package, ...], directory: Path) -> Mapping[str, bytes]:
    """Returns every file that is to stand here. Raises `Changed`."""
    files: dict[str, bytes] = {}
    licences = []
    for package in packages:
        files |= unpacked(package, fetched(package, directory))
        licences.append(f"{package.name} {package.version}\n\n{files.pop(package.name).decode()}")
    return {**files, LICENCES: f"\n{'-' * 80}\n\n".join(licences).encode()}


def _read(packed: tarfile.TarFile, path: str) -> bytes:
    file = packed.extractfile(f"package/{path}")
    assert file is not None, path  # noqa: S101 - a file by this name is in every archive of that hash
    return file.read()


def _check(what: str, content: bytes, sha256: str) -> None:
    own = hashlib.sha256(content).hexdigest()
    if own != sha256:
        raise Changed(f"{what} has the SHA-256 {own}, and not {sha256 or 'one that is written here'}.")


def main() -> int:
    """Returns the exit status: 0, all is written; 1, something has another hash; 2, npm is missing or failed."""
    try:
        with tempfile.TemporaryDirectory() as directory:
            files = written(PACKAGES, Path(directory))
    except Changed as changed:
        print(changed, file=sys.stderr)
        return NOT_THE_SAME
    except (OSError, subprocess.SubprocessError) as error:
        print(f"npm is needed, and did not hand them out: {error}", file=sys.stderr)
        return NO_NPM
    HERE.mkdir(exist_ok=True)
    for name, content in files.items():
        (HERE / name).write_bytes(content)
    print(f"{len(files)} files are in {HERE}, as they should be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
