"""`make chaos`, short: a stack is broken under load, and nothing is lost, doubled or wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import ROOT, own_environment, processes_of

pytestmark = pytest.mark.e2e

SEED = "2"
"""One with eight kinds of faults in its first rounds."""


TOLD = frozenset({"fault", "returned", "socket", "socket broken", "difference", "finding"})
"""What a failure tells of its log, which goes with the test's directory."""


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def warnings_in(directory: Path) -> list[str]:
    """The last warnings of each process."""
    lines = {path: path.read_text(errors="replace").splitlines() for path in sorted(directory.rglob("*.log"))}
    return [f"{path.name}: {line}" for path, found in lines.items() for line in found if "warning" in line][-200:]


@pytest.mark.timeout(360)
def test_nothing_is_lost_doubled_or_wrong(tmp_path: Path) -> None:
    variables = {
        "DATA_DIR": str(tmp_path),
        "SECONDS": "24",
        "SEED": SEED,
        "PEOPLE": "15",
        "RATE": "15",
        "SLACK": "30",
        "COLUMNS": "140",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chaos"],
        cwd=ROOT,
        env=own_environment() | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    [log] = tmp_path.glob("*/log.jsonl")
    seen = events(log)
    if ended.returncode != 0:
        print(*(json.dumps(each) for each in seen if each["event"] in TOLD), *warnings_in(log.parent), sep="\n")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.rstrip().endswith(f"0 differences. Log: {log}")

    faults = [each for each in seen if each["event"] == "fault"]
    assert len({each["fault"] for each in faults}) >= 5
    assert len([each for each in seen if each["event"] == "returned"]) == len(faults)
    requests = [each for each in seen if each["event"] == "request"]
    done = {each["kind"] for each in requests if each["outcome"] == "acknowledged"}
    assert len(done) >= 18
    assert done >= {"like", "unlike", "mention", "protect", "unprotect", "accept", "leave"}
    compared = re.search(r"([\d,]+) notifications and ([\d,]+) tweets that were searched for", ended.stdout)
    assert compared is not None
    assert all(int(count.replace(",", "")) > 20 for count in compared.groups())
    assert [each for each in requests if each["outcome"] == "again"] != []
    assert [each for each in seen if each["event"] == "socket" and each["resumed"]] != []
    assert [path.name for path in log.parent.iterdir()] == ["log.jsonl"]
    assert [pid for directory in tmp_path.iterdir() for pid in processes_of(directory)] == []
