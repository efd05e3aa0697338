"""Where letters go: to a server, on a laptop to the screen, and in production without a server nowhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.config.test_deploy_checks import SAFE

ROOT = Path(__file__).parents[3]
SERVER = {"EMAIL_URL": "smtps://u:pw@mail.example.org", "EMAIL_FROM": "feed@example.org"}
ASKING = """
import json
from config import settings as s
print(json.dumps([s.EMAIL_BACKEND.split(".")[-2], s.SENDS_LETTERS, s.EMAIL_TIMEOUT]))
"""


@pytest.mark.parametrize(
    ("variables", "backend", "sends"),
    [(SAFE, "dummy", False), (SAFE | SERVER, "smtp", True), ({}, "console", True), (SERVER, "smtp", True)],
)
def test_only_a_laptop_prints_them(variables: dict[str, str], backend: str, sends: bool, tmp_path: Path) -> None:
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | variables
    done = subprocess.run(
        [sys.executable, "-c", ASKING], cwd=ROOT, env=env | {"DATA_DIR": str(tmp_path)},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert json.loads(done.stdout) == [backend, sends, 10]
