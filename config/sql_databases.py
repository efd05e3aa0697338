"""Django's settings of an SQL database, SQLite or PostgreSQL, from its address."""

from typing import Any
from urllib.parse import urlsplit

from config import database_urls

SQLITE_OPTIONS = {
    "timeout": 15,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=15000;",
}
"""WAL lets readers go on while one writes; FULL because an acknowledged write is durable."""


def sql_database(url: str) -> dict[str, Any]:
    """Returns Django's settings of the database there, which may be PgBouncer pooling transactions: nothing is asked of
    a session that outlives one, and no `options` are sent, which it refuses (storage/postgresql bounds statements)."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parts.path,
            "CONN_MAX_AGE": None,
            "OPTIONS": SQLITE_OPTIONS,
            "TEST": {"NAME": parts.path + ".test"},
        }
    place = database_urls.postgresql(url)
    return {
        "ENGINE": "storage.postgresql",
        "NAME": place.name,
        "HOST": place.host,
        "PORT": place.port,
        "USER": place.user,
        "PASSWORD": place.password,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"connect_timeout": 3, **place.parameters},
    }
