"""What `make lint` and `make format` do in a fresh clone, and with a file that cannot be mended."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.runs import ROOT, own_environment

INSTALLED = ("-o", ".venv/.development-installed")
"""What is installed here is not installed anew."""


def make(*arguments: str, directory: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), *INSTALLED, *arguments],
        cwd=directory,
        env=own_environment() | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_lint_looks_for_missing_migrations_without_a_database_and_in_silence(tmp_path: Path) -> None:
    """A fresh clone has no DATA_DIR; the other tools are stood in for."""
    stands_in = {"ruff": "", "mypy": "", "lint-imports": "", "python": f'exec {sys.executable} "$@"'}
    for tool, script in stands_in.items():
        (tmp_path / tool).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / tool).chmod(0o755)
    done = make("lint", f"BIN={tmp_path}", DATA_DIR=str(tmp_path / "none"), STORE="embedded")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "No changes detected"
    assert not (tmp_path / "none").exists()


def test_format_formats_although_something_cannot_be_mended(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.ruff.lint]\nselect = ["F"]\n')
    code = tmp_path / "code.py"
    code.write_text("import os\nprint( nowhere )\n")
    done = make("format", f"BIN={Path(sys.executable).parent}", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert code.read_text() == "print(nowhere)\n"
    assert "Undefined name `nowhere`" in done.stdout
