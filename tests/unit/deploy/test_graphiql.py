"""The files of the GraphQL page are those that npm handed out, and only what matches is written."""

import hashlib
import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from deploy import graphiql
from deploy.graphiql import HERE, LICENCES, PACKAGES, Changed, File, Package, written
from tests.e2e.runs import ROOT

STYLE = b"a{color:red}@font-face{font-family:X;src:url(data:font/woff2;base64,AAAA)}b{}"
BARE = b"a{color:red}b{}"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """One whose archive is here already."""
    archive = tmp_path / "styles-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in (("a.css", STYLE), ("LICENSE", b"Do what you like.")):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(graphiql, "fetched", lambda _package, _directory: archive)
    file = File("a.css", "b.css", sha(BARE), graphiql.without_fonts)
    return Package("styles", "1.0.0", sha(archive.read_bytes()), (file,))


def test_what_is_committed_is_what_is_written_down() -> None:
    files = {each.name: each.sha256 for package in PACKAGES for each in package.files}
    assert {path.name for path in (ROOT / HERE).iterdir()} == {*files, LICENCES}
    for name, sha256 in files.items():
        assert sha((ROOT / HERE / name).read_bytes()) == sha256, name
    licences = (ROOT / HERE / LICENCES).read_text()
    for package in PACKAGES:
        assert f"{package.name} {package.version}\n" in licences
    assert licences.count("MIT License") == len(PACKAGES)


def test_no_font_and_no_address_is_in_the_style_sheet() -> None:
    style = (ROOT / HERE / "graphiql.css").read_text()
    assert "@font-face" not in style
    assert "http" not in style


def test_files_are_made_and_have_their_licence(package: Package, tmp_path: Path) -> None:
    assert written((package,), tmp_path) == {
        "b.css": BARE,
        LICENCES: b"styles 1.0.0\n\nDo what you like.",
    }


def test_an_archive_or_a_file_with_another_hash_is_named_and_nothing_is_written(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other_archive = msgspec.structs.replace(package, sha256=sha(b"x"))
    other_file = msgspec.structs.replace(package, files=(File("a.css", "b.css", sha(BARE)),))
    with pytest.raises(Changed, match=r"styles 1\.0\.0 has the SHA-256"):
        written((other_archive,), tmp_path)
    monkeypatch.setattr(graphiql, "HERE", tmp_path / "here")
    monkeypatch.setattr(
        graphiql, "PACKAGES", (msgspec.structs.replace(other_file, files=(File("a.css", "b.css", ""),)),)
    )
    assert graphiql.main() == graphiql.NOT_THE_SAME
    assert sha(STYLE) in capsys.readouterr().err
    assert not (tmp_path / "here").exists()
