"""deploy/nginx.conf does what docs/security.md says a front must do; before stand-ins for web and live."""

import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from config.http.problems import KINDS
from config.settings import ENV
from deploy.supervisor.ports import LOOPBACK
from deploy.supervisor.processes import wait_until
from tests.front import MISSING, NAME, Front, front, installed
from tests.integration.config.upstreams import Upstream
from tests.production.composed import services

if not installed():
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(f"CI must try the front: {MISSING}")
    pytest.skip(MISSING, allow_module_level=True)

PATIENCE = 60.0
DOORS = ("web", "web-2", "live", "live-2")
REQUIRED = ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "CASSANDRA_PASSWORD", "METRICS_TOKEN", "ALLOWED_HOSTS")
VARIABLES = dict.fromkeys((*REQUIRED, "SERVER_NAMES", "TLS_DIR"), "given")


@dataclass(frozen=True, slots=True)
class Site:
    front: Front
    web: list[Upstream]
    live: list[Upstream]
    client: httpx.Client

    def begun(self, text: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A connection over TLS on which that was sent."""
        plain = socket.create_connection((LOOPBACK, self.front.port), timeout=PATIENCE)
        connection = (context or self.front.trust()).wrap_socket(plain, server_hostname=NAME)
        connection.sendall(text.encode())
        return connection

    def raw(self, text: str) -> bytes:
        """All that is answered to it, over TLS."""
        with self.begun(text) as connection:
            received = b""
            while piece := connection.recv(65_536):
                received += piece
            return received

    def upgraded(self, path: str) -> bytes:
        return self.raw(upgrade(path))

    @contextmanager
    def held(self, text: str, servers: list[Upstream], number: int) -> Iterator[None]:
        """So many connections at a time, with that request on each of them, which those servers have and keep."""
        context = self.front.trust()
        with ExitStack() as stack:
            for each in servers:
                each.goes_on.clear()
                stack.callback(each.goes_on.set)
            for _ in range(number):
                stack.enter_context(self.begun(text, context))
            assert wait_until(lambda: len(asked(servers)) == number, seconds=PATIENCE), len(asked(servers))
            yield


def upgrade(path: str) -> str:
    fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\n{fields}\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("front")
    (directory / "acme/.well-known/acme-challenge").mkdir(parents=True)
    (directory / "acme/.well-known/acme-challenge/token").write_text("proof")
    (directory / "page.js").write_text("plain")
    servers = [Upstream() for _ in DOORS]
    ports = {name: server.port for name, server in zip(DOORS, servers, strict=True)}
    with front(directory, ports) as running, running.client() as client:
        yield Site(running, servers[:2], servers[2:], client)


@pytest.fixture(autouse=True)
def _fresh(site: Site) -> Iterator[None]:
    for each in (*site.web, *site.live):
        each.asked.clear()
    yield
    for each in (*site.web, *site.live):
        each.hangs_up = False


def asked(servers: list[Upstream]) -> list[tuple[str, str]]:
    return [request for server in servers for request in server.asked]


def test_web_hears_who_asks_for_what_and_how(site: Site) -> None:
    fields = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "10.1.1.1", "X-Request-ID": "mine-1"}
    heard = site.client.get("/api/v1/me?cursor=secret", headers=fields).json()["fields"]
    assert heard["Host"] == f"{NAME}:{site.front.port}"
    assert heard["X-Forwarded-Proto"] == "https"
    assert heard["X-Forwarded-For"] == f"10.1.1.1, {LOOPBACK}"
    assert heard["X-Request-ID"] == "mine-1"
    assert heard["Connection"] == "close"


def test_web_hears_the_name_that_was_looked_at(site: Site) -> None:
    """Else a name that only neighbours may ask by would do: that of the address is the one that counts."""
    told = site.raw(f"GET http://{NAME}/ HTTP/1.1\r\nHost: web:8000\r\nConnection: close\r\n\r\n")
    assert json.loads(told.rpartition(b"\r\n\r\n")[2])["fields"]["Host"] == f"{NAME}:8000"


@pytest.mark.parametrize("path", ["/", "/api/v1/me", "/wsx", "/graphql/", "/graphql%0a", "/WS/feed"])
def test_where_there_are_no_sockets_nobody_hears_of_an_upgrade(site: Site, path: str) -> None:
    answer = site.raw(upgrade(path).replace("Connection: Upgrade", "Connection: close, Upgrade"))
    heard = json.loads(answer.rpartition(b"\r\n\r\n")[2])["fields"]
    assert "Upgrade" not in heard
    assert heard["Connection"] == "close"
    assert asked(site.live) == []


def test_a_request_without_a_sane_id_is_given_one(site: Site) -> None:
    heard = site.client.get("/", headers={"X-Request-ID": 'no "id"'}).json()["fields"]
    assert len(heard["X-Request-ID"]) == 32


def test_the_log_has_the_path_and_the_id_and_no_query(site: Site) -> None:
    site.client.get("/logged/here?token=secret", headers={"X-Request-ID": "seen-1", "Authorization": "Bearer hidden"})
    assert wait_until(lambda: '"request_id":"seen-1"' in site.front.lines, seconds=PATIENCE)
    [line] = [json.loads(each) for each in site.front.lines.splitlines() if "seen-1" in each]
    assert (line["path"], line["status"], line["method"]) == ("/logged/here", 200, "GET")
    assert not {"secret", "hidden"} & set(site.front.lines.replace('"', " ").replace("=", " ").split())


@pytest.mark.parametrize("path", ["/api/v1/me/muted-words/canary", "/api/v1//me/%6duted-words/my%20canary/%0a"])
def test_the_log_has_no_word_that_somebody_mutes(site: Site, path: str) -> None:
    answer = site.client.get(path, headers={"X-Request-ID": f"muted.{len(path)}"})
    assert answer.status_code == 200
    assert wait_until(lambda: f'"request_id":"muted.{len(path)}"' in site.front.lines, seconds=PATIENCE)
    [line] = [json.loads(each) for each in site.front.lines.splitlines() if f"muted.{len(path)}" in each]
    assert line["path"] == "/api/v1/me/muted-words/<path:word>"


@pytest.mark.parametrize("path", ["/ws/feed", "/graphql"])
def test_sockets_go_to_live(site: Site, path: str) -> None:
    answer = site.upgraded(path)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    assert b"a socket of port" in answer
    assert asked(site.live) == [("GET", path)]
    assert asked(site.web) == []


def test_graphql_without_an_upgrade_goes_to_web(site: Site) -> None:
    assert site.client.post("/graphql", json={}).status_code == 200
    assert asked(site.web) == [("POST", "/graphql")]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/ws/feed", "/ws/../metrics", "/%6detrics"])
def test_what_is_not_for_everybody_is_not_there(site: Site, path: str) -> None:
    answer = site.raw(f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n")
    assert b" 404 " in answer.split(b"\r\n")[0]
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["type"] == "/problems/not-found"
    assert asked(site.web) == asked(site.live) == []


class TestOneOfTwoIsAway:
    """The first of `web` hangs up, or nobody listens there."""

    def test_a_get_that_was_cut_off_is_asked_of_the_other(self, site: Site) -> None:
        site.web[0].hangs_up = True
        assert [site.client.get("/").status_code for _ in range(4)] == [200] * 4
        assert site.web[0].asked

    def test_a_post_that_was_sent_is_not_sent_again(self, site: Site) -> None:
        site.web[0].hangs_up = True
        answers = [site.client.post("/api/v1/tweets", json={"text": "once"}) for _ in range(4)]
        assert sorted(each.status_code for each in answers) == [200, 200, 503, 503]
        assert len(asked(site.web)) == 4
        [refused, _] = [each for each in answers if each.status_code == 503]
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["type"] == "/problems/unavailable"
        assert refused.json()["request_id"] == refused.headers["X-Request-ID"]

    def test_while_nobody_listens_at_one_every_request_is_answered_and_afterwards_both_are_asked(
        self, tmp_path: Path
    ) -> None:
        servers = [Upstream() for _ in DOORS]
        ports = {name: server.port for name, server in zip(DOORS, servers, strict=True)}
        servers[0].stop()
        servers[2].stop()
        with front(tmp_path, ports) as running, running.client() as client:
            assert {client.post("/").json()["port"] for _ in range(6)} == {ports["web-2"]}
            alone = Site(running, servers[:2], servers[2:], client)
            assert all(b" 101 " in alone.upgraded("/ws/feed") for _ in range(4))


class TestBounds:
    def test_a_body_of_the_products_own_limit_passes_and_one_byte_more_does_not(self, site: Site) -> None:
        most = settings.MAX_BODY_BYTES
        assert site.client.post("/", content=b"x" * most).json()["length"] == most
        refused = site.client.post("/", content=b"x" * (most + 1))
        assert (refused.status_code, refused.json()["title"]) == (413, KINDS[413][1])
        assert len(asked(site.web)) == 1

    def test_a_body_without_an_announced_length_is_bounded(self, site: Site) -> None:
        refused = site.client.post("/", content=iter([b"x" * 50_000, b"x" * 50_000]))
        assert refused.status_code == 413
        assert asked(site.web) == []

    @pytest.mark.parametrize(("status", "path", "field"), [(414, "/" + "a" * 20_000, "x"), (431, "/", "a" * 20_000)])
    def test_a_header_is_bounded(self, site: Site, status: int, path: str, field: str) -> None:
        answer = site.raw(f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nX-Long: {field}\r\nConnection: close\r\n\r\n")
        assert f" {status} ".encode() in answer.split(b"\r\n")[0]
        told = json.loads(answer.rpartition(b"\r\n\r\n")[2])
        assert (told["type"], told["title"]) == (f"/problems/{KINDS[status][0]}", KINDS[status][1])

    def test_half_a_body_reaches_nobody_and_ends(self, site: Site) -> None:
        answer = site.raw(f"POST / HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 10\r\n\r\nhalf")
        assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0]
        assert asked(site.web) == []

    @pytest.mark.parametrize("fields", ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"])
    def test_a_hundred_requests_of_one_address_at_a_time(self, site: Site, fields: str) -> None:
        """Whatever they say that they would like to become."""
        request = f"GET /slow HTTP/1.1\r\nHost: {NAME}\r\n{fields}\r\n"
        with site.held(request, site.web, 100):
            refused = site.client.get("/one-more", headers={"X-Request-ID": "more-1"})
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
            assert (refused.json()["code"], refused.json()["request_id"]) == ("too_many_at_once", "more-1")
            assert len(asked(site.web)) == 100
            assert b" 101 " in self._first_line(site, "/ws/feed")
        assert wait_until(lambda: site.client.get("/").status_code == 200, seconds=PATIENCE)

    def test_as_many_sockets_of_one_address_as_a_live_process_takes(self, site: Site) -> None:
        most = ENV.max_sockets_by_address
        with site.held(upgrade("/ws/feed"), site.live, most):
            assert b" 429 " in self._first_line(site, "/ws/feed")
            assert b" 429 " in self._first_line(site, "/graphql")
            assert len(asked(site.live)) == most
            assert site.client.get("/").status_code == 200

    def _first_line(self, site: Site, path: str) -> bytes:
        with site.begun(upgrade(path)) as connection:
            return connection.recv(65_536).split(b"\r\n")[0]


def test_a_front_that_is_told_to_end_lets_its_sockets_go_in_time(tmp_path: Path) -> None:
    grace = services(VARIABLES)["front"].grace_seconds
    servers = [Upstream() for _ in DOORS]
    ports = {name: server.port for name, server in zip(DOORS, servers, strict=True)}
    with front(tmp_path, ports) as running, running.client() as client:
        alone = Site(running, servers[:2], servers[2:], client)
        with alone.held(upgrade("/ws/feed"), alone.live, 1):
            os.kill(running.child.pid, signal.SIGQUIT)
            assert wait_until(running.child.ended, seconds=grace)


class TestNames:
    def test_plain_http_is_redirected_and_keeps_its_method(self, site: Site) -> None:
        answer = httpx.post(f"http://{NAME}:{site.front.plain_port}/api/v1/tweets?a=b")
        assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{NAME}/api/v1/tweets?a=b")

    def test_the_proof_for_a_certificate_is_told_in_the_clear(self, site: Site) -> None:
        plain = f"http://{NAME}:{site.front.plain_port}"
        assert httpx.get(f"{plain}/.well-known/acme-challenge/token").text == "proof"

    def test_another_host_is_told_nothing(self, site: Site) -> None:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{LOOPBACK}:{site.front.plain_port}/")
        answer = site.raw("GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
        assert answer == b""
        assert asked(site.web) == []

    def test_another_name_gets_no_certificate(self, site: Site) -> None:
        context = site.front.trust()
        with (
            socket.create_connection((LOOPBACK, site.front.port), timeout=PATIENCE) as plain,
            pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
        ):
            context.wrap_socket(plain, server_hostname="elsewhere.example")


def test_files_come_from_the_front_and_do_what_the_products_may(site: Site) -> None:
    answer = site.client.get("/static/page.js")
    assert (answer.text, answer.headers["X-Content-Type-Options"]) == ("plain", "nosniff")
    assert site.client.get("/static/none.js").json()["type"] == "/problems/not-found"
    assert asked(site.web) == []
