"""Makes CASSANDRA_USER, in a Cassandra that has just begun to ask for passwords, and closes its first door.

A new cluster with PasswordAuthenticator knows one role, `cassandra`, by a password that everybody knows.
"""

import time
from typing import Any

from cassandra import AuthenticationFailed
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import NoHostAvailable, Session
from cassandra.query import SimpleStatement
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from storage.cassandra.cluster import open_cluster

FIRST = "cassandra"
"""The role that a cluster begins with, and its password."""
SECONDS = 60.0
FIRST_SECONDS = 60.0
"""A new node makes that role some ten seconds after it has begun to serve."""
PAUSE_SECONDS = 1.0
MAKE = 'CREATE ROLE IF NOT EXISTS "{}" WITH PASSWORD = %s AND LOGIN = true AND SUPERUSER = true'
CLOSE = f"ALTER ROLE {FIRST} WITH LOGIN = false AND SUPERUSER = false"
"""By another role: none may do so to itself."""


class Command(BaseCommand):
    help = "Makes the role of CASSANDRA_USER, and takes the right to log in from the one that everybody knows"
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        """May be run again at any time. Without a CASSANDRA_USER there is nothing to do."""
        user, password = settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD
        if not user:
            return
        if not user.replace("_", "a").isalnum() or user.lower() == FIRST:
            raise CommandError("CASSANDRA_USER must be of letters, digits and _, and another role than `cassandra`")
        deadline = time.monotonic() + FIRST_SECONDS
        while not self._lets_in(user, password):
            if self._lets_in(FIRST, FIRST, MAKE.format(user), password):
                self.stdout.write(f"made the role {user}")
            elif time.monotonic() > deadline:
                raise CommandError(f"Cassandra lets neither {user} in nor the role that a new cluster begins with.")
            time.sleep(PAUSE_SECONDS)
        if self._lets_in(FIRST, FIRST):
            self._lets_in(user, password, CLOSE)
            self.stdout.write(f"the role {FIRST} logs in no more")

    def _lets_in(self, user: str, password: str, statement: str = "", *values: str) -> bool:
        """Whether the cluster takes that password; carries a statement out if so."""
        cluster = open_cluster(timeout_seconds=SECONDS, credentials=PlainTextAuthProvider(user, password))
        try:
            session: Session = cluster.connect()
            if statement:
                session.execute(SimpleStatement(statement), values or None)
            return True
        except NoHostAvailable as error:
            if _refused(error):
                return False
            raise CommandError("Cassandra does not answer.") from error
        finally:
            cluster.shutdown()


def _refused(error: NoHostAvailable) -> bool:
    return any(isinstance(each, AuthenticationFailed) for each in error.errors.values())
