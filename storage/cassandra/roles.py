"""The product's role in a Cassandra that asks for passwords.

A new cluster with PasswordAuthenticator knows one role, `cassandra`, by a password that everybody knows. `make_role`
makes CASSANDRA_USER with it, and has it log in no more.
"""

import time
from collections.abc import Callable

from cassandra import AuthenticationFailed
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import NoHostAvailable
from cassandra.query import SimpleStatement
from django.conf import settings

from storage.cassandra.cluster import open_cluster
from storage.errors import Unavailable

FIRST = "cassandra"
"""The role that a cluster begins with, and its password."""
CONNECT_SECONDS = 60.0
FIRST_SECONDS = 60.0
"""A new node makes that role some ten seconds after it has begun to serve."""
PAUSE_SECONDS = 1.0
MAKE = "CREATE ROLE IF NOT EXISTS \"{}\" WITH PASSWORD = '{}' AND LOGIN = true AND SUPERUSER = true"
CLOSE = f"ALTER ROLE {FIRST} WITH LOGIN = false AND SUPERUSER = false"
"""By another role: none may do so to itself."""


class RoleError(Exception):
    """The message tells an operator what to do."""


def make_role(report: Callable[[str], None]) -> None:
    """Makes the role of CASSANDRA_USER where it is not there; may be run again at any time. Without a CASSANDRA_USER
    there is nothing to do. Raises `RoleError`, or `Unavailable` when Cassandra does not answer."""
    user, password = settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD
    if not user:
        return
    if not user.replace("_", "a").isalnum() or user.lower() == FIRST:
        raise RoleError(f"CASSANDRA_USER must be of letters, digits and _, and another role than {FIRST}")
    deadline = time.monotonic() + FIRST_SECONDS
    is_made = False
    while not _lets_in(user, password):
        is_open = _lets_in(FIRST, FIRST, MAKE.format(user, password.replace("'", "''")))
        if is_open and not is_made:
            report(f"made the role {user}")
            is_made = True
        elif time.monotonic() > deadline:
            if is_open:
                raise RoleError(f"Cassandra has a role {user} already, and with another password")
            raise RoleError(f"Cassandra lets neither {user} in, nor the role that a new cluster begins with")
        time.sleep(PAUSE_SECONDS)
    if _lets_in(FIRST, FIRST):
        if not _lets_in(user, password, CLOSE):
            raise RoleError(f"Cassandra let {user} in, and did not when the role {FIRST} was to be closed")
        report(f"the role {FIRST} logs in no more")


def _lets_in(user: str, password: str, statement: str = "") -> bool:
    """Whether the cluster takes that password; carries a statement out if so."""
    cluster = open_cluster(timeout_seconds=CONNECT_SECONDS, credentials=PlainTextAuthProvider(user, password))
    try:
        session = cluster.connect()
        if statement:
            session.execute(SimpleStatement(statement))
        return True
    except NoHostAvailable as error:
        if any(isinstance(each, AuthenticationFailed) for each in error.errors.values()):
            return False
        raise Unavailable("cassandra") from error
    finally:
        cluster.shutdown()
