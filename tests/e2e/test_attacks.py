"""`make attack`, short: a product is attacked in every way, answers as it should, keeps its memory, and goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.catalogue import NAMES
from tests.e2e.runs import ROOT, own_environment

pytestmark = pytest.mark.e2e

BY_SERVERS = ("forwarded", "frames", "slow-bodies", "slow-headers", "endless-bodies")
"""The attacks that are the business of the servers themselves; those of production are others."""


@pytest.mark.timeout(360)
@pytest.mark.parametrize(("servers", "names"), [("run", NAMES), ("production", BY_SERVERS)])
def test_every_bound_holds(tmp_path: Path, servers: str, names: tuple[str, ...]) -> None:
    """Times are not judged here: this machine has other things to do."""
    variables = {"SECONDS": "1", "TIMES": "off", "SERVERS": servers, "NAMES": " ".join(names), "COLUMNS": "180"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.attack"],
        cwd=ROOT,
        env=own_environment() | variables | {"DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "BROKEN" not in ended.stdout, ended.stdout + ended.stderr
    assert ended.stdout.rstrip().endswith(f"{len(names)} of {len(names)} attacks, 0 bounds broken."), ended.stdout
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [*tmp_path.iterdir()] == []
