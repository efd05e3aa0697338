"""Django's own checks for production find nothing, and what they are kept from saying has its reason."""

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from config import settings as product
from config.http import middleware

ROOT = Path(__file__).parents[3]
SAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-key-of-more-than-fifty-characters-that-no-one-else-has-0123456789",
    "ALLOWED_HOSTS": "feed.example.com",
    "METRICS_TOKEN": "for-a-scraper",
}


def checked(**variables: str) -> subprocess.CompletedProcess[str]:
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | SAFE | variables
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_they_find_nothing_under_productions_settings(tmp_path: Path) -> None:
    done = checked(DATA_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
    weak = checked(DATA_DIR=str(tmp_path), SECRET_KEY="a" * 60)
    assert weak.returncode == 1
    assert "security.W009" in weak.stderr


def test_nobody_is_sent_elsewhere() -> None:
    """Django's middlewares would do it where ours, made of them, step aside or look once: the front sends people."""
    on = [name for name in ("APPEND_SLASH", "PREPEND_WWW", "SECURE_SSL_REDIRECT") if getattr(settings, name)]
    assert on == []


def test_what_they_are_kept_from_saying_is_said_elsewhere() -> None:
    """One entry more wants a reason beside it, and a test here."""
    assert ["auth.E003", "auth.W004", *(f"security.W00{n}" for n in (1, 2, 3))] == product.SILENCED_SYSTEM_CHECKS
    source = (ROOT / "config" / "settings.py").read_text()
    silenced = re.search(r"SILENCED_SYSTEM_CHECKS = \[\n(.*?)\n\]", source, re.DOTALL)
    assert silenced is not None
    assert silenced[1].count("# ") == 2
    names = {each.rpartition(".")[2] for each in product.MIDDLEWARE if each.startswith(middleware.__name__)}
    assert {"EveryAnswer", "AdminCsrf"} <= names
