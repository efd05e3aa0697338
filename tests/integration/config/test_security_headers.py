"""What every answer tells a browser not to do: on each page there is, its errors included, and on what is no page."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client, override_settings

from accounts.models import User
from config.http import pages
from config.http.security_headers import FEATURES, GRAPHIQL_PAGE, NO_PAGE, PAGE, SCROLL_LOCK
from config.urls import CLIENT_PLACES
from tests.people import PASSWORD, ApiClient, new_person
from tests.routes import routes

ROOT = Path(__file__).parents[3]
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
PAGE_FIELDS = {
    "Content-Security-Policy": PAGE,
    "X-Frame-Options": "DENY",
    "Permissions-Policy": FEATURES,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
"""What the policy forbids, and a browser would leave out."""

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


def is_safe_page(answer: Any) -> bool:
    assert answer["Content-Type"].startswith("text/html"), answer["Content-Type"]
    own = {"Content-Security-Policy": GRAPHIQL_PAGE} if answer.request["PATH_INFO"] == "/graphql" else {}
    assert {name: answer.get(name) for name in PAGE_FIELDS} == PAGE_FIELDS | own
    found = INLINE.findall(re.sub(r"(?s)<pre>.*?</pre>", "", answer.content.decode()))
    assert found == [], f"{answer.request['PATH_INFO']} has {found} in it"
    return True


def is_safe_otherwise(answer: Any) -> bool:
    """An answer without a body may say that it would be a page."""
    body = b"".join(answer) if answer.streaming else answer.content
    answer.close()
    policies = {NO_PAGE} if body else {NO_PAGE, PAGE}
    return answer["X-Content-Type-Options"] == "nosniff" and answer["Content-Security-Policy"] in policies


@pytest.fixture
def boss() -> User:
    return new_person("boss", staff=True)


@pytest.fixture
def signed_in(boss: User) -> Client:
    client = Client(headers=BROWSER, raise_request_exception=False)
    assert client.login(username="boss", password=PASSWORD)
    return client


def admin_pages(user_id: int) -> Iterator[str]:
    """Every page of the admin that has no object's id in its address, and those of one person."""
    for model in admin.site._registry:
        place = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield from (place, f"{place}add/", f"{place}?e=1", f"{place}999/change/")
    person = f"/admin/accounts/user/{user_id}"
    yield from (f"{person}/change/", f"{person}/history/", f"{person}/delete/", f"{person}/password/")
    yield from ("/admin/", "/admin/password_change/", "/admin/accounts/", "/admin/nowhere/", "/admin/jsi18n/")
    yield "/admin/autocomplete/"


class TestPages:
    def test_each_route_that_answers_a_page(self, signed_in: Client) -> None:
        found = set()
        for method, path in routes():
            if method != "GET":
                continue
            place = path.replace("{kind}", "refused").replace("{username}", "boss")
            answer = signed_in.get(place if place.startswith("/api/") else place.replace("{tweet_id}", "1"))
            if answer.get("Content-Type", "").startswith("text/html") and answer.content:
                assert is_safe_page(answer)
                found.add(path)
            else:
                assert answer["X-Content-Type-Options"] == "nosniff", path
                assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], path
        of_the_client = {"/", *("/" + re.sub(r"<\w+:(\w+)>", r"{\1}", place) for place in CLIENT_PLACES)}
        assert found == {"/graphql", "/api/docs/", "/api/docs/live/", "/problems/{kind}", "/admin/", *of_the_client}

    def test_each_page_of_the_admin(self, signed_in: Client, boss: User) -> None:
        statuses = {}
        for path in admin_pages(boss.pk):
            answer = signed_in.get(path)
            statuses[path] = answer.status_code
            assert answer["X-Content-Type-Options"] == "nosniff", path
            if answer["Content-Type"].startswith("text/html") and answer.content:
                assert is_safe_page(answer)
            else:
                assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], path
        assert statuses["/admin/accounts/user/add/"] == statuses["/admin/password_change/"] == 200

    def test_who_is_not_signed_in(self) -> None:
        for path in ("/admin/login/", "/admin/login/?next=/admin/accounts/user/"):
            assert is_safe_page(Client().get(path))
        refused = Client().post("/admin/login/", {"username": "boss", "password": "wrong"})
        assert is_safe_page(refused)
        assert Client().get("/admin/")["Content-Security-Policy"]

    def test_a_form_that_another_site_sends(self) -> None:
        answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "boss"})
        assert answer.status_code == 403
        assert is_safe_page(answer)

    @override_settings(DEBUG=True)
    def test_a_page_of_django_about_an_error_has_a_policy_as_well(self, signed_in: Client) -> None:
        with patch.object(pages.LivePage, "get", side_effect=ValueError("bug")):
            answer = signed_in.get("/api/docs/live/")
        if answer["Content-Type"].startswith("text/html"):
            assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"


