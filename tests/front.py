"""The shipped deploy/nginx.conf under Debian's nginx: on loopback, with a certificate of its own making."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.plan import ROOT
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import Child, last_lines, start, stop, wait_until

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
MIME_TYPES = "/etc/nginx/mime.types"
NAME = "localhost"
START_SECONDS = 30.0
MISSING = "nginx or openssl is not installed (Debian: nginx-light, openssl)"


def installed() -> bool:
    return bool(program() and shutil.which("openssl"))


def program() -> str | None:
    """Debian keeps it off the path of whoever is not root."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(frozen=True, slots=True)
class Front:
    """One that runs."""

    port: int
    plain_port: int
    own_port: int
    """Of what the container itself is asked for."""
    directory: Path
    child: Child

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.directory / "site.crt"

    def trust(self) -> ssl.SSLContext:
        """That certificate, and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.trust(), timeout=60)

    @property
    def lines(self) -> str:
        """Its access log."""
        return (self.directory / "access.log").read_text()


@contextmanager
def front(directory: Path, servers: Mapping[str, int], static: Path | None = None) -> Iterator[Front]:
    """A front of servers on those ports, by their names in the configuration (`web`, `web-2`, `live`, `live-2`)."""
    make_certificate(directory)
    ports = [free_port() for _ in range(3)]
    configuration = directory / "nginx.conf"
    configuration.write_text(located(CONFIGURATION.read_text(), directory, servers, ports, static))
    log = directory / "nginx.log"
    argv = [program() or "nginx", "-c", str(configuration), "-p", str(directory), "-g", "daemon off;"]
    child = start("nginx", argv, log=log)
    try:
        found = Front(ports[0], ports[1], ports[2], directory, child)
        health = f"http://{LOOPBACK}:{found.own_port}/healthz"
        assert wait_until(lambda: child.ended() or answers_200(health), seconds=START_SECONDS), last_lines(log)
        assert not child.ended(), last_lines(log)
        yield found
    finally:
        stop([child], grace_seconds=5)


def make_certificate(directory: Path) -> None:
    """For NAME, signed by itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", directory / "site.key", "-out", directory / "site.crt", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"],
        check=True, capture_output=True,
    )  # fmt: skip


def located(text: str, directory: Path, servers: Mapping[str, int], ports: list[int], static: Path | None) -> str:
    """The configuration with places of this machine. What is to be replaced has to be there."""
    public, plain, own = ports
    changes = {
        "user nginx;": "" if os.geteuid() else "user root;",
        "worker_processes 2;": "worker_processes 1;",
        "worker_rlimit_nofile 65536;": "",
        "worker_connections 49152;": "worker_connections 2048;",
        "/run/nginx.pid": f"{directory}/nginx.pid",
        "/dev/stderr": f"{directory}/error.log",
        "/dev/stdout": f"{directory}/access.log",
        "/etc/nginx/mime.types": MIME_TYPES,
        "/etc/nginx/tls": str(directory),
        "/usr/share/nginx/static": str(static or directory),
        "/var/www/acme": str(directory / "acme"),
        "${SERVER_NAMES}": NAME,
        f"listen {LOOPBACK}:8080": f"listen {LOOPBACK}:{own}",
        "listen 443": f"listen {LOOPBACK}:{public}",
        "listen 80": f"listen {LOOPBACK}:{plain}",
        **{f"server {name}:{8001 if name.startswith('live') else 8000} ": f"server {LOOPBACK}:{port} "
           for name, port in servers.items()},
    }  # fmt: skip
    for shipped, here in changes.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    # Where nginx may write when it is not root's.
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{each}_temp_path {directory}/{each};" for each in kinds)
    return text.replace("http {", f"http {{ {temporary}", 1)
