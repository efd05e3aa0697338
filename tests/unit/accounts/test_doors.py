"""A password is checked in one place, which counts first: what a new door would have to go around."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).parents[3]
PACKAGES = ("accounts", "config", "feed", "tweets", "fanout", "storage")
CHECKS = {"check_password", "acheck_password", "authenticate_password", "verify_password"}
CHECKERS = {"accounts/models.py", "accounts/people/services.py"}
"""The row's own check, and the services that count before they ask it."""
COUNTED = {"sign_in": "tried", "update_profile": "tried"}
"""Services that doors call, and what each call says."""


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in the product by an attribute or a bare name: its file, the name, the call."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                    yield str(path.relative_to(ROOT)), name, node


def test_a_password_is_checked_nowhere_else() -> None:
    checking = {file for file, name, call in calls() if name in CHECKS and not _is_a_rule(call)}
    assert checking <= CHECKERS


def _is_a_rule(call: ast.Call) -> bool:
    """`rules.check_password` says whether a new password will do."""
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "rules"


@pytest.mark.parametrize("service", COUNTED)
def test_every_door_that_has_a_password_checked_says_where_it_comes_from(service: str) -> None:
    found = [(file, call) for file, name, call in calls() if name == service and "/doors/" in file]
    assert found
    for file, call in found:
        assert COUNTED[service] in {keyword.arg for keyword in call.keywords}, f"{file}:{call.lineno}"


def test_django_signs_in_through_ours_alone() -> None:
    assert settings.AUTHENTICATION_BACKENDS == ["accounts.doors.staff.StaffSignIn"]
