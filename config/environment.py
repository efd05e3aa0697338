"""Every environment variable the project reads: its unit, its default and its reason.

Nothing else reads the environment. `ENVIRONMENT=production` makes the defaults that are
only fit for a laptop (secret key, open hosts, debug, limits off) errors at start.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from environs import Env, EnvError

from config import database_urls, email_urls, redis_urls, search_urls
from config.database_urls import POSTGRESQL
from storage.redis.cluster_urls import is_of_a_cluster, seeds
from tweets.search.addresses import EMBEDDED

REDIS_PORT = 6379
LAPTOP_SECRET = "only-for-a-laptop-" + "0" * 40


CONSISTENCIES = ("LOCAL_QUORUM", "QUORUM", "EACH_QUORUM", "ALL", "LOCAL_ONE", "ONE", "TWO", "THREE")
"""Cassandra's levels that both a read and a write may have."""
SCHEMES = {
    "DATABASE_URL": (*POSTGRESQL, "sqlite"),
    "REPLICA_DATABASE_URL": POSTGRESQL,
}
"""What the address of each SQL database may begin with."""
SENDER = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^\r\n<>@]+ <[^\s<>@]+@[^\s<>@]+>")
"""Who letters come from: an address, with a name before it or not."""
MOST_SHARDS = 4_096
"""Each is a command of every round trip that asks all."""


class UnsafeEnvironment(Exception):
    """Settings that cannot work, or that production must not have; the message is for who starts the process."""


