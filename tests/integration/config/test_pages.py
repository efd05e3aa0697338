"""What the site shows beside the API, and where it sends who comes to a door's neighbour."""

import re
from pathlib import Path

import pytest
from django.test import Client

from config.http import pages
from config.http.problems import KINDS, OTHER_KIND
from config.http.refusals import PROBLEMS
from feed.live.frames import CloseCode
from feed.live.guard import AUTH_SECONDS
from feed.live.pacing import AT_A_TIME, BEAT_SECONDS
from feed.live.streams.hashtag import HASHTAG_STREAM
from feed.live.streams.table import STREAMS
from feed.live.streams.tweet import TWEET_STREAM
from feed.live.subscriptions import MOST_STREAMS
from tests.documented import document
from tests.integration.config.raising import is_problem
from tests.threads import run_together

README = Path(__file__).parents[3] / "README.md"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
KINDS_EMITTED = sorted({kind for kind, _ in KINDS.values()} | {OTHER_KIND[0]})

OF_SOMETHING = (f"{TWEET_STREAM}&lt;id&gt;", f"{HASHTAG_STREAM}&lt;tag&gt;")
"""Names of streams that say of what."""


class TestProblemPages:
    @pytest.mark.parametrize("kind", KINDS_EMITTED)
    @pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json"])
    def test_every_type_that_a_problem_names_is_told_to_programs(self, kind: str, accept: str | None) -> None:
        answer = Client().get(f"/problems/{kind}", headers={"Accept": accept} if accept else {})
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        told = answer.json()
        assert told["type"] == f"/problems/{kind}"
        assert told["title"]
        assert told["detail"]
        assert KINDS.get(told["status"], OTHER_KIND) == (kind, told["title"])

    @pytest.mark.parametrize("kind", KINDS_EMITTED)
    def test_and_to_people(self, kind: str) -> None:
        answer = Client().get(f"/problems/{kind}", headers={"Accept": BROWSER})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/html")
        assert "Accept" in answer["Vary"]
        assert f"/problems/{kind}" in answer.content.decode()
        assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", answer.content.decode()) == []

    def test_others_are_not_there(self) -> None:
        for kind in ("nonsense", "Refused", "422"):
            is_problem(Client().get(f"/problems/{kind}"), 404)
        is_problem(Client().post("/problems/refused"), 405)

    def test_what_the_server_refuses_has_pages_as_well(self) -> None:
        assert PROBLEMS.keys() <= KINDS.keys()


