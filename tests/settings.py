"""The product's settings, with state, Redis and secrets of this test session alone.

Read before any fixture runs; so ports are chosen here and the servers started by conftest.py.
"""

import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from deploy.supervisor.ports import LOOPBACK, free_port

REDIS_PASSWORD = "of-these-tests: every / character @ counts"
EXTERNAL_CASSANDRA = "CASSANDRA_HOSTS" in os.environ
"""A cluster to test against, in a keyspace of this session's own, in place of a node of its own."""

TIMELINES_ON_A_CLUSTER = os.environ.get("TIMELINES") == "cluster"
"""Three primaries for the timelines, and a replica of each, in place of one server."""


def _timelines_url() -> str:
    who = f":{quote(REDIS_PASSWORD, safe='')}@"
    if TIMELINES_ON_A_CLUSTER:
        return f"redis+cluster://{who}{','.join(f'{LOOPBACK}:{free_port()}' for _ in range(3))}"
    return f"redis://{who}{LOOPBACK}:{free_port()}/0"


os.environ |= {
    "DATA_DIR": tempfile.mkdtemp(prefix="feed-tests-"),
    "STORE": "embedded",
    # Suites ask more often than people may; those of the limits switch them on.
    "RATE_LIMITS": "off",
    "TIMELINE_REDIS_URL": _timelines_url(),
    "BROKER_REDIS_URL": f"redis://:{quote(REDIS_PASSWORD, safe='')}@{LOOPBACK}:{free_port()}/0",
    "CASSANDRA_KEYSPACE": f"test_{os.getpid()}",
}
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
"""A node of a test lives for minutes: what Java's second compiler gains later it costs at once. Starting a node and
making its tables takes 15 s of CPU so, and 27 s otherwise."""
os.environ.setdefault(
    "CASSANDRA_REPLICATION", "{'class': 'SimpleStrategy', 'replication_factor': 1} AND durable_writes = false"
)
"""No node is started again beneath the keyspace of a session. A TRUNCATE then drops what is in memory, in place of
writing it to disk first: it costs a tenth, and most tests begin with two."""
if not EXTERNAL_CASSANDRA:
    os.environ |= {"CASSANDRA_HOSTS": LOOPBACK, "CASSANDRA_PORT": str(free_port())}

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, ENV  # noqa: E402

TEST_DIR: Path = ENV.data_dir

for database in DATABASES.values():
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # A test's data need not outlive a power cut.
        database["OPTIONS"] = database["OPTIONS"] | {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA busy_timeout=20000;"
        }

REDIS_TIMEOUT_SECONDS = 5.0
CASSANDRA_TIMEOUT_SECONDS = 30.0
"""A machine that is busy with something else stalls a server for longer than production would wait; tests in
which a server is to hang wait for less (tests/outages.py, tests/proxies.py)."""

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""Tests sign up hundreds of people; a slow hash is right for production only."""

WHITENOISE_AUTOREFRESH = True
"""A static file is looked up when it is asked for. Otherwise every test client begins by listing them all, which
takes longer than most requests."""
