"""What `make test-changed` runs."""

from pathlib import Path

import pytest

from tests.changed import concerned, imports_of, imports_of_tests

TESTS = {
    "tests/unit/storage/test_paging.py": {"storage.web.paging"},
    "tests/integration/feed/test_home.py": {"feed.timelines.home", "storage.web.paging"},
    "tests/integration/fanout/test_sweeper.py": {"tests.work"},
    "tests/property/test_timelines.py": {"storage.web.paging"},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("fanout/timelines/home.py", "fanout/timelines/lua/read.lua", "tests/integration/fanout/x"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ("tests/property/test_timelines.py", ["tests/property/test_timelines.py"]),
        ("storage/web/paging.py", ["tests/integration/feed/test_home.py", "tests/unit/storage/test_paging.py"]),
        ("tests/work.py", ["tests/integration/fanout/test_sweeper.py"]),
        ("fanout/orders/sweeper.py", ["tests/integration/fanout/test_sweeper.py"]),
        ("fanout/timelines/lua/read.lua", ["tests/integration/fanout"]),
        ("fanout/orders/attempts.py", ["tests/integration/fanout"]),
        ("README.md", ["tests/unit/config"]),
        ("docs/architecture.md", ["tests/unit/config"]),
    ],
)
def test_what_a_change_concerns(changed: str, found: list[str], root: Path) -> None:
    assert concerned([changed], TESTS, root) == found


def test_each_is_run_once() -> None:
    assert concerned(["storage/web/paging.py", "feed/timelines/home.py"], TESTS) == [
        "tests/integration/feed/test_home.py",
        "tests/unit/storage/test_paging.py",
    ]


def test_a_module_is_named_by_either_form_of_import() -> None:
    source = "import a.b\nfrom c.d import e, f as g\nfrom . import h\n"
    assert imports_of(source) == {"a.b", "c.d", "c.d.e", "c.d.f"}


def test_this_very_file_is_found() -> None:
    assert "tests.changed" in imports_of_tests()["tests/unit/tests/test_changed.py"]
