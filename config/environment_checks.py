"""What the environment must not say: what cannot work, or does not belong in production, is said at the start.

The messages name variables and quote no addresses: those have passwords.
"""

import re
from urllib.parse import urlsplit

from environs import EnvError

from config import database_urls, email_urls, redis_urls, search_urls
from config.database_urls import POSTGRESQL
from config.environment import LAPTOP_SECRET, Environment
from config.variables import UnsafeEnvironment
from storage.redis.cluster_urls import is_of_a_cluster, seeds
from tweets.search.addresses import EMBEDDED

REDIS_PORT = 6379
SCHEMES = {
    "DATABASE_URL": (*POSTGRESQL, "sqlite"),
    "REPLICA_DATABASE_URL": POSTGRESQL,
}
"""What the address of each SQL database may begin with."""
SENDER = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^\r\n<>@]+ <[^\s<>@]+@[^\s<>@]+>")
"""Who letters come from: an address, with a name before it or not."""


def environment_or_end() -> Environment:
    """Returns the environment; ends the process, by a sentence that says what is wrong with it."""
    try:
        return read_environment()
    except (UnsafeEnvironment, EnvError) as error:
        raise SystemExit(f"Not started: {error}") from None


def read_environment() -> Environment:
    """Returns the environment, checked. Raises `UnsafeEnvironment` or environs' EnvError."""
    environment = Environment()
    _refuse_unreadable_urls(environment)
    _refuse_a_replica_of_nothing(environment)
    _refuse_one_redis(environment)
    _refuse_no_time(environment)
    _refuse_untraceable(environment)
    _refuse_half_a_letter(environment)
    refuse_unsafe(environment)
    return environment


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
