"""Every environment variable the project reads: its unit, its default and its reason.

Nothing else reads the environment. `ENVIRONMENT=production` makes the defaults that are
only fit for a laptop (secret key, open hosts, debug, limits off) errors at start (environment_checks.py).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from config.variables import (
    choice,
    decimal,
    flag,
    optional_flag,
    positive,
    read_choice,
    read_path,
    read_text,
    seconds,
    text,
    whole,
    words,
)

LAPTOP_SECRET = "only-for-a-laptop-" + "0" * 40
CONSISTENCIES = ("LOCAL_QUORUM", "QUORUM", "EACH_QUORUM", "ALL", "LOCAL_ONE", "ONE", "TWO", "THREE")
"""Cassandra's levels that both a read and a write may have."""
MOST_SHARDS = 4_096
"""Each is a command of every round trip that asks all."""


def _is_production() -> bool:
    return read_choice("ENVIRONMENT", "development", "production") == "production"


def _data_dir() -> Path:
    return read_path("DATA_DIR", "data").absolute()


def _database_url() -> str:
    return read_text("DATABASE_URL", f"sqlite:///{_data_dir()}/accounts.sqlite3")


def _log_format() -> Literal["console", "json"]:
    if _is_production():
        return read_choice("LOG_FORMAT", "json", "console")
    return read_choice("LOG_FORMAT", "console", "json")


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables' values; `Environment()` reads them, by each field's default."""

    production: bool = field(default_factory=_is_production)
    """ENVIRONMENT=production|development. Production refuses laptop defaults."""
    debug: bool = flag("DEBUG", False)
    """DEBUG, default off: Django's debug pages leak settings."""
    secret_key: str = text("SECRET_KEY", LAPTOP_SECRET)
    """SECRET_KEY: signs cursors and admin sessions. Rotate with SECRET_KEY_FALLBACKS."""
    secret_key_fallbacks: list[str] = words("SECRET_KEY_FALLBACKS")
    """SECRET_KEY_FALLBACKS, comma-separated: older keys whose cursors still work."""
    allowed_hosts: list[str] = words("ALLOWED_HOSTS", "localhost", "127.0.0.1", "[::1]", "testserver")
    """ALLOWED_HOSTS, comma-separated; default loopback names."""
    allowed_origins: list[str] = words("ALLOWED_ORIGINS")
    """ALLOWED_ORIGINS, comma-separated: browser origins allowed by CORS and sockets; default none."""
    data_dir: Path = field(default_factory=_data_dir)
    """DATA_DIR: where the embedded default keeps all its state; default ./data."""
    store: Literal["embedded", "cassandra"] = choice("STORE", "embedded", "cassandra")
    """STORE: SQLite behind the store ports, or Apache Cassandra."""
    search_url: str = text("SEARCH_URL")
    """SEARCH_URL of the index of tweets: opensearch://host:port/index (opensearchs:// with TLS); `embedded`, a file in
    DATA_DIR for the processes of one machine; or `off`. Default `embedded`, in production `off`, as there a file would
    be another one in each container."""
    database_url: str = field(default_factory=_database_url)
    """DATABASE_URL of PostgreSQL, or of PgBouncer before it, for users, tokens, admin; default SQLite in DATA_DIR. With
    `?sslmode=verify-full&sslrootcert=…` and the like; a password's `/ # ? @ %` are written as %XX."""
    replica_database_url: str = text("REPLICA_DATABASE_URL")
    """REPLICA_DATABASE_URL of a PostgreSQL that follows DATABASE_URL's, for reads that may be late (accounts/sql.py);
    default none: those are the primary's, too."""
    timeline_redis_url: str = text("TIMELINE_REDIS_URL", "redis://127.0.0.1:6379/0")
    """TIMELINE_REDIS_URL: timelines and caches; needs no persistence. One server, or some nodes of a cluster."""
    broker_redis_url: str = text("BROKER_REDIS_URL", "redis://127.0.0.1:6380/0")
    """BROKER_REDIS_URL: Celery's broker; noeviction."""
    fanout_broker_urls: list[str] = words("FANOUT_BROKER_URLS")
    """FANOUT_BROKER_URLS, comma-separated: a broker for each group of workers, over which orders spread; default none,
    and all orders go to BROKER_REDIS_URL. All processes must have the same list."""
    redis_timeout_seconds: float = decimal("REDIS_TIMEOUT_SECONDS", 0.5)
    """REDIS_TIMEOUT_SECONDS, default 0.5: connect and answer; a slower Redis counts as down."""
    cassandra_hosts: list[str] = words("CASSANDRA_HOSTS", "127.0.0.1")
    """CASSANDRA_HOSTS, comma-separated; default loopback."""
    cassandra_port: int = whole("CASSANDRA_PORT", 9042)
    """CASSANDRA_PORT, default 9042."""
    cassandra_keyspace: str = text("CASSANDRA_KEYSPACE", "feed")
    """CASSANDRA_KEYSPACE, default feed."""
    cassandra_replication: str = text("CASSANDRA_REPLICATION", "{'class': 'SimpleStrategy', 'replication_factor': 1}")
    """CASSANDRA_REPLICATION: CQL map; default one replica, for a single node."""
    cassandra_consistency: str = choice("CASSANDRA_CONSISTENCY", *CONSISTENCIES)
    """CASSANDRA_CONSISTENCY of reads and writes, default LOCAL_QUORUM: the races need it."""
    cassandra_timeout_seconds: float = decimal("CASSANDRA_TIMEOUT_SECONDS", 5.0)
    """CASSANDRA_TIMEOUT_SECONDS, default 5: one statement; longer counts as down."""
    cassandra_user: str = text("CASSANDRA_USER")
    """CASSANDRA_USER, empty for none."""
    cassandra_password: str = text("CASSANDRA_PASSWORD")
    """CASSANDRA_PASSWORD."""
    cassandra_tls_ca: str = text("CASSANDRA_TLS_CA")
    """CASSANDRA_TLS_CA: a file of the authorities that sign the nodes' certificates; default none, and no TLS."""
    rate_limits: bool = flag("RATE_LIMITS", True)
    """RATE_LIMITS=on|off, default on. Off is refused in production."""
    trusted_proxies: int = whole("TRUSTED_PROXIES", 0)
    """TRUSTED_PROXIES, default 0: how many proxies of ours stand in front, each adding to X-Forwarded-For.
    Too many lets clients choose their address; too few takes all of them for one."""
    max_sockets: int = positive("MAX_SOCKETS", 10_000)
    """MAX_SOCKETS, default 10,000 in one process, some 20 KB each and up to 140 KB with a screen; fewer where the
    process may not have so many file descriptors."""
    max_sockets_by_address: int = positive("MAX_SOCKETS_BY_ADDRESS", 500)
    """MAX_SOCKETS_BY_ADDRESS, default 500 in one process: a large office, or many phones behind one address. Counted
    with RATE_LIMITS on."""
    max_unsigned_sockets: int = positive("MAX_UNSIGNED_SOCKETS", 1000)
    """MAX_UNSIGNED_SOCKETS, default 1,000 in one process that have offered no token yet, each for 5 s: they may hold
    up to 320 KB each that nobody has read."""
    max_unsigned_by_address: int = positive("MAX_UNSIGNED_BY_ADDRESS", 32)
    """MAX_UNSIGNED_BY_ADDRESS, default 32 of these. Counted with RATE_LIMITS on."""
    drain_seconds: float = seconds("DRAIN_SECONDS", 5.0)
    """DRAIN_SECONDS, default 5 s over which a live process that was told to end sends its sockets away, so that not all
    come to the others at once, and a web process goes on serving, but says 503 at /readyz, so that a front stops asking
    it. Less than the server's own patience (`--timeout-graceful-shutdown`)."""
    timeline_shards: int = positive("TIMELINE_SHARDS", 8, most=MOST_SHARDS)
    """TIMELINE_SHARDS, default 8: hash tags over which timelines spread, a handful a node.
    Change it in all processes at once: the timeline Redis is emptied and every timeline rebuilds."""
    timeline_cap: int = positive("TIMELINE_CAP", 800)
    """TIMELINE_CAP, default 800 entries kept in Redis; older ones are read from the store."""
    active_days: int = positive("ACTIVE_DAYS", 30)
    """ACTIVE_DAYS, default 30 days without reading until a timeline leaves Redis."""
    push_max_followers: int = whole("PUSH_MAX_FOLLOWERS", 500_000)
    """PUSH_MAX_FOLLOWERS, default 500,000: tweets of who has more are merged when their followers read, not
    pushed to each, until there are less than four fifths of that again. 0: everybody's are pushed."""
    max_following: int = positive("MAX_FOLLOWING", 5000)
    """MAX_FOLLOWING, default 5,000 people: bounds a rebuild."""
    sweep_after_seconds: float = seconds("SWEEP_AFTER_SECONDS", 4.0)
    """SWEEP_AFTER_SECONDS, default 4: an order not done by then is sent again. With the sweeper's own pauses, what
    Redis could not take is in force within 10 s of its return."""
    token_days: int = positive("TOKEN_DAYS", 90)
    """TOKEN_DAYS, default 90 days until a sign-in token ends."""
    email_url: str = text("EMAIL_URL")
    """EMAIL_URL of the server that letters are handed to (config/email_urls.py); default none: on a laptop they are
    printed, in production none are sent, and nobody can reset a password."""
    email_from: str = text("EMAIL_FROM")
    """EMAIL_FROM: the address that letters come from. Together with EMAIL_URL."""
    password_reset_url: str = text("PASSWORD_RESET_URL")
    """PASSWORD_RESET_URL of a client's page that sets another password; the letter's token stands behind its `#token=`,
    where no server sees it. Default none: the letter has the token alone."""
    email_confirmation_url: str = text("EMAIL_CONFIRMATION_URL")
    """EMAIL_CONFIRMATION_URL of a page that confirms an address, as this site's /confirm-email; else as the other."""
    log_format: Literal["console", "json"] = field(default_factory=_log_format)
    """LOG_FORMAT: readable lines, or one JSON object a line; default json in production."""
    metrics_token: str = text("METRICS_TOKEN")
    """METRICS_TOKEN: what /metrics asks for as a bearer token; default none, and everyone may read it. Production must
    have one: figures tell how much there is of everything, and a scrape costs."""
    staff_two_step: bool | None = optional_flag("STAFF_TWO_STEP")
    """STAFF_TWO_STEP=on|off: whether staff prove themselves to the admin by a code of their authenticator as well as by
    their password; default off, in production on."""
    graphql_introspection: bool | None = optional_flag("GRAPHQL_INTROSPECTION")
    """GRAPHQL_INTROSPECTION=on|off: whether clients may ask for the GraphQL schema, and are told of names that they
    did not write; default on, in production off."""
    graphiql: bool | None = optional_flag("GRAPHIQL")
    """GRAPHIQL=on|off: whether GET /graphql shows browsers a page to try GraphQL on; default on, in production off. It
    wants GRAPHQL_INTROSPECTION, without which it has no documentation and completes nothing."""
    graphql_documents: str = text("GRAPHQL_DOCUMENTS")
    """GRAPHQL_DOCUMENTS: a JSON file of GraphQL documents by their SHA-256, which clients may name by that; default
    none."""
    graphql_documents_only: bool = flag("GRAPHQL_DOCUMENTS_ONLY", False)
    """GRAPHQL_DOCUMENTS_ONLY=on|off, default off: whether other documents than those are refused."""
    graphql_registering: bool = flag("GRAPHQL_REGISTERING", True)
    """GRAPHQL_REGISTERING=on|off, default on: whether clients may register documents by their hash, which are kept for
    a day, as far as there is room. Off with GRAPHQL_DOCUMENTS_ONLY."""
    metrics_port: int = whole("METRICS_PORT", 0)
    """METRICS_PORT, default 0, which is none: where a worker, beat or a sweeper answers Prometheus, as it serves no
    page. On every address with METRICS_TOKEN, on loopback without."""
    static_root: str = text("STATIC_ROOT")
    """STATIC_ROOT: where `collectstatic` has put the pages' files, with gzipped ones beside them; default none, and
    they are served from where the packages have them."""
    prometheus_multiproc_dir: str = text("PROMETHEUS_MULTIPROC_DIR")
    """PROMETHEUS_MULTIPROC_DIR: an empty directory in which several processes of one server add up their metrics.
    The client reads it by itself, too; default none, each process counts for itself."""
    traces_endpoint: str = text("OTEL_EXPORTER_OTLP_ENDPOINT")
    """OTEL_EXPORTER_OTLP_ENDPOINT: the address of a collector that takes OTLP over HTTP, without /v1/traces; default
    none, no traces."""
    traces_headers: str = text("OTEL_EXPORTER_OTLP_HEADERS")
    """OTEL_EXPORTER_OTLP_HEADERS: fields for it, name=value and comma-separated, such as its token; default none."""
    traces_service_name: str = text("OTEL_SERVICE_NAME", "feed")
    """OTEL_SERVICE_NAME, default feed: what the collector calls this product."""
    traces_ratio: float = decimal("OTEL_TRACES_SAMPLER_ARG", 0.01)
    """OTEL_TRACES_SAMPLER_ARG, 0 to 1, default 0.01: the share of traces that is kept, whole."""