@dataclass(frozen=True, slots=True)
class Environment:
    production: bool
    """ENVIRONMENT=production|development. Production refuses laptop defaults."""
    debug: bool
    """DEBUG, default off: Django's debug pages leak settings."""
    secret_key: str
    """SECRET_KEY: signs cursors and admin sessions. Rotate with SECRET_KEY_FALLBACKS."""
    secret_key_fallbacks: list[str]
    """SECRET_KEY_FALLBACKS, comma-separated: older keys whose cursors still work."""
    allowed_hosts: list[str]
    """ALLOWED_HOSTS, comma-separated; default loopback names."""
    allowed_origins: list[str]
    """ALLOWED_ORIGINS, comma-separated: browser origins allowed by CORS and sockets; default none."""
    data_dir: Path
    """DATA_DIR: where the embedded default keeps all its state; default ./data."""
    store: Literal["embedded", "cassandra"]
    """STORE: SQLite behind the store ports, or Apache Cassandra."""
    search_url: str
    """SEARCH_URL of the index of tweets: opensearch://host:port/index (opensearchs:// with TLS); `embedded`, a file in
    DATA_DIR for the processes of one machine; or `off`. Default `embedded`, in production `off`, as there a file would
    be another one in each container."""
    database_url: str
    """DATABASE_URL of PostgreSQL, or of PgBouncer before it, for users, tokens, admin; default SQLite in DATA_DIR. With
    `?sslmode=verify-full&sslrootcert=…` and the like; a password's `/ # ? @ %` are written as %XX."""
    replica_database_url: str
    """REPLICA_DATABASE_URL of a PostgreSQL that follows DATABASE_URL's, for reads that may be late (accounts/sql.py);
    default none: those are the primary's, too."""
    timeline_redis_url: str
    """TIMELINE_REDIS_URL: timelines and caches; needs no persistence. One server, or some nodes of a cluster."""
    broker_redis_url: str
    """BROKER_REDIS_URL: Celery's broker; noeviction."""
    fanout_broker_urls: list[str]
    """FANOUT_BROKER_URLS, comma-separated: a broker for each group of workers, over which orders spread; default none,
    and all orders go to BROKER_REDIS_URL. All processes must have the same list."""
    redis_timeout_seconds: float
    """REDIS_TIMEOUT_SECONDS, default 0.5: connect and answer; a slower Redis counts as down."""
    cassandra_hosts: list[str]
    """CASSANDRA_HOSTS, comma-separated; default loopback."""
    cassandra_port: int
    """CASSANDRA_PORT, default 9042."""
    cassandra_keyspace: str
    """CASSANDRA_KEYSPACE, default feed."""
    cassandra_replication: str
    """CASSANDRA_REPLICATION: CQL map; default one replica, for a single node."""
    cassandra_consistency: str
    """CASSANDRA_CONSISTENCY of reads and writes, default LOCAL_QUORUM: the races need it."""
    cassandra_timeout_seconds: float
    """CASSANDRA_TIMEOUT_SECONDS, default 5: one statement; longer counts as down."""
    cassandra_user: str
    """CASSANDRA_USER, empty for none."""
    cassandra_password: str
    """CASSANDRA_PASSWORD."""
    cassandra_tls_ca: str
    """CASSANDRA_TLS_CA: a file of the authorities that sign the nodes' certificates; default none, and no TLS."""
    rate_limits: bool
    """RATE_LIMITS=on|off, default on. Off is refused in production."""
    trusted_proxies: int
    """TRUSTED_PROXIES, default 0: how many proxies of ours stand in front, each adding to X-Forwarded-For.
    Too many lets clients choose their address; too few takes all of them for one."""
    max_sockets: int
    """MAX_SOCKETS, default 10,000 in one process, some 20 KB each and up to 140 KB with a screen; fewer where the
    process may not have so many file descriptors."""
    max_sockets_by_address: int
    """MAX_SOCKETS_BY_ADDRESS, default 500 in one process: a large office, or many phones behind one address. Counted
    with RATE_LIMITS on."""
    max_unsigned_sockets: int
    """MAX_UNSIGNED_SOCKETS, default 1,000 in one process that have offered no token yet, each for 5 s: they may hold
    up to 320 KB each that nobody has read."""
    max_unsigned_by_address: int
    """MAX_UNSIGNED_BY_ADDRESS, default 32 of these. Counted with RATE_LIMITS on."""
    drain_seconds: float
    """DRAIN_SECONDS, default 5 s over which a live process that was told to end sends its sockets away, so that not all
    come to the others at once, and a web process goes on serving, but says 503 at /readyz, so that a front stops asking
    it. Less than the server's own patience (`--timeout-graceful-shutdown`)."""
    timeline_shards: int
    """TIMELINE_SHARDS, default 8: hash tags over which timelines spread, a handful a node.
    Change it in all processes at once: the timeline Redis is emptied and every timeline rebuilds."""
    timeline_cap: int
    """TIMELINE_CAP, default 800 entries kept in Redis; older ones are read from the store."""
    active_days: int
    """ACTIVE_DAYS, default 30 days without reading until a timeline leaves Redis."""
    push_max_followers: int
    """PUSH_MAX_FOLLOWERS, default 500,000: tweets of who has more are merged when their followers read, not
    pushed to each, until there are less than four fifths of that again. 0: everybody's are pushed."""
    max_following: int
    """MAX_FOLLOWING, default 5,000 people: bounds a rebuild."""
    sweep_after_seconds: float
    """SWEEP_AFTER_SECONDS, default 4: an order not done by then is sent again. With the sweeper's own pauses, what
    Redis could not take is in force within 10 s of its return."""
    token_days: int
    """TOKEN_DAYS, default 90 days until a sign-in token ends."""
    email_url: str
    """EMAIL_URL of the server that letters are handed to (config/email_urls.py); default none: on a laptop they are
    printed, in production none are sent, and nobody can reset a password."""
    email_from: str
    """EMAIL_FROM: the address that letters come from. Together with EMAIL_URL."""
    password_reset_url: str
    """PASSWORD_RESET_URL of a client's page that sets another password; the letter's token stands behind its `#token=`,
    where no server sees it. Default none: the letter has the token alone."""
    email_confirmation_url: str
    """EMAIL_CONFIRMATION_URL of a page that confirms an address, as this site's /confirm-email; else as the other."""
    log_format: Literal["console", "json"]
    """LOG_FORMAT: readable lines, or one JSON object a line; default json in production."""
    metrics_token: str
    """METRICS_TOKEN: what /metrics asks for as a bearer token; default none, and everyone may read it. Production must
    have one: figures tell how much there is of everything, and a scrape costs."""
    staff_two_step: bool | None
    """STAFF_TWO_STEP=on|off: whether staff prove themselves to the admin by a code of their authenticator as well as by
    their password; default off, in production on."""
    graphql_introspection: bool | None
    """GRAPHQL_INTROSPECTION=on|off: whether clients may ask for the GraphQL schema, and are told of names that they
    did not write; default on, in production off."""
    graphiql: bool | None
    """GRAPHIQL=on|off: whether GET /graphql shows browsers a page to try GraphQL on; default on, in production off. It
    wants GRAPHQL_INTROSPECTION, without which it has no documentation and completes nothing."""
    graphql_documents: str
    """GRAPHQL_DOCUMENTS: a JSON file of GraphQL documents by their SHA-256, which clients may name by that; default
    none."""
    graphql_documents_only: bool
    """GRAPHQL_DOCUMENTS_ONLY=on|off, default off: whether other documents than those are refused."""
    graphql_registering: bool
    """GRAPHQL_REGISTERING=on|off, default on: whether clients may register documents by their hash, which are kept for
    a day, as far as there is room. Off with GRAPHQL_DOCUMENTS_ONLY."""
    metrics_port: int
    """METRICS_PORT, default 0, which is none: where a worker, beat or a sweeper answers Prometheus, as it serves no
    page. On every address with METRICS_TOKEN, on loopback without."""
    static_root: str
    """STATIC_ROOT: where `collectstatic` has put the pages' files, with gzipped ones beside them; default none, and
    they are served from where the packages have them."""
    prometheus_multiproc_dir: str
    """PROMETHEUS_MULTIPROC_DIR: an empty directory in which several processes of one server add up their metrics.
    The client reads it by itself, too; default none, each process counts for itself."""
    traces_endpoint: str
    """OTEL_EXPORTER_OTLP_ENDPOINT: the address of a collector that takes OTLP over HTTP, without /v1/traces; default
    none, no traces."""
    traces_headers: str
    """OTEL_EXPORTER_OTLP_HEADERS: fields for it, name=value and comma-separated, such as its token; default none."""
    traces_service_name: str
    """OTEL_SERVICE_NAME, default feed: what the collector calls this product."""
    traces_ratio: float
    """OTEL_TRACES_SAMPLER_ARG, 0 to 1, default 0.01: the share of traces that is kept, whole."""


