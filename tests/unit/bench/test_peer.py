"""A peer's bench script beside ours: what it prints, and what it asks to be installed."""

import sys
from pathlib import Path

import pytest

from bench import peer
from deploy.errors import CannotStart

SCRIPT = '''"""A peer: python3 -m venv v && v/bin/pip install this-peer==1.4.0 redis==2.10.6"""
import sys
print("warming up")
for mode, rate in (("stock", 8000), ("batched", 22000), ("stock", 9000)):
    print('{"what": "fanout", "mode": "%s", "followers": 10000, "deliveries_per_s": %d}' % (mode, rate))
print('{"what": "read20", "reads_per_s": 1300}')
sys.exit("--fail" in sys.argv)
'''


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "some_peer.py"
    path.write_text(SCRIPT)
    monkeypatch.setenv("PEER", str(path))
    monkeypatch.setenv("PEER_PYTHON", sys.executable)
    return path


def test_a_row_for_each_mode_of_the_peer(script: Path) -> None:
    rows = peer.rows([100_000.0, 200_000.0])
    assert [(row.case, row.reference and row.reference.runs) for row in rows] == [
        ("10,000, to some_peer (stock)", [8_000.0, 9_000.0]),
        ("10,000, to some_peer (batched)", [22_000.0]),
    ]
    assert all(row.reach is None for row in rows)


def test_a_peer_that_fails_is_told(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "ARGUMENTS", ["--fail"])
    with pytest.raises(CannotStart, match="some_peer"):
        peer.rows([1.0])


def test_without_a_peer_there_are_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEER", raising=False)
    assert peer.rows([1.0]) == []


def test_what_its_text_says_is_what_is_installed(script: Path) -> None:
    assert peer.requirements(script) == ["this-peer==1.4.0", "redis==2.10.6"]
    script.write_text("print()")
    with pytest.raises(CannotStart, match="PEER_PYTHON"):
        peer.requirements(script)
