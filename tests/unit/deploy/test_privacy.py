"""What a run keeps is its owner's alone, also where the directory was there before with other rights."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import CannotStart
from deploy.run import holding
from deploy.supervisor.privacy import make_private, write_private
from deploy.supervisor.processes import start, wait_until


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_directory_that_is_made_is_private(tmp_path: Path) -> None:
    with holding(tmp_path / "new" / "data", print):
        assert rights(tmp_path / "new" / "data") == 0o700


@pytest.mark.parametrize("before", [0o755, 0o750, 0o701, 0o777, 0o730])
def test_one_that_others_could_read_is_mended_and_said(
    tmp_path: Path, before: int, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    for name, mode in (("secret_key", 0o644), ("store.sqlite3", 0o666), ("tool", 0o755)):
        (directory / name).touch()
        (directory / name).chmod(mode)
    directory.chmod(before)
    with holding(directory, print):
        assert rights(directory) == 0o700
    assert [rights(directory / name) for name in ("secret_key", "store.sqlite3", "tool")] == [0o600, 0o600, 0o700]
    assert capsys.readouterr().out == f"{directory} could be read by others of this machine; now only its owner may.\n"


def test_one_that_is_private_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with holding(tmp_path, print):
        assert rights(tmp_path) == 0o700
    assert capsys.readouterr().out == ""


def test_whoever_runs_it_may_have_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is run under a number."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with holding(tmp_path / "data", print):
        assert rights(tmp_path / "data") == 0o700


def test_what_a_link_in_it_names_is_not_touched(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("somebody else's")
    elsewhere.chmod(0o644)
    directory = tmp_path / "data"
    directory.mkdir(mode=0o755)
    (directory / "link").symlink_to(elsewhere)
    make_private(directory)
    assert rights(elsewhere) == 0o644


def test_a_directory_of_another_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(CannotStart, match="belongs to another account"), holding(tmp_path, print):
        pass


def test_a_shared_directory_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(CannotStart, match="more than a run's state"), holding(tmp_path, print):
        pass
    assert rights(tmp_path) == 0o1777


@pytest.mark.parametrize("within", [".", "home/ada"])
def test_so_is_one_that_was_never_meant_for_a_run(tmp_path: Path, within: str) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(CannotStart, match="choose a directory for the run alone"):
        make_private(tmp_path, around=[tmp_path / within])
    assert rights(tmp_path) == 0o755


def test_what_a_process_and_its_log_write_is_private(tmp_path: Path) -> None:
    log, made = tmp_path / "log", tmp_path / "made"
    child = start("writer", [sys.executable, "-c", f"print(1); open({str(made)!r}, 'w')"], log=log)
    assert wait_until(child.ended, seconds=30)
    assert (rights(log), rights(made)) == (0o600, 0o600)


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("older")
    path.chmod(0o644)
    path.with_suffix(".unfinished").write_text("half")
    write_private(path, "newer")
    assert (path.read_text(), rights(path)) == ("newer", 0o600)
    assert os.listdir(tmp_path) == ["secret"]
