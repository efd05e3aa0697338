"""What `make run` runs: the servers, the preparations and the processes of the whole product."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.cassandra.node import CassandraNode
from deploy.errors import CannotStart
from deploy.supervisor.ports import LOOPBACK
from deploy.supervisor.privacy import write_private
from deploy.supervisor.runner import Backend, Command, Plan
from deploy.valkey import Valkey

ROOT = Path(__file__).parents[1]
ADDRESSES = (
    "SITE_URL",
    "STORE",
    "TIMELINE_REDIS_URL",
    "BROKER_REDIS_URL",
    "CASSANDRA_HOSTS",
    "CASSANDRA_PORT",
    "CASSANDRA_KEYSPACE",
    "SEARCH_URL",
)
"""What a command beside a run needs to speak to it: manage.py to its servers, the demo to the site."""
STORES = ("embedded", "cassandra")
FANOUT_FIRST = "maintenance,graph,fanout,notices,bulk"
BULK_FIRST = "maintenance,graph,bulk,notices,fanout"
"""A worker takes from the first queue that holds something. With one worker of each order, small authors' orders
wait for one part of a large one at most, parts never wait for small orders, and neither worker is idle. Maintenance
is a task or two a minute, each of bounded work, and each second the search's indexer, for a third of one worker's time
at most; while its index hangs, for two seconds three times, until a breaker opens."""
MALLOC = "MALLOC_MMAP_THRESHOLD_"
"""Bytes from which glibc takes an allocation from the machine and gives it back when it is freed."""
ANY_ADDRESS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - where to ask a server that listens everywhere


@dataclass(frozen=True, slots=True)
class Options:
    """The options that the runner itself reads of the environment; the rest is the processes' business."""

    host: str
    """HOST, default loopback: the address to listen on."""
    port: int
    """PORT, default 8000: the one port that is not chosen freely."""
    data_dir: Path
    """DATA_DIR, default ./data: all state, so that two runs do not touch."""
    store: str
    """STORE=embedded|cassandra."""

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """Raises `CannotStart` naming the variable that makes no sense."""
        port, store = env.get("PORT") or "8000", env.get("STORE") or "embedded"
        if not port.isdecimal() or not 1 <= int(port) <= 65_535:
            raise CannotStart(f"PORT={port} is not a port: use a number from 1 to 65535.")
        if store not in STORES:
            raise CannotStart(f"STORE={store}: must be one of {', '.join(STORES)}.")
        return cls(
            host=env.get("HOST") or LOOPBACK,
            port=int(port),
            data_dir=Path(env.get("DATA_DIR") or "data").absolute(),
            store=store,
        )

    @property
    def url(self) -> str:
        host = ANY_ADDRESS.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def environment(options: Options, env: Mapping[str, str]) -> dict[str, str]:
    """Returns the processes' environment, but for the addresses of the servers."""
    return {
        **env,
        "DATA_DIR": str(options.data_dir),
        "STORE": options.store,
        "SECRET_KEY": env.get("SECRET_KEY") or kept_secret(options.data_dir / "secret_key"),
        "PYTHONUNBUFFERED": "1",
        "EMAIL_CONFIRMATION_URL": env.get("EMAIL_CONFIRMATION_URL") or own_page(options, env),
        # There is no other process for the sockets to go to.
        "DRAIN_SECONDS": "0",
        # What a password's hash took (19 MiB) goes back to the machine, and is not kept for each thread that hashed.
        MALLOC: env.get(MALLOC) or "1048576",
    }


def own_page(options: Options, env: Mapping[str, str]) -> str:
    """Returns where letters lead: to this very site, but that production takes no address without TLS."""
    return "" if env.get("ENVIRONMENT") == "production" else f"{options.url}/confirm-email"


