"""A password is written by `User.save`, which ends the sessions that go with the old one, and nowhere past it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("accounts", "bench", "config", "deploy", "fanout", "feed", "storage", "tweets")
PAST_SAVE = {"update", "bulk_update", "bulk_create", "update_or_create", "aupdate", "abulk_update", "abulk_create"}
REHASH = "accounts/models.py"
"""Replaces a hash by another of the same password."""


def writes(source: str) -> Iterator[int]:
    """The lines of calls that go past `save` and name a password."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PAST_SAVE:
            named = {keyword.arg for keyword in node.keywords}
            said = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
            if "password" in named | said:
                yield node.lineno


def test_nothing_writes_a_password_past_save() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if (lines := [*writes(path.read_text())])
    }
    assert [*found] == [REHASH]
    assert len(found[REHASH]) == 1


def test_it_would_be_seen() -> None:
    assert [*writes('User.objects.filter(pk=1).update(password="x")')] == [1]
    assert [*writes('User.objects.bulk_update(people, ["bio", "password"])')] == [1]
    assert not [*writes('form.update({"bio": "x"})')]