def environment_or_end() -> Environment:
    """Returns the environment; ends the process, by a sentence that says what is wrong with it."""
    try:
        return read_environment()
    except (UnsafeEnvironment, EnvError) as error:
        raise SystemExit(f"Not started: {error}") from None


def read_environment() -> Environment:
    """Returns the environment, checked. Raises `UnsafeEnvironment` or environs' EnvError."""
    environment = _read(Env())
    _refuse_unreadable_urls(environment)
    _refuse_a_replica_of_nothing(environment)
    _refuse_one_redis(environment)
    _refuse_no_time(environment)
    _refuse_untraceable(environment)
    _refuse_half_a_letter(environment)
    refuse_unsafe(environment)
    return environment


def _read(env: Env) -> Environment:
    production = _choice(env, "ENVIRONMENT", ["development", "production"]) == "production"
    data_dir = env.path("DATA_DIR", Path("data")).absolute()
    return Environment(
        production=production,
        debug=env.bool("DEBUG", False),
        secret_key=env.str("SECRET_KEY", LAPTOP_SECRET),
        secret_key_fallbacks=env.list("SECRET_KEY_FALLBACKS", []),
        allowed_hosts=env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", "testserver"]),
        allowed_origins=env.list("ALLOWED_ORIGINS", []),
        data_dir=data_dir,
        store=cast(Literal["embedded", "cassandra"], _choice(env, "STORE", ["embedded", "cassandra"])),
        search_url=env.str("SEARCH_URL", ""),
        database_url=env.str("DATABASE_URL", f"sqlite:///{data_dir}/accounts.sqlite3"),
        replica_database_url=env.str("REPLICA_DATABASE_URL", ""),
        timeline_redis_url=env.str("TIMELINE_REDIS_URL", "redis://127.0.0.1:6379/0"),
        broker_redis_url=env.str("BROKER_REDIS_URL", "redis://127.0.0.1:6380/0"),
        fanout_broker_urls=_without_gaps(env.list("FANOUT_BROKER_URLS", [])),
        redis_timeout_seconds=env.float("REDIS_TIMEOUT_SECONDS", 0.5),
        cassandra_hosts=env.list("CASSANDRA_HOSTS", ["127.0.0.1"]),
        cassandra_port=env.int("CASSANDRA_PORT", 9042),
        cassandra_keyspace=env.str("CASSANDRA_KEYSPACE", "feed"),
        cassandra_replication=env.str("CASSANDRA_REPLICATION", "{'class': 'SimpleStrategy', 'replication_factor': 1}"),
        cassandra_consistency=_choice(env, "CASSANDRA_CONSISTENCY", CONSISTENCIES),
        cassandra_timeout_seconds=env.float("CASSANDRA_TIMEOUT_SECONDS", 5.0),
        cassandra_user=env.str("CASSANDRA_USER", ""),
        cassandra_password=env.str("CASSANDRA_PASSWORD", ""),
        cassandra_tls_ca=env.str("CASSANDRA_TLS_CA", ""),
        rate_limits=env.bool("RATE_LIMITS", True),
        trusted_proxies=env.int("TRUSTED_PROXIES", 0, validate=_not_negative("TRUSTED_PROXIES")),
        max_sockets=env.int("MAX_SOCKETS", 10000, validate=_positive("MAX_SOCKETS")),
        max_sockets_by_address=env.int("MAX_SOCKETS_BY_ADDRESS", 500, validate=_positive("MAX_SOCKETS_BY_ADDRESS")),
        max_unsigned_sockets=env.int("MAX_UNSIGNED_SOCKETS", 1000, validate=_positive("MAX_UNSIGNED_SOCKETS")),
        max_unsigned_by_address=env.int("MAX_UNSIGNED_BY_ADDRESS", 32, validate=_positive("MAX_UNSIGNED_BY_ADDRESS")),
        drain_seconds=env.float("DRAIN_SECONDS", 5.0, validate=_not_negative("DRAIN_SECONDS")),
        timeline_shards=env.int("TIMELINE_SHARDS", 8, validate=_positive("TIMELINE_SHARDS", MOST_SHARDS)),
        timeline_cap=env.int("TIMELINE_CAP", 800, validate=_positive("TIMELINE_CAP")),
        active_days=env.int("ACTIVE_DAYS", 30, validate=_positive("ACTIVE_DAYS")),
        push_max_followers=env.int("PUSH_MAX_FOLLOWERS", 500000, validate=_not_negative("PUSH_MAX_FOLLOWERS")),
        max_following=env.int("MAX_FOLLOWING", 5000, validate=_positive("MAX_FOLLOWING")),
        sweep_after_seconds=env.float("SWEEP_AFTER_SECONDS", 4.0, validate=_not_negative("SWEEP_AFTER_SECONDS")),
        token_days=env.int("TOKEN_DAYS", 90, validate=_positive("TOKEN_DAYS")),
        email_url=env.str("EMAIL_URL", ""),
        email_from=env.str("EMAIL_FROM", ""),
        password_reset_url=env.str("PASSWORD_RESET_URL", ""),
        email_confirmation_url=env.str("EMAIL_CONFIRMATION_URL", ""),
        log_format=_log_format(env, production),
        metrics_token=env.str("METRICS_TOKEN", ""),
        staff_two_step=env.bool("STAFF_TWO_STEP", None),
        graphql_introspection=env.bool("GRAPHQL_INTROSPECTION", None),
        graphiql=env.bool("GRAPHIQL", None),
        graphql_documents=env.str("GRAPHQL_DOCUMENTS", ""),
        graphql_documents_only=env.bool("GRAPHQL_DOCUMENTS_ONLY", False),
        graphql_registering=env.bool("GRAPHQL_REGISTERING", True),
        metrics_port=env.int("METRICS_PORT", 0, validate=_not_negative("METRICS_PORT")),
        static_root=env.str("STATIC_ROOT", ""),
        prometheus_multiproc_dir=env.str("PROMETHEUS_MULTIPROC_DIR", ""),
        traces_endpoint=env.str("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        traces_headers=env.str("OTEL_EXPORTER_OTLP_HEADERS", ""),
        traces_service_name=env.str("OTEL_SERVICE_NAME", "feed"),
        traces_ratio=env.float("OTEL_TRACES_SAMPLER_ARG", 0.01),
    )


def _without_gaps(elements: list[str]) -> list[str]:
    """The standard library reads an address with a space before it, but no Redis is reached by one."""
    return [each.strip() for each in elements if each.strip()]


def _log_format(env: Env, production: bool) -> Literal["console", "json"]:
    allowed = ["json", "console"] if production else ["console", "json"]
    return cast(Literal["console", "json"], _choice(env, "LOG_FORMAT", allowed))


def _refuse_unreadable_urls(environment: Environment) -> None:
    """Names the variable alone: what the standard library says of such a URL quotes a piece of its password."""
    urls = [("DATABASE_URL", environment.database_url)]
    if environment.replica_database_url:
        urls.append(("REPLICA_DATABASE_URL", environment.replica_database_url))
    for name, url in urls:
        if fault := database_urls.fault_of(url, schemes=SCHEMES[name]):
            raise UnsafeEnvironment(f"{name} {fault}")
    if fault := search_urls.fault_of(environment.search_url):
        raise UnsafeEnvironment(f"SEARCH_URL {fault}")
    if fault := redis_urls.fault_of(environment.timeline_redis_url, may_be_a_cluster=True):
        raise UnsafeEnvironment(f"TIMELINE_REDIS_URL {fault}")
    brokers = [("FANOUT_BROKER_URLS", url) for url in environment.fanout_broker_urls]
    for name, url in [("BROKER_REDIS_URL", environment.broker_redis_url), *brokers]:
        if fault := redis_urls.fault_of(url, may_be_a_cluster=False):
            raise UnsafeEnvironment(f"{name} {fault}")


def _refuse_no_time(environment: Environment) -> None:
    """A write to Cassandra is two round trips, and begins none without a quarter of a second left."""
    for name, seconds, least in (
        ("REDIS_TIMEOUT_SECONDS", environment.redis_timeout_seconds, 0.01),
        ("CASSANDRA_TIMEOUT_SECONDS", environment.cassandra_timeout_seconds, 1.0),
    ):
        if seconds < least:
            raise UnsafeEnvironment(f"{name}={seconds}: must be at least {least}")


def _refuse_untraceable(environment: Environment) -> None:
    """Names what is wrong and no more: an address may have a password."""
    if environment.traces_endpoint and urlsplit(environment.traces_endpoint).scheme not in {"http", "https"}:
        raise UnsafeEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://")
    if not 0 <= environment.traces_ratio <= 1:
        raise UnsafeEnvironment(f"OTEL_TRACES_SAMPLER_ARG={environment.traces_ratio}: must be from 0 to 1")


def _refuse_half_a_letter(environment: Environment) -> None:
    """One without the other would be noticed when somebody has forgotten a password."""
    if environment.email_url and (fault := email_urls.fault_of(environment.email_url)):
        raise UnsafeEnvironment(f"EMAIL_URL {fault}")
    if bool(environment.email_url) != bool(environment.email_from):
        raise UnsafeEnvironment("EMAIL_URL and EMAIL_FROM go together: one of them is missing")
    if environment.email_from and not SENDER.fullmatch(environment.email_from):
        raise UnsafeEnvironment("EMAIL_FROM must be an address, such as feed@example.org or Feed <feed@example.org>")
    schemes = {"https"} if environment.production else {"http", "https"}
    for name in ("PASSWORD_RESET_URL", "EMAIL_CONFIRMATION_URL"):
        url: str = getattr(environment, name.lower())
        if url and (urlsplit(url).scheme not in schemes or "#" in url):
            raise UnsafeEnvironment(f"{name} must begin with https://, and have no #")
        if url and environment.production and not environment.email_url:
            raise UnsafeEnvironment(f"{name} is for letters: EMAIL_URL and EMAIL_FROM are missing")


def _refuse_a_replica_of_nothing(environment: Environment) -> None:
    if environment.replica_database_url and urlsplit(environment.database_url).scheme not in POSTGRESQL:
        raise UnsafeEnvironment("REPLICA_DATABASE_URL names a replica, of which DATABASE_URL must name the primary")


def _refuse_one_redis(environment: Environment) -> None:
    """A new generation empties the timelines' database, and would take the queues (storage/redis/generations.py)."""
    url, groups = environment.timeline_redis_url, environment.fanout_broker_urls
    timelines = [_redis_place(each) for each in (seeds(url) if is_of_a_cluster(url) else [url])]
    for name, urls in (("BROKER_REDIS_URL", [environment.broker_redis_url]), ("FANOUT_BROKER_URLS", groups)):
        if any(_redis_place(each) in timelines for each in urls):
            raise UnsafeEnvironment(f"TIMELINE_REDIS_URL and {name} name one database: the first needs its own")
    if len(set(map(_redis_place, groups))) < len(groups):
        raise UnsafeEnvironment("FANOUT_BROKER_URLS names one database twice: each group of workers needs its own")


def _redis_place(url: str) -> tuple[str | None, int, str]:
    """Host, port and database."""
    parts = urlsplit(url)
    return parts.hostname, parts.port or REDIS_PORT, parts.path.strip("/") or "0"


def _not_negative(name: str) -> Callable[[float], None]:
    def check(value: float) -> None:
        if not 0 <= value < float("inf"):
            raise UnsafeEnvironment(f"{name}={value}: must not be negative")

    return check


def _positive(name: str, most: int | None = None) -> Callable[[int], None]:
    def check(value: int) -> None:
        if value < 1:
            raise UnsafeEnvironment(f"{name}={value}: must be at least 1")
        if most is not None and value > most:
            raise UnsafeEnvironment(f"{name}={value}: must be at most {most}")

    return check


def _choice(env: Env, name: str, allowed: Sequence[str]) -> str:
    """The variable's value; the first of `allowed` is its default."""
    value = env.str(name, allowed[0])
    if value not in allowed:
        raise UnsafeEnvironment(f"{name}={value}: must be one of {', '.join(allowed)}")
    return value


def refuse_unsafe(environment: Environment) -> None:
    """Raises `UnsafeEnvironment` naming every setting that production must not have."""
    if not environment.production:
        return
    faults = {
        "SECRET_KEY is the laptop default or shorter than 40 characters": environment.secret_key == LAPTOP_SECRET
        or len(environment.secret_key) < 40,
        "DEBUG is on": environment.debug,
        "ALLOWED_HOSTS is open or empty": "*" in environment.allowed_hosts or not environment.allowed_hosts,
        "ALLOWED_ORIGINS is open": "*" in environment.allowed_origins,
        "RATE_LIMITS is off": not environment.rate_limits,
        "SEARCH_URL is embedded, a file that other machines and containers do not have": environment.search_url
        == EMBEDDED,
        "METRICS_TOKEN is missing": not environment.metrics_token.strip(),
    }
    found = [fault for fault, present in faults.items() if present]
    if found:
        raise UnsafeEnvironment("refusing to start in production: " + "; ".join(found))