def kept_secret(path: Path) -> str:
    """Returns the secret in that file, made at the first call: cursors and sessions outlive a restart."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(48))
    return path.read_text().strip()


def product(options: Options, env: Mapping[str, str]) -> Plan:
    return Plan(
        backends=_backends(options, env),
        preparations=_preparations(options),
        processes=_processes(options),
        ready_url=f"{options.url}/readyz",
        addresses=ADDRESSES,
        ready_sentence=f"Feed is ready: {options.url}  (docs: /api/docs/, admin: /admin/; Ctrl-C ends it)",
    )


def _backends(options: Options, env: Mapping[str, str]) -> list[Backend]:
    """Those whose address the environment does not give already."""
    wanted = []
    if options.store == "cassandra" and not env.get("CASSANDRA_HOSTS"):
        wanted.append(_cassandra(options.data_dir / "cassandra"))
    if not env.get("TIMELINE_REDIS_URL"):
        wanted.append(_valkey("timelines", "TIMELINE_REDIS_URL", options.data_dir, persistent=False))
    if not env.get("BROKER_REDIS_URL"):
        wanted.append(_valkey("broker", "BROKER_REDIS_URL", options.data_dir, persistent=True))
    return wanted


def _cassandra(data_dir: Path) -> Backend:
    node = CassandraNode(data_dir)
    return Backend(
        name="Cassandra (its jars are fetched the first time)",
        server=node,
        variables=lambda: {"CASSANDRA_HOSTS": node.host, "CASSANDRA_PORT": str(node.port)},
    )


def _valkey(name: str, variable: str, data_dir: Path, *, persistent: bool) -> Backend:
    server = Valkey(data_dir=data_dir / name, persistent=persistent, name=name)
    return Backend(name=f"Valkey for {name}", server=server, variables=lambda: {variable: server.url})


def _preparations(options: Options) -> list[Command]:
    # The first one checks the project for all that is started here.
    accounts = _manage("migrate", "migrate", "--noinput", "--verbosity", "0")
    if options.store == "embedded":
        return [accounts, _manage("migrate.store", *accounts.argv[2:], "--database", "store", "--skip-checks")]
    return [accounts, _manage("migrate.store", "migrate_store")]


def _manage(name: str, *arguments: str) -> Command:
    return Command(name, [sys.executable, "manage.py", *arguments])


def _processes(options: Options) -> list[Command]:
    # One port serves REST, GraphQL and the sockets; production serves them apart.
    web = [sys.executable, "-m", "uvicorn", "config.asgi_front:application"]
    bounded = ["--http", "config.asgi_front:BoundedProtocol"]
    # What they say is ours to believe: TRUSTED_PROXIES.
    believing = ["--no-proxy-headers"]
    address = ["--host", options.host, "--port", str(options.port)]
    # Longer than clients keep an idle connection, so that it is they who end it.
    keep_alive = ["--timeout-keep-alive", "75"]
    manners = [*keep_alive, "--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5"]
    # A socket whose client is gone is closed within 40 s.
    sockets = ["--ws", "config.http.sockets:SocketProtocol", "--ws-ping-interval", "20", "--ws-ping-timeout", "20"]
    return [
        Command("web", [*web, *bounded, *believing, *sockets, *address, *manners]),
        _worker(1, FANOUT_FIRST),
        _worker(2, BULK_FIRST),
        # In memory: nothing is due less than once a minute, and a signal amid the making of a file ends in a traceback.
        Command("beat", [*_celery("beat"), "--scheduler", "celery.beat:Scheduler", "--pidfile="]),
    ]


def _worker(number: int, queues: str) -> Command:
    options = ["--pool", "solo", "--without-gossip", "--without-mingle", "--hostname", f"worker{number}@%h"]
    return Command(f"worker.{number}", [*_celery("worker"), *options, "--queues", queues])


def _celery(role: str) -> list[str]:
    # Quiet: without the banners. Checks import every door, of which neither worker nor beat has one: half a second of
    # CPU and 15 MB each.
    main = ["--app", "config", "--quiet", "--skip-checks"]
    return [sys.executable, "-m", "celery", *main, role, "--loglevel", "WARNING"]