class TestOthers:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/feed/public",
            "/api/v1/feed/home",
            "/api/v1/users/nobody_at_all",
            "/api/v1/openapi.json",
            "/nowhere",
            "/healthz",
            "/readyz",
            "/metrics",
            "/api",
            "/robots.txt",
            "/favicon.ico",
            "/static/admin/js/core.js",
            "/static/config/pages.css",
            "/static/nowhere.js",
            "/api/docs/?script=",
        ],
    )
    def test_what_is_no_page_loads_and_runs_nothing(self, path: str) -> None:
        assert is_safe_otherwise(ApiClient().get(path))

    def test_nor_what_is_answered_before_a_view(self) -> None:
        preflight = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
        assert is_safe_otherwise(Client().options("/api/v1/tweets", headers=preflight))
        assert is_safe_otherwise(Client(headers={"Host": "evil.example"}).get("/api/v1/feed/public"))
        body = b'{"text": "' + b"x" * 70_000 + b'"}'
        assert is_safe_otherwise(Client().post("/api/v1/tweets", body, content_type="application/json"))

    def test_what_a_view_says_itself_stands(self) -> None:
        said = HttpResponse("<p>", headers={"Content-Security-Policy": "sandbox"})
        with patch.object(pages.LivePage, "get", return_value=said):
            assert Client().get("/api/docs/live/")["Content-Security-Policy"] == "sandbox"


def test_a_page_runs_scripts_of_this_site_only() -> None:
    allowed = dict(directive.split(" ", 1) for directive in PAGE.split("; "))
    assert allowed["default-src"] == allowed["frame-ancestors"] == allowed["base-uri"] == "'none'"
    assert allowed["script-src"] == allowed["style-src"] == allowed["connect-src"] == "'self'"
    assert "unsafe" not in PAGE


def test_graphiql_s_page_may_have_one_style_sheet_more() -> None:
    """By the hash of its text; tests/e2e/test_pages_in_a_browser.py shows that it is the one."""
    assert GRAPHIQL_PAGE.replace(f" '{SCROLL_LOCK}'", "") == PAGE
    assert SCROLL_LOCK.startswith("sha256-")


def test_production_passes_django_s_own_check(tmp_path: Path) -> None:
    """Cookies over HTTPS alone, HSTS, DEBUG, hosts; what is silenced has its reason in config/settings.py."""
    own = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "k7!" * 20 + "abcdefg",
        "ALLOWED_HOSTS": "feed.example.org",
        "DATA_DIR": str(tmp_path),
        "RATE_LIMITS": "on",
        "METRICS_TOKEN": "m" * 40,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_HTTPONLY")
    values = ", ".join(f"settings.{name}" for name in (*names, "SECURE_HSTS_SECONDS"))
    asked = f"from django.conf import settings; print({values})"
    check = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    for argv in (check, [sys.executable, "-c", asked]):
        done = subprocess.run(argv, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 4 + ["31536000"]
