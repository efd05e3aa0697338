"""The code of the page at /: plain modules, which put what people wrote there as text, and ask nobody else."""

import re
from pathlib import Path

import pytest

from config.http.pages import client_page
from tests import weight_tables

CLIENT = Path(__file__).parents[3] / "config/static/client"
MODULES = sorted(CLIENT.rglob("*.js"))
IMPORT = re.compile(r'(?:from|import) "([^"]+)"')
MARKUP = re.compile(
    r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|parseFromString|write(?:ln)?\()"
    r"|\beval\(|\bnew Function\b|javascript:|\bsrcdoc\b"
)
"""What makes elements, or code, of a text."""
ADDRESS = re.compile(r"(?<=[:\"'`])//[\w-]+\.[\w./-]+")
NAMESPACE = "//www.w3.org/2000/svg"
MOST_LINES = 300


def name_of(path: Path) -> str:
    return path.relative_to(CLIENT).as_posix()


def code_of(path: Path) -> str:
    """Without comments."""
    return re.sub(r"^\s*(?://|/?\*).*$", "", path.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
class TestModules:
    def test_texts_are_set_as_text(self, path: Path) -> None:
        code = code_of(path).replace("function write(", "").replace(" write(", "")
        assert MARKUP.findall(code) == []

    def test_nobody_else_is_asked(self, path: Path) -> None:
        assert {*ADDRESS.findall(code_of(path))} <= {NAMESPACE}

    def test_what_is_imported_is_there(self, path: Path) -> None:
        for place in IMPORT.findall(path.read_text()):
            assert place.startswith("."), place
            assert (path.parent / place).resolve() in MODULES, place

    def test_it_says_what_it_is_and_is_short_enough_to_be_read(self, path: Path) -> None:
        lines = path.read_text().splitlines()
        assert lines[0].startswith("// ")
        assert len(lines) <= MOST_LINES
        assert [number for number, line in enumerate(lines, 1) if len(line) > 150 or line != line.rstrip()] == []


def test_the_page_names_every_module_and_nothing_that_is_not_there() -> None:
    page = client_page()
    named = re.findall(r'(?:href|src)="/static/client/([^"]+)"', page)
    assert {*named} == {name_of(path) for path in CLIENT.rglob("*.*")}
    assert len(re.findall('rel="modulepreload"', page)) == len(MODULES) - 1


def test_what_it_weighs_by_is_what_the_server_weighs_by() -> None:
    """`python -m tests.weight_tables` writes it anew."""
    assert weight_tables.PATH.read_text(encoding="utf-8") == weight_tables.tables()