class TestRedirects:
    @pytest.mark.parametrize("place", ["/api", "/api/"])
    def test_who_asks_for_the_api_is_shown_its_documentation(self, place: str) -> None:
        answer = Client().get(place)
        assert (answer.status_code, answer["Location"]) == (302, "/api/docs/")

    @pytest.mark.parametrize(
        ("place", "meant"),
        [
            ("/api/docs", "/api/docs/"),
            ("/api/docs/live", "/api/docs/live/"),
            ("/graphql/", "/graphql"),
            ("/graphql/?query=x%20y", "/graphql?query=x%20y"),
            ("/admin", "/admin/"),
            ("/healthz/", "/healthz"),
            ("/problems/refused/", "/problems/refused"),
            ("/problems/%C3%A9%20/", "/problems/%C3%A9%20"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_slash_too_many_or_too_few_is_mended_and_the_method_kept(
        self, place: str, meant: str, method: str
    ) -> None:
        answer = Client().generic(method, place)
        assert (answer.status_code, answer["Location"]) == (308, meant)

    @pytest.mark.parametrize(
        "place",
        ["/nowhere/", "/graphql//", "/api/v1/", "/graphql/?q=" + "x" * 17_000],
    )
    def test_what_is_not_there_either_way_is_404(self, place: str) -> None:
        assert Client().get(place).status_code == 404

    @pytest.mark.parametrize("place", ["//example.org/", "//example.org"])
    def test_nobody_is_sent_to_another_site(self, place: str) -> None:
        """Django's client takes such a path for an address, whose path is another one."""
        assert Client().get("/", PATH_INFO=place).status_code == 404


class TestFiles:
    def test_browsers_get_an_icon(self) -> None:
        answer = Client().get("/favicon.ico")
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("image/")
        assert b"".join(answer).startswith(b"\0\0\1\0")

    def test_crawlers_are_told_what_is_not_for_them(self) -> None:
        answer = Client().get("/robots.txt")
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")
        assert b"Disallow: /api/v1/" in b"".join(answer)


class TestLivePage:
    def test_it_says_what_the_door_does(self) -> None:
        page = Client().get("/api/docs/live/").content.decode()
        assert f"within {AUTH_SECONDS:.0f} seconds" in " ".join(page.split())
        assert all(f"<td>{code.value}</td>" in page for code in CloseCode)
        assert all(f"<td><code>{name}</code></td>" in page for name in (*STREAMS, *OF_SOMETHING))
        assert f"at most {AT_A_TIME / BEAT_SECONDS:.0f} tweets a second" in " ".join(page.split())
        assert f"at most {MOST_STREAMS} subscriptions" in page

    def test_it_is_linked_from_the_readme_the_docs_and_the_document(self) -> None:
        docs = Client().get("/api/docs/").content.decode()
        assert 'href="/api/docs/live/"' in docs
        assert "/api/docs/live/" in README.read_text()
        assert document()["externalDocs"]["url"] == "/api/docs/live/"


CLIENT = Path(__file__).parents[3] / "config/static/client/main.js"
PLACES = (
    *("/", "/public", "/search", "/find", "/bookmarks", "/blocks", "/mutes", "/settings", "/sign-in", "/sign-up"),
    *("/muted-words", "/confirm-email"),
    *("/@ada", "/@nobody_of_that_name", "/@ada/replies", "/@ada/likes", "/@ada/followers", "/@ada/following"),
    *("/@ada/1", "/@ada/9223372036854775807", "/@ada/1/likes", "/@ada/1/retweets"),
)


class TestClientPage:
    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize("accept", [None, BROWSER, "application/json"])
    def test_each_of_its_addresses_is_the_page(self, place: str, accept: str | None) -> None:
        answer = Client().get(place, headers={"Accept": accept} if accept else {})
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert answer.content == Client().get("/").content
        assert answer["Cache-Control"] == "no-cache"

    @pytest.mark.parametrize("place", ["/@", "/@ada/x", "/@ada/1/x", "/@ada/1/likes/x", "/@ada/-1", "/ada", "/home"])
    def test_other_addresses_are_not(self, place: str) -> None:
        is_problem(Client().get(place), 404)

    def test_nothing_can_be_sent_to_it(self) -> None:
        is_problem(Client().post("/"), 405)

    @pytest.mark.parametrize("place", PLACES)
    def test_it_knows_its_addresses(self, place: str) -> None:
        """What the server answers with the page, the page has a view for."""
        known = re.findall(r"^  \[/(\^.+)/, (\w+)\],$", CLIENT.read_text(), re.MULTILINE)
        patterns = [(re.sub(r"\(\?<", "(?P<", pattern.replace(r"\/", "/")), view) for pattern, view in known]
        assert next(view for pattern, view in patterns if re.search(pattern, place)) != "nowhereView"

    def test_who_has_it_hears_no_other_policy(self) -> None:
        """A 304's fields replace those of the page that is kept: one for what is no page would end its scripts."""
        tag = Client().get("/")["ETag"]
        answer = Client().get("/", headers={"If-None-Match": tag})
        assert (answer.status_code, "Content-Security-Policy" in answer) == (304, False)

    @pytest.mark.usefixtures("database")
    def test_its_files_are_served_as_others_are(self) -> None:
        script, other = Client().get("/static/client/main.js"), Client().get("/static/config/pages.css")
        assert (script.status_code, script["Content-Type"]) == (200, 'text/javascript; charset="utf-8"')
        assert script["Cache-Control"] == other["Cache-Control"]
        for answer in (script, other):
            assert b"".join(answer)
            answer.close()


class TestHosts:
    @pytest.mark.parametrize("host", ["10.1.2.3", "10.1.2.3:8000", "evil.example", "a b", "[::1", ""])
    def test_a_probe_may_ask_by_any_host(self, host: str) -> None:
        answer = Client().get("/healthz", headers={"Host": host})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    @pytest.mark.parametrize("path", ["/readyz", "/metrics", "/api/docs/", "/api/v1/me", "/healthz/", "/healthzz"])
    def test_nothing_else_may_be_asked_so(self, path: str) -> None:
        is_problem(Client().get(path, headers={"Host": "evil.example"}), 400)


def test_the_openapi_document_is_whole_for_all_who_ask_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_made", {})
    answers = run_together([lambda: Client().get("/api/v1/openapi.json")] * 8)
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json() == document() for answer in answers)
