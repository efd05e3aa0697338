"""The check of the locked lists against advisories: what concerns them is found, and silence is no success."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from deploy import audit
from deploy.supervisor.ports import free_port
from tests.e2e.runs import ROOT

HASHES = " \\\n    --hash=sha256:" + "0" * 64 + " \\\n    --hash=sha256:" + "1" * 64 + "\n"
LIST = f"django==5.2.19{HASHES}odd-name==1.4{HASHES}tzdata==2026.6 ; sys_platform == 'win32'{HASHES}"


def advisory(name: str, *events: dict[str, str], ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    affected = {"package": {"name": name, "ecosystem": ecosystem}, "ranges": ranges, **more.pop("affected", {})}
    return {"id": "MADE-UP-1", "summary": "It lets anybody in.", "affected": [affected], **more}


CONCERNS = [
    advisory("django", {"introduced": "0"}),
    advisory("Django", {"introduced": "5.0"}, {"fixed": "5.2.20"}),
    advisory("django", {"introduced": "0"}, {"fixed": "4.2.1"}, {"introduced": "5.2"}, {"fixed": "6.0"}),
    advisory("django", {"introduced": "5.2.19"}, {"last_affected": "5.2.19"}),
    advisory("django", {"fixed": "5.2.20"}, {"introduced": "0"}),
    advisory("Odd_Name", {"introduced": "1.0"}, {"fixed": "1.10"}),
    advisory("odd.name", affected={"versions": ["1.3", "1.4.0"]}),
    advisory("tzdata", affected={"versions": ["2026.6"]}),
]
DOES_NOT = [
    advisory("django", {"introduced": "0"}, {"fixed": "5.2.19"}),
    advisory("django", {"introduced": "6.0"}),
    advisory("django", {"introduced": "0"}, {"last_affected": "5.2.18"}),
    advisory("django", {"introduced": "0"}, {"fixed": "4.2"}, {"introduced": "6.0"}, {"fixed": "6.1"}),
    advisory("django", {"introduced": "0"}, ecosystem="npm"),
    advisory("django", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z"),
    advisory("django-cors-headers", {"introduced": "0"}),
    advisory("odd-name", {"introduced": "0"}, {"fixed": "1.4"}),
    advisory("odd-name", affected={"versions": ["1.40", "not a version"]}),
    {"id": "MADE-UP-2"},
]


@pytest.fixture
def locked(tmp_path: Path) -> str:
    path = tmp_path / "locked.txt"
    path.write_text(LIST)
    return str(path)


def given(directory: Path, *advisories: object) -> str:
    directory = directory / "advisories" / "PyPI"
    directory.mkdir(parents=True)
    for number, content in enumerate(advisories):
        (directory / f"{number}.json").write_text(json.dumps(content))
    return str(directory.parent)


@pytest.mark.parametrize("content", CONCERNS)
def test_an_advisory_that_concerns_a_locked_version_is_named(
    tmp_path: Path, locked: str, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(["--advisories", given(tmp_path, *DOES_NOT, content), locked]) == 1
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2
    assert told[0].endswith("MADE-UP-1 It lets anybody in.")
    assert told[1] == "3 versions looked up, 1 advisories concern them."


def test_others_are_not(tmp_path: Path, locked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--advisories", given(tmp_path, *DOES_NOT), locked]) == 0
    assert capsys.readouterr().out == "3 versions looked up, 0 advisories concern them.\n"


def test_a_file_and_a_zip_are_read_as_well(tmp_path: Path, locked: str) -> None:
    one = tmp_path / "one.json"
    one.write_text(json.dumps(CONCERNS[0]))
    with ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(one, "MADE-UP-1.json")
    assert audit.main(["--advisories", str(one), locked]) == 1
    assert audit.main(["--advisories", str(tmp_path / "all.zip"), locked]) == 1


@pytest.mark.parametrize("kind", ["nothing there", "empty", "no JSON", "no advisory", "no zip"])
def test_what_cannot_be_read_is_no_success(
    tmp_path: Path, locked: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / ("broken.zip" if kind == "no zip" else "advisories")
    if kind != "nothing there":
        path.mkdir() if kind in ("empty", "no JSON", "no advisory") else path.write_text("no")
    if kind in ("no JSON", "no advisory"):
        (path / "one.json").write_text("no" if kind == "no JSON" else '{"name": "django"}')
    assert audit.main(["--advisories", str(path), locked]) == 2
    assert capsys.readouterr().err.startswith("Not audited: ")


def test_nor_is_a_list_that_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n")
    where = given(tmp_path, *DOES_NOT)
    assert audit.main(["--advisories", where, str(tmp_path / "empty.txt")]) == 2
    assert audit.main(["--advisories", where, str(tmp_path / "none.txt")]) == 2


class Service(BaseHTTPRequestHandler):
    """Knows of one version. `answer` in place of that, if it is set."""

    answer: bytes | None = None

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        bad = {"vulns": [{"id": "MADE-UP-1", "modified": "2026-01-01T00:00:00Z"}]}
        results = [bad if each["version"] == "1.4" else {} for each in queries]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer or json.dumps({"results": results}).encode())

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Says nothing."""


@contextmanager
def served(answer: bytes | None = None) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), type("Answering", (Service,), {"answer": answer})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_service_is_asked_of_every_version_at_once() -> None:
    with served() as url:
        assert audit.asked(audit.pinned(LIST), url) == [audit.Found("odd-name", "1.4", "MADE-UP-1")]


@pytest.mark.parametrize("answer", [b"<html>sign in first</html>", b'{"results": []}', b"{}"])
def test_a_service_that_answers_something_else_is_no_success(answer: bytes) -> None:
    with served(answer) as url, pytest.raises(audit.CannotLook):
        audit.asked(audit.pinned(LIST), url)


def test_nor_is_one_that_cannot_be_reached_and_what_to_do_is_said(
    locked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit.asked, "__defaults__", (f"http://127.0.0.1:{free_port()}/",))
    assert audit.main([locked]) == 2
    assert "make audit ADVISORIES=all.zip" in capsys.readouterr().err


class TestLockedLists:
    """What `pip install --require-hashes` is given."""

    @pytest.mark.parametrize("name", ["requirements.txt", "requirements/development.txt"])
    def test_each_line_is_a_version_or_a_hash_of_it(self, name: str) -> None:
        lines = (ROOT / name).read_text().splitlines()
        version = r"[a-z0-9][a-z0-9.-]*==[\w.]+( ; [\w.'<>=! ()]+)? \\"
        digest = r"    --hash=sha256:[0-9a-f]{64}( \\)?"
        strange = [line for line in lines if not re.fullmatch(f"{version}|{digest}", line)]
        assert strange == []

    @pytest.mark.parametrize("name", ["requirements.txt", "requirements/development.txt"])
    def test_each_version_has_hashes(self, name: str) -> None:
        entries = re.split(r"\n(?! )", (ROOT / name).read_text().strip())
        assert len(entries) > 20
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []

    def test_whoever_installs_them_asks_for_the_hashes(self) -> None:
        for place in ("Makefile", "deploy/Dockerfile"):
            lines = (ROOT / place).read_text().replace("\\\n", " ").splitlines()
            installing = [line for line in lines if "pip install" in line and " -r " in line]
            assert installing
            assert all("--require-hashes" in line for line in installing), place
