"""Copies of a Cassandra node: what is put back, and what is refused. With a node, see test_restored.py."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from deploy.cassandra import backups
from deploy.cassandra.backups import ASIDE, Copy, main, put_back
from deploy.errors import CannotStart

TABLE = "tweets-0123456789abcdef"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """One that has ended, with a table and what it wrote since the copy."""
    written = {
        f"data/feed/{TABLE}/da-2-bti-Data.db": "later",
        f"data/feed/{TABLE}/backups/da-1-bti-Data.db": "incremental",
        "data/feed/added-0123456789abcdef/da-1-bti-Data.db": "made since",
        "data/system/local-0123456789abcdef/da-1-bti-Data.db": "the node's own",
        "commitlog/CommitLog-8-1.log": "later",
        "hints/1.hints": "later",
        "cassandra.yaml": "",
    }
    return files(tmp_path / "cassandra", written)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    directory = files(tmp_path / "copy", {"tweets/da-1-bti-Data.db": "copied", "tweets/schema.cql": "CREATE"})
    tables = {"tweets": [backups.described(each) for each in sorted((directory / "tweets").iterdir())]}
    (directory / backups.MANIFEST).write_bytes(msgspec.json.encode(Copy("feed", datetime.now(UTC), tables)))
    return directory


def files(directory: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def contents(directory: Path) -> dict[str, str]:
    return {str(each.relative_to(directory)): each.read_text() for each in directory.rglob("*") if each.is_file()}


def test_the_copy_s_files_take_the_place_of_what_is_moved_aside(node: Path, copy: Path) -> None:
    aside = put_back(node, copy)
    assert aside.parent == node
    assert contents(aside) == {
        "tweets/da-2-bti-Data.db": "later",
        "added/da-1-bti-Data.db": "made since",
        "commitlog/CommitLog-8-1.log": "later",
        "hints/1.hints": "later",
    }
    left = {name: text for name, text in contents(node).items() if not name.startswith(ASIDE)}
    assert left == {
        f"data/feed/{TABLE}/da-1-bti-Data.db": "copied",
        f"data/feed/{TABLE}/backups/da-1-bti-Data.db": "incremental",
        "data/system/local-0123456789abcdef/da-1-bti-Data.db": "the node's own",
        "cassandra.yaml": "",
        "node.lock": "",
    }


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("copy/manifest.json", "never finished"),
        ("copy/tweets/da-1-bti-Data.db", "is missing"),
        (f"cassandra/data/feed/{TABLE}", "no table tweets"),
    ],
)
def test_what_cannot_be_put_back_changes_nothing(
    node: Path, copy: Path, capsys: pytest.CaptureFixture[str], gone: str, said: str
) -> None:
    (node.parent / gone).rename(node.parent / "elsewhere")
    before = contents(node)
    with pytest.raises(CannotStart, match=said):
        put_back(node, copy)
    assert {name: text for name, text in contents(node).items() if name != "node.lock"} == before
    with pytest.MonkeyPatch.context() as patches:
        patches.setenv("DATA_DIR", str(node.parent))
        assert main(["put-back", str(copy)]) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_as_it_was_written_changes_nothing(node: Path, copy: Path) -> None:
    (copy / "tweets/da-1-bti-Data.db").write_text("Copied")
    before = contents(node)
    with pytest.raises(CannotStart, match=r"Data\.db is missing, or not as it was written"):
        put_back(node, copy)
    assert contents(node) == before


def test_a_full_disk_changes_nothing(node: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(node)

    def full(source: Path, target: Path) -> None:
        target.write_text("co")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(CannotStart, match=r"Nothing was changed: .*No space left"):
        put_back(node, copy)
    assert contents(node) == before | {"node.lock": ""}


def test_one_that_is_broken_off_names_what_it_moved_and_is_done_again(
    node: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.parent.parent.name == backups.STAGING:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refused)
        with pytest.raises(CannotStart, match=rf"Do not start the node.* is in {node}/{ASIDE}"):
            put_back(node, copy)
    put_back(node, copy)
    assert contents(node)[f"data/feed/{TABLE}/da-1-bti-Data.db"] == "copied"
    assert not (node / backups.STAGING).exists()


def test_a_command_that_is_none_tells_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore"]) == 2
    assert "put-back DIR" in capsys.readouterr().err
