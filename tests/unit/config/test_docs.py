"""What the documents say about the code is so."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from accounts.entities import BIO_MAX, DISPLAY_NAME_MAX
from accounts.people.rules import PASSWORD_MAX
from accounts.sessions.authentication import BY_ADDRESS, SIGNED_IN
from accounts.sessions.bad_tokens import BAD_TOKENS
from accounts.sessions.throttles import (
    EMAILS_BY_ADDRESS,
    EMAILS_BY_PERSON,
    LETTERS_BY_EMAIL,
    RESETS_BY_ADDRESS,
    SIGN_INS_BY_ADDRESS,
    SIGN_INS_BY_LOGIN,
    SIGN_INS_BY_PAIR,
    SIGN_UPS,
)
from storage.models import EmbeddedModel
from storage.web.paging import DEFAULT_LIMIT, MAX_LIMIT
from tests.attack.catalogue import NAMES
from tweets.writing.text import MAX_WEIGHT

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PACKAGES = ("config", "feed", "tweets", "fanout", "accounts", "storage", "deploy")
UNLISTED = ("__init__.py", "apps.py")
"""Modules that say nothing of their own."""
LOOKED_UP = ("migrations", "management", "templatetags")
"""Folders that Django looks up by these names."""

PATH_IN_TEXT = re.compile(rf"`((?:{'|'.join(PACKAGES)}|tests|docs|requirements)/[\w./*-]*\w)(?:::[\w:]+)?`")
PATH_IN_MAP = re.compile(r"^\| `([\w./-]+)` \|", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(#[^)]*)?\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(?:(\w+)::)?(\w+)`")
READERS = "text|words|flag|optional_flag|choice|decimal|seconds|whole|positive|read_choice|read_path|read_text"
"""Of config/variables.py."""
VARIABLE_IN_CODE = re.compile(rf"""(?:env\.\w+|\b(?:{READERS}))\("([A-Z_]+)\"""")
VARIABLE_IN_TABLE = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
DEFAULT_IN_TABLE = re.compile(r"^\| `([A-Z_]+)` \| ([\d.]+)[ |]", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def section(name: str, title: str) -> str:
    """What stands below a second-level heading."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text_of(name), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_settings_table_has_every_variable_that_is_read() -> None:
    read = {*VARIABLE_IN_CODE.findall(text_of("config/environment.py"))}
    read |= {*VARIABLE_IN_CODE.findall(text_of("deploy/plan.py"))} - {"SECRET_KEY"}
    assert {*VARIABLE_IN_TABLE.findall(section("README.md", "Settings"))} == read


def test_the_settings_table_has_the_defaults() -> None:
    code = text_of("config/environment.py") + text_of("deploy/plan.py")
    for name, default in DEFAULT_IN_TABLE.findall(section("README.md", "Settings")):
        in_code = re.search(rf'"{name}"(?:, |\) or ")([\d._]+)', code)
        if in_code is not None:
            assert float(in_code[1]) == float(default), name


def test_the_limits_are_those_of_the_code() -> None:
    limits = section("README.md", "Limits")
    for said in (
        f"{SIGN_UPS.quota} an hour",
        f"{SIGN_INS_BY_ADDRESS.quota} a minute from one address",
        f"{SIGN_INS_BY_PAIR.quota} in 5 minutes from one address",
        f"{SIGN_INS_BY_LOGIN.quota} in 5 minutes from all",
        f"{EMAILS_BY_PERSON.quota} an hour for one person, {EMAILS_BY_ADDRESS.quota} an hour from one address",
        f"{RESETS_BY_ADDRESS.quota} an hour from one address, {LETTERS_BY_EMAIL.quota} letters an hour to one",
        f"| bad tokens | {BAD_TOKENS.quota} a minute",
        f"{SIGNED_IN.quota} a minute for one person",
        f"{settings.MAX_BODY_BYTES // 1024} KB",
        f"{MAX_WEIGHT} characters",
        f"{DISPLAY_NAME_MAX} and {BIO_MAX} characters",
        f"8 to {PASSWORD_MAX:,} characters",
        f"{settings.MAX_FOLLOWING:,}",
        f"{MAX_LIMIT} items, {DEFAULT_LIMIT} unless",
    ):
        assert said in limits
    seconds = [each.seconds for each in (SIGN_UPS, SIGN_INS_BY_ADDRESS, SIGN_INS_BY_LOGIN, SIGNED_IN, BY_ADDRESS)]
    assert seconds == [3600, 60, 300, 60, 60]
    assert [each.seconds for each in (SIGN_INS_BY_PAIR, EMAILS_BY_PERSON, EMAILS_BY_ADDRESS)] == [300, 3600, 3600]
    assert [each.seconds for each in (RESETS_BY_ADDRESS, LETTERS_BY_EMAIL)] == [3600, 3600]
    assert BY_ADDRESS.quota == SIGNED_IN.quota


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for path, anchor in LINK.findall(document.read_text()):
        target = document.parent / path if path else document
        assert target.exists(), path
        assert not anchor or anchor[1:] in anchors(target), anchor


def anchors(document: Path) -> list[str]:
    """The anchors of its headings, as they are made on GitHub."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_that_is_named_exists(document: Path) -> None:
    for path in PATH_IN_TEXT.findall(document.read_text()):
        assert list(ROOT.glob(path)), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_test_that_is_named_exists(document: Path) -> None:
    for path, group, test in TEST.findall(document.read_text()):
        text = text_of(path)
        if group:
            found = re.search(rf"^class {group}\b.*?(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)
            assert found is not None, f"{path}::{group}"
            text = found[0]
        indent = "    " if group else ""
        assert re.search(rf"^{indent}(?:async )?def {test}\(", text, re.MULTILINE), f"{path}::{group}::{test}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_word_stands_for_what_was_to_be_filled_in(document: Path) -> None:
    assert re.findall(r"\b[A-Z_]+_(?:DATE|OUTPUT)\b", document.read_text()) == []


def test_guarantees_name_tests() -> None:
    assert len(TEST.findall(text_of("docs/guarantees.md"))) > 40


def test_every_threat_has_its_test() -> None:
    """Or says that its test is still to be named."""
    rows = re.findall(
        r"^\| (\d+(?:–\d+)?) \|.*\| ([^|]*) \|$", section("docs/security.md", "What is promised"), re.MULTILINE
    )
    assert [number for number, _ in rows] == [*map(str, range(15, 28)), "1–5", *map(str, range(6, 13))]
    assert [number for number, shown in rows if "tests/" not in shown] == []


def test_every_attack_is_spoken_of_and_no_other() -> None:
    spoken = re.findall(r"attacks? ((?:`[\w-]+`(?:, )?)+)", text_of("docs/security.md"))
    assert {name for names in spoken for name in re.findall(r"`([\w-]+)`", names)} == {*NAMES}


def test_the_folder_map_has_every_folder_and_nothing_else() -> None:
    listed = PATH_IN_MAP.findall(section("docs/architecture.md", "Folder map"))
    assert [path for path in listed if not (ROOT / path).is_dir()] == []
    assert sorted({path for path in listed if listed.count(path) > 1}) == []
    folders = {
        name_of(path.parent)
        for package in PACKAGES
        for kind in ("py", "cql")
        for path in (ROOT / package).rglob(f"*.{kind}")
        if path.name not in UNLISTED and not {*LOOKED_UP} & {*path.relative_to(ROOT).parts}
    }
    assert folders - {*listed} == set()


def test_the_map_is_short_enough_to_be_read() -> None:
    assert len(text_of("docs/architecture.md").splitlines()) <= 150


def test_every_word_of_the_glossary_has_its_file() -> None:
    rows = [line.strip("| ").split(" | ") for line in text_of("docs/glossary.md").splitlines() if line.startswith("| ")]
    words = [row for row in rows if row[0] != "word"]
    assert len(words) > 40
    assert [row[0] for row in words if len(row) != 3 or not re.fullmatch(r"`[\w./*]+`(, `[\w./*]+`)*", row[2])] == []
    assert sorted({row[0] for row in words if [each[0] for each in words].count(row[0]) > 1}) == []
    assert [path for row in words for path in re.findall(r"`([^`]+)`", row[2]) if not [*ROOT.glob(path)]] == []


def test_the_data_tables_are_those_of_the_migrations() -> None:
    cql = "".join(path.read_text() for package in PACKAGES for path in (ROOT / package).glob("cql/*.cql"))
    made = {*re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", cql)}
    described = {*re.findall(r"^\| `(\w+)`", section("docs/data.md", "Cassandra"), re.MULTILINE)}
    assert described - {"schema_migrations"} == made


def test_the_embedded_tables_are_those_of_the_models() -> None:
    described = {*re.findall(r"`(\w+_\w+)`", section("docs/data.md", "SQLite and PostgreSQL"))}
    made = {model._meta.db_table for model in apps.get_models() if issubclass(model, EmbeddedModel)}
    assert described - {"DATABASE_URL", "DATA_DIR"} == made


def test_decisions_are_numbered_one_by_one() -> None:
    numbers = [path.name[:3] for path in sorted(ROOT.glob("docs/adr/*.md"))]
    assert numbers == [f"{number:03d}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize(
    ("asked_for", "pinned"),
    [
        ("requirements/runtime.in", "requirements.txt"),
        ("requirements/development.in", "requirements/development.txt"),
    ],
)
def test_every_direct_dependency_has_its_reason_and_its_version(asked_for: str, pinned: str) -> None:
    versions = re.findall(r"^([\w.-]+)==([\w.]+)", text_of(pinned).lower(), re.MULTILINE)
    rows = [line.lower() for line in text_of("docs/adr/013-dependencies.md").splitlines() if line.startswith("| ")]
    for name in re.findall(r"^([A-Za-z][\w.-]*)", text_of(asked_for), re.MULTILINE):
        row = next((row for row in rows if re.search(rf"[| ]{re.escape(name.lower())}[\[ ,]", row)), None)
        assert row is not None, name
        if not name.startswith("types-") and name != "celery-types":
            assert any(version in row for pin, version in versions if pin == name.lower()), name
